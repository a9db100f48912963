#include "agent.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "agent_internal.h"
#include "call.h"
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

void
agent_pause(struct agent *a, unsigned ms)
{
    uint64_t deadline = clock_ms() + ms;

    pthread_mutex_lock(&a->lock);
    while (!atomic_load(&a->stop) && agent_wait_locked(a, deadline)) {
    }
    pthread_mutex_unlock(&a->lock);
}

/* Doubles with each failure; from half to all of it, so that super peers do
 * not come back in step. */
unsigned
agent_backoff_ms(unsigned failures)
{
    unsigned ms = failures < 7 ? BACKOFF_MIN_MS << failures : BACKOFF_MAX_MS;
    uint16_t r = 0;

    if (ms > BACKOFF_MAX_MS) {
        ms = BACKOFF_MAX_MS;
    }
    if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r)) {
        r = 0;
    }
    return ms / 2 + r % (ms / 2 + 1);
}

void
agent_thread_ends_locked(struct agent *a)
{
    a->threads--;
    pthread_cond_broadcast(&a->changed);
}

static int
init_link(struct tracker_link *l, struct agent *a,
          const struct config_tracker *tracker)
{
    uint8_t random[8];

    l->agent = a;
    l->tracker = tracker;
    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        return SHOAL_EIO;
    }
    hex_encode(random, sizeof(random), l->session);
    l->want_full = true;
    l->news = news_create();
    l->poll_call = call_create(tracker, a->config->bind_address, &a->stop);
    l->news_call = call_create(tracker, a->config->bind_address, &a->stop);
    return l->news != NULL && l->poll_call != NULL && l->news_call != NULL
               ? 0
               : SHOAL_ENOMEM;
}

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
agent_create(const struct config *config, uint16_t port,
             const struct agent_ops *ops, struct agent **out)
{
    struct agent *a = calloc(1, sizeof(*a));
    int err = 0;

    if (a == NULL) {
        return SHOAL_ENOMEM;
    }
    a->config = config;
    a->ops = ops;
    a->port = port;
    init_sync(a);
    a->links = calloc(config->tracker_count + 1, sizeof(*a->links));
    if (a->links == NULL) {
        err = SHOAL_ENOMEM;
    }
    while (err == 0 && a->count < config->tracker_count) {
        err = init_link(&a->links[a->count], a, &config->trackers[a->count]);
        a->count++;
    }
    if (err != 0) {
        agent_free(a);
        return err;
    }
    *out = a;
    return 0;
}

static bool
start_thread(struct agent *a, pthread_t *thread, void *(*run)(void *),
             struct tracker_link *l)
{
    pthread_mutex_lock(&a->lock);
    bool started = pthread_create(thread, NULL, run, l) == 0;
    a->threads += started;
    pthread_mutex_unlock(&a->lock);
    return started;
}

int
agent_start(struct agent *a)
{
    for (size_t i = 0; i < a->count; i++) {
        struct tracker_link *l = &a->links[i];

        l->news_started = start_thread(a, &l->news_thread, link_news_loop, l);
        l->poll_started = start_thread(a, &l->poll_thread, link_poll_loop, l);
        if (!l->news_started || !l->poll_started) {
            return SHOAL_ENOMEM;
        }
    }
    return 0;
}

void
agent_tell(struct agent *a, const struct news_item *item)
{
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->count; i++) {
        struct tracker_link *l = &a->links[i];

        if (news_put(l->news, item) != 0) {
            l->want_full = true; /* says it later, but for a refusal */
        }
    }
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

static bool
all_told_locked(const struct agent *a)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct tracker_link *l = &a->links[i];

        if (l->connected && (l->telling || news_count(l->news) > 0)) {
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
    while (in_time && !atomic_load(&a->stop) && !all_told_locked(a)) {
        in_time = agent_wait_locked(a, deadline);
    }
    pthread_mutex_unlock(&a->lock);
}

void
agent_quit(struct agent *a)
{
    if (a == NULL) {
        return;
    }
    pthread_mutex_lock(&a->lock);
    atomic_store(&a->stop, true);
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
    for (size_t i = 0; ended && i < a->count; i++) {
        struct tracker_link *l = &a->links[i];

        if (l->poll_started) {
            pthread_join(l->poll_thread, NULL);
        }
        if (l->news_started) {
            pthread_join(l->news_thread, NULL);
        }
        l->poll_started = l->news_started = false;
    }
    return ended;
}

void
agent_free(struct agent *a)
{
    if (a == NULL) {
        return;
    }
    for (size_t i = 0; a->links != NULL && i < a->count; i++) {
        call_free(a->links[i].poll_call);
        call_free(a->links[i].news_call);
        news_free(a->links[i].news);
    }
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    free(a->links);
    free(a);
}

size_t
agent_count(const struct agent *a)
{
    return a->count;
}

void
agent_get_status(struct agent *a, size_t i, struct agent_status *out)
{
    const struct tracker_link *l = &a->links[i];

    pthread_mutex_lock(&a->lock);
    out->url = l->tracker->url;
    out->connected = l->connected;
    memcpy(out->epoch, l->epoch, sizeof(out->epoch));
    memcpy(out->error,
           l->news_error[0] != '\0' ? l->news_error : l->poll_error,
           sizeof(out->error));
    out->prepares = l->prepares;
    out->pending = news_count(l->news);
    pthread_mutex_unlock(&a->lock);
}
