/* stall.h - disconnects who does not move: clients that stand still in a
 * request's header or in an answer, or move by the byte. Knows no HTTP. */
#ifndef STALL_H
#define STALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct stall;

/** One connection; its owner keeps it. */
struct stall_conn {
    struct stall_conn *next, *prev;
    int fd;
    atomic_uint_fast64_t moved_ms;
    atomic_bool paused; /* by us: does not count */
};

/** stall_create(limit_ms): who shows no movement for that long is
 *  disconnected. NULL: out of memory or threads. */
struct stall *stall_create(unsigned limit_ms);

/** stall_add(s, c, fd), stall_del(s, c): before ${fd} is closed. */
void stall_add(struct stall *s, struct stall_conn *c, int fd);
void stall_del(struct stall *s, struct stall_conn *c);

/** stall_moved(c), stall_pause(c, paused): any thread. */
void stall_moved(struct stall_conn *c);
void stall_pause(struct stall_conn *c, bool paused);

/** stall_free(s): no connection is left. NULL is a no-op. */
void stall_free(struct stall *s);

#endif
