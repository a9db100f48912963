#include "pace.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "rate.h"
#include "shoal.h"

enum {
    TICK_NS = 2000000,     /* a wake-up serves several senders at once */
    LONGEST_NS = 500000000 /* the bucket forgets what it got after a second */
};

struct pace {
    const struct pace_ops *ops;
    pthread_mutex_t lock;
    pthread_cond_t queued;
    pthread_t thread;
    struct rate rate;
    struct pace_waiter *head; /* first come, first served */
    struct pace_waiter **tail;
    bool returned; /* bytes came back that somebody waits for */
    atomic_bool stopped;
    atomic_bool limited; /* the rate is not 0; what pace_take() needs to know
                            where it is */
};

static uint64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}

static void
push(struct pace *p, struct pace_waiter *w)
{
    w->next = NULL;
    w->waiting = true;
    *p->tail = w;
    p->tail = &w->next;
}

static struct pace_waiter *
pop(struct pace *p)
{
    struct pace_waiter *w = p->head;

    p->head = w->next;
    if (p->head == NULL) {
        p->tail = &p->head;
    }
    w->next = NULL;
    w->waiting = false;
    return w;
}

/* Those who can go on now, as a list; the lock is held. */
static struct pace_waiter *
grant(struct pace *p)
{
    struct pace_waiter *list = NULL, **end = &list;
    size_t chunk = rate_chunk(&p->rate);

    while (p->head != NULL) {
        size_t n = rate_take(&p->rate, chunk, now_ns());

        if (n < chunk && !p->stopped) {
            rate_return(&p->rate, n);
            break;
        }
        struct pace_waiter *w = pop(p);
        w->grant = n;
        *end = w;
        end = &w->next;
    }
    return list;
}

/* A woken sender's next may change at once: it is read before. */
static void
wake_all(struct pace *p, struct pace_waiter *list)
{
    while (list != NULL) {
        struct pace_waiter *next = list->next;

        p->ops->wake(list);
        list = next;
    }
}

/* The lock is held, and let go meanwhile; pace_stop() ends it. Others signal
 * that they have come, which changes nothing for the first in line. */
static void
sleep_locked(struct pace *p, uint64_t ns)
{
    struct timespec ts;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    ns += (uint64_t) ts.tv_nsec;
    ts.tv_sec += (time_t) (ns / 1000000000);
    ts.tv_nsec = (long) (ns % 1000000000);
    while (rc == 0 && !p->stopped && !p->returned) {
        rc = pthread_cond_timedwait(&p->queued, &p->lock, &ts);
    }
}

static uint64_t
pause_ns(const struct pace *p)
{
    uint64_t ns = rate_wait_ns(&p->rate, rate_chunk(&p->rate));

    if (ns > LONGEST_NS) {
        return LONGEST_NS;
    }
    return ns < TICK_NS ? TICK_NS : ns;
}

static void *
run(void *arg)
{
    struct pace *p = arg;

    pthread_mutex_lock(&p->lock);
    while (!p->stopped) {
        if (p->head == NULL) {
            pthread_cond_wait(&p->queued, &p->lock);
            continue;
        }
        sleep_locked(p, pause_ns(p));
        p->returned = false;
        struct pace_waiter *list = grant(p);
        pthread_mutex_unlock(&p->lock);
        wake_all(p, list);
        pthread_mutex_lock(&p->lock);
    }
    struct pace_waiter *list = grant(p);
    pthread_mutex_unlock(&p->lock);
    wake_all(p, list);
    return NULL;
}

struct pace *
pace_create(const struct pace_ops *ops, uint64_t bps)
{
    struct pace *p = calloc(1, sizeof(*p));
    pthread_condattr_t attr;

    if (p == NULL) {
        return NULL;
    }
    p->ops = ops;
    p->tail = &p->head;
    rate_init(&p->rate, bps, now_ns());
    p->limited = bps != 0;
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->queued, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&p->thread, NULL, run, p) != 0) {
        pthread_cond_destroy(&p->queued);
        pthread_mutex_destroy(&p->lock);
        free(p);
        return NULL;
    }
    return p;
}

void
pace_set(struct pace *p, uint64_t bps)
{
    pthread_mutex_lock(&p->lock);
    rate_set(&p->rate, bps);
    p->limited = bps != 0;
    pthread_mutex_unlock(&p->lock);
}

/* The lock is held. Whoever comes while others wait, waits behind them. */
static size_t
take_or_sleep(struct pace *p, struct pace_waiter *w, size_t want)
{
    size_t chunk = rate_chunk(&p->rate);

    if (w->grant > 0) {
        size_t n = want < w->grant ? want : w->grant;

        w->grant -= n;
        return n;
    }
    if (want > chunk) {
        want = chunk;
    }
    if (p->head == NULL) {
        size_t n = rate_take(&p->rate, want, now_ns());

        if (n == want) {
            return n;
        }
        rate_return(&p->rate, n);
    }
    push(p, w);
    p->ops->sleep(w);
    pthread_cond_signal(&p->queued);
    return 0;
}

int
pace_take(struct pace *p, struct pace_waiter *w, size_t want, size_t *out)
{
    int err = 0;

    if (!p->limited && !p->stopped) {
        *out = want;
        return 0;
    }
    pthread_mutex_lock(&p->lock);
    if (p->stopped) {
        err = SHOAL_ESTOPPED;
    } else {
        *out = take_or_sleep(p, w, want);
    }
    pthread_mutex_unlock(&p->lock);
    return err;
}

bool
pace_is_limited(struct pace *p)
{
    pthread_mutex_lock(&p->lock);
    bool limited = p->rate.bps != 0;
    pthread_mutex_unlock(&p->lock);
    return limited;
}

void
pace_return(struct pace *p, struct pace_waiter *w, size_t bytes)
{
    pthread_mutex_lock(&p->lock);
    rate_return(&p->rate, bytes + w->grant);
    w->grant = 0;
    if (p->head != NULL) {
        p->returned = true;
        pthread_cond_signal(&p->queued);
    }
    pthread_mutex_unlock(&p->lock);
}

void
pace_stop(struct pace *p)
{
    if (p == NULL) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->stopped = true;
    pthread_cond_signal(&p->queued);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
}

void
pace_free(struct pace *p)
{
    if (p == NULL) {
        return;
    }
    pthread_cond_destroy(&p->queued);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
