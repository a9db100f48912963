#include "cache.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "db.h"
#include "log.h"
#include "sets.h"
#include "shoal.h"

enum {
    HIGH_PERCENT = 85, /* of the size: above it sets are evicted */
    LOW_PERCENT = 80,  /* and down to this */
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

struct cache {
    struct db *db;
    uint64_t size;
    void (*leaving)(void *ctx, const uint8_t id[20]);
    void *ctx;

    pthread_mutex_t sync_lock; /* taken before the other */
    pthread_mutex_t lock;      /* of all below */
    struct sets sets;
    uint64_t evicted, replaced;

    pthread_t writer;
    pthread_cond_t queued, done;
    struct write *head, **tail;
    size_t queue_bytes;
    bool stopping;
    bool dirty; /* committed and not synced */
};

static uint64_t
now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}

/* Of the day: last uses outlive the process. */
static uint64_t
clock_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* ---- references ---- */

static void
unref_locked(struct cache_set *set)
{
    if (--set->refs == 0 && set->gone) {
        sets_destroy(set);
    }
}

static void
touch_locked(struct cache_set *set)
{
    set->last_use_us = clock_us();
    set->touched = true;
}

/* ---- records ---- */

/* The strings are the set's. */
static struct db_record
record_of(const struct cache_set *set, enum db_state state)
{
    struct db_record rec = {
        .id = set->resource.id,
        .url = set->resource.url,
        .provider = set->resource.provider,
        .version = set->resource.version,
        .size = set->resource.size,
        .last_use_us = set->last_use_us,
        .state = state,
        .copy = set->copy,
    };

    memcpy(rec.root, set->root, DIGEST_LEN);
    return rec;
}

static void
mark_dirty(struct cache *c)
{
    pthread_mutex_lock(&c->lock);
    c->dirty = true;
    pthread_mutex_unlock(&c->lock);
}

/* One transaction for one record; `map` NULL: the bitmap stays. */
static int
store_record(struct cache *c, const struct cache_set *set, enum db_state state,
             const struct blockmap *map)
{
    struct db_record rec = record_of(set, state);
    int err;

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
        mark_dirty(c);
    }
    return err;
}

static void
delete_stored(struct cache *c, const struct cache_set *set)
{
    struct db_record rec = record_of(set, DB_LEAVING);

    if (db_delete(c->db, &rec, set->map.block_size) == 0) {
        mark_dirty(c);
    }
}

/* The set is out of the tables; one reference is the caller's. */
static void
delete_set(struct cache *c, struct cache_set *set)
{
    if (c->leaving != NULL) {
        c->leaving(c->ctx, set->resource.id);
    }
    pthread_mutex_lock(&c->lock);
    while (set->queued > 0) {
        pthread_cond_wait(&c->done, &c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    delete_stored(c, set);
    pthread_mutex_lock(&c->lock);
    c->sets.footprint -= set->footprint;
    unref_locked(set);
    pthread_mutex_unlock(&c->lock);
}

/* Out of the tables; its room is free only when it was deleted. */
static void
take_out_locked(struct cache *c, struct cache_set *set)
{
    sets_remove(&c->sets, set);
    c->sets.footprint += set->footprint;
    set->gone = true;
    set->refs++;
}

/* ---- the writer ---- */

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
        set->added++;
    }
    c->queue_bytes -= w->len;
    set->queued--;
    unref_locked(set);
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
    while (batch != NULL) {
        struct write *next = batch->next;

        written_locked(c, batch, err);
        batch = next;
    }
    pthread_cond_broadcast(&c->done);
}

/* Whoever comes second waits for the first: a set must not be said to be
 * complete while its sync is under way in the other thread. */
static int
sync_env(struct cache *c)
{
    int err = 0;

    pthread_mutex_lock(&c->sync_lock);
    pthread_mutex_lock(&c->lock);
    bool dirty = c->dirty;
    c->dirty = false;
    pthread_mutex_unlock(&c->lock);
    if (dirty) {
        err = db_sync(c->db);
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
        struct db_record rec = record_of(set, DB_COMPLETE);

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
        mark_dirty(c);
    }
}

