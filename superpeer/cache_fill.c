/* cache_fill.c - sets are begun, filled and finished; and told to stay, or to
 * go. */
#include <string.h>

#include "cache_internal.h"
#include "clock.h"
#include "shoal.h"

/* One transaction for one record; `map` NULL: the bitmap stays. */
static int
store_record(struct cache *c, const struct cache_set *set, enum db_state state,
             const struct blockmap *map)
{
    int err;

    pthread_mutex_lock(&c->lock); /* readers touch it at any time */
    struct db_record rec = cache_record_locked(set, state);
    pthread_mutex_unlock(&c->lock);
    struct db_txn *t = db_begin(c->db, &err);
    if (t == NULL) {
        return err;
    }
    err = db_put_record(t, &rec);
    if (err == 0 && map != NULL) {
        err = db_put_bits(t, rec.id, map->bits, blockmap_bytes(map));
    }
    err = db_end(t, err);
    if (err == 0) {
        writer_mark_dirty(c);
    }
    return err;
}

static struct cache_set *
resume_locked(struct cache *c, const uint8_t id[20], int *err)
{
    struct cache_set *set = sets_find(&c->sets, id);

    if (set == NULL) {
        return NULL;
    }
    if (set->filling) {
        *err = SHOAL_EFULL;
        return NULL;
    }
    sets_mark(&c->sets, set, set->complete, true);
    set->error = 0;
    cache_use_locked(c, set);
    return set;
}

static int
begin_set(struct cache *c, const struct resource *r, struct cache_set **out)
{
    struct cache_set *set;

    int err = sets_create(r, &set);
    if (err != 0) {
        return err;
    }
    set->last_use_us = cache_now_us();
    err = evict_make_room(c, set);
    if (err != 0) {
        sets_destroy(set);
        return err;
    }
    err = store_record(c, set, DB_FILLING, &set->map);
    if (err != 0) {
        pthread_mutex_lock(&c->lock);
        sets_remove(&c->sets, set);
        sets_mark_gone(set);
        sets_unuse(&c->sets, set, set->last_use_us);
        cache_unref_locked(set);
        pthread_mutex_unlock(&c->lock);
        return err;
    }
    *out = set;
    return 0;
}

int
cache_fill(struct cache *c, const struct resource *r, struct cache_set **out)
{
    int err = 0;

    /* An older set of the same id that is being deleted would take the
     * blocks of the new one with it. */
    pthread_mutex_lock(&c->lock);
    while (evict_is_leaving_locked(c, r->id)) {
        pthread_cond_wait(&c->done, &c->lock);
    }
    struct cache_set *set = resume_locked(c, r->id, &err);
    pthread_mutex_unlock(&c->lock);
    if (set != NULL) {
        *out = set;
        return 0;
    }
    return err != 0 ? err : begin_set(c, r, out);
}

void
cache_fill_end(struct cache *c, struct cache_set *set)
{
    if (set == NULL) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    queue_wait_locked(c, set);
    sets_mark(&c->sets, set, set->complete, false);
    havelog_unfetch(&set->log, 0, set->map.count);
    havelog_forget(&set->log); /* who follows it gets the last bitmap */
    cache_unuse_locked(c, set);
    pthread_mutex_unlock(&c->lock);
}

static int
mark(struct cache *c, struct cache_set *set, bool *mark)
{
    pthread_mutex_lock(&c->lock);
    bool was = *mark;
    *mark = true;
    pthread_mutex_unlock(&c->lock);
    return was ? 0 : store_record(c, set, DB_FILLING, NULL);
}

int
cache_mark_copy(struct cache *c, struct cache_set *set)
{
    return mark(c, set, &set->copy);
}

bool
cache_is_plain(struct cache *c, struct cache_set *set)
{
    pthread_mutex_lock(&c->lock);
    bool plain = set->plain;
    pthread_mutex_unlock(&c->lock);
    return plain;
}

int
cache_mark_plain(struct cache *c, struct cache_set *set)
{
    return mark(c, set, &set->plain);
}

int
cache_finish(struct cache *c, struct cache_set *set, const uint8_t *root,
             bool copy)
{
    pthread_mutex_lock(&c->lock);
    queue_wait_locked(c, set);
    int err = set->error;
    if (err == 0
        && (!blockmap_complete(&set->stored) || !blockmap_complete(&set->map)))
    {
        err = SHOAL_EIO;
    }
    if (err != 0) {
        pthread_mutex_unlock(&c->lock);
        return err;
    }
    if (root != NULL) {
        memcpy(set->root, root, DIGEST_LEN);
    }
    set->copy = set->copy || copy;
    set->last_use_us = cache_now_us();
    set->finished = true;
    pthread_mutex_unlock(&c->lock);
    err = store_record(c, set, DB_COMPLETE, NULL);
    if (err == 0) {
        err = writer_sync(c);
    }
    pthread_mutex_lock(&c->lock);
    set->finished = false;
    if (err == 0 && !blockmap_complete(&set->map)) {
        err = SHOAL_EIO; /* one was dropped meanwhile */
    }
    sets_mark(&c->sets, set, err == 0, set->filling);
    pthread_mutex_unlock(&c->lock);
    return err;
}

void
cache_forget(struct cache *c, const uint8_t id[20])
{
    pthread_mutex_lock(&c->lock);
    struct cache_set *set = sets_find(&c->sets, id);
    if (set != NULL && !set->filling) {
        evict_forget_locked(c, set, CACHE_GONE_FAILED);
    }
    pthread_mutex_unlock(&c->lock);
}

int
cache_remove(struct cache *c, const uint8_t id[20])
{
    int err = SHOAL_ENOTFOUND;

    pthread_mutex_lock(&c->lock);
    struct cache_set *set = sets_find(&c->sets, id);
    if (set != NULL) {
        err = set->filling ? SHOAL_EFULL : 0;
    }
    if (set != NULL && err == 0) {
        evict_forget_locked(c, set, CACHE_GONE_ADMIN);
    }
    pthread_mutex_unlock(&c->lock);
    return err;
}

static void
pin_locked(struct cache *c, struct cache_set *set)
{
    if (c->pin_ms > 0) {
        set->last_use_us = cache_now_us();
        sets_pin(&c->sets, set, clock_ms() + c->pin_ms);
        cache_touch_locked(c, set);
    }
}

void
cache_pin(struct cache *c, const uint8_t id[20])
{
    pthread_mutex_lock(&c->lock);
    struct cache_set *set = sets_find(&c->sets, id);
    if (set != NULL) {
        pin_locked(c, set);
    }
    pthread_mutex_unlock(&c->lock);
}

int
cache_pin_complete(struct cache *c, const uint8_t id[20],
                   struct cache_info *out)
{
    int err = SHOAL_ENOTFOUND;

    pthread_mutex_lock(&c->lock);
    struct cache_set *set = sets_find(&c->sets, id);
    if (set != NULL && set->complete) {
        err = cache_info_locked(set, out);
    }
    if (err == 0) {
        pin_locked(c, set);
    }
    pthread_mutex_unlock(&c->lock);
    return err;
}

int
cache_sync(struct cache *c)
{
    return writer_sync(c);
}
