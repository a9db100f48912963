/* cache.h - sets of blocks on disk: which there are, what may be served, who
 * has to go. What the disk holds, db.h keeps.
 *
 * A set is one resource's blocks. It is found by its id; of one URL there is
 * one set at most. Every function may be called from any thread, but
 * cache_open() and cache_close().
 *
 * Caveats
 *   A block can be served from cache_write() on. It is committed some
 *   milliseconds later; where that fails it is not held any more, and its set
 *   cannot be completed. After kill -9 all that was committed is there. After a
 *   power cut the last second may be lost, and the file may be damaged where
 *   the file system writes out of order: there is no fsync in between. So a
 *   block of an earlier run is compared with its hash before it is served, and
 *   the trees are checked (db_check.h) after any end but a clean one.
 *   Blocks that are sent from where they lie (serve_ops.map) are there as
 *   long as their set, which is not evicted meanwhile. Where it has to go all
 *   the same, whoever sends some is disconnected, and what is deleted is not
 *   overwritten until they have noticed.
 *   A set's room is set aside when it is begun, as if it was complete.
 *   The cache is as large as the disk has room for, if that is less than its
 *   size.
 *
 * Who has to go
 *   When the sets take more than 85 % of the size, with the new one as if it
 *   was complete, down to 80 %: the one that was used the longest ago first.
 *   Sets on probation, which were not read from two addresses yet, keep a
 *   tenth of the size: beyond it the oldest of them goes before all others.
 *   Not those that are being read or filled, nor those that a tracker was
 *   just told of (cache_pin()). Another version of the new one's URL goes in
 *   any case. Whoever may ask for a set is told before its first byte goes.
 */
#ifndef CACHE_H
#define CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve.h"

struct blockmap;
struct cache;
struct cache_set;
struct resource;

struct cache_options {
    const char *path;
    uint64_t size;     /* bytes */
    uint64_t map_size; /* bytes of address space; 0: as needed. For tests of
                          a map that is too small. */
    unsigned pin_ms;   /* how long cache_pin() pins; 0: not at all */

    /** A set is about to be deleted: tell those who may ask for it; ${more}:
     *  the next one follows at once, and it all can be waited for together.
     *  Called without locks, in the thread of cache_fill() or
     *  cache_forget(). */
    void (*leaving)(void *ctx, const uint8_t id[20], bool more);

    /** A block of the set was found damaged, and dropped; must not block.
     *  NULL allowed. */
    void (*damaged)(void *ctx, const uint8_t id[20]);

    /** LMDB has found its file damaged: nothing can be read or written any
     *  more, and the next cache_open() begins anew. Called once, from the
     *  writer's thread; NULL allowed. */
    void (*broken)(void *ctx);
    void *ctx;
};

/**
 * cache_open(options, out, why, cap):
 * Open the folder ${options->path}, which must exist, and read what is held,
 * without reading blocks. ${why} gets the words of an error.
 *
 * Errors:  SHOAL_EIO (no folder, not writable, in use, damaged),
 *          SHOAL_ENOMEM.
 */
int cache_open(const struct cache_options *options, struct cache **out,
               char *why, size_t cap);

/** cache_close(c): commits what is queued; NULL is a no-op. No set is in
 *  use any more. */
void cache_close(struct cache *c);

/** cache_too_large(c, size): such a file is above 80 % of the cache, or of
 *  what the disk has room for. */
bool cache_too_large(struct cache *c, uint64_t size);

/**
 * cache_fill(c, r, out):
 * Begin to fill the set of ${r}, or go on. Other sets of its URL are
 * deleted; the ones that nobody used for the longest time go where there is
 * no room.
 *
 * Ownership:  end with cache_fill_end().
 * Errors:     SHOAL_EFULL (no room, as what is there is in use; or the old
 *             set of this URL is being filled), SHOAL_EIO, SHOAL_ENOMEM,
 *             SHOAL_EINVAL.
 */
int cache_fill(struct cache *c, const struct resource *r,
               struct cache_set **out);

