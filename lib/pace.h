/* pace.h - many senders share one rate: who finds the bucket empty is put to
 * sleep and woken in turn. Knows no sockets. */
#ifndef PACE_H
#define PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pace;

/** One sender; its owner keeps it, zeroed at first. */
struct pace_waiter {
    struct pace_waiter *next;
    size_t grant; /* bytes it may take without asking */
    bool waiting;
};

/** ${sleep} is called by pace_take(), ${wake} by a thread of the pacer. */
struct pace_ops {
    void (*sleep)(struct pace_waiter *w);
    void (*wake)(struct pace_waiter *w);
};

/** pace_create(ops, bps): ${bps} bytes a second, 0: no limit. NULL: out of
 *  memory or threads. */
struct pace *pace_create(const struct pace_ops *ops, uint64_t bps);

/** pace_set(p, bps): from now on. */
void pace_set(struct pace *p, uint64_t bps);

/**
 * pace_take(p, w, want, out):
 * Let ${w} send ${*out} bytes, 1 to ${want}. When there are none now, ${w}
 * is put to sleep, and ${*out} is 0: ask again after its wake().
 *
 * Threads:  any; one ${w} in one thread at a time.
 * Errors:   SHOAL_ESTOPPED after pace_stop().
 */
int pace_take(struct pace *p, struct pace_waiter *w, size_t want, size_t *out);

/** pace_is_limited(p): is there a rate at present? */
bool pace_is_limited(struct pace *p);

/** pace_return(p, w, bytes): taken and not sent, and what ${w} was granted;
 *  ${w} is not waiting and may be freed afterwards. */
void pace_return(struct pace *p, struct pace_waiter *w, size_t bytes);

/** pace_stop(p): wakes all; from now on nobody sleeps. NULL is a no-op. */
void pace_stop(struct pace *p);

/** pace_free(p): after pace_stop(); NULL is a no-op. */
void pace_free(struct pace *p);

#endif
