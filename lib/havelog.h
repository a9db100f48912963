/* havelog.h - what became of a set's blocks, newest last, for those who follow
 * it: held, being fetched from a CDN node, no longer being fetched. Bounded:
 * who comes back too late needs the bitmap. Knows no locks; its owner's lock
 * is held by whoever calls. */
#ifndef HAVELOG_H
#define HAVELOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blockmap.h"

enum {
    HAVELOG_EVENTS =
        512 /* that are kept: as many bytes as the longest bitmap */
};

enum havelog_kind {
    HAVELOG_HAVE,
    HAVELOG_FETCHING,
    HAVELOG_UNFETCH
};

/** Who waits for the next event; its owner keeps it, zeroed at first. */
struct havelog_watcher {
    struct havelog_watcher *next, *prev;
    bool watching;

    /** Called once, under the lock of the log's owner; must not call back. */
    void (*ring)(struct havelog_watcher *w);
};

struct havelog {
    uint64_t first, end; /* cursors: of the oldest event kept, of the next */
    uint32_t *events;    /* NULL: none yet */
    struct blockmap fetching;
    struct havelog_watcher *watchers;
};

/** havelog_init(l, cursor): no event yet, the next one's cursor is ${cursor},
 *  above 0. Two logs of one id must not meet: use the time in us. */
void havelog_init(struct havelog *l, uint64_t cursor);

/** havelog_fini(l): nobody watches any more. Right on a zeroed one. */
void havelog_fini(struct havelog *l);

/** havelog_have(l, block): it is held from now on. */
void havelog_have(struct havelog *l, uint32_t block);

/** havelog_fetching(l, size, first, n): ${n} blocks from ${first} on were
 *  asked of a CDN node; of a file of ${size} bytes. havelog_unfetch(l, first,
 *  n): those of them that are not held come no more. */
void havelog_fetching(struct havelog *l, uint64_t size, uint32_t first,
                      uint32_t n);
void havelog_unfetch(struct havelog *l, uint32_t first, uint32_t n);

/** havelog_forget(l): what was said is no longer right, or of no more use:
 *  all need the bitmap. Rings. */
void havelog_forget(struct havelog *l);

/**
 * havelog_since(l, since, out, n):
 * The events from cursor ${since} to the end, oldest first, HAVELOG_EVENTS at
 * most.
 *
 * Errors:  SHOAL_ENOTFOUND: ${since} is 0, too old or none of this log's.
 */
int havelog_since(const struct havelog *l, uint64_t since, uint32_t *out,
                  size_t *n);

/** havelog_claims(l, out, max): what is being fetched now, as events; how
 *  many. Those beyond ${max} are left out. */
size_t havelog_claims(const struct havelog *l, uint32_t *out, size_t max);

/** havelog_watch(l, w): ${w} is rung at the next event; havelog_unwatch(l, w):
 *  not any more, if it still was. */
void havelog_watch(struct havelog *l, struct havelog_watcher *w);
void havelog_unwatch(struct havelog *l, struct havelog_watcher *w);

/** havelog_ring(l): as if there was an event. */
void havelog_ring(struct havelog *l);

/** havelog_event(kind, first, n): kind in the highest two bits, n - 1 in the
 *  next 14, first in the lowest 16. */
uint32_t havelog_event(enum havelog_kind kind, uint32_t first, uint32_t n);

#endif
