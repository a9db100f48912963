/* writer.c - the thread that commits blocks, several in a transaction, and
 * syncs. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache_internal.h"
#include "clock.h"
#include "log.h"
#include "shoal.h"

enum {
    BATCH_BYTES = 8 << 20, /* of one transaction: by bytes, not count */
    SYNC_MS = 1000,
    TOUCH_MS = 60000,  /* how often last uses are stored */
    TOUCH_BATCH = 256, /* records, of one transaction */
    TOUCH_BATCHES = 16 /* in a row: blocks wait meanwhile */
};

void
writer_mark_dirty(struct cache *c)
{
    pthread_mutex_lock(&c->lock);
    c->dirty = true;
    pthread_mutex_unlock(&c->lock);
}

/* ---- the thread ---- */

static int
write_one(struct cache *c, struct db_txn *t, const struct write *w)
{
    struct cache_set *set = w->set;

    int err = view_keep(c, set, w->block, w->block);
    if (err != 0) {
        return err;
    }
    if (w->drop) {
        blockmap_clear(&set->writing, w->block);
        return db_del_block(t, set->resource.id, w->block);
    }
    blockmap_set(&set->writing, w->block);
    return db_put_block(t, set->resource.id, w->block, w->data, w->len,
                        w->hash);
}

/* Is a later write of the batch of the same set? Then its bitmap waits. */
static bool
is_last_of_set(const struct write *w)
{
    for (const struct write *n = w->next; n != NULL; n = n->next) {
        if (n->set == w->set) {
            return false;
        }
    }
    return true;
}

static int
commit_batch(struct cache *c, const struct write *batch)
{
    int err;

    struct db_txn *t = db_begin(c->db, &err);
    if (t == NULL) {
        return err;
    }
    err = 0;
    for (const struct write *w = batch; w != NULL && err == 0; w = w->next) {
        err = write_one(c, t, w);
        if (err == 0 && is_last_of_set(w)) {
            err = db_put_bits(t, w->set->resource.id, w->set->writing.bits,
                              blockmap_bytes(&w->set->writing));
        }
    }
    return db_end(t, err);
}

/* A failed write takes its block back, unless a newer one of the same block
 * is queued. */
static void
take_back_locked(struct cache *c, struct write *w)
{
    struct cache_set *set = w->set;

    if (queue_find_locked(c, set, w->block) != w) {
        return;
    }
    sets_block_lost(set, w->block);
    blockmap_clear(&set->checked, w->block);
    if (w->drop) {
        queue_keep_drop_locked(c, w);
    }
}

static void
written_locked(struct cache *c, struct write *w, int err)
{
    struct cache_set *set = w->set;

    if (err != 0) {
        set->error = set->error != 0 ? set->error : err;
        memcpy(set->writing.bits, set->stored.bits,
               blockmap_bytes(&set->stored));
        set->writing.held = set->stored.held;
        take_back_locked(c, w);
    } else if (w->drop) {
        blockmap_clear(&set->stored, w->block);
    } else {
        blockmap_set(&set->stored, w->block);
    }
    queue_done_locked(c, w);
}

/* The lock is held, and let go meanwhile. */
static void
write_batch(struct cache *c)
{
    struct write *batch = c->head, **end = &c->head;
    size_t bytes = 0;

    while (*end != NULL
           && (bytes == 0 || bytes + queue_weight(*end) <= BATCH_BYTES))
    {
        bytes += queue_weight(*end);
        end = &(*end)->next;
    }
    c->head = *end;
    *end = NULL;
    if (c->head == NULL) {
        c->tail = &c->head;
    }
    pthread_mutex_unlock(&c->lock);
    int err = commit_batch(c, batch);
    pthread_mutex_lock(&c->lock);
    c->dirty = c->dirty || err == 0;
    c->commit_errors += err != 0;
    if (err == SHOAL_EFULL && db_map_was_full(c->db)) {
        evict_map_full_locked(c);
    }
    while (batch != NULL) {
        struct write *next = batch->next;

        written_locked(c, batch, err);
        batch = next;
    }
    pthread_cond_broadcast(&c->done);
}

/* Whoever comes second waits for the first: a set must not be said to be
 * complete while its sync is under way in the other thread, or has failed
 * there. */
int
writer_sync(struct cache *c)
{
    int err = 0;

    pthread_mutex_lock(&c->sync_lock);
    pthread_mutex_lock(&c->lock);
    bool dirty = c->dirty;
    c->dirty = false;
    c->syncs += dirty;
    pthread_mutex_unlock(&c->lock);
    if (dirty) {
        err = db_sync(c->db);
    }
    if (err != 0) {
        pthread_mutex_lock(&c->lock);
        c->dirty = true;
        c->commit_errors++;
        pthread_mutex_unlock(&c->lock);
    }
    pthread_mutex_unlock(&c->sync_lock);
    return err;
}

