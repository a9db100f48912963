#include "db.h"

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
#include <unistd.h>

#include <lmdb.h>

#include "log.h"
#include "resource.h"
#include "shoal.h"

enum {
    FORMAT = 1,
    DELETE_BLOCKS = 4096,     /* in one transaction */
    DELETE_BYTES = 256 << 20, /* the same: freed pages are listed in memory */
    SHRINK_BYTES = 32 << 20,  /* for deletions in a map that is full */
    NEARLY_FULL = 8 << 20,    /* bytes left on a disk that is called full */
    PAGE = 65536,             /* bytes, a multiple of all page sizes */
    READERS_MAX = 256,
    POOL_MAX = 64 /* read transactions that are kept */
};

/* LMDB's databases, and what is in them. */
static const char *const names[] = {
    "info",   /* "format": number */
    "sets",   /* id: struct stored and strings */
    "bits",   /* id: bitmap */
    "hashes", /* id and block: 32 bytes */
    "blocks"  /* id and block: the block */
};

enum table {
    INFO,
    SETS,
    BITS,
    HASHES,
    BLOCKS,
    TABLES
};

/* A record, in the machine's byte order; then url, provider and version,
 * each with a NUL. */
struct stored {
    uint64_t size;
    uint64_t last_use_us;
    uint32_t state;
    uint32_t copy;
    uint8_t root[DIGEST_LEN];
};

struct block_key {
    uint8_t id[RESOURCE_ID_LEN];
    uint8_t block[4]; /* big-endian: in order */
};

struct db {
    char *path;
    uint64_t size;
    int lock_fd;
    MDB_env *env;
    MDB_dbi table[TABLES];
    pthread_mutex_t lock;    /* of the pool */
    MDB_txn *pool[POOL_MAX]; /* reset read transactions */
    unsigned pooled;
};

struct db_txn {
    struct db *db;
    MDB_txn *txn;
};

static MDB_val
val(const void *data, size_t len)
{
    MDB_val v = { len, (void *) (uintptr_t) data };

    return v;
}

static struct block_key
block_key(const uint8_t *id, uint32_t block)
{
    struct block_key k;

    memcpy(k.id, id, sizeof(k.id));
    k.block[0] = (uint8_t) (block >> 24);
    k.block[1] = (uint8_t) (block >> 16);
    k.block[2] = (uint8_t) (block >> 8);
    k.block[3] = (uint8_t) block;
    return k;
}

/* LMDB's and the system's errors in ours. LMDB says EIO when a write was cut
 * short, as the last one on a disk that runs full is. */
