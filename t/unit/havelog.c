/* The log of what becomes of a set's blocks. */
#include "unit.h"

#include "havelog.h"
#include "shoal.h"

enum {
    FILE_SIZE = 100 * 65536
};

static unsigned rung;

static void
count_ring(struct havelog_watcher *w)
{
    (void) w;
    rung++;
}

static void
events(void **state)
{
    uint32_t got[HAVELOG_EVENTS];
    struct havelog l;
    size_t n;

    (void) state;
    havelog_init(&l, 5000);
    assert_int_equal(havelog_since(&l, 5000, got, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(havelog_since(&l, 0, got, &n), SHOAL_ENOTFOUND);
    assert_int_equal(havelog_since(&l, 4999, got, &n), SHOAL_ENOTFOUND);
    assert_int_equal(havelog_since(&l, 5001, got, &n), SHOAL_ENOTFOUND);
    havelog_fetching(&l, FILE_SIZE, 3, 16);
    havelog_have(&l, 3);
    havelog_unfetch(&l, 4, 15);
    assert_int_equal(l.end, 5003);
    assert_int_equal(havelog_since(&l, 5000, got, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(got[0], 0x40000000 | 15 << 16 | 3);
    assert_int_equal(got[1], 3);
    assert_int_equal(got[2], 0x80000000 | 14 << 16 | 4);
    assert_int_equal(havelog_since(&l, 5002, got, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(got[0], 0x80000000 | 14 << 16 | 4);
    havelog_unfetch(&l, 4, 15); /* not being fetched any more: no event */
    assert_int_equal(l.end, 5003);
    havelog_fetching(&l, FILE_SIZE, 50, 10);
    havelog_fetching(&l, FILE_SIZE, 52, 8); /* has been said */
    assert_int_equal(l.end, 5004);
    havelog_fetching(&l, FILE_SIZE, 59, 2);
    assert_int_equal(l.end, 5005);
    assert_int_equal(havelog_event(HAVELOG_UNFETCH, 0, 16384), 0xbfff0000);
    assert_int_equal(havelog_event(HAVELOG_HAVE, 16383, 1), 16383);
    havelog_fini(&l);
}

static void
is_bounded(void **state)
{
    uint32_t got[HAVELOG_EVENTS];
    struct havelog l;
    size_t n;

    (void) state;
    havelog_init(&l, 1);
    for (uint32_t i = 0; i < 3 * HAVELOG_EVENTS + 7; i++) {
        havelog_have(&l, i % 16384);
    }
    uint64_t first = l.end - HAVELOG_EVENTS;
    assert_int_equal(l.end, 3 * HAVELOG_EVENTS + 8);
    assert_int_equal(havelog_since(&l, first - 1, got, &n), SHOAL_ENOTFOUND);
    assert_int_equal(havelog_since(&l, first, got, &n), 0);
    assert_int_equal(n, HAVELOG_EVENTS);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(got[i], first - 1 + i);
    }
    havelog_forget(&l);
    assert_int_equal(havelog_since(&l, l.end - 1, got, &n), SHOAL_ENOTFOUND);
    assert_int_equal(havelog_since(&l, l.end, got, &n), 0);
    assert_int_equal(n, 0);
    havelog_have(&l, 9);
    assert_int_equal(havelog_since(&l, l.end - 1, got, &n), 0);
    assert_int_equal(got[0], 9);
    havelog_fini(&l);
}

static void
claims(void **state)
{
    uint32_t got[4];
    struct havelog l;

    (void) state;
    havelog_init(&l, 1);
    assert_int_equal(havelog_claims(&l, got, 4), 0);
    havelog_fetching(&l, FILE_SIZE, 10, 5);
    havelog_fetching(&l, FILE_SIZE, 90, 10);
    havelog_have(&l, 12);
    assert_int_equal(havelog_claims(&l, got, 4), 3);
    assert_int_equal(got[0], havelog_event(HAVELOG_FETCHING, 10, 2));
    assert_int_equal(got[1], havelog_event(HAVELOG_FETCHING, 13, 2));
    assert_int_equal(got[2], havelog_event(HAVELOG_FETCHING, 90, 10));
    assert_int_equal(havelog_claims(&l, got, 2), 2);
    havelog_unfetch(&l, 0, 95);
    assert_int_equal(havelog_claims(&l, got, 4), 1);
    assert_int_equal(got[0], havelog_event(HAVELOG_FETCHING, 95, 5));
    havelog_forget(&l); /* what is under way goes on */
    assert_int_equal(havelog_claims(&l, got, 4), 1);
    havelog_unfetch(&l, 95, 5);
    havelog_forget(&l);
    assert_int_equal(havelog_claims(&l, got, 4), 0);
    havelog_fini(&l);
}

static void
watchers(void **state)
{
    struct havelog_watcher w[3] = { { .ring = count_ring },
                                    { .ring = count_ring },
                                    { .ring = count_ring } };
    struct havelog l;

    (void) state;
    havelog_init(&l, 1);
    for (int i = 0; i < 3; i++) {
        havelog_watch(&l, &w[i]);
    }
    havelog_unwatch(&l, &w[1]);
    havelog_have(&l, 1);
    assert_int_equal(rung, 2);
    havelog_have(&l, 2); /* once only */
    assert_int_equal(rung, 2);
    havelog_unwatch(&l, &w[0]);
    havelog_watch(&l, &w[0]);
    havelog_watch(&l, &w[2]);
    havelog_unwatch(&l, &w[0]);
    havelog_ring(&l);
    assert_int_equal(rung, 3);
    havelog_watch(&l, &w[1]);
    havelog_forget(&l);
    assert_int_equal(rung, 4);
    havelog_fini(&l);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(events),
    cmocka_unit_test(is_bounded),
    cmocka_unit_test(claims),
    cmocka_unit_test(watchers),
};

UNIT_MAIN(tests)
