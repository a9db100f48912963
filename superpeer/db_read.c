/* db_read.c - what the cache's file holds. */
#include <errno.h>
#include <string.h>

#include "db_internal.h"
#include "db_record.h"
#include "log.h"
#include "shoal.h"

struct bytes {
    size_t off; /* of a value */
    void *to;
    size_t len;
};

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

void
db_record_check(const uint8_t *id, const char *begin, const char *end,
                char *out)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a: no enemy here */

    for (int i = 0; i < RESOURCE_ID_LEN; i++) {
        hash = (hash ^ id[i]) * UINT64_C(1099511628211);
    }
    for (; begin < end; begin++) {
        hash = (hash ^ (uint8_t) *begin) * UINT64_C(1099511628211);
    }
    memcpy(out, &hash, STORED_CHECK);
}

static int
parse_record(const MDB_val *key, const MDB_val *data, struct db_record *rec)
{
    const char *p = data->mv_data, *end = p + data->mv_size;
    char check[STORED_CHECK];
    struct stored s;

    if (data->mv_size < sizeof(s)) {
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
    db_record_check(key->mv_data, data->mv_data, p, check);
    if (p != end
        && (end - p != STORED_CHECK || memcmp(p, check, sizeof(check)) != 0))
    {
        return SHOAL_EINVAL;
    }
    rec->id = key->mv_data;
    rec->size = s.size;
    rec->last_use_us = s.last_use_us;
    rec->state = (enum db_state) s.state;
    rec->copy = (s.flags & STORED_COPY) != 0;
    rec->plain = (s.flags & STORED_PLAIN) != 0;
    rec->probation = (s.flags & STORED_PROBATION) != 0;
    memcpy(rec->root, s.root, DIGEST_LEN);
    return 0;
}

static void
each_one(struct db *d, MDB_txn *txn, MDB_val *key, const MDB_val *data,
         const struct db_each *each)
{
    struct db_record rec;
    MDB_val bits;

    if (key->mv_size != RESOURCE_ID_LEN) {
        log_line(LOG_LEVEL_ERROR, NULL, "cache: a record's key is damaged");
    } else if (!db_is_sound(d, data) || parse_record(key, data, &rec) != 0
               || mdb_get(txn, d->table[BITS], key, &bits) != 0
               || !db_is_sound(d, &bits))
    {
        each->damaged(each->ctx, key->mv_data);
    } else {
        each->record(each->ctx, &rec, bits.mv_data, bits.mv_size);
    }
}

static int
each_record(struct db *d, MDB_txn *txn, const struct db_each *each)
{
    MDB_cursor *cursor;
    MDB_val key, data;

    int rc = mdb_cursor_open(txn, d->table[SETS], &cursor);
    if (rc != 0) {
        return rc;
    }
    while ((rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) == 0) {
        each_one(d, txn, &key, &data, each);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int
db_each(struct db *d, const struct db_each *each)
{
    MDB_txn *txn;

    int rc = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn);
    if (rc == 0) {
        rc = each_record(d, txn, each);
        mdb_txn_abort(txn);
    }
    return rc == 0 ? 0 : db_fail(d, NULL, "read the records", rc);
}

/* ---- reading ---- */

MDB_txn *
db_reader_get(struct db *d)
{
    MDB_txn *txn = NULL;
    int rc = MDB_NOTFOUND;

    pthread_mutex_lock(&d->lock);
    if (d->pooled > 0) {
        txn = d->pool[--d->pooled];
    }
    pthread_mutex_unlock(&d->lock);
    if (txn != NULL) {
        rc = mdb_txn_renew(txn);
        if (rc != 0) {
            mdb_txn_abort(txn);
        }
    }
    if (rc != 0) {
        rc = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn);
    }
    if (rc != 0) {
        db_fail(d, NULL, "begin to read", rc);
        return NULL;
    }
    return txn;
}

void
db_reader_put(struct db *d, MDB_txn *txn)
{
    mdb_txn_reset(txn);
    pthread_mutex_lock(&d->lock);
    if (d->pooled < DB_POOL_MAX) {
        d->pool[d->pooled++] = txn;
        txn = NULL;
    }
    pthread_mutex_unlock(&d->lock);
    if (txn != NULL) {
        mdb_txn_abort(txn);
    }
}

/* Bytes at `off` of the value; how many. */
static long
read_value(struct db *d, MDB_txn *txn, enum table table, MDB_val *key,
           const struct bytes *out)
{
    MDB_val data;

    int rc = mdb_get(txn, d->table[table], key, &data);
    if (rc == MDB_NOTFOUND || (rc == 0 && out->off >= data.mv_size)) {
        return SHOAL_ENOTFOUND;
    }
    if (rc != 0) {
        return db_fail(d, key->mv_data, "read", rc);
    }
    size_t n = data.mv_size - out->off;
    n = out->len < n ? out->len : n;
    int err = db_copy(d, &data, out->off, out->to, n);
    if (err == SHOAL_EVERIFY) {
        log_line(LOG_LEVEL_ERROR, key->mv_data,
                 "cache: a block cannot be read: %s", strerror(EIO));
    }
    if (err == SHOAL_EIO) {
        return db_fail(d, key->mv_data, "read", MDB_CORRUPTED);
    }
    return err == 0 ? (long) n : err;
}

long
db_read(struct db *d, const uint8_t *id, uint32_t block, size_t off, void *buf,
        size_t len)
{
    size_t got = 0;
    long n;

    MDB_txn *txn = db_reader_get(d);
    if (txn == NULL) {
        return SHOAL_EIO;
    }
    do {
        struct piece_key k =
            db_piece_key(id, block, (uint32_t) ((off + got) / DB_PIECE));
        MDB_val key = db_val(&k, sizeof(k));
        struct bytes out = { (off + got) % DB_PIECE, (char *) buf + got,
                             len - got };

        n = read_value(d, txn, BLOCKS, &key, &out);
        got += n > 0 ? (size_t) n : 0;
    } while (n > 0 && got < len && (off + got) % DB_PIECE == 0);
    db_reader_put(d, txn);
    return got > 0 ? (long) got : n;
}

int
db_hash(struct db *d, const uint8_t *id, uint32_t block,
        uint8_t hash[DIGEST_LEN])
{
    struct block_key k = db_key(id, block);
    MDB_val key = db_val(&k, sizeof(k));
    struct bytes out = { 0, hash, DIGEST_LEN };

    MDB_txn *txn = db_reader_get(d);
    if (txn == NULL) {
        return SHOAL_EIO;
    }
    long n = read_value(d, txn, HASHES, &key, &out);
    db_reader_put(d, txn);
    if (n == DIGEST_LEN) {
        return 0;
    }
    return n < 0 ? (int) n : SHOAL_ENOTFOUND;
}

static uint32_t
block_of(const MDB_val *key)
{
    const uint8_t *b = (const uint8_t *) key->mv_data + RESOURCE_ID_LEN;

    return (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8
           | b[3];
}

static void
take_hash(const MDB_val *key, const MDB_val *data, uint8_t *layer,
          uint32_t count)
{
    uint32_t block = block_of(key);

    if (block < count && data->mv_size == DIGEST_LEN) {
        memcpy(layer + (size_t) block * DIGEST_LEN, data->mv_data, DIGEST_LEN);
    }
}

static int
read_hashes(struct db *d, MDB_txn *txn, const uint8_t *id, uint8_t *layer,
            uint32_t count)
{
    struct block_key first = db_key(id, 0);
    MDB_val key = db_val(&first, sizeof(first)), data;
    MDB_cursor *cursor;

    int rc = mdb_cursor_open(txn, d->table[HASHES], &cursor);
    if (rc != 0) {
        return rc;
    }
    rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
    while (rc == 0 && db_is_of(id, &key)) {
        take_hash(&key, &data, layer, count);
        rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int
db_hashes(struct db *d, const uint8_t *id, uint8_t *layer, uint32_t count)
{
    MDB_txn *txn = db_reader_get(d);

    if (txn == NULL) {
        return SHOAL_EIO;
    }
    memset(layer, 0, (size_t) count * DIGEST_LEN);
    int rc = read_hashes(d, txn, id, layer, count);
    db_reader_put(d, txn);
    return rc == 0 ? 0 : db_fail(d, id, "read hashes", rc);
}

static bool
is_block(const struct db_block *b, const MDB_val *key)
{
    return memcmp(b->id, key->mv_data, RESOURCE_ID_LEN) == 0
           && b->block == block_of(key);
}

/* Each once, whatever pieces it has. */
static int
list_blocks(struct db *d, MDB_txn *txn, const struct db_block *after,
            struct db_block *out, size_t *n)
{
    static const struct db_block none;
    struct block_key from = db_key(after != NULL ? after->id : none.id,
                                   after != NULL ? after->block : 0);
    MDB_val key = db_val(&from, sizeof(from)), data;
    const struct db_block *last = after;
    size_t most = *n;
    MDB_cursor *cursor;

    *n = 0;
    int rc = mdb_cursor_open(txn, d->table[BLOCKS], &cursor);
    if (rc != 0) {
        return rc;
    }
    rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
    while (rc == 0 && *n < most && key.mv_size == sizeof(struct piece_key)) {
        if (last == NULL || !is_block(last, &key)) {
            memcpy(out[*n].id, key.mv_data, RESOURCE_ID_LEN);
            out[*n].block = block_of(&key);
            last = &out[(*n)++];
        }
        rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int
db_blocks(struct db *d, const struct db_block *after, struct db_block *out,
          size_t most, size_t *n)
{
    MDB_txn *txn = db_reader_get(d);

    if (txn == NULL) {
        return SHOAL_EIO;
    }
    *n = most;
    int rc = list_blocks(d, txn, after, out, n);
    db_reader_put(d, txn);
    return rc == 0 ? 0 : db_fail(d, NULL, "list the blocks", rc);
}
