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
    BLOCKS, /* id, block and piece: bytes of the block */
    TABLES
};

struct block_key {
    uint8_t id[RESOURCE_ID_LEN];
    uint8_t block[4]; /* big-endian: in order */
};

struct piece_key {
    struct block_key block;
    uint8_t piece[4]; /* likewise */
};

struct db {
    char *path;
    uint64_t size, map_size; /* bytes; map_size: 0, or a test's */
    int lock_fd;
    int fd; /* of the file, LMDB's */
    MDB_env *env;
    MDB_dbi table[TABLES];
    size_t page_size; /* LMDB's */
    uintptr_t map;    /* likewise, where it begins */
    size_t map_bytes;
    uint64_t limit_pages; /* for blocks; the others are for deletions */
    uint32_t format;      /* that the file has */
    atomic_bool map_full, broken;
    atomic_bool unsynced;       /* a sync has failed, ever: no clean end */
    pthread_mutex_t lock;       /* of the pool */
    MDB_txn *pool[DB_POOL_MAX]; /* reset read transactions */
    unsigned pooled;
};

struct db_txn {
    struct db *db;
    MDB_txn *txn;
    uint64_t old_pages; /* that the file had before */
};

MDB_val db_val(const void *data, size_t len);
struct block_key db_key(const uint8_t *id, uint32_t block);

struct piece_key db_piece_key(const uint8_t *id, uint32_t block,
                              uint32_t piece);

/** db_is_of(id, key): is it of one of the set's blocks? */
bool db_is_of(const uint8_t *id, const MDB_val *key);

/** db_reader_get(d): a read transaction, one of the pool where there is one;
 *  NULL: an error, which was logged. db_reader_put(d, txn): it ends. */
MDB_txn *db_reader_get(struct db *d);
void db_reader_put(struct db *d, MDB_txn *txn);

/** db_fail(d, id, what, rc): LMDB's or the system's error ${rc}, logged, as
 *  one of ours. */
int db_fail(struct db *d, const uint8_t *id, const char *what, int rc);

/** db_break(d, why): its trees are wrong; said once. */
void db_break(struct db *d, const char *why);

/* ---- db_value.c: values, where they lie ---- */

/** db_has_pages(d, data): it has pages of its own there, which are not moved
 *  while it is there; of what a write transaction has changed it is false. */
bool db_has_pages(const struct db *d, const MDB_val *data);

/** db_is_sound(d, data): it lies in the map, and what LMDB keeps beside it is
 *  right. */
bool db_is_sound(const struct db *d, const MDB_val *data);

/** db_copy(d, data, off, buf, len): bytes of it; SHOAL_EVERIFY where the disk
 *  cannot read them, SHOAL_EIO where it lies elsewhere. */
int db_copy(struct db *d, const MDB_val *data, size_t off, void *buf,
            size_t len);

/**
 * db_mend(d, id, data):
 * Before a value is deleted in a write transaction: what LMDB keeps beside it,
 * and believes, is as it has to be afterwards; where it was not, the log says
 * so. 0, MDB_CORRUPTED (a tree is wrong), or the system's error.
 */
int db_mend(struct db *d, const uint8_t *id, const MDB_val *data);

/** db_overflow(data): the first page of a value that has pages of its own;
 *  of others it says nothing. */
uint64_t db_overflow(const MDB_val *data);

/* ---- db_folder.c: the folder, and whether its file can be trusted ---- */

/** db_folder_lock(d, why, cap): the folder is this process's alone; a file,
 *  or -1. */
int db_folder_lock(struct db *d, char *why, size_t cap);

/**
 * db_folder_check(d, why, cap):
 * The file is as a clean end has left it, or its trees are sound, or it was
 * moved aside. Afterwards the folder counts as in use, until
 * db_folder_leave().
 * Errors:  SHOAL_EIO, SHOAL_ENOMEM.
 */
int db_folder_check(struct db *d, char *why, size_t cap);

/** db_folder_move_aside(d, reason): a new file can be begun. "data.mdb
 *  REASON" is what the log says. */
int db_folder_move_aside(struct db *d, const char *reason);

/** db_folder_forget_locks(d): removes LMDB's lock file. */
void db_folder_forget_locks(struct db *d);

/** db_folder_mark_damaged(d, why): the next start moves the file aside. */
void db_folder_mark_damaged(struct db *d, const char *why);

/** db_folder_leave(d): a clean end; everything was synced. */
void db_folder_leave(struct db *d);

#endif
