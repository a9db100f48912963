/* db_write.c - transactions that change the cache's file, and deletion in
 * many of them. */
#include <stdlib.h>
#include <string.h>

#include "db_internal.h"
#include "db_record.h"
#include "shoal.h"

enum {
    DELETE_BLOCKS = 4096,    /* in one transaction */
    DELETE_BYTES = 256 << 20 /* the same: freed pages are listed in memory */
};

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
        *err = db_fail(d, NULL, "begin to write", rc);
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

        err = rc == 0 ? 0 : db_fail(t->db, NULL, "write", rc);
    }
    free(t);
    return err;
}

int
db_put_record(struct db_txn *t, const struct db_record *rec)
{
    size_t url = strlen(rec->url) + 1, provider = strlen(rec->provider) + 1;
    size_t version = strlen(rec->version) + 1;
    MDB_val key = db_val(rec->id, RESOURCE_ID_LEN);
    MDB_val data =
        db_val(NULL, sizeof(struct stored) + url + provider + version);
    struct stored s;

    memset(&s, 0, sizeof(s));
    s.size = rec->size;
    s.last_use_us = rec->last_use_us;
    s.state = rec->state;
    s.flags = (rec->copy ? STORED_COPY : 0u)
              | (rec->probation ? STORED_PROBATION : 0u);
    memcpy(s.root, rec->root, DIGEST_LEN);
    int rc = mdb_put(t->txn, t->db->table[SETS], &key, &data, MDB_RESERVE);
    if (rc != 0) {
        return db_fail(t->db, rec->id, "write the record", rc);
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
    MDB_val key = db_val(id, RESOURCE_ID_LEN), data = db_val(bits, len);

    int rc = mdb_put(t->txn, t->db->table[BITS], &key, &data, 0);
    return rc == 0 ? 0 : db_fail(t->db, id, "write the bitmap", rc);
}

int
db_put_block(struct db_txn *t, const uint8_t *id, uint32_t block,
             const void *data, size_t len, const uint8_t hash[32])
{
    struct block_key k = db_key(id, block);
    MDB_val key = db_val(&k, sizeof(k));
    MDB_val whole = db_val(data, len), digest = db_val(hash, DIGEST_LEN);

    int rc = mdb_put(t->txn, t->db->table[BLOCKS], &key, &whole, 0);
    if (rc == 0) {
        rc = mdb_put(t->txn, t->db->table[HASHES], &key, &digest, 0);
    }
    return rc == 0 ? 0 : db_fail(t->db, id, "write a block", rc);
}

int
db_del_block(struct db_txn *t, const uint8_t *id, uint32_t block)
{
    struct block_key k = db_key(id, block);
    MDB_val key = db_val(&k, sizeof(k));

    int rc = mdb_del(t->txn, t->db->table[HASHES], &key, NULL);
    if (rc == 0 || rc == MDB_NOTFOUND) {
        rc = mdb_del(t->txn, t->db->table[BLOCKS], &key, NULL);
    }
    return rc == 0 || rc == MDB_NOTFOUND
               ? 0
               : db_fail(t->db, id, "drop a block", rc);
}

int
db_sync(struct db *d)
{
    int rc = mdb_env_sync(d->env, 1);

    return rc == 0 ? 0 : db_fail(d, NULL, "sync", rc);
}

/* ---- deletion ---- */

/* Up to `most` entries of the set; how many is in `*n`. */
static int
delete_some(struct db_txn *t, enum table table, const uint8_t *id, int most,
            int *n)
{
    struct block_key first = db_key(id, 0);
    MDB_val key = db_val(&first, sizeof(first)), data;
    MDB_cursor *cursor;

    *n = 0;
    int rc = mdb_cursor_open(t->txn, t->db->table[table], &cursor);
    if (rc != 0) {
        return rc;
    }
    rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
    while (rc == 0 && *n < most && db_is_of(id, &key)) {
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
        err = db_end(t, rc == 0 ? 0 : db_fail(d, id, "delete blocks", rc));
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
    MDB_val key = db_val(id, RESOURCE_ID_LEN);
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
