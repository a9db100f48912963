/* db_write.c - transactions that change the cache's file, and deletion in
 * many of them. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "db_internal.h"
#include "db_record.h"
#include "shoal.h"

enum {
    DELETE_PIECES = 4096 /* in one transaction, 256 MiB: the pages that it
                            frees are listed in memory */
};

struct db_txn *
db_begin(struct db *d, int *err)
{
    struct db_txn *t = calloc(1, sizeof(*t));
    MDB_envinfo info;

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
    if (rc == 0 && mdb_env_info(d->env, &info) == 0) {
        t->old_pages = info.me_last_pgno + 1;
    }
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
    s.flags = (rec->copy ? STORED_COPY : 0u) | (rec->plain ? STORED_PLAIN : 0u)
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

/* Up to `most` entries whose keys begin with `prefix`; how many is in
 * `*n`. */
static int
delete_some(struct db_txn *t, enum table table, const MDB_val *prefix,
            int most, int *n)
{
    MDB_val key = *prefix, data;
    MDB_cursor *cursor;

    *n = 0;
    int rc = mdb_cursor_open(t->txn, t->db->table[table], &cursor);
    if (rc != 0) {
        return rc;
    }
    rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
    while (rc == 0 && *n < most && key.mv_size >= prefix->mv_size
           && memcmp(key.mv_data, prefix->mv_data, prefix->mv_size) == 0)
    {
        rc = db_mend(t->db, prefix->mv_data, &data);
        if (rc == 0) {
            rc = mdb_cursor_del(cursor, 0);
        }
        if (rc == 0) { /* it stands on the next one, which NEXT gives */
            ++*n;
            rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
        }
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* What is overwritten was no block of its set: it is deleted, as LMDB would
 * believe what it finds beside it. */
static int
reserve(const struct db_txn *t, MDB_val *key, MDB_val *data)
{
    MDB_dbi blocks = t->db->table[BLOCKS];
    MDB_val want = *data;

    int rc = mdb_put(t->txn, blocks, key, data, MDB_RESERVE | MDB_NOOVERWRITE);
    if (rc != MDB_KEYEXIST) {
        return rc;
    }
    rc = db_mend(t->db, key->mv_data, data);
    if (rc == 0) {
        rc = mdb_del(t->txn, blocks, key, NULL);
    }
    *data = want;
    return rc == 0 ? mdb_put(t->txn, blocks, key, data, MDB_RESERVE) : rc;
}

/* Blocks leave the map's last pages to deletions, which need some, too: the
 * file does not grow there for them. LMDB has no such limit; but where it has
 * put a value, its first page tells. Pages there that deletions have left are
 * taken: LMDB would offer the same ones again and again. */
static bool
is_beyond(const struct db_txn *t, const MDB_val *data)
{
    uint64_t end = db_overflow(data) + data->mv_size / t->db->page_size + 1;

    return data->mv_size >= t->db->page_size && end > t->db->limit_pages
           && end > t->old_pages;
}

static int
put_piece(const struct db_txn *t, const struct piece_key *k, const void *data,
          size_t len)
{
    MDB_val key = db_val(k, sizeof(*k)), whole = db_val(NULL, len);

    int rc = reserve(t, &key, &whole);
    if (rc == 0 && is_beyond(t, &whole)) {
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
    int rc = 0;

    for (size_t off = 0; off < len && rc == 0; off += DB_PIECE) {
        struct piece_key piece =
            db_piece_key(id, block, (uint32_t) (off / DB_PIECE));

        rc = put_piece(t, &piece, (const char *) data + off,
                       len - off < DB_PIECE ? len - off : DB_PIECE);
    }
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
    int n;

    int rc = delete_some(t, HASHES, &key, 1, &n);
    if (rc == 0) {
        rc = delete_some(t, BLOCKS, &key, INT_MAX, &n);
    }
    return rc == 0 ? 0 : db_fail(t->db, id, "drop a block", rc);
}

/* Linux says once that it could not write something, and forgets it: another
 * sync that succeeds means nothing then. */
int
db_sync(struct db *d)
{
    int rc = mdb_env_sync(d->env, 1);

    if (rc != 0) {
        atomic_store(&d->unsynced, true);
    }
    return rc == 0 ? 0 : db_fail(d, NULL, "sync", rc);
}

/* ---- deletion ---- */

static int
delete_entry(struct db_txn *t, enum table table, const uint8_t *id)
{
    MDB_val key = db_val(id, RESOURCE_ID_LEN);
    int n;

    return delete_some(t, table, &key, 1, &n);
}

/* What one step of a deletion does, in a transaction of its own. */
struct step {
    const struct db_record *rec;
    enum {
        STEP_MARK,   /* it is leaving */
        STEP_BLOCKS, /* some of them, with their hashes */
        STEP_RECORD,
        STEP_ALL /* a small set at once */
    } kind;
    int done; /* pieces, or hashes */
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
    MDB_val all = db_val(id, RESOURCE_ID_LEN);
    int rc = 0, hashes;

    if (s->kind == STEP_MARK) {
        return mark_leaving(t, s->rec);
    }
    if (s->kind != STEP_RECORD) {
        rc = delete_some(t, BLOCKS, &all, DELETE_PIECES, &s->done);
    }
    if (rc == 0 && s->kind != STEP_RECORD) {
        rc = delete_some(t, HASHES, &all, DELETE_PIECES, &hashes);
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
db_delete(struct db *d, const struct db_record *rec)
{
    struct step s = { .rec = rec, .kind = STEP_ALL };

    if (rec->size <= (uint64_t) DELETE_PIECES * DB_PIECE) {
        return run_step(d, &s);
    }
    s.kind = STEP_MARK;
    int err = run_step(d, &s);
    s.kind = STEP_BLOCKS;
    do {
        err = err == 0 ? run_step(d, &s) : err;
    } while (err == 0 && s.done == DELETE_PIECES);
    s.kind = STEP_RECORD;
    return err == 0 ? run_step(d, &s) : err;
}

int
db_delete_unknown(struct db *d, const uint8_t *id)
{
    struct db_record rec = { .id = id };
    struct step s = { .rec = &rec, .kind = STEP_BLOCKS };
    int err = 0;

    do {
        err = run_step(d, &s);
    } while (err == 0 && s.done == DELETE_PIECES);
    s.kind = STEP_RECORD;
    return err == 0 ? run_step(d, &s) : err;
}
