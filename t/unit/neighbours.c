/* Which peers are asked. */
#include <stdio.h>
#include <string.h>

#include "unit.h"

#include "neighbours.h"

static void
offer(struct neighbours *n, unsigned host, unsigned port, uint64_t now)
{
    char addr[NEIGHBOURS_ADDR];

    snprintf(addr, sizeof(addr), "192.0.%u.%u:%u", host >> 8, host & 255,
             port);
    neighbours_offer(n, addr, now);
}

static void
at_most_so_many_and_by_chance(void **state)
{
    char addr[NEIGHBOURS_ADDR], other[3][NEIGHBOURS_ADDR];
    unsigned differ = 0;

    (void) state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct neighbours *n = neighbours_create(3, seed);

        assert_non_null(n);
        assert_false(neighbours_pick(n, 1, addr));
        for (unsigned i = 0; i < 10; i++) {
            offer(n, i, 9000, 1);
        }
        for (unsigned i = 0; i < 3; i++) {
            assert_true(neighbours_pick(n, 1, other[i]));
        }
        assert_string_not_equal(other[0], other[1]);
        assert_string_not_equal(other[0], other[2]);
        assert_string_not_equal(other[1], other[2]);
        assert_false(neighbours_pick(n, 1, addr));
        assert_int_equal(neighbours_count(n), 3);
        assert_true(neighbours_spare(n, 1));
        assert_true(neighbours_offer(n, other[1], 1));
        differ += strcmp(other[0], "192.0.0.0:9000") != 0;
        neighbours_free(n);
    }
    assert_in_range(differ, 10, 20);
}

static void
left_alone_for_a_while(void **state)
{
    struct neighbours *n = neighbours_create(5, 1);
    char addr[NEIGHBOURS_ADDR];

    (void) state;
    offer(n, 1, 9000, 0);
    assert_true(neighbours_pick(n, 0, addr));
    neighbours_rest(n, addr, 1000, 60000);
    assert_int_equal(neighbours_count(n), 0);
    assert_false(neighbours_offer(n, addr, 2000)); /* named again */
    assert_false(neighbours_pick(n, 60999, addr));
    assert_false(neighbours_spare(n, 60999));
    assert_true(neighbours_pick(n, 61000, addr));
    neighbours_rest(n, addr, 61000, 60000);
    assert_false(neighbours_pick(n, 61000 + 119999, addr)); /* twice */
    assert_true(neighbours_pick(n, 61000 + 120000, addr));
    for (int i = 0; i < 40; i++) {
        neighbours_rest(n, addr, 1000000, 60000);
    }
    assert_true(neighbours_pick(n, 1600000, addr)); /* ten minutes at most */
    neighbours_rest(n, "198.51.100.1:1", 0, 1);     /* not known: nothing */
    assert_int_equal(neighbours_count(n), 1);
    neighbours_free(n);
}

static void
memory_is_bounded(void **state)
{
    struct neighbours *n = neighbours_create(1000, 7);
    char addr[NEIGHBOURS_ADDR], *bad = "192.0.0.0:9000";
    unsigned picked = 0;

    (void) state;
    offer(n, 0, 9000, 0);
    assert_true(neighbours_pick(n, 0, addr));
    neighbours_rest(n, bad, 0, 500000);
    for (unsigned i = 1; i < 5000; i++) {
        offer(n, i, 9000, 10);
    }
    neighbours_offer(n, bad, 10); /* it was not pushed out by others */
    while (neighbours_pick(n, 10, addr)) {
        assert_string_not_equal(addr, bad);
        picked++;
    }
    assert_int_equal(picked, 511);
    offer(n, 6000, 1,
          10); /* in the place of who rests: all others are asked */
    assert_true(neighbours_pick(n, 10, addr));
    assert_string_equal(addr, "192.0.23.112:1");
    neighbours_free(n);

    n = neighbours_create(1000, 7);
    for (unsigned port = 1; port < 1000; port++) {
        offer(n, 1, port, 0);
    }
    for (picked = 0; neighbours_pick(n, 0, addr); picked++) {
    }
    assert_int_equal(picked, 16); /* ports of one host */
    neighbours_free(n);
}

/* Nothing for five seconds; or little, while others give more. */
static void
who_gives_little_makes_room(void **state)
{
    static const struct {
        uint64_t ms, used, all;
        bool poor;
    } cases[] = {
        { 4999, 0, 0, false },       { 5000, 0, 0, true },
        { 5000, 1, 0, false },       { 1500, 200, 9000, true },
        { 1499, 200, 9000, false },  { 1500, 200, 8999, false },
        { 9999, 201, 99999, false },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct neighbours_yield y = { 1000, 50, 7 };
        struct neighbours_yield now = { 1000 + cases[i].ms, 50 + cases[i].used,
                                        7 + cases[i].all };

        assert_int_equal(neighbours_is_poor(&y, &now, 30, 100), cases[i].poor);
        assert_int_equal(y.used, cases[i].used > 200 ? now.used : 50);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(who_gives_little_makes_room),
    cmocka_unit_test(at_most_so_many_and_by_chance),
    cmocka_unit_test(left_alone_for_a_while),
    cmocka_unit_test(memory_is_bounded),
};

UNIT_MAIN(tests)
