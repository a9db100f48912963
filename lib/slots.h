/* slots.h - so many uploads at a time: the fewer, the sooner a block has come
 * to its end and can be passed on. Of those that wait the one goes first whose
 * block was sent least, and whose reader has least. Knows no sockets, no
 * threads of its own. */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdbool.h>
#include <stdint.h>

struct slots;

/** One upload; its owner keeps it, zeroed at first but for ${held}. */
struct slots_waiter {
    struct slots_waiter *next;
    uint32_t block;
    uint32_t held;     /* blocks that its reader has, as it says */
    uint64_t moved_ms; /* when it last sent something */
    enum {
        SLOTS_NONE,
        SLOTS_WAITS,
        SLOTS_SENDS
    } state;
};

/** slots_create(n, ring): ${n} at a time, at least 1. ${ring}(${w}) is called
 *  when it is the turn of one that waits; it must not call back. NULL: out of
 *  memory. slots_free(s): nobody is left. NULL is a no-op. */
struct slots *slots_create(unsigned n, void (*ring)(struct slots_waiter *w));
void slots_free(struct slots *s);

/**
 * slots_take(s, w, block, now_ms):
 * May ${w} send, or go on to send, ${block}? False: it waits to be rung, and
 * asks again after a while even if it is not: who sends nothing for a second
 * holds up nobody.
 *
 * Threads:  any.
 */
bool slots_take(struct slots *s, struct slots_waiter *w, uint32_t block,
                uint64_t now_ms);

/** slots_leave(s, w, now_ms): it is done, or gone. */
void slots_leave(struct slots *s, struct slots_waiter *w, uint64_t now_ms);

/** slots_waits(s, w): not rung yet? */
bool slots_waits(struct slots *s, const struct slots_waiter *w);

#endif
