/* Rates of what only counts up. */
#include "unit.h"

#include "../../superpeer/meter.h"

static void
looks(void **state)
{
    const struct {
        uint64_t now_ms, bytes, cpu_us;
        unsigned cores;
        uint64_t rate;
        unsigned cpu;
    } t[] = {
        { 5000, 70000, 900000, 2, 0, 0 },       /* the first: no rate yet */
        { 5999, 90000, 1000000, 2, 0, 0 },      /* too soon: not taken */
        { 6000, 80000, 1900000, 2, 10000, 50 }, /* half of two cores */
        { 6500, 99999, 9999999, 2, 10000, 50 },
        { 31000, 80000, 1900000, 2, 0, 0 },         /* a long poll, idle */
        { 33000, 580001, 9900000, 4, 250000, 100 }, /* all of four */
        { 35000, 580001, 99900000, 4, 0, 100 },     /* never above */
        { 36000, 580001, 100100000, 0, 0, 20 },     /* cores not known: one */
        { 37000, 1, 1, 2, 0, 0 },                   /* counts that go back */
        { 30000, 9, 9, 2, 0, 0 },                   /* a clock that does */
    };
    struct meter m = { 0 };

    (void) state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        meter_look(&m, t[i].now_ms, t[i].bytes, t[i].cpu_us, t[i].cores);
        assert_int_equal(m.rate, t[i].rate);
        assert_int_equal(m.cpu, t[i].cpu);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(looks),
};

UNIT_MAIN(tests)
