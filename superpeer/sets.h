/* sets.h - the sets of blocks that the cache holds, as they stand in memory:
 * found by id and by URL, oldest use first. Knows no LMDB and no locks; the
 * cache's lock is held by whoever calls. */
#ifndef SETS_H
#define SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blockmap.h"
#include "digest.h"
#include "resource.h"

struct cache_set {
    struct resource resource;
    uint8_t url_key[RESOURCE_ID_LEN]; /* same for all versions of a URL */
    struct blockmap map;              /* committed, so servable */
    struct blockmap writing; /* and what is being committed; only the writer
                                touches it */
    struct blockmap checked; /* blocks that this process has written, or
                                compared with their hash */
    uint8_t root[DIGEST_LEN];
    bool complete;
    bool copy;       /* not every byte came from CDN nodes */
    bool filling;    /* pinned by its prefetch */
    bool gone;       /* out of the tables; freed with its last reference */
    bool touched;    /* last_use_us is not stored yet */
    unsigned refs;   /* readers, the filler, queued writes */
    unsigned queued; /* writes */
    int error;       /* of a write; sticks until it is filled again */
    uint64_t last_use_us; /* since 1970 */
    uint64_t added;       /* blocks since the start */
    uint64_t footprint;
    struct cache_set *next_id, *next_url; /* in the tables, or evict.c's */
};

struct sets {
    struct cache_set **by_id, **by_url;
    size_t buckets; /* a power of two */
    size_t count;
    size_t complete, filling; /* of them */
    uint64_t footprint; /* bytes, of all sets, as if they were complete */
};

/** sets_init(s): SHOAL_ENOMEM. */
int sets_init(struct sets *s);

/** sets_fini(s): frees all sets that are in it. */
void sets_fini(struct sets *s);

/** sets_create(r, out): a set that holds nothing and is in no table yet;
 *  copies ${r}, keeps its id. SHOAL_EINVAL, SHOAL_ENOMEM. */
int sets_create(const struct resource *r, struct cache_set **out);

/** sets_destroy(set): NULL is a no-op. */
void sets_destroy(struct cache_set *set);

void sets_add(struct sets *s, struct cache_set *set);

/** sets_mark(s, set, complete, filling): what ${set} is from now on, in the
 *  tables or not. */
void sets_mark(struct sets *s, struct cache_set *set, bool complete,
               bool filling);

/** sets_remove(s, set): out of the tables and the footprint. */
void sets_remove(struct sets *s, struct cache_set *set);

struct cache_set *sets_find(const struct sets *s,
                            const uint8_t id[RESOURCE_ID_LEN]);

/** sets_is(set, id): is that its id? */
bool sets_is(const struct cache_set *set, const uint8_t id[RESOURCE_ID_LEN]);

/** sets_other(s, set): a set of the same URL with another id, or NULL. */
struct cache_set *sets_other(const struct sets *s,
                             const struct cache_set *set);

/** sets_oldest(s): of those that nobody uses the one whose last use is the
 *  longest ago, or NULL. */
struct cache_set *sets_oldest(const struct sets *s);

/** sets_evictable(s): bytes of those that nobody uses. */
uint64_t sets_evictable(const struct sets *s);

/** sets_each(s, fn, ctx): ${fn} must not add or remove. */
void sets_each(const struct sets *s,
               void (*fn)(struct cache_set *set, void *ctx), void *ctx);

#endif
