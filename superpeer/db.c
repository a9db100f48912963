#include "db.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "db_internal.h"
#include "log.h"
#include "shoal.h"

enum {
    FORMAT = 2,             /* 1 had each block in one value */
    SPARE_BYTES = 32 << 20, /* for deletions in a map that is full */
    NEARLY_FULL = 8 << 20,  /* bytes left on a disk that is called full */
    PAGE = 65536,           /* bytes, a multiple of all page sizes */
    READERS_MAX = 256,
    OTHER_FORMAT = -1 /* no error of LMDB's or the system's */
};

static const char *const names[] = { "info", "sets", "bits", "hashes",
                                     "blocks" };

MDB_val
db_val(const void *data, size_t len)
{
    MDB_val v = { len, (void *) (uintptr_t) data };

    return v;
}

static void
put_number(uint8_t out[4], uint32_t n)
{
    out[0] = (uint8_t) (n >> 24);
    out[1] = (uint8_t) (n >> 16);
    out[2] = (uint8_t) (n >> 8);
    out[3] = (uint8_t) n;
}

struct block_key
db_key(const uint8_t *id, uint32_t block)
{
    struct block_key k;

    memcpy(k.id, id, sizeof(k.id));
    put_number(k.block, block);
    return k;
}

struct piece_key
db_piece_key(const uint8_t *id, uint32_t block, uint32_t piece)
{
    struct piece_key k = { .block = db_key(id, block) };

    put_number(k.piece, piece);
    return k;
}

bool
db_is_of(const uint8_t *id, const MDB_val *key)
{
    return (key->mv_size == sizeof(struct block_key)
            || key->mv_size == sizeof(struct piece_key))
           && memcmp(key->mv_data, id, RESOURCE_ID_LEN) == 0;
}

/* LMDB's and the system's errors in ours. LMDB says EIO when a write was cut
 * short, as the last one on a disk that runs full is. */
int
db_fail(struct db *d, const uint8_t *id, const char *what, int rc)
{
    struct statvfs fs;

    if (rc == EIO && statvfs(d->path, &fs) == 0
        && (uint64_t) fs.f_bavail * fs.f_frsize < NEARLY_FULL)
    {
        rc = ENOSPC;
    }
    log_line(LOG_LEVEL_ERROR, id, "cache: %s: %s", what, mdb_strerror(rc));
    if (rc == MDB_MAP_FULL) {
        atomic_store(&d->map_full, true);
    }
    if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_PANIC
        || rc == MDB_CURSOR_FULL || rc == MDB_PAGE_FULL
        || rc == MDB_BAD_TXN) /* after an error that LMDB passed over */
    {
        db_break(d, mdb_strerror(rc));
    }
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

static int
open_tables(struct db *d, MDB_txn *txn)
{
    uint32_t format = FORMAT;
    MDB_val key = db_val("format", 6), data;
    MDB_dbi names_dbi;
    MDB_stat st;
    int rc = 0;

    for (int i = 0; i < TABLES && rc == 0; i++) {
        rc = mdb_dbi_open(txn, names[i], MDB_CREATE, &d->table[i]);
    }
    if (rc == 0) {
        rc = mdb_dbi_open(txn, NULL, 0, &names_dbi);
    }
    if (rc == 0) {
        rc = mdb_stat(txn, names_dbi, &st);
    }
    if (rc != 0 || st.ms_entries != TABLES) { /* a name is damaged */
        return rc != 0 ? rc : MDB_CORRUPTED;
    }
    rc = mdb_get(txn, d->table[INFO], &key, &data);
    if (rc == MDB_NOTFOUND) {
        data = db_val(&format, sizeof(format));
        return mdb_put(txn, d->table[INFO], &key, &data, 0);
    }
    if (rc != 0 || data.mv_size != sizeof(format)) {
        return rc != 0 ? rc : MDB_CORRUPTED;
    }
    memcpy(&d->format, data.mv_data, sizeof(d->format));
    return d->format == FORMAT ? 0 : OTHER_FORMAT;
}

/* What blocks may take. A file that is larger than the cache may be now, as its
 * size was lowered, stays as it is until sets were evicted. */
static uint64_t
limit(const struct db *d)
{
    char name[PATH_MAX];
    struct stat st;
    uint64_t size = d->map_size != 0 ? d->map_size : d->size;

    snprintf(name, sizeof(name), "%s/data.mdb", d->path);
    if (stat(name, &st) == 0 && (uint64_t) st.st_size > size) {
        size = (uint64_t) st.st_size;
    }
    return size / PAGE * PAGE;
}

/* LMDB does not tell where its map is: a page of it tells its own number. */
static int
find_map(struct db *d)
{
    MDB_val key = db_val("format", 6), data;
    MDB_envinfo info;
    MDB_txn *txn;
    uint64_t pgno;

    int rc = mdb_env_info(d->env, &info);
    if (rc == 0) {
        d->map_bytes = info.me_mapsize;
        rc = mdb_txn_begin(d->env, NULL, MDB_RDONLY, &txn);
    }
    if (rc != 0) {
        return rc;
    }
    rc = mdb_get(txn, d->table[INFO], &key, &data);
    if (rc == 0) {
        uintptr_t page =
            (uintptr_t) data.mv_data / d->page_size * d->page_size;

        memcpy(&pgno, (const void *) page, sizeof(pgno));
        d->map = page - pgno * d->page_size;
    }
    mdb_txn_abort(txn);
    return rc;
}