static void
wait_for_work(struct cache *c)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_nsec += (long) SYNC_MS % 1000 * 1000000;
    ts.tv_sec += SYNC_MS / 1000;
    pthread_cond_timedwait(&c->queued, &c->lock, &ts);
}

static void *
write_loop(void *arg)
{
    struct cache *c = arg;
    uint64_t synced = now_ms(), stored = synced;

    pthread_mutex_lock(&c->lock);
    while (!c->stopping || c->head != NULL) {
        if (c->head == NULL) {
            wait_for_work(c);
        }
        if (c->head != NULL) {
            write_batch(c);
        }
        uint64_t now = now_ms();
        if (now - synced < SYNC_MS) {
            continue;
        }
        pthread_mutex_unlock(&c->lock);
        if (now - stored >= TOUCH_MS) {
            store_uses(c);
            stored = now;
        }
        sync_env(c);
        synced = now_ms();
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    store_uses(c);
    sync_env(c);
    return NULL;
}

/* ---- opening ---- */

static struct cache_set *
load_set(const struct db_record *rec, const uint8_t *bits, size_t len)
{
    struct resource r = {
        .url = (char *) (uintptr_t) rec->url,
        .provider = (char *) (uintptr_t) rec->provider,
        .version = (char *) (uintptr_t) rec->version,
        .size = rec->size,
    };
    struct cache_set *set;

    memcpy(r.id, rec->id, RESOURCE_ID_LEN);
    if (sets_create(&r, &set) != 0) {
        return NULL;
    }
    if (blockmap_load(&set->map, bits, len) != 0
        || blockmap_load(&set->writing, bits, len) != 0)
    {
        sets_destroy(set);
        return NULL;
    }
    set->last_use_us = rec->last_use_us;
    set->copy = rec->copy;
    set->complete = rec->state == DB_COMPLETE && blockmap_complete(&set->map);
    memcpy(set->root, rec->root, DIGEST_LEN);
    return set;
}

struct loading {
    struct cache *cache;
    struct cache_set *left; /* whose deletion was cut short */
};

static void
load_one(void *ctx, const struct db_record *rec, const uint8_t *bits,
         size_t len)
{
    struct loading *l = ctx;
    struct cache_set *set = load_set(rec, bits, len);

    if (set == NULL) {
        log_line(LOG_LEVEL_ERROR, rec->id, "cache: its record is damaged");
    } else if (rec->state == DB_LEAVING) {
        set->next_id = l->left;
        l->left = set;
    } else {
        sets_add(&l->cache->sets, set);
    }
}

static int
load_all(struct cache *c)
{
    struct loading l = { c, NULL };

    int err = db_each(c->db, load_one, &l);
    while (l.left != NULL) {
        struct cache_set *set = l.left;

        l.left = set->next_id;
        if (err == 0) {
            delete_stored(c, set);
        }
        sets_destroy(set);
    }
    return err;
}

static void
init_sync(struct cache *c)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&c->sync_lock, NULL);
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->queued, &attr);
    pthread_cond_init(&c->done, &attr);
    pthread_condattr_destroy(&attr);
}

static void
fini_sync(struct cache *c)
{
    pthread_cond_destroy(&c->done);
    pthread_cond_destroy(&c->queued);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->sync_lock);
}

int
cache_open(const struct cache_options *options, struct cache **out, char *why,
           size_t cap)
{
    struct cache *c = calloc(1, sizeof(*c));

    if (c == NULL || sets_init(&c->sets) != 0) {
        snprintf(why, cap, "out of memory");
        free(c);
        return SHOAL_ENOMEM;
    }
    c->size = options->size;
    c->leaving = options->leaving;
    c->ctx = options->ctx;
    c->tail = &c->head;
    init_sync(c);
    int err = db_open(options->path, c->size, &c->db, why, cap);
    if (err != 0) {
        goto free_cache;
    }
    err = load_all(c);
    if (err == 0 && pthread_create(&c->writer, NULL, write_loop, c) != 0) {
        err = SHOAL_ENOMEM;
    }
    if (err != 0) {
        snprintf(why, cap, "cache %s: %s", options->path, shoal_strerror(err));
        goto close_db;
    }
    *out = c;
    return 0;

close_db:
    db_close(c->db);
free_cache:
    sets_fini(&c->sets);
    fini_sync(c);
    free(c);
    return err;
}

