/* db_internal.h - what the files that know LMDB share. */
#ifndef DB_INTERNAL_H
#define DB_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <lmdb.h>

#include "db.h"
#include "resource.h"

enum {
    DB_POOL_MAX = 64 /* read transactions that are kept */
};

/* LMDB's databases. */
enum table {
    INFO,   /* "format": number */
    SETS,   /* id: struct stored and strings */
    BITS,   /* id: bitmap */
    HASHES, /* id and block: 32 bytes */
    BLOCKS, /* id and block: the block */
    TABLES
};

struct block_key {
    uint8_t id[RESOURCE_ID_LEN];
    uint8_t block[4]; /* big-endian: in order */
};

struct db {
    char *path;
    uint64_t size, map_size; /* bytes; map_size: 0, or a test's */
    int lock_fd;
    MDB_env *env;
    MDB_dbi table[TABLES];
    size_t page_size; /* LMDB's */
    atomic_bool map_full;
    pthread_mutex_t lock;       /* of the pool */
    MDB_txn *pool[DB_POOL_MAX]; /* reset read transactions */
    unsigned pooled;
};

struct db_txn {
    struct db *db;
    MDB_txn *txn;
};

MDB_val db_val(const void *data, size_t len);
struct block_key db_key(const uint8_t *id, uint32_t block);

/** db_is_of(id, key): is it one of the set's blocks? */
bool db_is_of(const uint8_t *id, const MDB_val *key);

/** db_fail(d, id, what, rc): LMDB's or the system's error ${rc}, logged, as
 *  one of ours. */
int db_fail(struct db *d, const uint8_t *id, const char *what, int rc);

#endif
