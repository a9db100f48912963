#include "hold.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "shoal.h"

enum {
    TICK_MS = 50 /* how late one is woken at most whose time is over */
};

struct hold {
    const struct hold_ops *ops;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    pthread_t thread;
    struct hold_waiter *waiting; /* for news */
    struct hold_waiter *rung;    /* have some, and wait for their time */
    unsigned count;
    bool stopped;
};

static void
link_to(struct hold_waiter **list, struct hold_waiter *w)
{
    w->prev = NULL;
    w->next = *list;
    if (w->next != NULL) {
        w->next->prev = w;
    }
    *list = w;
}

static void
unlink_from(struct hold_waiter **list, struct hold_waiter *w)
{
    *(w->prev != NULL ? &w->prev->next : list) = w->next;
    if (w->next != NULL) {
        w->next->prev = w->prev;
    }
}

/* Moves those whose time has come from `list` to `out`; when the next one of
 * the others is due. */
static uint64_t
take_due(struct hold *h, struct hold_waiter **list, bool rung,
         struct hold_waiter **out, uint64_t now)
{
    uint64_t next = UINT64_MAX;
    struct hold_waiter *after;

    for (struct hold_waiter *w = *list; w != NULL; w = after) {
        uint64_t due = rung && w->earliest_ms < w->latest_ms ? w->earliest_ms
                                                             : w->latest_ms;

        after = w->next;
        if (due <= now || h->stopped) {
            unlink_from(list, w);
            w->held = false;
            link_to(out, w);
            h->count--;
        } else if (due < next) {
            next = due;
        }
    }
    return next;
}

/* One that is woken may be gone at once: its next is read before. */
static void
wake_all(struct hold *h, struct hold_waiter *list)
{
    while (list != NULL) {
        struct hold_waiter *next = list->next;

        h->ops->wake(list);
        list = next;
    }
}

static void
wait_until(struct hold *h, uint64_t ms)
{
    struct timespec ts = { .tv_sec = (time_t) (ms / 1000),
                           .tv_nsec = (long) (ms % 1000) * 1000000 };

    if (ms == UINT64_MAX) {
        pthread_cond_wait(&h->changed, &h->lock);
    } else {
        pthread_cond_timedwait(&h->changed, &h->lock, &ts);
    }
}

/* Those who wait for news are gone through once a tick, however many ring. */
static void *
run(void *arg)
{
    struct hold *h = arg;
    uint64_t ticked = 0;

    pthread_mutex_lock(&h->lock);
    while (!h->stopped || h->count > 0) {
        uint64_t now = clock_ms();
        struct hold_waiter *due = NULL;

        uint64_t next = take_due(h, &h->rung, true, &due, now);
        if (now >= ticked + TICK_MS || h->stopped) {
            take_due(h, &h->waiting, false, &due, now);
            ticked = now;
        }
        if (due != NULL) {
            pthread_mutex_unlock(&h->lock);
            wake_all(h, due);
            pthread_mutex_lock(&h->lock);
            continue;
        }
        if (h->waiting != NULL && ticked + TICK_MS < next) {
            next = ticked + TICK_MS;
        }
        wait_until(h, next);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

struct hold *
hold_create(const struct hold_ops *ops)
{
    struct hold *h = calloc(1, sizeof(*h));
    pthread_condattr_t attr;

    if (h == NULL) {
        return NULL;
    }
    h->ops = ops;
    pthread_mutex_init(&h->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&h->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&h->thread, NULL, run, h) != 0) {
        pthread_cond_destroy(&h->changed);
        pthread_mutex_destroy(&h->lock);
        free(h);
        return NULL;
    }
    return h;
}

int
hold_wait(struct hold *h, struct hold_waiter *w)
{
    int err = 0;

    pthread_mutex_lock(&h->lock);
    if (h->stopped) {
        err = SHOAL_ESTOPPED;
    } else {
        w->held = true;
        w->rung = false;
        link_to(&h->waiting, w);
        if (h->count++ == 0) {
            pthread_cond_signal(&h->changed);
        }
        h->ops->sleep(w);
    }
    pthread_mutex_unlock(&h->lock);
    return err;
}

void
hold_ring(struct hold *h, struct hold_waiter *w)
{
    pthread_mutex_lock(&h->lock);
    if (w->held && !w->rung) {
        w->rung = true;
        unlink_from(&h->waiting, w);
        link_to(&h->rung, w);
        pthread_cond_signal(&h->changed);
    }
    pthread_mutex_unlock(&h->lock);
}

unsigned
hold_count(struct hold *h)
{
    pthread_mutex_lock(&h->lock);
    unsigned n = h->count;
    pthread_mutex_unlock(&h->lock);
    return n;
}

void
hold_stop(struct hold *h)
{
    if (h == NULL) {
        return;
    }
    pthread_mutex_lock(&h->lock);
    h->stopped = true;
    pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
}

void
hold_free(struct hold *h)
{
    if (h == NULL) {
        return;
    }
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
