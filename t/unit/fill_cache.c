/* fill_cache FOLDER SIZE N BYTES - no test: makes a cache of SIZE bytes that
 * holds N complete files of BYTES each (one block at most),
 * http://cdn.example.com/tiny/0 and so on, as a super peer would leave it. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../superpeer/db.h"
#include "blockmap.h"
#include "digest.h"
#include "resource.h"

enum {
    BATCH = 1000, /* files of one transaction */
    BYTES_MAX = 65536
};

static int
put_file(struct db_txn *t, uint64_t i, size_t bytes)
{
    char url[128], data[BYTES_MAX];
    uint8_t hash[DIGEST_LEN];
    struct blockmap map;
    struct resource r;

    snprintf(url, sizeof(url), "http://cdn.example.com/tiny/%" PRIu64, i);
    memset(data, (int) i, bytes);
    snprintf(data, bytes, "%" PRIu64, i);
    if (resource_init(&r, url, bytes, "", "") != 0) {
        return -1;
    }
    int err = blockmap_init(&map, bytes);
    if (err == 0) {
        err = digest_block(data, bytes, bytes, map.block_size, hash);
    }
    if (err == 0) {
        struct db_record rec = { .id = r.id,
                                 .url = r.url,
                                 .provider = r.provider,
                                 .version = r.version,
                                 .size = bytes,
                                 .last_use_us = 1000000 + i,
                                 .state = DB_COMPLETE };

        memcpy(rec.root, hash, sizeof(rec.root));
        blockmap_set(&map, 0);
        err = db_put_record(t, &rec);
    }
    if (err == 0) {
        err = db_put_block(t, r.id, 0, data, bytes, hash);
    }
    if (err == 0) {
        err = db_put_bits(t, r.id, map.bits, blockmap_bytes(&map));
    }
    blockmap_fini(&map);
    resource_fini(&r);
    return err;
}

static int
fill(struct db *d, uint64_t n, size_t bytes)
{
    int err = 0;

    for (uint64_t i = 0; i < n && err == 0;) {
        struct db_txn *t = db_begin(d, &err);

        if (t == NULL) {
            return err;
        }
        uint64_t end = i + BATCH < n ? i + BATCH : n;
        for (; i < end && err == 0; i++) {
            err = put_file(t, i, bytes);
        }
        err = db_end(t, err);
    }
    return err == 0 ? db_sync(d) : err;
}

int
main(int argc, char **argv)
{
    struct db *d;
    char why[512];

    if (argc != 5) {
        fprintf(stderr, "usage: fill_cache FOLDER SIZE N BYTES\n");
        return 2;
    }
    uint64_t size = strtoull(argv[2], NULL, 10);
    uint64_t n = strtoull(argv[3], NULL, 10);
    uint64_t bytes = strtoull(argv[4], NULL, 10);
    if (bytes == 0 || bytes > BYTES_MAX) {
        fprintf(stderr, "fill_cache: BYTES: from 1 to %d\n", BYTES_MAX);
        return 2;
    }
    if (db_open(argv[1], size, 0, &d, why, sizeof(why)) != 0) {
        fprintf(stderr, "fill_cache: %s\n", why);
        return 1;
    }
    int err = fill(d, n, bytes);
    db_close(d);
    return err == 0 ? 0 : 1;
}
