/* sets.h - the sets of blocks that the cache holds, as they stand in memory:
 * found by id and by URL, and in the order in which they have to go. Knows no
 * LMDB and no locks; the cache's lock is held by whoever calls.
 *
 * A set that nobody uses stands in one of three lists: pinned for a while,
 * on probation, or proven. It comes to the end of its list when its use or
 * its pin ends, so the first of a list is the one that was used the longest
 * ago.
 */
#ifndef SETS_H
#define SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blockmap.h"
#include "digest.h"
#include "havelog.h"
#include "resource.h"

struct db_hold;
struct serve_view;
struct sets_list;

struct cache_set {
    struct resource resource;
    uint8_t url_key[RESOURCE_ID_LEN]; /* same for all versions of a URL */
    struct blockmap map;              /* committed or queued, so servable */
    struct blockmap stored;           /* committed */
    struct blockmap writing; /* and what is being committed; only the writer
                                touches it */
    struct blockmap checked; /* blocks that this process has written, or
                                compared with their hash */
    uint8_t root[DIGEST_LEN];
    bool complete;
    bool copy;       /* not every byte came from CDN nodes */
    bool plain;      /* these gave some of it by http */
    bool finished;   /* its record is, or is about to be: complete follows */
    bool filling;    /* by its prefetch */
    bool gone;       /* out of the tables; freed with its last reference */
    bool probation;  /* not yet read from two addresses */
    bool touched;    /* on the list of those whose record is to be stored */
    int why;         /* enum cache_gone, when it goes */
    unsigned users;  /* readers and the filler: it is not evicted */
    unsigned refs;   /* these, queued writes, and lists: it is not freed */
    unsigned queued; /* writes */
    int error;       /* of a write; sticks until it is filled again */
    uint64_t reader; /* the first one's address, as a hash; 0: none yet */
    uint64_t last_use_us; /* since 1970; of the end of its last use */
    uint64_t pinned_ms;   /* until then, by the monotonic clock */
    struct havelog log;
    uint64_t footprint;
    struct cache_set *next_id, *next_url; /* in the tables */
    struct cache_set *prev, *next;        /* in its list, or evict.c's */
    struct cache_set *next_touched;       /* writer.c's */
    struct sets_list *list;               /* NULL: in none */
    struct serve_view *views; /* of blocks in LMDB's map (view.c) */
    unsigned kept;            /* of them, that look at deleted ones */
    struct db_hold *hold;     /* as long as there are any of these */
};

struct sets_list {
    struct cache_set *first, *last;
    uint64_t footprint;
};

struct sets {
    struct cache_set **by_id, **by_url;
    size_t buckets; /* a power of two */
    size_t count;
    size_t complete, filling; /* of them */
    uint64_t footprint;       /* bytes, of all, as if they were complete */
    uint64_t probation;       /* bytes, of those on probation */
    struct sets_list idle[2]; /* proven, on probation */
    struct sets_list pinned;
};

/** sets_init(s): SHOAL_ENOMEM. */
int sets_init(struct sets *s);

/** sets_fini(s): frees all sets that are in it. */
void sets_fini(struct sets *s);

/** sets_create(r, out): a set that holds nothing, is on probation and in no
 *  table yet; copies ${r}, keeps its id. SHOAL_EINVAL, SHOAL_ENOMEM. */
int sets_create(const struct resource *r, struct cache_set **out);

/** sets_block_held(set, block): it can be served from now on;
 *  sets_block_lost(set, block): no longer. */
void sets_block_held(struct cache_set *set, uint32_t block);
void sets_block_lost(struct cache_set *set, uint32_t block);

/** sets_mark_gone(set): it is in no table any more, and nothing of it is
 *  served. */
void sets_mark_gone(struct cache_set *set);

/** sets_destroy(set): NULL is a no-op. */
void sets_destroy(struct cache_set *set);

/** sets_add(s, set): into the tables, and behind the others of its list if
 *  nobody uses it. */
void sets_add(struct sets *s, struct cache_set *set);

/** sets_remove(s, set): out of tables, lists and sums. */
void sets_remove(struct sets *s, struct cache_set *set);

/** sets_mark(s, set, complete, filling): what ${set} is from now on, in the
 *  tables or not. */
void sets_mark(struct sets *s, struct cache_set *set, bool complete,
               bool filling);

struct cache_set *sets_find(const struct sets *s,
                            const uint8_t id[RESOURCE_ID_LEN]);

/** sets_is(set, id): is that its id? */
bool sets_is(const struct cache_set *set, const uint8_t id[RESOURCE_ID_LEN]);

/** sets_other(s, set): a set of the same URL with another id, or NULL. */
struct cache_set *sets_other(const struct sets *s,
                             const struct cache_set *set);

/**
 * sets_scan(s, cursor, fn, ctx):
 * Call ${fn} with some sets; the cursor of the next call, 0 at the end. Sets
 * may come and go between calls: one that is there all the time is seen once.
 * ${fn} must not add or remove.
 */
size_t sets_scan(const struct sets *s, size_t cursor,
                 void (*fn)(struct cache_set *set, void *ctx), void *ctx);

/* ---- sets_use.c: who has to go ---- */

/** sets_use(s, set), sets_unuse(s, set, now_us): somebody uses it, or does so
 *  no more, at ${now_us} of the day. */
void sets_use(struct sets *s, struct cache_set *set);
void sets_unuse(struct sets *s, struct cache_set *set, uint64_t now_us);

/** sets_pin(s, set, until_ms): it is not evicted before that time of the
 *  monotonic clock. */
void sets_pin(struct sets *s, struct cache_set *set, uint64_t until_ms);

/** sets_prove(s, set): it is not on probation any more. */
void sets_prove(struct sets *s, struct cache_set *set);

/** sets_settle(s): pins that are over are taken off; before the next two. */
void sets_settle(struct sets *s);

/** sets_evictable(s): bytes of those that nobody uses, none of them pinned. */
uint64_t sets_evictable(const struct sets *s);

/**
 * sets_victim(s, probation):
 * Who goes first, or NULL. Where those on probation take more than
 * ${probation} bytes, the one of them that was used the longest ago; else the
 * one of all.
 */
struct cache_set *sets_victim(const struct sets *s, uint64_t probation);

#endif
