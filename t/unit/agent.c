/* How super peers come back to a tracker: not all in the same moment. */
#include "unit.h"

#include "../../superpeer/agent_internal.h"

enum {
    PEERS = 100, /* that one reload sends away */
    WINDOW_MS = 10
};

static int
compare(const void *a, const void *b)
{
    unsigned x = *(const unsigned *) a, y = *(const unsigned *) b;

    return (x > y) - (x < y);
}

/* The most that come within one window, and when the last one comes. */
static unsigned
crowd(unsigned most_ms, unsigned *last)
{
    unsigned at[PEERS], most = 0;

    for (int i = 0; i < PEERS; i++) {
        at[i] = agent_jitter_ms(most_ms);
    }
    qsort(at, PEERS, sizeof(at[0]), compare);
    for (int i = 0, first = 0; i < PEERS; i++) {
        while (at[i] - at[first] >= WINDOW_MS) {
            first++;
        }
        most = (unsigned) (i - first + 1) > most ? (unsigned) (i - first + 1)
                                                 : most;
    }
    *last = at[PEERS - 1];
    return most;
}

/* Four of a hundred are to be expected in a window; twenty come once in some
 * hundred million times. */
static void
test_reload(void **state)
{
    unsigned last;

    (void) state;
    assert_true(crowd(SENT_AWAY_MS, &last) < 20);
    assert_in_range(last, SENT_AWAY_MS / 2, SENT_AWAY_MS);
    assert_true(crowd(NEW_EPOCH_MS, &last) < 20);
    assert_in_range(last, NEW_EPOCH_MS / 2, NEW_EPOCH_MS);
}

static void
test_backoff(void **state)
{
    (void) state;
    for (unsigned failures = 0; failures < 40; failures++) {
        uint64_t full = (uint64_t) BACKOFF_MIN_MS
                        << (failures < 20 ? failures : 20);

        full = full < BACKOFF_MAX_MS ? full : BACKOFF_MAX_MS;
        assert_in_range(agent_backoff_ms(failures), full / 2, full);
    }
    assert_int_equal(agent_jitter_ms(0), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_reload),
    cmocka_unit_test(test_backoff),
};

UNIT_MAIN(tests)