static size_t
take_touched(struct cache *c, struct cache_set **sets)
{
    size_t n = 0;

    pthread_mutex_lock(&c->lock);
    while (c->touched != NULL && n < TOUCH_BATCH) {
        sets[n] = c->touched;
        c->touched = sets[n]->next_touched;
        sets[n++]->touched = false;
    }
    pthread_mutex_unlock(&c->lock);
    return n;
}

/* Each as it is now, while no other transaction can change it: one that is
 * being deleted has another record, or none any more, and is passed over. */
static int
put_touched(struct cache *c, struct cache_set **sets, size_t n)
{
    int err;

    struct db_txn *t = db_begin(c->db, &err);
    if (t == NULL) {
        return err;
    }
    err = 0;
    for (size_t i = 0; i < n && err == 0; i++) {
        pthread_mutex_lock(&c->lock);
        bool gone = sets[i]->gone;
        struct db_record rec = cache_record_locked(
            sets[i],
            sets[i]->complete || sets[i]->finished ? DB_COMPLETE : DB_FILLING);
        pthread_mutex_unlock(&c->lock);
        err = gone ? 0 : db_put_record(t, &rec);
    }
    return db_end(t, err);
}

/* True when there are more. Last uses are only advice: what is lost here
 * costs nothing. */
static bool
store_some(struct cache *c)
{
    struct cache_set *sets[TOUCH_BATCH];
    size_t n = take_touched(c, sets);
    int err = n > 0 ? put_touched(c, sets, n) : 0;

    pthread_mutex_lock(&c->lock);
    c->dirty = c->dirty || (n > 0 && err == 0);
    for (size_t i = 0; i < n; i++) {
        cache_unref_locked(sets[i]);
    }
    pthread_mutex_unlock(&c->lock);
    return n == TOUCH_BATCH;
}

/* True when all were stored. */
static bool
store_uses(struct cache *c)
{
    for (int i = 0; i < TOUCH_BATCHES; i++) {
        if (!store_some(c)) {
            return true;
        }
    }
    return false;
}

static void
wait_for_work(struct cache *c)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += SYNC_MS / 1000;
    pthread_cond_timedwait(&c->queued, &c->lock, &ts);
}

static void
tell_broken(struct cache *c)
{
    if (c->on_broken != NULL && db_is_broken(c->db)) {
        c->on_broken(c->ctx);
        c->on_broken = NULL;
    }
}

/* Once more before the end; what cannot be dropped now comes back with the next
 * run. */
static void
last_drops_locked(struct cache *c)
{
    queue_retry_drops_locked(c);
    while (c->head != NULL) {
        write_batch(c);
    }
    while (c->undone != NULL) {
        struct write *w = c->undone;

        c->undone = w->next;
        log_line(LOG_LEVEL_ERROR, w->set->resource.id,
                 "cache: block %u could not be dropped", (unsigned) w->block);
        cache_unref_locked(w->set);
        queue_unref_locked(w);
    }
}

static void *
write_loop(void *arg)
{
    struct cache *c = arg;
    uint64_t looked = clock_ms(), stored = looked;

    pthread_setname_np(pthread_self(), "writer");
    evict_retry(c);
    pthread_mutex_lock(&c->lock);
    while (!c->stopping || c->head != NULL) {
        c->turns++;
        if (c->head == NULL) {
            wait_for_work(c);
        }
        if (c->head != NULL) {
            write_batch(c);
        }
        uint64_t now = clock_ms();
        if (now - looked < SYNC_MS) {
            continue;
        }
        pthread_mutex_unlock(&c->lock);
        if (now - stored >= TOUCH_MS && store_uses(c)) {
            stored = now;
        }
        tell_broken(c);
        looked = now;
        pthread_mutex_lock(&c->lock);
        queue_retry_drops_locked(c);
    }
    last_drops_locked(c);
    pthread_mutex_unlock(&c->lock);
    while (store_some(c)) {
    }
    return NULL;
}

/* Beside the commits, which would have to wait for the disk. */
static void *
sync_loop(void *arg)
{
    struct cache *c = arg;

    pthread_setname_np(pthread_self(), "sync");
    pthread_mutex_lock(&c->lock);
    while (!c->stopping) {
        c->sync_turns++;
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        ts.tv_sec += SYNC_MS / 1000;
        pthread_cond_timedwait(&c->stop, &c->lock, &ts);
        pthread_mutex_unlock(&c->lock);
        writer_sync(c);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void
end_writer(struct cache *c)
{
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->queued);
    pthread_cond_signal(&c->stop);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->writer, NULL);
}

int
writer_start(struct cache *c)
{
    c->tail = &c->head;
    if (pthread_create(&c->writer, NULL, write_loop, c) != 0) {
        return SHOAL_ENOMEM;
    }
    if (pthread_create(&c->syncer, NULL, sync_loop, c) != 0) {
        end_writer(c);
        return SHOAL_ENOMEM;
    }
    return 0;
}

void
writer_stop(struct cache *c)
{
    end_writer(c);
    pthread_join(c->syncer, NULL);
    writer_sync(c);
}
