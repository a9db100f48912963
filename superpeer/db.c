#include "db.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "db_internal.h"
#include "log.h"
#include "shoal.h"

enum {
    FORMAT = 1,
    SHRINK_BYTES = 32 << 20, /* for deletions in a map that is full */
    NEARLY_FULL = 8 << 20,   /* bytes left on a disk that is called full */
    PAGE = 65536,            /* bytes, a multiple of all page sizes */
    READERS_MAX = 256
};

static const char *const names[] = { "info", "sets", "bits", "hashes",
                                     "blocks" };

MDB_val
db_val(const void *data, size_t len)
{
    MDB_val v = { len, (void *) (uintptr_t) data };

    return v;
}

struct block_key
db_key(const uint8_t *id, uint32_t block)
{
    struct block_key k;

    memcpy(k.id, id, sizeof(k.id));
    k.block[0] = (uint8_t) (block >> 24);
    k.block[1] = (uint8_t) (block >> 16);
    k.block[2] = (uint8_t) (block >> 8);
    k.block[3] = (uint8_t) block;
    return k;
}

bool
db_is_of(const uint8_t *id, const MDB_val *key)
{
    return key->mv_size == sizeof(struct block_key)
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
    int rc = 0;

    for (int i = 0; i < TABLES && rc == 0; i++) {
        rc = mdb_dbi_open(txn, names[i], MDB_CREATE, &d->table[i]);
    }
    if (rc != 0) {
        return rc;
    }
    rc = mdb_get(txn, d->table[INFO], &key, &data);
    if (rc == MDB_NOTFOUND) {
        data = db_val(&format, sizeof(format));
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
    uint64_t size = d->map_size != 0 ? d->map_size : d->size;

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
    MDB_stat stat;
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
        rc = mdb_env_stat(d->env, &stat);
    }
    if (rc == 0) {
        d->page_size = stat.ms_psize;
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
    int fd;

    *map = mdb_env_info(d->env, &info) == 0 ? info.me_mapsize : 0;
    *file = mdb_env_get_fd(d->env, &fd) == 0 && fstat(fd, &st) == 0
                ? (uint64_t) st.st_size
                : 0;
}