/** cache_fill_end(c, set): not being filled any more; NULL is a no-op. */
void cache_fill_end(struct cache *c, struct cache_set *set);

/** cache_load(c, set, map, layer): what is held already, as of
 *  cache_fill(); ${layer} takes 32 bytes a block. SHOAL_EIO. */
int cache_load(struct cache *c, struct cache_set *set, struct blockmap *map,
               uint8_t *layer);

/**
 * cache_write(c, set, block, data, len, hash):
 * Queue a block and its hash; they are committed together.
 *
 * Ownership:  ${data} is copied.
 * Blocking:   while the queue is full.
 * Errors:     of this or an earlier block of the set: SHOAL_EFULL (disk or
 *             map), SHOAL_EIO, SHOAL_ENOMEM.
 */
int cache_write(struct cache *c, struct cache_set *set, uint32_t block,
                const void *data, size_t len, const uint8_t hash[32]);

/** cache_read(c, set, off, buf, len): ${len} bytes that were written, also
 *  those that are still queued. SHOAL_EIO. */
int cache_read(struct cache *c, struct cache_set *set, uint64_t off, void *buf,
               size_t len);

/** cache_drop(c, set, block): it was wrong; not served from now on. */
void cache_drop(struct cache *c, struct cache_set *set, uint32_t block);

/** cache_fetching(c, set, first, n, on): these blocks were asked of a CDN
 *  node, or will be; or that is over, whether they came or not, as it is for
 *  all of them after cache_fill_end(). */
void cache_fetching(struct cache *c, struct cache_set *set, uint32_t first,
                    uint32_t n, bool on);

/** cache_is_plain(c, set): was it marked so, by this run or an earlier one? */
bool cache_is_plain(struct cache *c, struct cache_set *set);

/** cache_held(c, set): blocks that can be served. */
uint32_t cache_held(struct cache *c, struct cache_set *set);

/** cache_mark_copy(c, set): blocks that did not come from CDN nodes are about
 *  to be written; its root is no vote, also when another run ends it.
 *  SHOAL_EFULL, SHOAL_EIO. */
int cache_mark_copy(struct cache *c, struct cache_set *set);

/** cache_mark_plain(c, set): blocks that came by http are about to be written,
 *  or were: who wants https is not sent here, also after a restart.
 *  SHOAL_EFULL, SHOAL_EIO. */
int cache_mark_plain(struct cache *c, struct cache_set *set);

/**
 * cache_finish(c, set, root, copy):
 * All blocks were written: commit, sync, and call the set complete. ${root}
 * is NULL for an empty file.
 *
 * Errors:  SHOAL_EFULL, SHOAL_EIO (also when blocks are missing).
 */
int cache_finish(struct cache *c, struct cache_set *set, const uint8_t *root,
                 bool copy);

/** cache_forget(c, id): delete the set, unless it is being filled. */
void cache_forget(struct cache *c, const uint8_t id[20]);

/** cache_remove(c, id): the operator wants it gone; trackers are told first.
 *  SHOAL_ENOTFOUND, SHOAL_EFULL (it is being filled). */
int cache_remove(struct cache *c, const uint8_t id[20]);

struct cache_verified {
    uint64_t blocks, bytes; /* that were looked at */
    uint64_t wrong;         /* of them; they were dropped */
    uint64_t astray; /* in the file, but no set's; those of a set that is
                        there were deleted */
};

struct cache_verify_ops {
    /** Called before each block, or some hundred keys: true ends it. May be
     *  NULL. */
    bool (*stop)(void *ctx, const struct cache_verified *so_far);
    void *ctx;
};

/**
 * cache_verify(c, id, ops, out):
 * Compare every block of the set that is committed with its hash; what is
 * found is added to ${out}. A block that is wrong is dropped, as when it was
 * to be served.
 *
 * Blocking:  for the reading of all of it; nobody else waits for that.
 * Errors:    SHOAL_ENOTFOUND, SHOAL_ESTOPPED, SHOAL_EIO, SHOAL_ENOMEM.
 */
