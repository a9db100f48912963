#include "agent.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "agent_internal.h"
#include "clock.h"
#include "config.h"
#include "digest.h"
#include "news.h"
#include "shoal.h"

/* The lock is held; false when the time is over. */
bool
agent_wait_locked(struct agent *a, uint64_t deadline_ms)
{
    struct timespec ts = { .tv_sec = (time_t) (deadline_ms / 1000),
                           .tv_nsec = (long) (deadline_ms % 1000) * 1000000 };

    return pthread_cond_timedwait(&a->changed, &a->lock, &ts) == 0;
}

unsigned
agent_jitter_ms(unsigned most)
{
    uint32_t r = 0;

    return getrandom(&r, sizeof(r), GRND_NONBLOCK) == sizeof(r)
               ? r % (most + 1)
               : 0;
}

/* Doubles with each failure; from half to all of it, so that super peers do
 * not come back in step. */
unsigned
agent_backoff_ms(unsigned failures)
{
    unsigned ms = failures < 7 ? BACKOFF_MIN_MS << failures : BACKOFF_MAX_MS;

    if (ms > BACKOFF_MAX_MS) {
        ms = BACKOFF_MAX_MS;
    }
    return ms / 2 + agent_jitter_ms(ms / 2);
}

struct tracker_link *
agent_next_locked(const struct agent *a, struct walk *w)
{
    if (w->tracker == NULL) {
        w->tracker = a->trackers;
        w->link = w->tracker != NULL ? w->tracker->links : NULL;
    } else {
        w->link = w->link->next;
    }
    while (w->link == NULL && w->tracker != NULL) {
        w->tracker = w->tracker->next;
        w->link = w->tracker != NULL ? w->tracker->links : NULL;
    }
    return w->link;
}

/* ---- start ---- */

static void
init_sync(struct agent *a)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&a->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&a->changed, &attr);
    pthread_condattr_destroy(&attr);
}

int
agent_create(struct config *config, uint16_t port, const struct agent_ops *ops,
             struct agent **out)
{
    struct agent *a = calloc(1, sizeof(*a));
    uint8_t random[8];

    if (a == NULL) {
        return SHOAL_ENOMEM;
    }
    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        free(a);
        return SHOAL_EIO;
    }
    hex_encode(random, sizeof(random), a->session);
    a->ops = ops;
    a->port = port;
    a->https = config->tls_certificate != NULL;
    a->seq = 1; /* that of calls which only ask for the epoch */
    init_sync(a);
    int err = agent_reload(a, config);
    if (err != 0) {
        agent_free(a);
        return err;
    }
    *out = a;
    return 0;
}

int
agent_start(struct agent *a)
{
    pthread_mutex_lock(&a->lock);
    atomic_store(&a->keeper_moved_ms, clock_ms());
    a->keeping = pthread_create(&a->keeper, NULL, agent_keep, a) == 0;
    a->threads += a->keeping;
    pthread_mutex_unlock(&a->lock);
    return a->keeping ? 0 : SHOAL_ENOMEM;
}

/* ---- another configuration ---- */

static void
free_all(struct tracker *list)
{
    while (list != NULL) {
        struct tracker *t = list;

        list = t->next;
        tracker_free(t);
    }
}

static struct tracker *
create_all(struct config *config)
{
    struct tracker *list = NULL;

    for (size_t i = config->tracker_count; i > 0; i--) {
        struct tracker *t = tracker_create(config, &config->trackers[i - 1]);

        if (t == NULL) {
            free_all(list);
            return NULL;
        }
        t->next = list;
        list = t;
    }
    return list;
}

/* The links of a tracker that is as it was go over to its new entry. */
static void
take_over_locked(struct tracker *from, struct tracker *to)
{
    to->links = from->links;
    from->links = NULL;
}