static int
fail(const struct db *d, const uint8_t *id, const char *what, int rc)
{
    struct statvfs fs;

    if (rc == EIO && statvfs(d->path, &fs) == 0
        && (uint64_t) fs.f_bavail * fs.f_frsize < NEARLY_FULL)
    {
        rc = ENOSPC;
    }
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

/* ---- opening ---- */

static int
open_tables(struct db *d, MDB_txn *txn)
{
    uint32_t format = FORMAT;
    MDB_val key = val("format", 6), data;
    int rc = 0;

    for (int i = 0; i < TABLES && rc == 0; i++) {
        rc = mdb_dbi_open(txn, names[i], MDB_CREATE, &d->table[i]);
    }
    if (rc != 0) {
        return rc;
    }
    rc = mdb_get(txn, d->table[INFO], &key, &data);
    if (rc == MDB_NOTFOUND) {
        data = val(&format, sizeof(format));
        return mdb_put(txn, d->table[INFO], &key, &data, 0);
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
map_size(const struct db *d)
{
    char name[PATH_MAX];
    struct stat st;
    uint64_t size = d->size;

    snprintf(name, sizeof(name), "%s/data.mdb", d->path);
    if (stat(name, &st) == 0 && (uint64_t) st.st_size > size) {
        size = (uint64_t) st.st_size + SHRINK_BYTES;
    }
    return size / PAGE * PAGE;
}

static int
open_env(struct db *d)
{
    MDB_txn *txn;
    int dead;

    int rc = mdb_env_create(&d->env);
    if (rc != 0) {
        d->env = NULL;
        return rc;
    }
    mdb_env_set_maxdbs(d->env, TABLES);
    mdb_env_set_maxreaders(d->env, READERS_MAX);
    rc = mdb_env_set_mapsize(d->env, map_size(d));
    if (rc == 0) {
        rc = mdb_env_open(d->env, d->path, MDB_NOTLS | MDB_NOSYNC, 0600);
    }
    if (rc == 0) {
        mdb_reader_check(d->env, &dead);
        rc = mdb_txn_begin(d->env, NULL, 0, &txn);
    }
    if (rc != 0) {
        return rc;
    }
    rc = open_tables(d, txn);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);
}

/* Two processes would not know of each other's sets. */
static int
lock_folder(const struct db *d, char *why, size_t cap)
{
    char name[PATH_MAX];

    int n = snprintf(name, sizeof(name), "%s/superpeer.lock", d->path);
    if (n < 0 || (size_t) n >= sizeof(name)) {
        snprintf(why, cap, "cache %s: path too long", d->path);
        return -1;
    }
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(why, cap, "cache %s: %s", d->path, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(why, cap, "cache %s: in use by another super peer", d->path);
        close(fd);
        return -1;
    }
    return fd;
}

int
db_open(const char *path, uint64_t size, struct db **out, char *why,
        size_t cap)
{
    int err = SHOAL_ENOMEM;

    snprintf(why, cap, "cache %s: out of memory", path);
    struct db *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return SHOAL_ENOMEM;
    }
    d->size = size;
    d->path = strdup(path);
    if (d->path == NULL) {
        goto free_db;
    }
    err = SHOAL_EIO;
    d->lock_fd = lock_folder(d, why, cap);
    if (d->lock_fd < 0) {
        goto free_path;
    }
    int rc = open_env(d);
    if (rc != 0) {
        snprintf(why, cap, "cache %s: %s", path, mdb_strerror(rc));
        goto close_env;
    }
    pthread_mutex_init(&d->lock, NULL);
    *out = d;
    return 0;

close_env:
    if (d->env != NULL) {
        mdb_env_close(d->env);
    }
    close(d->lock_fd);
free_path:
    free(d->path);
free_db:
    free(d);
    return err;
}

void
db_close(struct db *d)
{
    if (d == NULL) {
        return;
    }
    while (d->pooled > 0) {
        mdb_txn_abort(d->pool[--d->pooled]);
    }
    mdb_env_close(d->env);
    close(d->lock_fd);
    pthread_mutex_destroy(&d->lock);
    free(d->path);
    free(d);
}

/* ---- records ---- */

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
parse_record(const MDB_val *key, const MDB_val *data, struct db_record *rec)
{
    const char *p = data->mv_data, *end = p + data->mv_size;
    struct stored s;

    if (key->mv_size != RESOURCE_ID_LEN || data->mv_size < sizeof(s)) {
        return SHOAL_EINVAL;
    }
    memcpy(&s, p, sizeof(s));
    p += sizeof(s);
    rec->url = next_string(&p, end);
    rec->provider = rec->url != NULL ? next_string(&p, end) : NULL;
    rec->version = rec->provider != NULL ? next_string(&p, end) : NULL;
    if (rec->version == NULL) {
        return SHOAL_EINVAL;
    }
    rec->id = key->mv_data;
    rec->size = s.size;
    rec->last_use_us = s.last_use_us;
    rec->state = (enum db_state) s.state;
    rec->copy = s.copy != 0;
    memcpy(rec->root, s.root, DIGEST_LEN);
    return 0;
}

static int
each_record(struct db *d, MDB_txn *txn,
            void (*fn)(void *ctx, const struct db_record *rec,
                       const uint8_t *bits, size_t len),
            void *ctx)
{
    MDB_cursor *cursor;
    MDB_val key, data, bits;

    int rc = mdb_cursor_open(txn, d->table[SETS], &cursor);
    if (rc != 0) {
        return rc;
    }
    while ((rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) == 0) {
        struct db_record rec;

        if (parse_record(&key, &data, &rec) != 0
            || mdb_get(txn, d->table[BITS], &key, &bits) != 0)
        {
            log_line(LOG_LEVEL_ERROR, NULL, "cache: a record is damaged");
            continue;
        }
        fn(ctx, &rec, bits.mv_data, bits.mv_size);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int
db_each(struct db *d,
        void (*fn)(void *ctx, const struct db_record *rec, const uint8_t *bits,
                   size_t len),
        void *ctx)
{
    MDB_txn *txn;

    int rc = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn);
    if (rc == 0) {
        rc = each_record(d, txn, fn, ctx);
        mdb_txn_abort(txn);
    }
    return rc == 0 ? 0 : fail(d, NULL, "read the records", rc);
}

/* ---- writing ---- */

struct db_txn *
db_begin(struct db *d, int *err)
{
    struct db_txn *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        *err = SHOAL_ENOMEM;
        return NULL;
    }
    t->db = d;
    int rc = mdb_txn_begin(d->env, NULL, 0, &t->txn);
    if (rc != 0) {
        *err = fail(d, NULL, "begin to write", rc);
        free(t);
        return NULL;
    }
    return t;
}

int
db_end(struct db_txn *t, int err)
{
    if (err != 0) {
        mdb_txn_abort(t->txn);
    } else {
        int rc = mdb_txn_commit(t->txn);

        err = rc == 0 ? 0 : fail(t->db, NULL, "write", rc);
    }
    free(t);
    return err;
}

int
db_put_record(struct db_txn *t, const struct db_record *rec)
{
    size_t url = strlen(rec->url) + 1, provider = strlen(rec->provider) + 1;
    size_t version = strlen(rec->version) + 1;
    MDB_val key = val(rec->id, RESOURCE_ID_LEN);
    MDB_val data = val(NULL, sizeof(struct stored) + url + provider + version);
    struct stored s;

    memset(&s, 0, sizeof(s));
    s.size = rec->size;
    s.last_use_us = rec->last_use_us;
    s.state = rec->state;
    s.copy = rec->copy;
    memcpy(s.root, rec->root, DIGEST_LEN);
    int rc = mdb_put(t->txn, t->db->table[SETS], &key, &data, MDB_RESERVE);
    if (rc != 0) {
        return fail(t->db, rec->id, "write the record", rc);
    }
    char *p = data.mv_data;
    memcpy(p, &s, sizeof(s));
    p += sizeof(s);
    memcpy(p, rec->url, url);
    memcpy(p + url, rec->provider, provider);
    memcpy(p + url + provider, rec->version, version);
    return 0;
}

int
db_put_bits(struct db_txn *t, const uint8_t *id, const uint8_t *bits,
            size_t len)
{
    MDB_val key = val(id, RESOURCE_ID_LEN), data = val(bits, len);

    int rc = mdb_put(t->txn, t->db->table[BITS], &key, &data, 0);
    return rc == 0 ? 0 : fail(t->db, id, "write the bitmap", rc);
}

int
db_put_block(struct db_txn *t, const uint8_t *id, uint32_t block,
             const void *data, size_t len, const uint8_t hash[32])
{
    struct block_key k = block_key(id, block);
    MDB_val key = val(&k, sizeof(k));
    MDB_val whole = val(data, len), digest = val(hash, DIGEST_LEN);

    int rc = mdb_put(t->txn, t->db->table[BLOCKS], &key, &whole, 0);
    if (rc == 0) {
        rc = mdb_put(t->txn, t->db->table[HASHES], &key, &digest, 0);
    }
    return rc == 0 ? 0 : fail(t->db, id, "write a block", rc);
}

int
db_del_block(struct db_txn *t, const uint8_t *id, uint32_t block)
{
    struct block_key k = block_key(id, block);
    MDB_val key = val(&k, sizeof(k));

    int rc = mdb_del(t->txn, t->db->table[HASHES], &key, NULL);
    if (rc == 0 || rc == MDB_NOTFOUND) {
        rc = mdb_del(t->txn, t->db->table[BLOCKS], &key, NULL);
    }
    return rc == 0 || rc == MDB_NOTFOUND ? 0
                                         : fail(t->db, id, "drop a block", rc);
}

int
db_sync(struct db *d)
{
    int rc = mdb_env_sync(d->env, 1);

    return rc == 0 ? 0 : fail(d, NULL, "sync", rc);
}

/* ---- deletion ---- */

/* Is the cursor's key one of the set's blocks? */
static bool
is_of(const uint8_t *id, const MDB_val *key)
{
    return key->mv_size == sizeof(struct block_key)
           && memcmp(key->mv_data, id, RESOURCE_ID_LEN) == 0;
}

/* Up to `most` entries of the set; how many is in `*n`. */
static int
delete_some(struct db_txn *t, enum table table, const uint8_t *id, int most,
            int *n)
{
    struct block_key first = block_key(id, 0);
    MDB_val key = val(&first, sizeof(first)), data;
    MDB_cursor *cursor;

    *n = 0;
    int rc = mdb_cursor_open(t->txn, t->db->table[table], &cursor);
    if (rc != 0) {
        return rc;
    }
    rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
    while (rc == 0 && *n < most && is_of(id, &key)) {
        rc = mdb_cursor_del(cursor, 0);
        if (rc == 0) { /* it stands on the next one, which NEXT gives */
            ++*n;
            rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
        }
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
delete_all(struct db *d, enum table table, const uint8_t *id, int most)
{
    int n = most, err = 0;

    while (err == 0 && n == most) {
        struct db_txn *t = db_begin(d, &err);

        if (t == NULL) {
            return err;
        }
        int rc = delete_some(t, table, id, most, &n);
        err = db_end(t, rc == 0 ? 0 : fail(d, id, "delete blocks", rc));
    }
    return err;
}

static int
mark_leaving(struct db *d, const struct db_record *rec)
{
    struct db_record leaving = *rec;
    int err;

    struct db_txn *t = db_begin(d, &err);
    if (t == NULL) {
        return err;
    }
    leaving.state = DB_LEAVING;
    return db_end(t, db_put_record(t, &leaving));
}

static int
delete_record(struct db *d, const uint8_t *id)
{
    MDB_val key = val(id, RESOURCE_ID_LEN);
    int err;

    struct db_txn *t = db_begin(d, &err);
    if (t == NULL) {
        return err;
    }
    mdb_del(t->txn, d->table[BITS], &key, NULL);
    mdb_del(t->txn, d->table[SETS], &key, NULL);
    return db_end(t, 0);
}

int
db_delete(struct db *d, const struct db_record *rec, uint64_t block_size)
{
    uint64_t most = DELETE_BYTES / block_size;

    if (most > DELETE_BLOCKS) {
        most = DELETE_BLOCKS;
    }
    int err = mark_leaving(d, rec);
    if (err == 0) {
        err = delete_all(d, BLOCKS, rec->id, most > 0 ? (int) most : 1);
    }
    if (err == 0) {
        err = delete_all(d, HASHES, rec->id, DELETE_BLOCKS);
    }
    return err == 0 ? delete_record(d, rec->id) : err;
}

/* ---- reading ---- */

static MDB_txn *
reader_get(struct db *d)
{
    MDB_txn *txn = NULL;

    pthread_mutex_lock(&d->lock);
    if (d->pooled > 0) {
        txn = d->pool[--d->pooled];
    }
    pthread_mutex_unlock(&d->lock);
    if (txn != NULL) {
        if (mdb_txn_renew(txn) == 0) {
            return txn;
        }
        mdb_txn_abort(txn);
    }
    int rc = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0) {
        fail(d, NULL, "begin to read", rc);
        return NULL;
    }
    return txn;
}

static void
reader_put(struct db *d, MDB_txn *txn)
{
    mdb_txn_reset(txn);
    pthread_mutex_lock(&d->lock);
    if (d->pooled < POOL_MAX) {
        d->pool[d->pooled++] = txn;
        txn = NULL;
    }
    pthread_mutex_unlock(&d->lock);
    if (txn != NULL) {
        mdb_txn_abort(txn);
    }
}

long
db_read(struct db *d, const uint8_t *id, uint32_t block, size_t off, void *buf,
        size_t len)
{
    struct block_key k = block_key(id, block);
    MDB_val key = val(&k, sizeof(k)), data;
    long n = SHOAL_EIO;

    MDB_txn *txn = reader_get(d);
    if (txn == NULL) {
        return SHOAL_EIO;
    }
    if (mdb_get(txn, d->table[BLOCKS], &key, &data) == 0 && off < data.mv_size)
    {
        size_t most = data.mv_size - off;

        n = (long) (len < most ? len : most);
        memcpy(buf, (const char *) data.mv_data + off, (size_t) n);
    }
    reader_put(d, txn);
    return n;
}

static void
take_hash(const MDB_val *key, const MDB_val *data, uint8_t *layer,
          uint32_t count)
{
    const uint8_t *b = (const uint8_t *) key->mv_data + RESOURCE_ID_LEN;
    uint32_t block = (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16
                     | (uint32_t) b[2] << 8 | b[3];

    if (block < count && data->mv_size == DIGEST_LEN) {
        memcpy(layer + (size_t) block * DIGEST_LEN, data->mv_data, DIGEST_LEN);
    }
}

static int
read_hashes(struct db *d, MDB_txn *txn, const uint8_t *id, uint8_t *layer,
            uint32_t count)
{
    struct block_key first = block_key(id, 0);
    MDB_val key = val(&first, sizeof(first)), data;
    MDB_cursor *cursor;

    int rc = mdb_cursor_open(txn, d->table[HASHES], &cursor);
    if (rc != 0) {
        return rc;
    }
    rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
    while (rc == 0 && is_of(id, &key)) {
        take_hash(&key, &data, layer, count);
        rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int
db_hashes(struct db *d, const uint8_t *id, uint8_t *layer, uint32_t count)
{
    MDB_txn *txn = reader_get(d);

    if (txn == NULL) {
        return SHOAL_EIO;
    }
    memset(layer, 0, (size_t) count * DIGEST_LEN);
    int rc = read_hashes(d, txn, id, layer, count);
    reader_put(d, txn);
    return rc == 0 ? 0 : fail(d, id, "read hashes", rc);
}
