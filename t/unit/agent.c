/* How super peers come back to a tracker, not all in the same moment; and what
 * they keep for one that is away. */
#include "unit.h"

#include <unistd.h>

#include "../../superpeer/agent_internal.h"
#include "../../superpeer/config.h"
#include "../../superpeer/news.h"
#include "resolve.h"

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

/* A file with one tracker, that nobody calls. */
static struct config *
load_config(void)
{
    char path[] = "/tmp/shoal-agent-XXXXXX";
    static const char text[] =
        "name: sp1\n"
        "cache: { path: /tmp, size: 1GiB }\n"
        "trackers: [ { url: \"http://127.0.0.1/c\" } ]\n"
        "origins: [ \"http://cdn.example.com\" ]\n";
    struct config *c = NULL;

    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    assert_int_equal(config_load(path, stderr, &c), 0);
    unlink(path);
    return c;
}

static void
tell_many(struct agent *a, uint32_t n, enum news_kind kind)
{
    struct news_item item = { .kind = kind, .reason = "busy" };

    for (uint32_t i = 0; i < n; i++) {
        memcpy(item.id, &i, sizeof(i));
        item.id[19] = (uint8_t) kind;
        agent_tell(a, &item);
    }
}

/* A tracker that is away for long: what it will hear in a full announcement
 * does not pile up. */
static void
test_news_are_bounded(void **state)
{
    struct agent_ops ops = { NULL, NULL, NULL, NULL };
    struct config *c = load_config();
    struct node_addr addr;
    struct agent *a;
    size_t n;

    (void) state;
    assert_int_equal(agent_create(c, 9090, &ops, &a), 0);
    assert_int_equal(resolve_literal("127.0.0.1", 80, &addr, &n), 0);
    struct tracker_link *l = link_create(a, a->trackers, &addr);
    assert_non_null(l);
    a->trackers->links = l;
    tell_many(a, 10, NEWS_GONE);
    assert_int_equal(news_count(l->news), 0); /* it does not speak yet */
    l->active = true;
    tell_many(a, 10, NEWS_REFUSED);
    tell_many(a, NEWS_ITEMS_MAX - 10, NEWS_GONE);
    assert_int_equal(news_count(l->news), NEWS_ITEMS_MAX);
    assert_false(l->want_full);
    tell_many(a, NEWS_ITEMS_MAX, NEWS_GONE);
    assert_true(l->want_full);
    assert_int_equal(news_count(l->news), 10);
    tell_many(a, 20, NEWS_REFUSED);
    assert_int_equal(news_count(l->news), 20);
    agent_free(a);
    config_free(c);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_news_are_bounded),
    cmocka_unit_test(test_reload),
    cmocka_unit_test(test_backoff),
};

UNIT_MAIN(tests)
