/* cache_unit.h - what the tests of the cache share: a folder, files whose
 * blocks all differ, and a cache with them. */
#ifndef CACHE_UNIT_H
#define CACHE_UNIT_H

#include "unit.h"

#include <dirent.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "../../superpeer/cache.h"
#include "../../superpeer/log.h"
#include "blockmap.h"
#include "digest.h"
#include "resource.h"
#include "shoal.h"

enum {
    BLOCK = 65536,
    MIB = 1 << 20
};

static char folder[] = "/tmp/shoal-cache-XXXXXX";

/* Ids in the order in which they were said to be leaving. */
static uint8_t left[64][20];
static unsigned n_left;

/* Run when a set is said to be leaving. */
static void (*meanwhile)(void);

static const uint8_t root[DIGEST_LEN] = { 1, 2, 3 };

static inline void
on_leaving(void *ctx, const uint8_t id[20], bool more)
{
    (void) ctx;
    (void) more;
    if (n_left < 64) {
        memcpy(left[n_left], id, 20);
    }
    n_left++;
    if (meanwhile != NULL) {
        meanwhile();
    }
}

static inline int
remove_files(void)
{
    char name[512];
    struct dirent *e;

    DIR *d = opendir(folder);
    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        snprintf(name, sizeof(name), "%s/%s", folder, e->d_name);
        unlink(name); /* not `.` and `..` */
    }
    closedir(d);
    return 0;
}

static inline int
setup(void **state)
{
    (void) state;
    n_left = 0;
    meanwhile = NULL;
    return remove_files();
}

static inline struct cache *
open_with(const struct cache_options *more)
{
    struct cache_options o = *more;
    struct cache *c;
    char why[256];

    o.path = folder;
    o.leaving = on_leaving;
    if (cache_open(&o, &c, why, sizeof(why)) != 0) {
        fail_msg("%s", why);
    }
    return c;
}

static inline struct cache *
open_cache(uint64_t size)
{
    struct cache_options o = { .size = size };

    return open_with(&o);
}

/* Every block of every file differs. */
static inline void
make_block(const struct resource *r, uint32_t block, uint8_t *out, size_t len)
{
    memset(out, (int) (block % 251), len);
    memcpy(out, r->id, 20);
    memcpy(out + 20, &block, sizeof(block));
}

static inline void
make_resource(struct resource *r, unsigned number, uint64_t size)
{
    char url[64];

    snprintf(url, sizeof(url), "http://cdn.example.com/%u", number);
    assert_int_equal(resource_init(r, url, size, NULL, "etag:\"x\""), 0);
}

static inline int
write_block(struct cache *c, struct cache_set *set, const struct resource *r,
            uint32_t block)
{
    static uint8_t data[BLOCK];
    uint8_t hash[DIGEST_LEN];
    struct blockmap m;

    assert_int_equal(blockmap_init(&m, r->size), 0);
    size_t len = blockmap_length(&m, block);
    blockmap_fini(&m);
    make_block(r, block, data, len);
    assert_int_equal(digest_block(data, len, r->size, BLOCK, hash), 0);
    return cache_write(c, set, block, data, len, hash);
}

static inline int
fill_all(struct cache *c, const struct resource *r)
{
    struct cache_set *set = NULL;
    uint32_t count = (uint32_t) ((r->size + BLOCK - 1) / BLOCK);

    int err = cache_fill(c, r, &set);
    for (uint32_t i = 0; err == 0 && i < count; i++) {
        err = write_block(c, set, r, i);
    }
    if (err == 0) {
        err = cache_finish(c, set, root, false);
    }
    cache_fill_end(c, set);
    return err;
}

/* All that is held is right; how many blocks. */
static inline uint32_t
check_blocks(struct cache *c, const struct resource *r)
{
    static uint8_t want[BLOCK], got[BLOCK];
    const struct serve_ops *ops = &cache_serve_ops;
    struct serve_set set;
    uint32_t held = 0;

    assert_int_equal(ops->open(c, r->id, NULL, &set), 0);
    uint8_t *layer = malloc((size_t) set.count * DIGEST_LEN);
    assert_non_null(layer);
    assert_int_equal(ops->hashes(c, &set, layer), 0);
    for (uint32_t i = 0; i < set.count; i++) {
        uint64_t off = (uint64_t) i * BLOCK;
        uint64_t len = ops->held(c, &set, off, BLOCK);
        uint8_t hash[DIGEST_LEN];

        assert_int_equal(digest_is_zero(layer + i * DIGEST_LEN), len == 0);
        if (len == 0) {
            continue;
        }
        held++;
        make_block(r, i, want, (size_t) len);
        assert_int_equal(ops->read(c, &set, off, got, BLOCK), (long) len);
        assert_memory_equal(got, want, (size_t) len);
        digest_block(got, (size_t) len, r->size, BLOCK, hash);
        assert_memory_equal(hash, layer + i * DIGEST_LEN, DIGEST_LEN);
    }
    free(layer);
    ops->close(c, &set);
    return held;
}

/* The group's tests, in a folder of their own. */
static inline int
run_in_folder(int (*run)(void))
{
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    log_set_level(LOG_LEVEL_ERROR);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = run();
    remove_files();
    rmdir(folder);
    return failed;
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

#endif