static void
replace_locked(struct agent *a, struct tracker *list)
{
    struct tracker *old = a->trackers, *last = list;

    for (struct tracker *t = list; t != NULL; t = t->next) {
        struct tracker *o = old;

        while (o != NULL
               && (o->gone || !config_same_tracker(o->conf, t->conf))) {
            o = o->next;
        }
        if (o != NULL) {
            take_over_locked(o, t);
            o->gone = true;
        }
        last = t;
    }
    for (struct tracker *o = old; o != NULL; o = o->next) {
        o->gone = true;
        for (struct tracker_link *l = o->links; l != NULL; l = l->next) {
            link_end_locked(l);
        }
    }
    last->next = old; /* the keeper frees them */
    a->trackers = list;
}

int
agent_reload(struct agent *a, struct config *config)
{
    struct tracker *list = create_all(config);

    if (list == NULL) {
        return SHOAL_ENOMEM;
    }
    pthread_mutex_lock(&a->lock);
    struct config *old = a->config;
    a->config = config_ref(config);
    replace_locked(a, list);
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    config_free(old);
    return 0;
}

/* ---- news ---- */

/* What a full announcement that is due will say needs no line of its own. So
 * the news for a tracker that is away for long are bounded, too. */
static void
put_locked(struct tracker_link *l, const struct news_item *item)
{
    if (item->kind != NEWS_REFUSED && news_count(l->news) >= NEWS_ITEMS_MAX) {
        news_keep_refusals(l->news);
        l->want_full = true;
    }
    if (l->want_full && item->kind != NEWS_REFUSED) {
        return;
    }
    if (news_put(l->news, item) != 0) {
        l->want_full = true; /* says it later, but for a refusal */
    }
}

void
agent_tell(struct agent *a, const struct news_item *item)
{
    struct walk w = { NULL, NULL };
    struct tracker_link *l;

    pthread_mutex_lock(&a->lock);
    while ((l = agent_next_locked(a, &w)) != NULL) {
        if (l->active) {
            put_locked(l, item);
        }
    }
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

static bool
all_told_locked(const struct agent *a)
{
    struct walk w = { NULL, NULL };
    const struct tracker_link *l;

    while ((l = agent_next_locked(a, &w)) != NULL) {
        if (l->active && l->connected
            && (l->telling || l->want_full || news_count(l->news) > 0))
        {
            return false;
        }
    }
    return true;
}

void
agent_flush(struct agent *a, unsigned timeout_ms)
{
    uint64_t deadline = clock_ms() + timeout_ms;
    bool in_time = true;

    pthread_mutex_lock(&a->lock);
    while (in_time && !a->stop && !all_told_locked(a)) {
        in_time = agent_wait_locked(a, deadline);
    }
    pthread_mutex_unlock(&a->lock);
}

/* ---- end ---- */

void
agent_quit(struct agent *a)
{
    struct walk w = { NULL, NULL };
    struct tracker_link *l;

    if (a == NULL) {
        return;
    }
    pthread_mutex_lock(&a->lock);
    a->stop = true;
    while ((l = agent_next_locked(a, &w)) != NULL) {
        link_end_locked(l);
    }
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

bool
agent_join(struct agent *a, uint64_t deadline_ms)
{
    bool in_time = true;

    if (a == NULL) {
        return true;
    }
    pthread_mutex_lock(&a->lock);
    while (in_time && a->threads > 0) {
        in_time = agent_wait_locked(a, deadline_ms);
    }
    bool ended = a->threads == 0;
    pthread_mutex_unlock(&a->lock);
    if (ended && a->keeping) {
        pthread_join(a->keeper, NULL);
        a->keeping = false;
    }
    return ended;
}

void
agent_free(struct agent *a)
{
    if (a == NULL) {
        return;
    }
    while (a->trackers != NULL) {
        struct tracker *t = a->trackers;

        a->trackers = t->next;
        while (t->links != NULL) {
            struct tracker_link *l = t->links;

            t->links = l->next;
            link_join(l);
            link_free(l);
        }
        tracker_free(t);
    }
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    config_free(a->config);
    free(a);
}
