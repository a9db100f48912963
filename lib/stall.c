#include "stall.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "clock.h"

enum {
    ROUNDS = 8 /* in one limit */
};

struct stall {
    unsigned limit_ms;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    pthread_t thread;
    struct stall_conn *first;
    bool stopped;
};

/* The socket is closed by its owner, who sees that it is shut down. */
static void
look_at_all_locked(struct stall *s)
{
    uint64_t now = clock_ms();

    for (struct stall_conn *c = s->first; c != NULL; c = c->next) {
        if (!atomic_load(&c->paused)
            && now > atomic_load(&c->moved_ms) + s->limit_ms) {
            shutdown(c->fd, SHUT_RDWR);
        }
    }
}

static void *
run(void *arg)
{
    struct stall *s = arg;

    pthread_mutex_lock(&s->lock);
    while (!s->stopped) {
        uint64_t at = clock_ms() + s->limit_ms / ROUNDS;
        struct timespec ts = { .tv_sec = (time_t) (at / 1000),
                               .tv_nsec = (long) (at % 1000) * 1000000 };

        if (pthread_cond_timedwait(&s->changed, &s->lock, &ts) != 0) {
            look_at_all_locked(s);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct stall *
stall_create(unsigned limit_ms)
{
    struct stall *s = calloc(1, sizeof(*s));
    pthread_condattr_t attr;

    if (s == NULL) {
        return NULL;
    }
    s->limit_ms = limit_ms;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&s->thread, NULL, run, s) != 0) {
        pthread_cond_destroy(&s->changed);
        pthread_mutex_destroy(&s->lock);
        free(s);
        return NULL;
    }
    return s;
}

void
stall_add(struct stall *s, struct stall_conn *c, int fd)
{
    c->fd = fd;
    atomic_store(&c->paused, false);
    stall_moved(c);
    pthread_mutex_lock(&s->lock);
    c->prev = NULL;
    c->next = s->first;
    if (c->next != NULL) {
        c->next->prev = c;
    }
    s->first = c;
    pthread_mutex_unlock(&s->lock);
}

void
stall_del(struct stall *s, struct stall_conn *c)
{
    pthread_mutex_lock(&s->lock);
    *(c->prev != NULL ? &c->prev->next : &s->first) = c->next;
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    pthread_mutex_unlock(&s->lock);
}

void
stall_moved(struct stall_conn *c)
{
    atomic_store(&c->moved_ms, clock_ms());
}

void
stall_pause(struct stall_conn *c, bool paused)
{
    stall_moved(c);
    atomic_store(&c->paused, paused);
}

void
stall_free(struct stall *s)
{
    if (s == NULL) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->stopped = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
