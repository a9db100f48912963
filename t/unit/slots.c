/* So many uploads at a time, and who is next. */
#include "unit.h"

#include "slots.h"

static struct slots_waiter *rung[8];
static size_t n_rung;

static void
ring(struct slots_waiter *w)
{
    rung[n_rung++] = w;
}

static void
only_so_many(void **state)
{
    struct slots_waiter w[4] = { 0 };
    struct slots *s = slots_create(2, ring);

    (void) state;
    n_rung = 0;
    assert_non_null(s);
    assert_true(slots_take(s, &w[0], 7, 1000));
    assert_true(slots_take(s, &w[1], 8, 1000));
    assert_false(slots_take(s, &w[2], 9, 1000));
    assert_false(slots_take(s, &w[2], 9, 1100)); /* still not */
    assert_true(slots_waits(s, &w[2]));
    assert_true(slots_take(s, &w[0], 7, 1200)); /* goes on */
    slots_leave(s, &w[1], 1200);
    assert_int_equal(n_rung, 1);
    assert_ptr_equal(rung[0], &w[2]);
    assert_false(slots_waits(s, &w[2]));
    assert_true(slots_take(s, &w[2], 9, 1200));
    assert_false(slots_take(s, &w[3], 9, 1200));
    slots_leave(s, &w[3], 1200); /* gone while it waited */
    slots_leave(s, &w[0], 1200);
    slots_leave(s, &w[2], 1200);
    assert_int_equal(n_rung, 1);
    slots_free(s);
}

static void
sent_least_goes_first(void **state)
{
    struct slots_waiter w[5] = { 0 };
    struct slots *s = slots_create(1, ring);

    (void) state;
    n_rung = 0;
    assert_true(slots_take(s, &w[0], 1, 0));
    slots_leave(s, &w[0], 0);
    assert_true(slots_take(s, &w[0], 2, 0));
    assert_false(slots_take(s, &w[1], 1, 0)); /* sent before */
    assert_false(slots_take(s, &w[2], 2, 0)); /* is being sent */
    assert_false(slots_take(s, &w[3], 3, 0));
    assert_false(slots_take(s, &w[4], 4, 0));
    for (size_t i = 0; i < 5; i++) {
        slots_leave(s, i == 0 ? &w[0] : rung[i - 1], 0);
    }
    assert_int_equal(n_rung, 4);
    assert_ptr_equal(rung[0], &w[3]);
    assert_ptr_equal(rung[1], &w[4]);
    assert_ptr_equal(rung[2], &w[1]);
    assert_ptr_equal(rung[3], &w[2]);
    slots_free(s);
}

/* A block that was sent once more weighs as 16 blocks that its reader has. */
static void
who_has_least_goes_first(void **state)
{
    struct slots_waiter w[4] = {
        { .held = 0 }, { .held = 30 }, { .held = 20 }, { .held = 10 }
    };
    struct slots *s = slots_create(1, ring);

    (void) state;
    n_rung = 0;
    assert_true(slots_take(s, &w[0], 1, 0));
    assert_false(slots_take(s, &w[1], 2, 0));
    assert_false(slots_take(s, &w[2], 3, 0));
    assert_false(slots_take(s, &w[3], 1, 0)); /* 10 + 16 */
    for (size_t i = 0; i < 4; i++) {
        slots_leave(s, i == 0 ? &w[0] : rung[i - 1], 0);
    }
    assert_int_equal(n_rung, 3);
    assert_ptr_equal(rung[0], &w[2]);
    assert_ptr_equal(rung[1], &w[3]);
    assert_ptr_equal(rung[2], &w[1]);
    slots_free(s);
}

static void
who_stands_still_holds_up_nobody(void **state)
{
    struct slots_waiter w[3] = { 0 };
    struct slots *s = slots_create(1, ring);

    (void) state;
    n_rung = 0;
    assert_true(slots_take(s, &w[0], 1, 1000));
    assert_false(slots_take(s, &w[1], 2, 1500));
    assert_true(slots_take(s, &w[0], 1, 1600));  /* it sends */
    assert_false(slots_take(s, &w[1], 2, 2500)); /* a moment ago */
    assert_true(slots_take(s, &w[1], 2, 2700));
    assert_false(slots_take(s, &w[2], 3, 2700));
    slots_leave(s, &w[0], 2700); /* its place was taken over */
    assert_int_equal(n_rung, 0);
    slots_leave(s, &w[1], 2700);
    assert_int_equal(n_rung, 1);
    slots_leave(s, &w[2], 2700);
    slots_free(s);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(only_so_many),
    cmocka_unit_test(sent_least_goes_first),
    cmocka_unit_test(who_has_least_goes_first),
    cmocka_unit_test(who_stands_still_holds_up_nobody),
};

UNIT_MAIN(tests)
