/* queue.c - blocks on their way into the file: they can be read from the
 * moment they are queued. */
#include <stdlib.h>
#include <string.h>

#include "cache_internal.h"
#include "shoal.h"

enum {
    QUEUE_BYTES = 32 << 20,
    WEIGHT_MIN = 4096 /* bytes that a small write counts, so that there are
                         some thousand at most */
};

size_t
queue_weight(const struct write *w)
{
    return w->len > WEIGHT_MIN ? w->len : WEIGHT_MIN;
}

static struct write **
bucket(struct cache *c, const struct cache_set *set, uint32_t block)
{
    uint32_t n;

    memcpy(&n, set->resource.id, sizeof(n));
    return &c->pending[(n + block) % QUEUE_BUCKETS];
}

struct write *
queue_find_locked(const struct cache *c, const struct cache_set *set,
                  uint32_t block)
{
    struct write *w = *bucket((struct cache *) (uintptr_t) c, set, block);

    while (w != NULL && (w->set != set || w->block != block)) {
        w = w->same;
    }
    return w;
}

void
queue_hashes_locked(const struct cache *c, const struct cache_set *set,
                    uint8_t *layer)
{
    for (uint32_t i = 0; i < set->map.count; i++) {
        const struct write *w = queue_find_locked(c, set, i);

        if (w != NULL && !w->drop) {
            memcpy(layer + (size_t) i * DIGEST_LEN, w->hash, DIGEST_LEN);
        }
    }
}

void
queue_unref_locked(struct write *w)
{
    if (--w->refs == 0) {
        free(w);
    }
}

void
queue_done_locked(struct cache *c, struct write *w)
{
    struct write **p = bucket(c, w->set, w->block);

    while (*p != w) {
        p = &(*p)->same;
    }
    *p = w->same;
    c->queue_bytes -= queue_weight(w);
    w->set->queued--;
    cache_unref_locked(w->set);
    queue_unref_locked(w);
}

void
queue_wait_locked(struct cache *c, struct cache_set *set)
{
    while (set->queued > 0) {
        pthread_cond_wait(&c->done, &c->lock);
    }
}

static void
append_locked(struct cache *c, struct write *w)
{
    struct write **p = bucket(c, w->set, w->block);

    w->refs++;
    w->same = *p;
    *p = w;
    *c->tail = w;
    c->tail = &w->next;
    c->queue_bytes += queue_weight(w);
    w->set->refs++;
    w->set->queued++;
    pthread_cond_signal(&c->queued);
}

void
queue_keep_drop_locked(struct cache *c, struct write *w)
{
    w->refs++;
    w->set->refs++;
    w->next = c->undone;
    c->undone = w;
}

/* What is queued of the block decides. */
static void
retry_drop_locked(struct cache *c, struct write *w)
{
    struct cache_set *set = w->set;

    if (queue_find_locked(c, set, w->block) != NULL) {
        w->next = c->undone;
        c->undone = w;
        return;
    }
    if (!set->gone && !blockmap_has(&set->map, w->block)) {
        append_locked(c, w);
    }
    queue_unref_locked(w); /* the list's */
    cache_unref_locked(set);
}

void
queue_retry_drops_locked(struct cache *c)
{
    struct write *list = c->undone;

    c->undone = NULL;
    while (list != NULL) {
        struct write *w = list;

        list = w->next;
        w->next = NULL;
        retry_drop_locked(c, w);
    }
}

static int
enqueue(struct cache *c, struct write *w)
{
    struct cache_set *set = w->set;
    size_t weight = queue_weight(w);

    pthread_mutex_lock(&c->lock);
    while (c->queue_bytes > 0 && c->queue_bytes + weight > QUEUE_BYTES) {
        pthread_cond_wait(&c->done, &c->lock);
    }
    int err = set->gone ? SHOAL_EIO : w->drop ? 0 : set->error;
    if (err == 0) {
        append_locked(c, w);
        if (w->drop) {
            sets_block_lost(set, w->block);
            blockmap_clear(&set->checked, w->block);
            view_break_locked(set, w->block, w->block);
        } else {
            sets_block_held(set, w->block);
            blockmap_set(&set->checked, w->block);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return err;
}

int
cache_write(struct cache *c, struct cache_set *set, uint32_t block,
            const void *data, size_t len, const uint8_t hash[32])
{
    if (block >= set->map.count || len != blockmap_length(&set->map, block)) {
        return SHOAL_EIO;
    }
    struct write *w = malloc(sizeof(*w) + len);
    if (w == NULL) {
        return SHOAL_ENOMEM;
    }
    memset(w, 0, sizeof(*w));
    w->set = set;
    w->block = block;
    w->len = len;
    memcpy(w->hash, hash, DIGEST_LEN);
    memcpy(w->data, data, len);
    int err = enqueue(c, w);
    if (err != 0) {
        free(w);
    }
    return err;
}

/* Where the drop cannot be stored, the set has an error from now on, and is not
 * completed; it is tried again (queue_retry_drops_locked), as another run would
 * take the block for a good one. */
void
cache_drop(struct cache *c, struct cache_set *set, uint32_t block)
{
    struct write *w = block < set->map.count ? calloc(1, sizeof(*w)) : NULL;
    int err = SHOAL_ENOMEM;

    if (block >= set->map.count) {
        return;
    }
    if (w != NULL) {
        w->set = set;
        w->block = block;
        w->drop = true;
        err = enqueue(c, w);
    }
    if (err != 0) {
        free(w);
        pthread_mutex_lock(&c->lock);
        sets_block_lost(set, block);
        view_break_locked(set, block, block);
        set->error = set->error != 0 ? set->error : err;
        pthread_mutex_unlock(&c->lock);
    }
}