static int
open_env(struct db *d)
{
    MDB_txn *txn;
    MDB_stat stat;
    int dead;

    int rc = mdb_env_create(&d->env);
    if (rc != 0) {
        d->env = NULL;
        return rc;
    }
    mdb_env_set_maxdbs(d->env, TABLES);
    mdb_env_set_maxreaders(d->env, READERS_MAX);
    uint64_t most = limit(d);
    rc = mdb_env_set_mapsize(d->env, most + SPARE_BYTES);
    if (rc == 0) {
        rc = mdb_env_open(d->env, d->path,
                          MDB_NOTLS | MDB_NOSYNC | MDB_NORDAHEAD, 0600);
    }
    if (rc == 0) {
        rc = mdb_env_get_fd(d->env, &d->fd);
    }
    if (rc == 0) {
        rc = mdb_env_stat(d->env, &stat);
    }
    if (rc == 0) {
        d->page_size = stat.ms_psize;
        d->limit_pages = most / d->page_size;
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
    rc = mdb_txn_commit(txn);
    return rc == 0 ? find_map(d) : rc;
}

/* What LMDB says of a file, or a lock file, that it cannot make sense of. */
static bool
is_damage(int rc)
{
    return rc == MDB_INVALID || rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND
           || rc == MDB_PANIC || rc == MDB_BAD_DBI || rc == MDB_INCOMPATIBLE;
}

static void
close_env(struct db *d)
{
    if (d->env != NULL) {
        mdb_env_close(d->env);
        d->env = NULL;
    }
}

static int
begin_anew(struct db *d, int rc)
{
    char reason[128];

    if (rc == OTHER_FORMAT) {
        snprintf(reason, sizeof(reason),
                 "has format %lu, which this version does not read",
                 (unsigned long) d->format);
    } else {
        snprintf(reason, sizeof(reason), "is damaged: %s", mdb_strerror(rc));
    }
    close_env(d);
    return db_folder_move_aside(d, reason) == 0 ? open_env(d) : rc;
}

/* Of the lock file nothing is needed: no other process has the file open. */
static int
open_again(struct db *d)
{
    close_env(d);
    db_folder_forget_locks(d);
    int rc = open_env(d);
    return is_damage(rc) ? begin_anew(d, rc) : rc;
}

static int
open_sound(struct db *d, char *why, size_t cap)
{
    int err = db_folder_check(d, why, cap);
    if (err != 0) {
        return err;
    }
    int rc = open_env(d);
    if (rc == OTHER_FORMAT) {
        rc = begin_anew(d, rc);
    } else if (is_damage(rc) || rc == MDB_VERSION_MISMATCH) {
        rc = open_again(d);
    }
    if (rc != 0) {
        snprintf(why, cap, "cache %s: %s", d->path,
                 rc == OTHER_FORMAT ? "of another format, and in the way"
                                    : mdb_strerror(rc));
        return SHOAL_EIO;
    }
    return 0;
}

int
db_open(const char *path, uint64_t size, uint64_t map_size, struct db **out,
        char *why, size_t cap)
{
    int err = SHOAL_ENOMEM;

    snprintf(why, cap, "cache %s: out of memory", path);
    struct db *d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return SHOAL_ENOMEM;
    }
    d->size = size;
    d->map_size = map_size;
    pthread_mutex_init(&d->lock, NULL);
    d->path = strdup(path);
    if (d->path == NULL) {
        goto free_db;
    }
    err = SHOAL_EIO;
    d->lock_fd = db_folder_lock(d, why, cap);
    if (d->lock_fd < 0) {
        goto free_path;
    }
    err = open_sound(d, why, cap);
    if (err != 0) {
        goto close_env;
    }
    *out = d;
    return 0;

close_env:
    close_env(d);
    close(d->lock_fd);
free_path:
    free(d->path);
free_db:
    pthread_mutex_destroy(&d->lock);
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
    db_folder_leave(d);
    close(d->lock_fd);
    pthread_mutex_destroy(&d->lock);
    free(d->path);
    free(d);
}

uint64_t
db_room(const struct db *d)
{
    char name[PATH_MAX];
    struct statvfs fs;
    struct stat st;

    snprintf(name, sizeof(name), "%s/data.mdb", d->path);
    if (stat(name, &st) != 0 || fstatvfs(d->lock_fd, &fs) != 0) {
        return d->size;
    }
    uint64_t most =
        (uint64_t) st.st_size + (uint64_t) fs.f_bavail * fs.f_frsize;
    return most < d->size ? most : d->size;
}

bool
db_map_was_full(struct db *d)
{
    return atomic_exchange(&d->map_full, false);
}

void
db_break(struct db *d, const char *why)
{
    if (!atomic_exchange(&d->broken, true)) {
        log_line(LOG_LEVEL_ERROR, NULL,
                 "cache %s: data.mdb is damaged: %s; it is moved aside at the "
                 "next start",
                 d->path, why);
        db_folder_mark_damaged(d, why);
    }
}

bool
db_is_broken(const struct db *d)
{
    return atomic_load(&d->broken);
}

uint64_t
db_size(const struct db *d)
{
    return d->size;
}

void
db_sizes(struct db *d, uint64_t *map, uint64_t *file)
{
    MDB_envinfo info;
    struct stat st;

    *map = mdb_env_info(d->env, &info) == 0 ? info.me_mapsize : 0;
    *file = fstat(d->fd, &st) == 0 ? (uint64_t) st.st_size : 0;
}
