/* check.c - blocks compared with their hashes: before an old one is served,
 * and all of them where the operator asks for it. */
#include <stdlib.h>
#include <string.h>

#include "cache_internal.h"
#include "log.h"
#include "shoal.h"

/* SHOAL_EVERIFY: the block is not what was written. */
static int
compare_block(struct cache *c, const struct cache_set *set, uint32_t block)
{
    const uint8_t *id = set->resource.id;
    size_t len = blockmap_length(&set->map, block);
    uint8_t want[DIGEST_LEN], got[DIGEST_LEN];

    uint8_t *data = malloc(len);
    if (data == NULL) {
        return SHOAL_ENOMEM;
    }
    long n = db_read(c->db, id, block, 0, data, len);
    int err = n < 0 ? (int) n : db_hash(c->db, id, block, want);
    if (err == 0) {
        err = digest_block(data, len, set->map.size, set->map.block_size, got);
    }
    if (err == SHOAL_ENOTFOUND
        || (err == 0
            && (n != (long) len || memcmp(want, got, DIGEST_LEN) != 0)))
    {
        err = SHOAL_EVERIFY;
    }
    free(data);
    return err;
}

/* Wrong, or not there although the bitmap says so: it is fetched again. Not
 * where it was dropped meanwhile. */
bool
check_lose(struct cache *c, struct cache_set *set, uint32_t block)
{
    pthread_mutex_lock(&c->lock);
    bool lost = !set->gone && set->error == 0 && blockmap_has(&set->map, block)
                && queue_find_locked(c, set, block) == NULL;
    if (lost) {
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
    return lost;
}

/* A block of an earlier run is compared with its hash before it is served
 * for the first time: a power cut may have damaged it. */
int
check_block(struct cache *c, struct cache_set *set, uint32_t block)
{
    int err = compare_block(c, set, block);

    if (err == 0) {
        pthread_mutex_lock(&c->lock);
        blockmap_set(&set->checked, block);
        pthread_mutex_unlock(&c->lock);
    } else if (err == SHOAL_EVERIFY) {
        err = check_lose(c, set, block) ? SHOAL_EVERIFY : SHOAL_ENOTFOUND;
    }
    return err;
}

/* ---- all of them ---- */

/* A set that stays in memory, but may be evicted meanwhile; or NULL. */
static struct cache_set *
hold_set(struct cache *c, const uint8_t id[20])
{
    pthread_mutex_lock(&c->lock);
    struct cache_set *set = sets_find(&c->sets, id);
    if (set != NULL) {
        set->refs++;
    }
    pthread_mutex_unlock(&c->lock);
    return set;
}

static void
let_go(struct cache *c, struct cache_set *set)
{
    pthread_mutex_lock(&c->lock);
    cache_unref_locked(set);
    pthread_mutex_unlock(&c->lock);
}

/* Committed, and nothing about it is queued. */
static bool
is_settled(struct cache *c, const struct cache_set *set, uint32_t block,
           bool held)
{
    pthread_mutex_lock(&c->lock);
    bool settled = !set->gone && queue_find_locked(c, set, block) == NULL
                   && blockmap_has(&set->map, block) == held
                   && blockmap_has(&set->stored, block) == held;
    pthread_mutex_unlock(&c->lock);
    return settled;
}

static int
verify_blocks(struct cache *c, struct cache_set *set,
              const struct cache_verify_ops *ops, struct cache_verified *out)
{
    for (uint32_t i = 0; i < set->map.count; i++) {
        if (ops->stop != NULL && ops->stop(ops->ctx, out)) {
            return SHOAL_ESTOPPED;
        }
        if (!is_settled(c, set, i, true)) {
            continue;
        }
        int err = check_block(c, set, i);
        if (err == SHOAL_ENOTFOUND) { /* dropped meanwhile */
            continue;
        }
        if (err != 0 && err != SHOAL_EVERIFY) {
            return err;
        }
        out->blocks++;
        out->bytes += blockmap_length(&set->map, i);
        out->wrong += err == SHOAL_EVERIFY;
    }
    return 0;
}

int
cache_verify(struct cache *c, const uint8_t id[20],
             const struct cache_verify_ops *ops, struct cache_verified *out)
{
    struct cache_set *set = hold_set(c, id);

    if (set == NULL) {
        return SHOAL_ENOTFOUND;
    }
    int err = verify_blocks(c, set, ops, out);
    let_go(c, set);
    return err;
}

enum {
    KEYS = 512 /* of one read transaction */
};

static bool
is_known(struct cache *c, const uint8_t id[20])
{
    pthread_mutex_lock(&c->lock);
    bool known = sets_find(&c->sets, id) != NULL || evict_knows_locked(c, id);
    pthread_mutex_unlock(&c->lock);
    return known;
}

/* A set that was deleted since the keys were listed is no longer known, nor
 * are its blocks there. */
static bool
is_nobodys(struct cache *c, const struct db_block *k)
{
    char byte;

    return !is_known(c, k->id)
           && db_read(c->db, k->id, k->block, 0, &byte, 1) != SHOAL_ENOTFOUND
           && !is_known(c, k->id);
}

/* What the file has beyond the bitmap of its set. */
static bool
is_astray(struct cache *c, const struct db_block *k)
{
    pthread_mutex_lock(&c->lock);
    struct cache_set *set = sets_find(&c->sets, k->id);
    if (set != NULL) {
        set->refs++;
    }
    pthread_mutex_unlock(&c->lock);
    if (set == NULL) {
        return is_nobodys(c, k);
    }
    bool astray =
        k->block >= set->map.count || is_settled(c, set, k->block, false);
    if (astray) {
        cache_drop(c, set, k->block);
    }
    let_go(c, set);
    return astray;
}

int
cache_verify_astray(struct cache *c, const struct cache_verify_ops *ops,
                    struct cache_verified *out)
{
    struct db_block keys[KEYS], last;
    size_t n;

    int err = db_blocks(c->db, NULL, keys, KEYS, &n);
    while (err == 0 && n > 0) {
        if (ops->stop != NULL && ops->stop(ops->ctx, out)) {
            return SHOAL_ESTOPPED;
        }
        for (size_t i = 0; i < n; i++) {
            out->astray += is_astray(c, &keys[i]);
        }
        last = keys[n - 1];
        err = db_blocks(c->db, &last, keys, KEYS, &n);
    }
    return err;
}
