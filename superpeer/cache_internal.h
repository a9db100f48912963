/* cache_internal.h - what the cache's files share. Locks, in the order in
 * which they are taken: sync_lock, LMDB's writer, lock. */
#ifndef CACHE_INTERNAL_H
#define CACHE_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache.h"
#include "db.h"
#include "sets.h"

struct write;

struct cache {
    struct db *db;
    void (*on_leaving)(void *ctx, const uint8_t id[20], bool more);
    void (*on_damaged)(void *ctx, const uint8_t id[20]);
    void *ctx;

    pthread_mutex_t sync_lock;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t done;  /* writes were committed, sets deleted */
    struct sets sets;     /* its footprint has `leaving` and `stuck` in it */
    uint64_t gone[CACHE_GONE_REASONS];
    uint64_t damaged, syncs, commit_errors, map_full; /* cache_stats */

    /* evict.c; linked by next_id */
    struct cache_set *leaving; /* being deleted */
    struct cache_set *stuck;   /* whose deletion failed */
    uint64_t leaving_bytes;    /* footprint */

    /* writer.c */
    pthread_t writer;
    pthread_cond_t queued;
    struct write *head, **tail;
    size_t queue_bytes;
    bool stopping;
    bool dirty; /* committed and not synced */
};

void cache_unref_locked(struct cache_set *set);
void cache_touch_locked(struct cache_set *set);

/** cache_record_locked(set, state): its strings are the set's. */
struct db_record cache_record_locked(const struct cache_set *set,
                                     enum db_state state);

/** writer_start(c), writer_stop(c): the thread; stopping commits what is
 *  queued. SHOAL_ENOMEM. */
int writer_start(struct cache *c);
void writer_stop(struct cache *c);

/** writer_mark_dirty(c): something was committed by others. */
void writer_mark_dirty(struct cache *c);

/** writer_wait_locked(c, set): until nothing of the set is queued. */
void writer_wait_locked(struct cache *c, struct cache_set *set);

/** writer_sync(c): what was committed is on the disk afterwards. */
int writer_sync(struct cache *c);

/**
 * evict_make_room(c, set):
 * Put the new ${set} into the tables, as one that is being filled; others go
 * where there is no room, but none where that would not help.
 * Errors:  SHOAL_EFULL.
 */
int evict_make_room(struct cache *c, struct cache_set *set);

/** evict_forget(c, set, why): delete it; it is out of the tables afterwards.
 *  The lock is held, and let go meanwhile. */
void evict_forget_locked(struct cache *c, struct cache_set *set,
                         enum cache_gone why);

/** evict_is_leaving_locked(c, id): its blocks are being deleted. */
bool evict_is_leaving_locked(const struct cache *c, const uint8_t id[20]);

/** evict_again(c, set): ${set}, not in the tables, was found half deleted.
 *  Taken. */
void evict_again(struct cache *c, struct cache_set *set);

/** evict_fini(c): frees what is in the lists. */
void evict_fini(struct cache *c);

#endif
