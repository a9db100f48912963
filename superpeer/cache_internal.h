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

enum {
    QUEUE_BUCKETS = 1024 /* of some thousand writes at most */
};

/** A block on its way into the file, or a block's deletion. */
struct write {
    struct write *next; /* in the queue, or in its batch */
    struct write *same; /* in its bucket, newest first */
    struct cache_set *set;
    unsigned refs; /* the queue, and who reads it */
    uint32_t block;
    bool drop;
    uint8_t hash[DIGEST_LEN];
    size_t len;
    uint8_t data[];
};

struct cache {
    struct db *db;
    unsigned pin_ms;
    void (*on_leaving)(void *ctx, const uint8_t id[20], bool more);
    void (*on_damaged)(void *ctx, const uint8_t id[20]);
    void (*on_broken)(void *ctx);
    void *ctx;

    pthread_mutex_t sync_lock;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t done;  /* writes were committed, sets deleted */
    struct sets sets;     /* its footprint has `leaving` and `stuck` in it */
    uint64_t gone[CACHE_GONE_REASONS];
    uint64_t damaged, turns, sync_turns, syncs; /* cache_stats */
    uint64_t commit_errors, map_full;

    uint64_t limit; /* bytes, that a full map has turned out to hold; or 0 */

    /* evict.c; linked by next_id */
    struct cache_set *leaving; /* being deleted */
    struct cache_set *stuck;   /* whose deletion failed */
    uint64_t leaving_bytes;    /* footprint */

    /* queue.c */
    pthread_cond_t queued;
    struct write *head, **tail;
    struct write *pending[QUEUE_BUCKETS]; /* queued, or being committed */
    size_t queue_bytes;
    struct write *undone; /* drops that could not be committed */

    /* writer.c */
    pthread_t writer, syncer;
    pthread_cond_t stop;       /* the syncer waits for it */
    struct cache_set *touched; /* whose records are to be stored */
    bool stopping;
    bool dirty; /* committed and not synced */
};

/** cache_now_us(): since 1970: last uses outlive the process. */
uint64_t cache_now_us(void);

/** cache_unref_locked(set): frees it when it was the last one's. */
void cache_unref_locked(struct cache_set *set);

/** cache_use_locked(c, set), cache_unuse_locked(c, set): it is not evicted in
 *  between. */
void cache_use_locked(struct cache *c, struct cache_set *set);
void cache_unuse_locked(struct cache *c, struct cache_set *set);

/** cache_note_reader_locked(c, set, reader): bytes of it go to that address,
 *  as serve_set has it. */
void cache_note_reader_locked(struct cache *c, struct cache_set *set,
                              uint64_t reader);

/** cache_touch_locked(c, set): its record has changed; stored within a
 *  minute. */
void cache_touch_locked(struct cache *c, struct cache_set *set);

/** cache_info_locked(set, out): as cache_info(). */
int cache_info_locked(const struct cache_set *set, struct cache_info *out);

/** cache_record_locked(set, state): its strings are the set's. */
struct db_record cache_record_locked(const struct cache_set *set,
                                     enum db_state state);

/** writer_start(c), writer_stop(c): the thread; stopping commits what is
 *  queued. SHOAL_ENOMEM. */
int writer_start(struct cache *c);
void writer_stop(struct cache *c);

/** writer_mark_dirty(c): something was committed by others. */
void writer_mark_dirty(struct cache *c);

/** queue_weight(w): what it counts of the queue's bound, bytes. */
size_t queue_weight(const struct write *w);

/** queue_wait_locked(c, set): until nothing of the set is queued. */
void queue_wait_locked(struct cache *c, struct cache_set *set);

/** queue_find_locked(c, set, block): the newest write of the block that is
 *  not committed, or NULL. Take a reference to use it without the lock. */
struct write *queue_find_locked(const struct cache *c,
                                const struct cache_set *set, uint32_t block);

/** queue_unref_locked(w): frees it with its last reference. */
void queue_unref_locked(struct write *w);

/** queue_done_locked(c, w): it was committed, or has failed; its reference is
 *  taken. */
void queue_done_locked(struct cache *c, struct write *w);

/** queue_keep_drop_locked(c, w): a drop that could not be committed, before
 *  queue_done_locked(); queue_retry_drops_locked(c): those that are still
 *  needed are queued once more. */
void queue_keep_drop_locked(struct cache *c, struct write *w);
void queue_retry_drops_locked(struct cache *c);

/** queue_hashes_locked(c, set, layer): the hashes of blocks that are not
 *  committed yet; the others are left as they are. */
void queue_hashes_locked(const struct cache *c, const struct cache_set *set,
                         uint8_t *layer);

/** writer_sync(c): what was committed is on the disk afterwards. */
int writer_sync(struct cache *c);

/** view_map, view_cold, view_warm: map(), cold() and warm() of the block
 *  server's operations. */
unsigned view_map(void *ctx, struct serve_set *set, struct serve_view *view,
                  uint64_t off, uint64_t len);
bool view_cold(void *ctx, const struct serve_set *set, uint64_t off,
               uint64_t len);
void view_warm(void *ctx, const struct serve_set *set, uint64_t off,
               uint64_t len);

/** view_end_locked(set, view): NULL, or what is to be released without the
 *  lock: nobody looks at deleted blocks of the set any more. */
struct db_hold *view_end_locked(struct cache_set *set,
                                struct serve_view *view);

/** view_break_locked(set, first, last): who looks at one of these blocks is
 *  disconnected. */
void view_break_locked(struct cache_set *set, uint32_t first, uint32_t last);

/**
 * view_keep(c, set, first, last):
 * Before these blocks are deleted or overwritten: while somebody looks at
 * them, their bytes stay as they are.
 *
 * Errors:  SHOAL_EFULL (out of readers).
 */
int view_keep(struct cache *c, struct cache_set *set, uint32_t first,
              uint32_t last);

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
 *  Taken; evict_retry() deletes what is left. */
void evict_again(struct cache *c, struct cache_set *set);

/** evict_retry(c): those whose deletion has failed, once more. */
void evict_retry(struct cache *c);

/** evict_map_full_locked(c): there was no page for what should have had room:
 *  from now on the sets get less. */
void evict_map_full_locked(struct cache *c);

/** evict_knows_locked(c, id): it is being deleted, or its deletion failed. */
bool evict_knows_locked(const struct cache *c, const uint8_t id[20]);

/** check_block(c, set, block): compare a committed block with its hash, once
 *  in the life of the process: SHOAL_EVERIFY where it is wrong, and dropped;
 *  SHOAL_ENOTFOUND where it is not held any more, SHOAL_EIO, SHOAL_ENOMEM. */
int check_block(struct cache *c, struct cache_set *set, uint32_t block);

/** check_lose(c, set, block): it is wrong, or not there although the bitmap
 *  says so: it is dropped, to be fetched again. False where it was dropped
 *  meanwhile. */
bool check_lose(struct cache *c, struct cache_set *set, uint32_t block);

/** evict_fini(c): frees what is in the lists. */
void evict_fini(struct cache *c);

#endif