void
cache_close(struct cache *c)
{
    if (c == NULL) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->queued);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->writer, NULL);
    db_close(c->db);
    sets_fini(&c->sets);
    fini_sync(c);
    free(c);
}

/* ---- filling ---- */

bool
cache_too_large(const struct cache *c, uint64_t size)
{
    return size > c->size / 100 * LOW_PERCENT;
}

/* A set that must go for `set` to come, taken out of the tables; NULL: none
 * must, or (*err) none can. */
static struct cache_set *
victim_locked(struct cache *c, const struct cache_set *set, bool *evicting,
              int *err)
{
    struct cache_set *old = sets_other(&c->sets, set);
    uint64_t limit = c->size / 100 * HIGH_PERCENT;
    uint64_t need = c->sets.footprint + set->footprint;

    if (old != NULL && old->filling) {
        *err = SHOAL_EFULL;
        return NULL;
    }
    if (old != NULL) {
        c->replaced++;
        take_out_locked(c, old);
        return old;
    }
    if (need <= (*evicting ? c->size / 100 * LOW_PERCENT : limit)) {
        return NULL;
    }
    *evicting = true;
    old = sets_oldest(&c->sets);
    if (old != NULL) {
        c->evicted++;
        take_out_locked(c, old);
    } else if (need > limit) {
        *err = SHOAL_EFULL;
    }
    return old;
}

