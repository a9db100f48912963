#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <lmdb.h>

#include "log.h"
#include "sets.h"
#include "shoal.h"

enum {
    FORMAT = 1,
    HIGH_PERCENT = 85, /* of the map: above it sets are evicted */
    LOW_PERCENT = 80,  /* and down to this */
    QUEUE_BYTES = 32 << 20,
    BATCH_BYTES = 8 << 20,    /* of one transaction; DESIGN.md section 4 */
    DELETE_BLOCKS = 4096,     /* in one transaction */
    DELETE_BYTES = 256 << 20, /* the same: freed pages are listed in memory */
    SHRINK_BYTES = 32 << 20,  /* for deletions in a map that is full */
    SYNC_MS = 1000,
    TOUCH_MS = 60000, /* how often last uses are stored */
    READERS_MAX = 256,
    POOL_MAX = 64 /* read transactions that are kept */
};

/* Names of LMDB's databases, and what is in them. */
static const char *const names[] = {
    "info",   /* "format": number */
    "sets",   /* id: struct record and strings */
    "bits",   /* id: bitmap */
    "hashes", /* id and block: 32 bytes */
    "blocks"  /* id and block: the block */
};

enum db {
    DB_INFO,
    DB_SETS,
    DB_BITS,
    DB_HASHES,
    DB_BLOCKS,
    DBS
};

enum record_state {
    STATE_FILLING = 1,
    STATE_COMPLETE = 2,
    STATE_LEAVING = 3 /* its deletion has begun */
};

/* As stored, in the machine's byte order; then url, provider and version,
 * each with a NUL. */
struct record {
    uint64_t size;
    uint64_t last_use_us; /* since 1970 */
    uint32_t state;       /* enum record_state */
    uint32_t copy;
    uint8_t root[DIGEST_LEN];
};

struct block_key {
    uint8_t id[RESOURCE_ID_LEN];
    uint8_t block[4]; /* big-endian: in order */
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
    char *path;
    int lock_fd;
    MDB_env *env;
    MDB_dbi db[DBS];
    uint64_t size;
    void (*leaving)(void *ctx, const uint8_t id[20]);
    void *ctx;

