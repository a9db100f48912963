/* db.h - the cache's file: records of sets, their bitmaps, blocks and hashes.
 * The only part that knows LMDB. It keeps nothing in memory and decides
 * nothing; cache.c does.
 *
 * Errors of all functions are told in the log, once, and returned as
 * SHOAL_EFULL (map or disk), SHOAL_ENOMEM or SHOAL_EIO.
 * Threads: any; one write transaction at a time, others wait for it.
 */
#ifndef DB_H
#define DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "digest.h"

struct db;
struct db_txn;
struct db_hold; /* a read transaction */

enum {
    DB_PIECE = 65536 /* bytes: a block is stored in pieces of this size, the
                        last one of a file may be shorter. Values of one size
                        fit into whatever hole another one has left. */
};

enum db_state {
    DB_FILLING = 1,
    DB_COMPLETE = 2,
    DB_LEAVING = 3 /* its deletion has begun */
};

/** A set as stored. */
struct db_record {
    const uint8_t *id; /* 20 bytes */
    const char *url, *provider, *version;
    uint64_t size;        /* bytes */
    uint64_t last_use_us; /* since 1970 */
    enum db_state state;
    bool copy;
    bool plain;
    bool probation;
    uint8_t root[DIGEST_LEN];
};

/** db_open(path, size, map_size, out, why, cap): the folder, which must exist,
 *  is locked against other processes. ${map_size} is 0 but in tests. The words
 *  of an error go to ${why}. A file that is damaged is moved aside, which the
 *  log says, and a new one is begun. */
int db_open(const char *path, uint64_t size, uint64_t map_size,
            struct db **out, char *why, size_t cap);

/** db_room(d): bytes that the file may grow to: its size, or less where the
 *  disk has no room for that. */
uint64_t db_room(const struct db *d);

/** db_is_broken(d): LMDB has found its file damaged. Nothing of it can be
 *  relied on, and the next db_open() moves it aside. */
bool db_is_broken(const struct db *d);

/** db_size(d): as given to db_open(). */
uint64_t db_size(const struct db *d);

/** db_sizes(d, map, file): bytes of address space, and of the file. */
void db_sizes(struct db *d, uint64_t *map, uint64_t *file);

/** db_close(d): NULL is a no-op. */
void db_close(struct db *d);

/** Whom db_each() calls; what they get is valid during the call only. They
 *  must not use the db. */
struct db_each {
    void (*record)(void *ctx, const struct db_record *rec, const uint8_t *bits,
                   size_t len);

    /** The record of the set is damaged, or its bitmap. */
    void (*damaged)(void *ctx, const uint8_t id[20]);
    void *ctx;
};

/** db_each(d, each): all records. */
int db_each(struct db *d, const struct db_each *each);

/** db_begin(d, err): a write transaction; must end soon. NULL: ${*err} says
 *  why. */
struct db_txn *db_begin(struct db *d, int *err);

/** db_end(t, err): commit when ${err} is 0, else throw away; ${err}, or the
 *  error of the commit. ${t} is freed. */
int db_end(struct db_txn *t, int err);

int db_put_record(struct db_txn *t, const struct db_record *rec);
int db_put_bits(struct db_txn *t, const uint8_t *id, const uint8_t *bits,
                size_t len);
int db_put_block(struct db_txn *t, const uint8_t *id, uint32_t block,
                 const void *data, size_t len, const uint8_t hash[32]);
int db_del_block(struct db_txn *t, const uint8_t *id, uint32_t block);

/**
 * db_delete(d, rec):
 * Delete a set, in as many transactions as it takes. Its record is marked
 * first and goes last, so that one that was cut short is seen by db_each().
 */
int db_delete(struct db *d, const struct db_record *rec);

/** db_map_was_full(d): was there no free page for a write? Asked once: false
 *  then until it happens again. */
bool db_map_was_full(struct db *d);

/** db_delete_unknown(d, id): whatever there is of a set whose record is
 *  damaged. */
int db_delete_unknown(struct db *d, const uint8_t *id);

/** db_sync(d): everything committed is on the disk afterwards. */
int db_sync(struct db *d);

/**
 * db_read(d, id, block, off, buf, len):
 * Copy up to ${len} bytes at ${off} of the block; how many, or
 * SHOAL_ENOTFOUND, which is not logged: the set may have been deleted; or
 * SHOAL_EVERIFY where the disk cannot read it. The read transaction ends
 * before return.
 */
long db_read(struct db *d, const uint8_t *id, uint32_t block, size_t off,
             void *buf, size_t len);

/** Bytes of a set. */
struct db_range {
    const uint8_t *id;
    uint64_t block_size;
    uint64_t off, len;
};

/**
 * db_find(d, range, out, most, cold):
 * Where they lie in the map of the file: how many pieces, at most ${most}. They
 * stay there, as they are, until they are deleted or written anew; and until
 * db_release() for whoever called db_hold() before that. ${*cold}: not all of
 * them are in memory.
 *
 * Errors:  SHOAL_EIO: one is missing, or so short that it lies among others
 *          and moves with them; SHOAL_EFULL: more than ${most}. Neither is
 *          logged.
 */
int db_find(struct db *d, const struct db_range *range, struct iovec *out,
            unsigned most, bool *cold);

/** db_read_in(d, pieces, n): wait until they are in memory, or cannot be. */
void db_read_in(const struct db *d, const struct iovec *pieces, uint32_t n);

/** db_hold(d): from now on nothing that is deleted is overwritten; must be
 *  released soon, as the file grows meanwhile. NULL: out of readers or
 *  memory. */
struct db_hold *db_hold(struct db *d);

/** db_release(d, h): NULL is a no-op. */
void db_release(struct db *d, struct db_hold *h);

/** db_hash(d, id, block, hash): SHOAL_ENOTFOUND. */
int db_hash(struct db *d, const uint8_t *id, uint32_t block,
            uint8_t hash[DIGEST_LEN]);

struct db_block {
    uint8_t id[20];
    uint32_t block;
};

/** db_blocks(d, after, out, most, n): the blocks that are in the file, in the
 *  order of their keys, behind ${after} (NULL: from the first on); ${*n} is 0
 *  at the end. */
int db_blocks(struct db *d, const struct db_block *after, struct db_block *out,
              size_t most, size_t *n);

/** db_hashes(d, id, layer, count): ${count} hashes, zeros where there is
 *  none. */
int db_hashes(struct db *d, const uint8_t *id, uint8_t *layer, uint32_t count);

#endif