/* Room for the set, and the set in its place, before others see the room. */
static int
make_room(struct cache *c, struct cache_set *set)
{
    bool evicting = false;
    int err = 0;

    for (;;) {
        pthread_mutex_lock(&c->lock);
        struct cache_set *old = victim_locked(c, set, &evicting, &err);
        if (old == NULL && err == 0) {
            set->filling = true;
            set->refs = 1;
            sets_add(&c->sets, set);
        }
        pthread_mutex_unlock(&c->lock);
        if (old == NULL) {
            return err;
        }
        log_line(LOG_LEVEL_INFO, old->resource.id, "cache: %s",
                 evicting ? "evicted" : "replaced by another version");
        delete_set(c, old);
    }
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
    set->filling = true;
    set->error = 0;
    set->refs++;
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
    set->last_use_us = clock_us();
    err = make_room(c, set);
    if (err != 0) {
        sets_destroy(set);
        return err;
    }
    err = store_record(c, set, DB_FILLING, &set->map);
    if (err != 0) {
        pthread_mutex_lock(&c->lock);
        sets_remove(&c->sets, set);
        set->gone = true;
        unref_locked(set);
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

    pthread_mutex_lock(&c->lock);
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
    while (set->queued > 0) {
        pthread_cond_wait(&c->done, &c->lock);
    }
    set->filling = false;
    unref_locked(set);
    pthread_mutex_unlock(&c->lock);
}

static int
enqueue(struct cache *c, struct write *w)
{
    struct cache_set *set = w->set;

    pthread_mutex_lock(&c->lock);
    while (c->queue_bytes > 0 && c->queue_bytes + w->len > QUEUE_BYTES) {
        pthread_cond_wait(&c->done, &c->lock);
    }
    int err = set->error;
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

void
cache_drop(struct cache *c, struct cache_set *set, uint32_t block)
{
    struct write *w = block < set->map.count ? calloc(1, sizeof(*w)) : NULL;

    if (w == NULL) {
        return;
    }
    w->set = set;
    w->block = block;
    w->drop = true;
    if (enqueue(c, w) != 0) {
        free(w);
    }
}

static int
flush(struct cache *c, struct cache_set *set)
{
    pthread_mutex_lock(&c->lock);
    while (set->queued > 0) {
        pthread_cond_wait(&c->done, &c->lock);
    }
    int err = set->error;
    pthread_mutex_unlock(&c->lock);
    return err;
}

int
cache_finish(struct cache *c, struct cache_set *set, const uint8_t *root,
             bool copy)
{
    int err = flush(c, set);

    if (err == 0 && !blockmap_complete(&set->map)) {
        err = SHOAL_EIO;
    }
    if (err != 0) {
        return err;
    }
    pthread_mutex_lock(&c->lock);
    if (root != NULL) {
        memcpy(set->root, root, DIGEST_LEN);
    }
    set->copy = set->copy || copy;
    touch_locked(set);
    pthread_mutex_unlock(&c->lock);
    err = store_record(c, set, DB_COMPLETE, NULL);
    if (err == 0) {
        err = sync_env(c);
    }
    if (err == 0) {
        pthread_mutex_lock(&c->lock);
        set->complete = true;
        pthread_mutex_unlock(&c->lock);
    }
    return err;
}

void
cache_forget(struct cache *c, const uint8_t id[20])
{
    pthread_mutex_lock(&c->lock);
    struct cache_set *set = sets_find(&c->sets, id);
    if (set != NULL && set->filling) {
        set = NULL;
    }
    if (set != NULL) {
        take_out_locked(c, set);
    }
    pthread_mutex_unlock(&c->lock);
    if (set != NULL) {
        delete_set(c, set);
    }
}

/* ---- reading ---- */

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
    int err = flush(c, set);

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

/* ---- serving ---- */

static int
serve_open(void *ctx, const uint8_t id[20], struct serve_set *out)
{
    struct cache *c = ctx;

    pthread_mutex_lock(&c->lock);
    struct cache_set *set = sets_find(&c->sets, id);
    if (set != NULL) {
        set->refs++;
        touch_locked(set);
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
    unref_locked(set->handle);
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

static long
serve_read(void *ctx, const struct serve_set *set, uint64_t off, void *buf,
           size_t len)
{
    return read_some(ctx, set->handle, off, buf, len);
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

/* ---- what there is ---- */

static int
fill_info(const struct cache_set *set, struct cache_info *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->id, set->resource.id, sizeof(out->id));
    memcpy(out->root, set->root, sizeof(out->root));
    out->size = set->resource.size;
    out->last_use = set->last_use_us / 1000000;
    out->blocks = set->map.count;
    out->held = set->map.held;
    out->complete = set->complete;
    out->copy = set->copy;
    out->filling = set->filling;
    out->url = strdup(set->resource.url);
    out->provider = strdup(set->resource.provider);
    out->version = strdup(set->resource.version);
    if (out->url == NULL || out->provider == NULL || out->version == NULL) {
        cache_info_fini(out);
        return SHOAL_ENOMEM;
    }
    return 0;
}

void
cache_info_fini(struct cache_info *info)
{
    free(info->url);
    free(info->provider);
    free(info->version);
    memset(info, 0, sizeof(*info));
}

int
cache_info(struct cache *c, const uint8_t id[20], struct cache_info *out)
{
    int err = SHOAL_ENOTFOUND;

    pthread_mutex_lock(&c->lock);
    struct cache_set *set = sets_find(&c->sets, id);
    if (set != NULL) {
        err = fill_info(set, out);
    }
    pthread_mutex_unlock(&c->lock);
    return err;
}

struct listing {
    struct cache_info *list;
    size_t n;
    int err;
};

static void
list_one(struct cache_set *set, void *ctx)
{
    struct listing *l = ctx;

    if (l->err == 0) {
        l->err = fill_info(set, &l->list[l->n]);
        l->n += l->err == 0;
    }
}

int
cache_list(struct cache *c, struct cache_info **out, size_t *n)
{
    struct listing l = { NULL, 0, 0 };

    pthread_mutex_lock(&c->lock);
    l.list = calloc(c->sets.count + 1, sizeof(*l.list));
    if (l.list != NULL) {
        sets_each(&c->sets, list_one, &l);
    }
    pthread_mutex_unlock(&c->lock);
    if (l.list == NULL || l.err != 0) {
        cache_list_free(l.list, l.n);
        return SHOAL_ENOMEM;
    }
    *out = l.list;
    *n = l.n;
    return 0;
}

void
cache_list_free(struct cache_info *list, size_t n)
{
    for (size_t i = 0; list != NULL && i < n; i++) {
        cache_info_fini(&list[i]);
    }
    free(list);
}

void
cache_get_stats(struct cache *c, struct cache_stats *out)
{
    pthread_mutex_lock(&c->lock);
    out->size = c->size;
    out->used = c->sets.footprint;
    out->evicted = c->evicted;
    out->replaced = c->replaced;
    out->sets = c->sets.count;
    pthread_mutex_unlock(&c->lock);
}
