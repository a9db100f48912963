/* cache_read.c - blocks out of the cache: for the block server, and for the
 * transfer that fills a set. */
#include <stdlib.h>
#include <string.h>

#include "cache_internal.h"
#include "log.h"
#include "shoal.h"

static long
read_some(struct cache *c, const struct cache_set *set, uint64_t off,
          void *buf, size_t len)
{
    return db_read(c->db, set->resource.id,
                   (uint32_t) (off / set->map.block_size),
                   (size_t) (off % set->map.block_size), buf, len);
}

int
cache_read(struct cache *c, struct cache_set *set, uint64_t off, void *buf,
           size_t len)
{
    pthread_mutex_lock(&c->lock);
    writer_wait_locked(c, set);
    int err = set->error;
    pthread_mutex_unlock(&c->lock);

    while (err == 0 && len > 0) {
        long n = read_some(c, set, off, buf, len);

        if (n <= 0) {
            return SHOAL_EIO;
        }
        off += (uint64_t) n;
        buf = (char *) buf + n;
        len -= (size_t) n;
    }
    return err;
}

static int
read_layer(struct cache *c, const struct cache_set *set, uint8_t *layer)
{
    return db_hashes(c->db, set->resource.id, layer, set->map.count);
}

int
cache_load(struct cache *c, struct cache_set *set, struct blockmap *map,
           uint8_t *layer)
{
    pthread_mutex_lock(&c->lock);
    int err = blockmap_load(map, set->map.bits, blockmap_bytes(&set->map));
    pthread_mutex_unlock(&c->lock);
    return err != 0 ? SHOAL_EIO : read_layer(c, set, layer);
}

uint32_t
cache_held(struct cache *c, struct cache_set *set)
{
    pthread_mutex_lock(&c->lock);
    uint32_t held = set->map.held;
    pthread_mutex_unlock(&c->lock);
    return held;
}

static int
serve_open(void *ctx, const uint8_t id[20], const struct sockaddr *from,
           struct serve_set *out)
{
    struct cache *c = ctx;

    (void) from;
    pthread_mutex_lock(&c->lock);
    struct cache_set *set = sets_find(&c->sets, id);
    if (set != NULL) {
        set->refs++;
        cache_touch_locked(set);
        out->handle = set;
        out->size = set->map.size;
        out->block_size = set->map.block_size;
        out->count = set->map.count;
    }
    pthread_mutex_unlock(&c->lock);
    return set != NULL ? 0 : SHOAL_ENOTFOUND;
}

static void
serve_close(void *ctx, struct serve_set *set)
{
    struct cache *c = ctx;

    pthread_mutex_lock(&c->lock);
    cache_unref_locked(set->handle);
    pthread_mutex_unlock(&c->lock);
    set->handle = NULL;
}

static uint64_t
serve_held(void *ctx, const struct serve_set *set, uint64_t off, uint64_t len)
{
    struct cache *c = ctx;
    const struct cache_set *cs = set->handle;

    pthread_mutex_lock(&c->lock);
    uint64_t n = cs->gone ? 0 : blockmap_held_from(&cs->map, off, len);
    pthread_mutex_unlock(&c->lock);
    return n;
}

static int
compare_block(struct cache *c, const struct cache_set *set, uint32_t block)
{
    const uint8_t *id = set->resource.id;
    size_t len = blockmap_length(&set->map, block);
    uint8_t want[DIGEST_LEN], got[DIGEST_LEN];
    int err = SHOAL_EIO;

    uint8_t *data = malloc(len);
    if (data == NULL) {
        return SHOAL_ENOMEM;
    }
    if (db_read(c->db, id, block, 0, data, len) == (long) len
        && db_hash(c->db, id, block, want) == 0
        && digest_block(data, len, set->map.size, set->map.block_size, got)
               == 0
        && memcmp(want, got, DIGEST_LEN) == 0)
    {
        err = 0;
    }
    free(data);
    return err;
}

/* A block of an earlier run is compared with its hash before it is served
 * for the first time: a power cut may have damaged it. One that is wrong is
 * fetched again when the set is asked for. */
static int
check_block(struct cache *c, struct cache_set *set, uint32_t block)
{
    pthread_mutex_lock(&c->lock);
    bool checked = blockmap_has(&set->checked, block);
    pthread_mutex_unlock(&c->lock);
    if (checked) {
        return 0;
    }
    int err = compare_block(c, set, block);
    pthread_mutex_lock(&c->lock);
    bool lost = err == SHOAL_EIO && !set->gone;
    if (err == 0) {
        blockmap_set(&set->checked, block);
    } else if (lost) {
        sets_mark(&c->sets, set, false, set->filling);
        c->damaged++;
    }
    pthread_mutex_unlock(&c->lock);
    if (lost) {
        log_line(LOG_LEVEL_ERROR, set->resource.id,
                 "cache: block %u is damaged, and dropped", (unsigned) block);
        cache_drop(c, set, block);
        if (c->on_damaged != NULL) {
            c->on_damaged(c->ctx, set->resource.id);
        }
    }
    return err;
}

/* Whether the set is there is looked at afterwards: where it is gone, another
 * one of the same id may have been begun, whose bytes need not be the same. */
static long
serve_read(void *ctx, const struct serve_set *set, uint64_t off, void *buf,
           size_t len)
{
    struct cache *c = ctx;
    struct cache_set *cs = set->handle;

    if (check_block(c, cs, (uint32_t) (off / cs->map.block_size)) != 0) {
        return SHOAL_EIO;
    }
    long n = read_some(c, cs, off, buf, len);
    pthread_mutex_lock(&c->lock);
    bool gone = cs->gone;
    pthread_mutex_unlock(&c->lock);
    return gone ? SHOAL_EIO : n;
}

static int
serve_have(void *ctx, const struct serve_set *set, uint8_t *bits,
           uint64_t *cursor)
{
    struct cache *c = ctx;
    const struct cache_set *cs = set->handle;

    pthread_mutex_lock(&c->lock);
    memcpy(bits, cs->map.bits, blockmap_bytes(&cs->map));
    *cursor = cs->added;
    pthread_mutex_unlock(&c->lock);
    return 0;
}

static int
serve_hashes(void *ctx, const struct serve_set *set, uint8_t *layer)
{
    return read_layer(ctx, set->handle, layer);
}

const struct serve_ops cache_serve_ops = { serve_open, serve_close,
                                           serve_held, serve_read,
                                           serve_have, serve_hashes };
