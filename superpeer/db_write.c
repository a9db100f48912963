/* db_write.c - transactions that change the cache's file, and deletion in
 * many of them. */
#include <stdlib.h>
#include <string.h>

#include "db_internal.h"
#include "db_record.h"
#include "shoal.h"

enum {
    DELETE_BLOCKS = 4096,    /* in one transaction */
    DELETE_FEW = 16,         /* where pages are short, or large */
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
    if (db_is_broken(d)) { /* which was said */
        free(t);
        *err = SHOAL_EIO;
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
    MDB_val data = db_val(NULL, sizeof(struct stored) + url + provider
                                    + version + STORED_CHECK);
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
    p += url + provider + version;
    db_record_check(rec->id, data.mv_data, p, p);
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

/* Blocks leave the map's last pages to deletions, which need some, too. LMDB
 * has no such limit; but where it has put a block, its first page tells. */
static int
put_whole(const struct db_txn *t, MDB_val *key, const void *data, size_t len)
{
    MDB_val whole = db_val(NULL, len);

    int rc = mdb_put(t->txn, t->db->table[BLOCKS], key, &whole, MDB_RESERVE);
    if (rc == 0 && len >= t->db->page_size
        && db_overflow(&whole) + len / t->db->page_size + 1
               > t->db->limit_pages)
    {
        return MDB_MAP_FULL;
    }
    if (rc == 0) {
        memcpy(whole.mv_data, data, len);
    }
    return rc;
}

int
db_put_block(struct db_txn *t, const uint8_t *id, uint32_t block,
             const void *data, size_t len, const uint8_t hash[32])
{
    struct block_key k = db_key(id, block);
    MDB_val key = db_val(&k, sizeof(k)), digest = db_val(hash, DIGEST_LEN);

    int rc = put_whole(t, &key, data, len);
    if (rc == 0) {
        rc = mdb_put(t->txn, t->db->table[HASHES], &key, &digest, 0);
    }
    return rc == 0 ? 0 : db_fail(t->db, id, "write a block", rc);
}

int
db_del_block(struct db_txn *t, const uint8_t *id, uint32_t block)
{
    struct block_key k = db_key(id, block);
    MDB_val key = db_val(&k, sizeof(k)), data;

    int rc = mdb_del(t->txn, t->db->table[HASHES], &key, NULL);
    if (rc == 0 || rc == MDB_NOTFOUND) {
        rc = mdb_get(t->txn, t->db->table[BLOCKS], &key, &data);
    }
    if (rc == 0) {
        rc = db_is_sound(t->db, &data, true)
                 ? mdb_del(t->txn, t->db->table[BLOCKS], &key, NULL)
                 : MDB_CORRUPTED;
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
        rc = db_is_sound(t->db, &data, true) ? mdb_cursor_del(cursor, 0)
                                             : MDB_CORRUPTED;
        if (rc == 0) { /* it stands on the next one, which NEXT gives */
            ++*n;
            rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
        }
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
delete_entry(struct db_txn *t, enum table table, const uint8_t *id)
{
    MDB_val key = db_val(id, RESOURCE_ID_LEN);

    int rc = mdb_del(t->txn, t->db->table[table], &key, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* What one step of a deletion does, in a transaction of its own. */
struct step {
    const struct db_record *rec;
    int most; /* blocks */
    enum {
        STEP_MARK,   /* it is leaving */
        STEP_BLOCKS, /* some of them, with their hashes */
        STEP_RECORD,
        STEP_ALL /* a small set at once */
    } kind;
    int done; /* blocks */
};

static int
mark_leaving(struct db_txn *t, const struct db_record *rec)
{
    struct db_record leaving = *rec;

    leaving.state = DB_LEAVING;
    return db_put_record(t, &leaving);
}

static int
do_step(struct db_txn *t, struct step *s)
{
    const uint8_t *id = s->rec->id;
    int rc = 0, hashes;

    if (s->kind == STEP_MARK) {
        return mark_leaving(t, s->rec);
    }
    if (s->kind != STEP_RECORD) {
        rc = delete_some(t, BLOCKS, id, s->most, &s->done);
    }
    if (rc == 0 && s->kind != STEP_RECORD) {
        rc = delete_some(t, HASHES, id, s->most, &hashes);
        s->done = hashes > s->done ? hashes : s->done;
    }
    if (rc == 0 && s->kind != STEP_BLOCKS) {
        rc = delete_entry(t, BITS, id);
    }
    if (rc == 0 && s->kind != STEP_BLOCKS) {
        rc = delete_entry(t, SETS, id);
    }
    return rc == 0 ? 0 : db_fail(t->db, id, "delete", rc);
}

static int
run_step(struct db *d, struct step *s)
{
    int err;

    struct db_txn *t = db_begin(d, &err);
    return t != NULL ? db_end(t, do_step(t, s)) : err;
}

int
db_delete(struct db *d, const struct db_record *rec, uint64_t block_size)
{
    uint64_t most = DELETE_BYTES / block_size;
    struct step s = { .rec = rec, .kind = STEP_ALL };

    most = most > DELETE_BLOCKS ? DELETE_BLOCKS : most;
    s.most = most > 0 ? (int) most : 1;
    if (rec->size <= (uint64_t) s.most * block_size) {
        return run_step(d, &s);
    }
    s.kind = STEP_MARK;
    int err = run_step(d, &s);
    s.kind = STEP_BLOCKS;
    do {
        err = err == 0 ? run_step(d, &s) : err;
    } while (err == 0 && s.done == s.most);
    s.kind = STEP_RECORD;
    return err == 0 ? run_step(d, &s) : err;
}

int
db_delete_unknown(struct db *d, const uint8_t *id)
{
    struct db_record rec = { .id = id };
    struct step s = { .rec = &rec, .most = DELETE_FEW, .kind = STEP_BLOCKS };
    int err = 0;

    do {
        err = run_step(d, &s);
    } while (err == 0 && s.done == s.most);
    s.kind = STEP_RECORD;
    return err == 0 ? run_step(d, &s) : err;
}
