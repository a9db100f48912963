/* hold.h - those who wait for news are put to sleep, and woken when there are
 * any or their time is over. One thread for all. Knows no sockets. */
#ifndef HOLD_H
#define HOLD_H

#include <stdbool.h>
#include <stdint.h>

struct hold;

/** One who waits; its owner keeps it, zeroed at first. */
struct hold_waiter {
    struct hold_waiter *next, *prev;
    uint64_t earliest_ms; /* even when there are news */
    uint64_t latest_ms;
    bool held, rung;
};

/** ${sleep} is called by hold_wait(), ${wake} by a thread of its own. */
struct hold_ops {
    void (*sleep)(struct hold_waiter *w);
    void (*wake)(struct hold_waiter *w);
};

/** hold_create(ops): NULL: out of memory or threads. */
struct hold *hold_create(const struct hold_ops *ops);

/**
 * hold_wait(h, w):
 * Put ${w}, whose times are set, to sleep. It is woken once, and not held any
 * more then.
 *
 * Errors:  SHOAL_ESTOPPED after hold_stop(); it does not sleep then.
 */
int hold_wait(struct hold *h, struct hold_waiter *w);

/** hold_ring(h, w): there are news for ${w}; a no-op when it is not held. */
void hold_ring(struct hold *h, struct hold_waiter *w);

/** hold_count(h): how many are held. */
unsigned hold_count(struct hold *h);

/** hold_stop(h): wakes all; from now on nobody sleeps. NULL is a no-op. */
void hold_stop(struct hold *h);

/** hold_free(h): after hold_stop(); NULL is a no-op. */
void hold_free(struct hold *h);

#endif