    pthread_mutex_t sync_lock; /* taken before the other */
    pthread_mutex_t lock;      /* of all below */
    struct sets sets;
    uint64_t evicted, replaced;
    MDB_txn *pool[POOL_MAX]; /* reset read transactions */
    unsigned pooled;

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

/* LMDB's and the system's errors in ours; told once, where they appear. */
static int
fail(const uint8_t *id, const char *what, int rc)
{
    log_line(LOG_LEVEL_ERROR, id, "cache: %s: %s", what, mdb_strerror(rc));
    switch (rc) {
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return SHOAL_EFULL;
    case ENOMEM:
        return SHOAL_ENOMEM;
    default:
        return SHOAL_EIO;
    }
}

static MDB_val
val(const void *data, size_t len)
{
    MDB_val v = { len, (void *) (uintptr_t) data };

    return v;
}

static struct block_key
block_key(const struct cache_set *set, uint32_t block)
{
    struct block_key k;

    memcpy(k.id, set->resource.id, sizeof(k.id));
    k.block[0] = (uint8_t) (block >> 24);
    k.block[1] = (uint8_t) (block >> 16);
    k.block[2] = (uint8_t) (block >> 8);
    k.block[3] = (uint8_t) block;
    return k;
}

/* ---- read transactions ---- */

static MDB_txn *
reader_get(struct cache *c)
{
    MDB_txn *txn = NULL;

    pthread_mutex_lock(&c->lock);
    if (c->pooled > 0) {
        txn = c->pool[--c->pooled];
    }
    pthread_mutex_unlock(&c->lock);
    if (txn != NULL) {
        if (mdb_txn_renew(txn) == 0) {
            return txn;
        }
        mdb_txn_abort(txn);
    }
    int rc = mdb_txn_begin(c->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0) {
        fail(NULL, "read transaction", rc);
        return NULL;
    }
    return txn;
}

static void
reader_put(struct cache *c, MDB_txn *txn)
{
    mdb_txn_reset(txn);
    pthread_mutex_lock(&c->lock);
    if (c->pooled < POOL_MAX) {
        c->pool[c->pooled++] = txn;
        txn = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    if (txn != NULL) {
        mdb_txn_abort(txn);
    }
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

static int
put_record(struct cache *c, MDB_txn *txn, const struct cache_set *set,
           enum record_state state)
{
    const struct resource *r = &set->resource;
    struct record rec;
    MDB_val key = val(r->id, RESOURCE_ID_LEN), data;
    size_t url = strlen(r->url) + 1, provider = strlen(r->provider) + 1;
    size_t version = strlen(r->version) + 1;

    memset(&rec, 0, sizeof(rec));
    rec.size = r->size;
    rec.last_use_us = set->last_use_us;
    rec.state = state;
    rec.copy = set->copy;
    memcpy(rec.root, set->root, DIGEST_LEN);
    data = val(NULL, sizeof(rec) + url + provider + version);
    int rc = mdb_put(txn, c->db[DB_SETS], &key, &data, MDB_RESERVE);
    if (rc != 0) {
        return rc;
    }
    char *p = data.mv_data;
    memcpy(p, &rec, sizeof(rec));
    p += sizeof(rec);
    memcpy(p, r->url, url);
    memcpy(p + url, r->provider, provider);
    memcpy(p + url + provider, r->version, version);
    return 0;
}

static int
put_bits(struct cache *c, MDB_txn *txn, const struct cache_set *set,
         const struct blockmap *m)
{
    MDB_val key = val(set->resource.id, RESOURCE_ID_LEN);
    MDB_val data = val(m->bits, blockmap_bytes(m));

    return mdb_put(txn, c->db[DB_BITS], &key, &data, 0);
}

/* One transaction for one record; `map` NULL: the bitmap stays. */
static int
store_record(struct cache *c, const struct cache_set *set,
             enum record_state state, const struct blockmap *map)
{
    MDB_txn *txn;

    int rc = mdb_txn_begin(c->env, NULL, 0, &txn);
    if (rc == 0) {
        rc = put_record(c, txn, set, state);
        if (rc == 0 && map != NULL) {
            rc = put_bits(c, txn, set, map);
        }
        if (rc == 0) {
            rc = mdb_txn_commit(txn);
        } else {
            mdb_txn_abort(txn);
        }
    }
    if (rc != 0) {
        return fail(set->resource.id, "store the record", rc);
    }
    pthread_mutex_lock(&c->lock);
    c->dirty = true;
    pthread_mutex_unlock(&c->lock);
    return 0;
}

/* ---- deletion ---- */

/* Up to `most` entries of the set; how many were deleted, or LMDB's error. */
static int
delete_some(struct cache *c, MDB_txn *txn, enum db db,
            const struct cache_set *set, int most)
{
    struct block_key first = block_key(set, 0);
    MDB_val key = val(&first, sizeof(first)), data;
    MDB_cursor *cursor;
    int n = 0;

    int rc = mdb_cursor_open(txn, c->db[db], &cursor);
    if (rc != 0) {
        return rc;
    }
    rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
    while (rc == 0 && n < most && key.mv_size == sizeof(first)
           && memcmp(key.mv_data, first.id, RESOURCE_ID_LEN) == 0)
    {
        rc = mdb_cursor_del(cursor, 0);
        n += rc == 0;
        if (rc == 0) { /* it stands on the next one, which NEXT gives */
            rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
        }
    }
    mdb_cursor_close(cursor);
    return rc == 0 || rc == MDB_NOTFOUND ? -n : rc;
}

static int
delete_entries(struct cache *c, const struct cache_set *set, enum db db,
               int most, bool *more)
{
    MDB_txn *txn;

    int rc = mdb_txn_begin(c->env, NULL, 0, &txn);
    if (rc != 0) {
        return rc;
    }
    rc = delete_some(c, txn, db, set, most);
    if (rc > 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    *more = -rc == most;
    return mdb_txn_commit(txn);
}

static int
delete_record(struct cache *c, const struct cache_set *set)
{
    MDB_val key = val(set->resource.id, RESOURCE_ID_LEN);
    MDB_txn *txn;

    int rc = mdb_txn_begin(c->env, NULL, 0, &txn);
    if (rc != 0) {
        return rc;
    }
    mdb_del(txn, c->db[DB_BITS], &key, NULL);
    mdb_del(txn, c->db[DB_SETS], &key, NULL);
    return mdb_txn_commit(txn);
}

/* The record goes last: a deletion that was cut short is found by it. */
static void
delete_stored(struct cache *c, const struct cache_set *set)
{
    int most = (int) (DELETE_BYTES / set->map.block_size);
    bool more = true;
    int rc = 0;

    if (store_record(c, set, STATE_LEAVING, NULL) != 0) {
        return;
    }
    if (most > DELETE_BLOCKS) {
        most = DELETE_BLOCKS;
    }
    while (rc == 0 && more) {
        rc = delete_entries(c, set, DB_BLOCKS, most > 0 ? most : 1, &more);
    }
    for (more = true; rc == 0 && more;) {
        rc = delete_entries(c, set, DB_HASHES, DELETE_BLOCKS, &more);
    }
    if (rc == 0) {
        rc = delete_record(c, set);
    }
    if (rc != 0) {
        fail(set->resource.id, "delete a set", rc);
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
write_one(struct cache *c, MDB_txn *txn, const struct write *w)
{
    struct block_key k = block_key(w->set, w->block);
    MDB_val key = val(&k, sizeof(k));
    MDB_val hash = val(w->hash, DIGEST_LEN), data = val(w->data, w->len);

    if (w->drop) {
        blockmap_clear(&w->set->writing, w->block);
        mdb_del(txn, c->db[DB_HASHES], &key, NULL);
        int rc = mdb_del(txn, c->db[DB_BLOCKS], &key, NULL);
        return rc == MDB_NOTFOUND ? 0 : rc;
    }
    blockmap_set(&w->set->writing, w->block);
    int rc = mdb_put(txn, c->db[DB_BLOCKS], &key, &data, 0);
    return rc != 0 ? rc : mdb_put(txn, c->db[DB_HASHES], &key, &hash, 0);
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
    MDB_txn *txn;

    int rc = mdb_txn_begin(c->env, NULL, 0, &txn);
    if (rc != 0) {
        return rc;
    }
    for (const struct write *w = batch; w != NULL && rc == 0; w = w->next) {
        rc = write_one(c, txn, w);
        if (rc == 0 && is_last_of_set(w)) {
            rc = put_bits(c, txn, w->set, &w->set->writing);
        }
    }
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);
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

/* LMDB says EIO when a write was cut short, as the last one on a disk that
 * runs full is. */
static int
why_commit_failed(const struct cache *c, int rc)
{
    struct statvfs fs;

    if (rc == EIO && statvfs(c->path, &fs) == 0
        && (uint64_t) fs.f_bavail * fs.f_frsize < BATCH_BYTES)
    {
        return ENOSPC;
    }
    return rc;
}

/* The lock is held, and let go while LMDB works. */
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
    int rc = why_commit_failed(c, commit_batch(c, batch));
    int err = rc == 0 ? 0 : fail(batch->set->resource.id, "write blocks", rc);
    pthread_mutex_lock(&c->lock);
    c->dirty = c->dirty || rc == 0;
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
    int rc = 0;

    pthread_mutex_lock(&c->sync_lock);
    pthread_mutex_lock(&c->lock);
    bool dirty = c->dirty;
    c->dirty = false;
    pthread_mutex_unlock(&c->lock);
    if (dirty) {
        rc = mdb_env_sync(c->env, 1);
    }
    pthread_mutex_unlock(&c->sync_lock);
    return rc == 0 ? 0 : fail(NULL, "sync", rc);
}

struct touched {
    struct cache *cache;
    MDB_txn *txn;
    int rc;
};

static void
store_touched(struct cache_set *set, void *ctx)
{
    struct touched *t = ctx;

    if (set->touched && set->complete && t->rc == 0) {
        t->rc = put_record(t->cache, t->txn, set, STATE_COMPLETE);
        set->touched = false;
    }
}

/* Last uses are only advice: what is lost here costs nothing. */
static void
store_uses(struct cache *c)
{
    struct touched t = { .cache = c };

    if (mdb_txn_begin(c->env, NULL, 0, &t.txn) != 0) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    sets_each(&c->sets, store_touched, &t);
    pthread_mutex_unlock(&c->lock);
    if (t.rc != 0 || mdb_txn_commit(t.txn) != 0) {
        if (t.rc != 0) {
            mdb_txn_abort(t.txn);
        }
        return;
    }
    pthread_mutex_lock(&c->lock);
    c->dirty = true;
    pthread_mutex_unlock(&c->lock);
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

static int
open_dbs(struct cache *c, MDB_txn *txn)
{
    uint32_t format = FORMAT;
    MDB_val key = val("format", 6), data;
    int rc = 0;

    for (int i = 0; i < DBS && rc == 0; i++) {
        rc = mdb_dbi_open(txn, names[i], MDB_CREATE, &c->db[i]);
    }
    if (rc != 0) {
        return rc;
    }
    rc = mdb_get(txn, c->db[DB_INFO], &key, &data);
    if (rc == MDB_NOTFOUND) {
        data = val(&format, sizeof(format));
        return mdb_put(txn, c->db[DB_INFO], &key, &data, 0);
    }
    if (rc == 0
        && (data.mv_size != sizeof(format)
            || memcmp(data.mv_data, &format, sizeof(format)) != 0))
    {
        return MDB_VERSION_MISMATCH;
    }
    return rc;
}

/* A file that is larger than the cache may be now, as its size was lowered,
 * needs room for the deletions that make it fit. */
static uint64_t
map_size(const struct cache *c)
{
    char name[PATH_MAX];
    struct stat st;

    snprintf(name, sizeof(name), "%s/data.mdb", c->path);
    if (stat(name, &st) != 0 || (uint64_t) st.st_size <= c->size) {
        return c->size;
    }
    return ((uint64_t) st.st_size + SHRINK_BYTES) / 65536 * 65536;
}

static int
open_env(struct cache *c)
{
    MDB_txn *txn;
    int dead;

    int rc = mdb_env_create(&c->env);
    if (rc != 0) {
        c->env = NULL;
        return rc;
    }
    mdb_env_set_maxdbs(c->env, DBS);
    mdb_env_set_maxreaders(c->env, READERS_MAX);
    rc = mdb_env_set_mapsize(c->env, map_size(c));
    if (rc == 0) {
        rc = mdb_env_open(c->env, c->path, MDB_NOTLS | MDB_NOSYNC, 0600);
    }
    if (rc == 0) {
        mdb_reader_check(c->env, &dead);
        rc = mdb_txn_begin(c->env, NULL, 0, &txn);
    }
    if (rc != 0) {
        return rc;
    }
    rc = open_dbs(c, txn);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);
}

/* NULL unless there is one more string in the record. */
static const char *
next_string(const char **p, const char *end)
{
    const char *s = *p, *nul = memchr(s, '\0', (size_t) (end - s));

    if (nul == NULL) {
        return NULL;
    }
    *p = nul + 1;
    return s;
}

static int
parse_record(const MDB_val *key, const MDB_val *data, struct record *rec,
             struct resource *r)
{
    const char *p = data->mv_data, *end = p + data->mv_size;

    if (key->mv_size != RESOURCE_ID_LEN || data->mv_size < sizeof(*rec)) {
        return SHOAL_EINVAL;
    }
    memcpy(rec, p, sizeof(*rec));
    p += sizeof(*rec);
    r->url = (char *) (uintptr_t) next_string(&p, end);
    r->provider = r->url ? (char *) (uintptr_t) next_string(&p, end) : NULL;
    r->version =
        r->provider ? (char *) (uintptr_t) next_string(&p, end) : NULL;
    if (r->version == NULL) {
        return SHOAL_EINVAL;
    }
    r->size = rec->size;
    memcpy(r->id, key->mv_data, RESOURCE_ID_LEN);
    return 0;
}

/* The borrowed strings of `r` are in LMDB's map. */
static struct cache_set *
load_set(struct cache *c, MDB_txn *txn, const struct record *rec,
         const struct resource *r)
{
    MDB_val key = val(r->id, RESOURCE_ID_LEN), bits;
    struct cache_set *set;

    if (sets_create(r, &set) != 0) {
        return NULL;
    }
    if (mdb_get(txn, c->db[DB_BITS], &key, &bits) != 0
        || blockmap_load(&set->map, bits.mv_data, bits.mv_size) != 0
        || blockmap_load(&set->writing, bits.mv_data, bits.mv_size) != 0)
    {
        sets_destroy(set);
        return NULL;
    }
    set->last_use_us = rec->last_use_us;
    set->copy = rec->copy != 0;
    set->complete =
        rec->state == STATE_COMPLETE && blockmap_complete(&set->map);
    memcpy(set->root, rec->root, DIGEST_LEN);
    return set;
}

/* Sets whose deletion was cut short are collected in `*left`. */
static int
load_sets(struct cache *c, MDB_txn *txn, struct cache_set **left)
{
    MDB_cursor *cursor;
    MDB_val key, data;
    struct record rec;

    int rc = mdb_cursor_open(txn, c->db[DB_SETS], &cursor);
    if (rc != 0) {
        return rc;
    }
    while ((rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) == 0) {
        struct resource r;
        struct cache_set *set = NULL;

        if (parse_record(&key, &data, &rec, &r) == 0) {
            set = load_set(c, txn, &rec, &r);
        }
        if (set == NULL) {
            log_line(LOG_LEVEL_ERROR, NULL, "cache: a record is damaged");
        } else if (rec.state == STATE_LEAVING) {
            set->next_id = *left;
            *left = set;
        } else {
            sets_add(&c->sets, set);
        }
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
load_all(struct cache *c)
{
    struct cache_set *left = NULL;
    MDB_txn *txn;

    int rc = mdb_txn_begin(c->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0) {
        return rc;
    }
    rc = load_sets(c, txn, &left);
    mdb_txn_abort(txn);
    while (left != NULL) {
        struct cache_set *set = left;

        left = set->next_id;
        if (rc == 0) {
            delete_stored(c, set);
        }
        sets_destroy(set);
    }
    return rc;
}

/* Two processes would not know of each other's sets. */
static int
lock_folder(struct cache *c, char *why, size_t cap)
{
    char name[PATH_MAX];

    int n = snprintf(name, sizeof(name), "%s/superpeer.lock", c->path);
    if (n < 0 || (size_t) n >= sizeof(name)) {
        snprintf(why, cap, "cache %s: path too long", c->path);
        return -1;
    }
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(why, cap, "cache %s: %s", c->path, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(why, cap, "cache %s: in use by another super peer", c->path);
        close(fd);
        return -1;
    }
    return fd;
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
    int err = SHOAL_ENOMEM;

    snprintf(why, cap, "out of memory");
    struct cache *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return SHOAL_ENOMEM;
    }
    c->size = options->size / 65536 * 65536; /* whole pages */
    c->leaving = options->leaving;
    c->ctx = options->ctx;
    c->tail = &c->head;
    init_sync(c);
    c->path = strdup(options->path);
    if (c->path == NULL || sets_init(&c->sets) != 0) {
        goto free_cache;
    }
    err = SHOAL_EIO;
    c->lock_fd = lock_folder(c, why, cap);
    if (c->lock_fd < 0) {
        goto free_sets;
    }
    int rc = open_env(c);
    if (rc == 0) {
        rc = load_all(c);
    }
    if (rc == 0) {
        rc = pthread_create(&c->writer, NULL, write_loop, c);
    }
    if (rc != 0) {
        snprintf(why, cap, "cache %s: %s", c->path, mdb_strerror(rc));
        goto close_env;
    }
    *out = c;
    return 0;

close_env:
    if (c->env != NULL) {
        mdb_env_close(c->env);
    }
    close(c->lock_fd);
free_sets:
    sets_fini(&c->sets);
free_cache:
    fini_sync(c);
    free(c->path);
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
    while (c->pooled > 0) {
        mdb_txn_abort(c->pool[--c->pooled]);
    }
    mdb_env_close(c->env);
    close(c->lock_fd);
    sets_fini(&c->sets);
    fini_sync(c);
    free(c->path);
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
    err = store_record(c, set, STATE_FILLING, &set->map);
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
    err = store_record(c, set, STATE_COMPLETE, NULL);
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
    uint32_t block = (uint32_t) (off / set->map.block_size);
    size_t within = (size_t) (off % set->map.block_size);
    struct block_key k = block_key(set, block);
    MDB_val key = val(&k, sizeof(k)), data;
    long n = SHOAL_EIO;

    MDB_txn *txn = reader_get(c);
    if (txn == NULL) {
        return SHOAL_EIO;
    }
    int rc = mdb_get(txn, c->db[DB_BLOCKS], &key, &data);
    if (rc == 0 && data.mv_size == blockmap_length(&set->map, block)
        && within < data.mv_size)
    {
        size_t most = data.mv_size - within;

        n = (long) (len < most ? len : most);
        memcpy(buf, (const char *) data.mv_data + within, (size_t) n);
    }
    reader_put(c, txn);
    return n;
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

static void
take_hash(const struct cache_set *set, const MDB_val *key, const MDB_val *data,
          uint8_t *layer)
{
    const uint8_t *b = (const uint8_t *) key->mv_data + RESOURCE_ID_LEN;
    uint32_t block = (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16
                     | (uint32_t) b[2] << 8 | b[3];

    if (block < set->map.count && data->mv_size == DIGEST_LEN) {
        memcpy(layer + (size_t) block * DIGEST_LEN, data->mv_data, DIGEST_LEN);
    }
}

static int
read_hashes(struct cache *c, MDB_txn *txn, const struct cache_set *set,
            uint8_t *layer)
{
    struct block_key first = block_key(set, 0);
    MDB_val key = val(&first, sizeof(first)), data;
    MDB_cursor *cursor;

    int rc = mdb_cursor_open(txn, c->db[DB_HASHES], &cursor);
    if (rc != 0) {
        return rc;
    }
    rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
    while (rc == 0 && key.mv_size == sizeof(first)
           && memcmp(key.mv_data, first.id, RESOURCE_ID_LEN) == 0)
    {
        take_hash(set, &key, &data, layer);
        rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
read_layer(struct cache *c, const struct cache_set *set, uint8_t *layer)
{
    MDB_txn *txn = reader_get(c);

    if (txn == NULL) {
        return SHOAL_EIO;
    }
    memset(layer, 0, (size_t) set->map.count * DIGEST_LEN);
    int rc = read_hashes(c, txn, set, layer);
    reader_put(c, txn);
    return rc == 0 ? 0 : SHOAL_EIO;
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
