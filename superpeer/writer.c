/* writer.c - the thread that commits blocks, several in a transaction, and
 * syncs. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache_internal.h"
#include "clock.h"
#include "shoal.h"

enum {
    QUEUE_BYTES = 32 << 20,
    BATCH_BYTES = 8 << 20, /* of one transaction; DESIGN.md section 4 */
    SYNC_MS = 1000,
    TOUCH_MS = 60000 /* how often last uses are stored */
};

struct write {
    struct write *next;
    struct cache_set *set;
    uint32_t block;
    bool drop;
    uint8_t hash[DIGEST_LEN];
    size_t len;
    uint8_t data[];
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
write_one(struct db_txn *t, const struct write *w)
{
    struct cache_set *set = w->set;

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
        err = write_one(t, w);
        if (err == 0 && is_last_of_set(w)) {
            err = db_put_bits(t, w->set->resource.id, w->set->writing.bits,
                              blockmap_bytes(&w->set->writing));
        }
    }
    return db_end(t, err);
}

static void
written_locked(struct cache *c, struct write *w, int err)
{
    struct cache_set *set = w->set;

    if (err != 0) {
        set->error = set->error != 0 ? set->error : err;
        memcpy(set->writing.bits, set->map.bits, blockmap_bytes(&set->map));
        set->writing.held = set->map.held;
    } else if (w->drop) {
        blockmap_clear(&set->map, w->block);
    } else {
        blockmap_set(&set->map, w->block);
        blockmap_set(&set->checked, w->block);
        set->added++;
    }
    c->queue_bytes -= w->len;
    set->queued--;
    cache_unref_locked(set);
    free(w);
}

/* The lock is held, and let go meanwhile. */
static void
write_batch(struct cache *c)
{
    struct write *batch = c->head, **end = &c->head;
    size_t bytes = 0;

    while (*end != NULL && (bytes == 0 || bytes + (*end)->len <= BATCH_BYTES))
    {
        bytes += (*end)->len;
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
        writer_mark_dirty(c);
    }
    pthread_mutex_unlock(&c->sync_lock);
    return err;
}

struct touched {
    struct db_txn *txn;
    int err;
};

static void
store_touched(struct cache_set *set, void *ctx)
{
    struct touched *t = ctx;

    if (set->touched && set->complete && t->err == 0) {
        struct db_record rec = cache_record_locked(set, DB_COMPLETE);

        t->err = db_put_record(t->txn, &rec);
        set->touched = false;
    }
}

/* Last uses are only advice: what is lost here costs nothing. */
static void
store_uses(struct cache *c)
{
    struct touched t = { NULL, 0 };

    t.txn = db_begin(c->db, &t.err);
    if (t.txn == NULL) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    sets_each(&c->sets, store_touched, &t);
    pthread_mutex_unlock(&c->lock);
    if (db_end(t.txn, t.err) == 0) {
        writer_mark_dirty(c);
    }
}

static void
wait_for_work(struct cache *c)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += SYNC_MS / 1000;
    pthread_cond_timedwait(&c->queued, &c->lock, &ts);
}

static void *
write_loop(void *arg)
{
    struct cache *c = arg;
    uint64_t synced = clock_ms(), stored = synced;

    pthread_mutex_lock(&c->lock);
    while (!c->stopping || c->head != NULL) {
        if (c->head == NULL) {
            wait_for_work(c);
        }
        if (c->head != NULL) {
            write_batch(c);
        }
        uint64_t now = clock_ms();
        if (now - synced < SYNC_MS) {
            continue;
        }
        pthread_mutex_unlock(&c->lock);
        if (now - stored >= TOUCH_MS) {
            store_uses(c);
            stored = now;
        }
        writer_sync(c);
        synced = clock_ms();
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    store_uses(c);
    writer_sync(c);
    return NULL;
}

int
writer_start(struct cache *c)
{
    c->tail = &c->head;
    return pthread_create(&c->writer, NULL, write_loop, c) == 0 ? 0
                                                                : SHOAL_ENOMEM;
}

void
writer_stop(struct cache *c)
{
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->queued);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->writer, NULL);
}

/* ---- the queue ---- */

void
writer_wait_locked(struct cache *c, struct cache_set *set)
{
    while (set->queued > 0) {
        pthread_cond_wait(&c->done, &c->lock);
    }
}

static int
enqueue(struct cache *c, struct write *w)
{
    struct cache_set *set = w->set;

    pthread_mutex_lock(&c->lock);
    while (c->queue_bytes > 0 && c->queue_bytes + w->len > QUEUE_BYTES) {
        pthread_cond_wait(&c->done, &c->lock);
    }
    int err = set->gone ? SHOAL_EIO : set->error;
    if (err == 0) {
        set->refs++;
        set->queued++;
        c->queue_bytes += w->len;
        *c->tail = w;
        c->tail = &w->next;
        if (w->drop) {
            blockmap_clear(&set->map, w->block);
        }
        pthread_cond_signal(&c->queued);
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

/* Where the drop cannot be stored, the set has an error from now on, and so
 * is neither completed nor gone on with. */
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
        blockmap_clear(&set->map, block);
        set->error = set->error != 0 ? set->error : err;
        pthread_mutex_unlock(&c->lock);
    }
}