int cache_verify(struct cache *c, const uint8_t id[20],
                 const struct cache_verify_ops *ops,
                 struct cache_verified *out);

/** cache_verify_astray(c, ops, out): the same for what is in the file and
 *  nobody's. */
int cache_verify_astray(struct cache *c, const struct cache_verify_ops *ops,
                        struct cache_verified *out);

/** cache_pin(c, id): somebody was just told that it is here: it is not
 *  evicted for as long as the options say. */
void cache_pin(struct cache *c, const uint8_t id[20]);

/** cache_sync(c): what was committed is on the disk. SHOAL_EIO. */
int cache_sync(struct cache *c);

/** What one set is; a copy. */
struct cache_info {
    uint8_t id[20];
    uint8_t root[32];
    uint64_t size;     /* bytes */
    uint64_t room;     /* bytes set aside for it */
    uint64_t last_use; /* seconds since 1970 */
    uint32_t blocks, held;
    bool complete;
    bool copy;
    bool plain; /* CDN nodes gave some of it by http */
    bool filling;
    bool probation; /* not yet read from two addresses */
    char *url, *provider, *version;
};

/** cache_info(c, id, out): SHOAL_ENOTFOUND, SHOAL_ENOMEM; undo with
 *  cache_info_fini(). */
int cache_info(struct cache *c, const uint8_t id[20], struct cache_info *out);
void cache_info_fini(struct cache_info *info);

/** cache_pin_complete(c, id, out): a complete set is pinned, as cache_pin()
 *  does, and cannot go between that and its information. SHOAL_ENOTFOUND,
 *  SHOAL_ENOMEM. */
int cache_pin_complete(struct cache *c, const uint8_t id[20],
                       struct cache_info *out);

/**
 * cache_list_some(c, cursor, most, out, n):
 * Some sets, about ${most}, under a short lock; ${*cursor} is 0 at first and
 * again when these were the last. One that is there all the time is in one of
 * the lists, perhaps in two. Free with cache_list_free(). SHOAL_ENOMEM.
 */
int cache_list_some(struct cache *c, size_t *cursor, size_t most,
                    struct cache_info **out, size_t *n);

/** cache_list(c, out, n): all sets; free with cache_list_free().
 *  SHOAL_ENOMEM. */
int cache_list(struct cache *c, struct cache_info **out, size_t *n);
void cache_list_free(struct cache_info *list, size_t n);

/** Why sets went. */
enum cache_gone {
    CACHE_GONE_ROOM,      /* the least recently used, for new ones */
    CACHE_GONE_PROBATION, /* likewise, of those on probation */
    CACHE_GONE_REPLACED,  /* by another version of their URL */
    CACHE_GONE_FAILED,    /* their prefetch cannot succeed, or begins anew */
    CACHE_GONE_ADMIN,     /* `superpeer cache rm` */
    CACHE_GONE_DAMAGED,   /* their record, or the whole file */
    CACHE_GONE_REASONS
};

/** cache_gone_name(why): one lower-case word, for metrics. */
const char *cache_gone_name(enum cache_gone why);

struct cache_stats {
    uint64_t size; /* bytes that it may take now */
    uint64_t used; /* bytes set aside for sets */
    size_t sets;
    size_t complete, filling; /* of them; the others wait to be gone on with */
    uint64_t gone[CACHE_GONE_REASONS]; /* sets, since the start */
    uint64_t damaged;                  /* blocks found wrong, likewise */
    uint64_t queue_bytes;   /* blocks that are not committed yet, now */
    uint64_t turns;         /* of the writer; it moves once a second, */
    uint64_t sync_turns;    /* and so does who syncs */
    uint64_t syncs;         /* since the start */
    uint64_t commit_errors; /* transactions and syncs that failed, likewise */
    uint64_t map_full;      /* of those, as there was no page left */
    uint64_t map_bytes;     /* the map's size */
    uint64_t file_bytes;    /* the file's */
};

void cache_get_stats(struct cache *c, struct cache_stats *out);

/** For serve_start(), with the cache as context. */
extern const struct serve_ops cache_serve_ops;

#endif
