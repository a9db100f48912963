/* stall.h - disconnects who does not move: clients that have nothing to ask,
 * that do not get to the end of a request, that do not take an answer. What
 * they took is what their system has acknowledged. Knows no HTTP. */
#ifndef STALL_H
#define STALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct stall;

/** What a connection does. */
enum stall_phase {
    STALL_REQUEST, /* is new, its first request has to come */
    STALL_ANSWER,  /* takes an answer */
    STALL_IDLE     /* between an answer and the next request */
};

/** Why one was ended. */
enum stall_end {
    STALL_END_IDLE,
    STALL_END_HEADER,
    STALL_END_SLOW,
    STALL_ENDS
};

struct stall_limits {
    unsigned idle_ms;
    unsigned header_ms; /* from a request's first byte, or the connection's
                           begin, to the request's end */
    uint64_t min_rate;  /* bytes a second that a reader takes; 0: a byte in
                           a window */
    unsigned window_ms; /* over which that is measured */
};

/** One connection; its owner keeps it. */
struct stall_conn {
    struct stall_conn *next, *prev;
    int fd;
    unsigned hasty_ms; /* instead of header_ms; 0: header_ms */
    atomic_int phase;
    atomic_uint_fast64_t since_ms;        /* of the phase */
    atomic_uint_fast64_t paused_since_ms; /* 0: not paused */
    atomic_uint_fast64_t paused_ms;       /* in all */

    /* of the thread that looks at all */
    bool ended;
    int looked_phase; /* that it knows */
    uint64_t looked_since_ms;
    uint64_t drained_ms; /* all of the answer was taken; 0: not yet */
    uint64_t from_ms;    /* of the window, or of the request; 0: none */
    uint64_t from_paused_ms;
    uint64_t from_bytes;

    /* of stall_count() */
    uint64_t counted_from; /* of all that it took */
    uint64_t counted_most; /* 0: it is not counted */
    uint64_t counted;
};

/** stall_create(limits): NULL: out of memory or threads. */
struct stall *stall_create(const struct stall_limits *limits);

/** stall_set(s, limits): from now on. */
void stall_set(struct stall *s, const struct stall_limits *limits);

/** stall_add(s, c, fd, hasty_ms): a new connection; its first request has to
 *  come within ${hasty_ms} where that is not 0. stall_del(s, c): before ${fd}
 *  is closed. */
void stall_add(struct stall *s, struct stall_conn *c, int fd,
               unsigned hasty_ms);
void stall_del(struct stall *s, struct stall_conn *c);

/** stall_enter(c, phase), stall_pause(c, paused): one thread at a time. The
 *  time while it is paused, by us, does not count. */
void stall_enter(struct stall_conn *c, enum stall_phase phase);
void stall_pause(struct stall_conn *c, bool paused);

/** stall_has_left(c): its connection is no more, by a reset or by us. A client
 *  that only sends no more has not left: it may wait for its answer. */
bool stall_has_left(const struct stall_conn *c);

/** stall_count(s, c, most): what its client takes from now on counts, up to
 *  ${most} bytes. stall_counted(s, c, whole): to its end, or as far as it came,
 *  give or take a header; it counts no further. */
void stall_count(struct stall *s, struct stall_conn *c, uint64_t most);
void stall_counted(struct stall *s, struct stall_conn *c, bool whole);

/** stall_taken(s): bytes in all that counted, those under way too. */
uint64_t stall_taken(struct stall *s);

/** stall_ended(s, why): how many, since the start. */
uint64_t stall_ended(const struct stall *s, enum stall_end why);

/** stall_end_all(s): disconnects all that are there; they count for nothing. */
void stall_end_all(struct stall *s);

/** stall_free(s): no connection is left. NULL is a no-op. */
void stall_free(struct stall *s);

#endif
