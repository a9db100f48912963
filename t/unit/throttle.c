/* The limit on what comes in, by a clock of its own. */
#include "unit.h"

#include "throttle.h"

static const struct {
    uint64_t bps;
    unsigned sources;
    unsigned late_us; /* whoever waits goes on that much too late */
} cases[] = {
    { 16384, 1, 0 },       { 16384, 4, 2000 },     { 100000, 1, 100 },
    { 1000000, 8, 3000 },  { 1000000, 1, 0 },      { 12500000, 3, 1000 },
    { 125000000, 1, 500 }, { 1250000000, 4, 700 },
};

/* Each source brings a chunk, then waits as it is told. */
static double
run(uint64_t bps, unsigned sources, unsigned late_us, uint64_t total)
{
    uint64_t ready[8] = { 0 }, now = 1000000, start = now, got = 0;
    struct throttle t;

    throttle_init(&t, bps, now);
    for (unsigned i = 0; i < sources; i++) {
        ready[i] = now;
    }
    while (got < total) {
        unsigned next = 0;

        for (unsigned i = 1; i < sources; i++) {
            next = ready[i] < ready[next] ? i : next;
        }
        now = ready[next] > now ? ready[next] : now;
        unsigned wait = throttle_take(&t, throttle_chunk(&t), now);
        got += throttle_chunk(&t);
        ready[next] = now + wait * 1000ULL + (wait > 0 ? late_us : 1);
    }
    return (double) got * 1e6 / (double) (now - start);
}

static void
rates_are_kept(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double rate = run(cases[i].bps, cases[i].sources, cases[i].late_us,
                          cases[i].bps * 10);
        double off = rate / (double) cases[i].bps - 1;

        assert_true(off <= 0.05 && off >= -0.05);
    }
}

static void
idle_time_is_not_saved_up(void **state)
{
    struct throttle t;

    (void) state;
    throttle_init(&t, 100000, 1000000);
    assert_int_equal(throttle_take(&t, 100000, 600000000), 950);
    throttle_init(&t, 0, 0);
    assert_int_equal(throttle_take(&t, 1 << 30, 1), 0);
    assert_int_equal(throttle_chunk(&t), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rates_are_kept),
    cmocka_unit_test(idle_time_is_not_saved_up),
};

UNIT_MAIN(tests)
