/* The block cache. */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static void
on_leaving(void *ctx, const uint8_t id[20], bool more)
{
    (void) ctx;
    assert_true(n_left < 64);
    (void) more;
    memcpy(left[n_left++], id, 20);
    if (meanwhile != NULL) {
        meanwhile();
    }
}

static int
remove_files(void)
{
    char name[128];
    static const char *const files[] = { "data.mdb", "lock.mdb",
                                         "superpeer.lock" };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(name, sizeof(name), "%s/%s", folder, files[i]);
        unlink(name);
    }
    return 0;
}

static int
setup(void **state)
{
    (void) state;
    n_left = 0;
    meanwhile = NULL;
    return remove_files();
}

static struct cache *
open_cache(uint64_t size)
{
    struct cache_options o = { .path = folder,
                               .size = size,
                               .leaving = on_leaving };
    struct cache *c;
    char why[256];

    if (cache_open(&o, &c, why, sizeof(why)) != 0) {
        fail_msg("%s", why);
    }
    return c;
}

/* Every block of every file differs. */
static void
make_block(const struct resource *r, uint32_t block, uint8_t *out, size_t len)
{
    memset(out, (int) (block % 251), len);
    memcpy(out, r->id, 20);
    memcpy(out + 20, &block, sizeof(block));
}

static void
make_resource(struct resource *r, unsigned number, uint64_t size)
{
    char url[64];

    snprintf(url, sizeof(url), "http://cdn.example.com/%u", number);
    assert_int_equal(resource_init(r, url, size, NULL, "etag:\"x\""), 0);
}

static int
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

static const uint8_t root[DIGEST_LEN] = { 1, 2, 3 };

static int
fill_all(struct cache *c, const struct resource *r)
{
    struct cache_set *set;
    uint32_t count = (uint32_t) ((r->size + BLOCK - 1) / BLOCK);

    int err = cache_fill(c, r, &set);
    for (uint32_t i = 0; err == 0 && i < count; i++) {
        err = write_block(c, set, r, i);
    }
    if (err == 0) {
        err = cache_finish(c, set, root, false);
    }
    if (set != NULL && err != SHOAL_EFULL) {
        cache_fill_end(c, set);
    }
    return err;
}

/* All that is held is right; how many blocks. */
static uint32_t
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

static void
expect_open_error(const char *path, const char *words)
{
    struct cache_options o = { .path = path, .size = 64 * MIB };
    struct cache *c;
    char why[256];

    assert_int_equal(cache_open(&o, &c, why, sizeof(why)), SHOAL_EIO);
    if (strstr(why, words) == NULL || strstr(why, path) == NULL) {
        fail_msg("%s", why);
    }
}

static void
refuses_bad_folders(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    char name[128];

    (void) state;
    expect_open_error(folder, "in use by another super peer");
    cache_close(c);
    expect_open_error("/nonexistent/cache", "No such file or directory");
    snprintf(name, sizeof(name), "%s/data.mdb/below", folder);
    expect_open_error(name, "Not a directory");
    snprintf(name, sizeof(name), "%s/data.mdb", folder);
    FILE *f = fopen(name, "we");
    assert_non_null(f);
    for (int i = 0; i < 10000; i++) {
        fputs("not LMDB", f);
    }
    fclose(f);
    expect_open_error(folder, "MDB_INVALID");
}

static void
keeps_sets(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct resource r;
    struct cache_info info;

    (void) state;
    make_resource(&r, 1, 10 * BLOCK + 5);
    assert_int_equal(fill_all(c, &r), 0);
    assert_int_equal(check_blocks(c, &r), 11);
    cache_close(c);
    c = open_cache(64 * MIB);
    assert_int_equal(check_blocks(c, &r), 11);
    assert_int_equal(cache_info(c, r.id, &info), 0);
    assert_true(info.complete);
    assert_false(info.copy);
    assert_memory_equal(info.root, root, DIGEST_LEN);
    assert_string_equal(info.url, r.url);
    assert_string_equal(info.version, r.version);
    assert_true(info.size == r.size);
    cache_info_fini(&info);
    cache_close(c);
    resource_fini(&r);
}

static void
empty_file(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct cache_set *set;
    struct cache_info info;
    struct resource r;

    (void) state;
    make_resource(&r, 1, 0);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    assert_int_equal(cache_finish(c, set, NULL, false), 0);
    cache_fill_end(c, set);
    cache_close(c);
    c = open_cache(64 * MIB);
    assert_int_equal(cache_info(c, r.id, &info), 0);
    assert_true(info.complete);
    assert_int_equal(info.blocks, 0);
    cache_info_fini(&info);
    cache_close(c);
    resource_fini(&r);
}

static void
goes_on(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct cache_set *set;
    struct resource r;
    struct blockmap m;
    uint8_t layer[20 * DIGEST_LEN];

    (void) state;
    make_resource(&r, 1, 20 * BLOCK);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    for (uint32_t i = 0; i < 20; i += 2) {
        assert_int_equal(write_block(c, set, &r, i), 0);
    }
    assert_int_equal(cache_finish(c, set, root, false), SHOAL_EIO);
    cache_fill_end(c, set);
    cache_close(c);

    c = open_cache(64 * MIB);
    assert_int_equal(check_blocks(c, &r), 10);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    assert_int_equal(blockmap_init(&m, r.size), 0);
    assert_int_equal(cache_load(c, set, &m, layer), 0);
    assert_int_equal(m.held, 10);
    assert_true(blockmap_has(&m, 2));
    assert_false(digest_is_zero(layer + 2 * DIGEST_LEN));
    assert_true(digest_is_zero(layer + 3 * DIGEST_LEN));
    blockmap_fini(&m);
    for (uint32_t i = 1; i < 20; i += 2) {
        assert_int_equal(write_block(c, set, &r, i), 0);
    }
    assert_int_equal(cache_finish(c, set, root, true), 0);
    cache_fill_end(c, set);
    assert_int_equal(check_blocks(c, &r), 20);
    cache_close(c);
    resource_fini(&r);
}

static void
reads_what_is_queued(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct cache_set *set;
    struct resource r;
    static uint8_t want[2 * BLOCK], got[BLOCK];

    (void) state;
    make_resource(&r, 1, 20 * BLOCK);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(write_block(c, set, &r, i), 0);
    }
    make_block(&r, 18, want, BLOCK);
    make_block(&r, 19, want + BLOCK, BLOCK);
    assert_int_equal(cache_read(c, set, 18 * BLOCK + 100, got, BLOCK), 0);
    assert_memory_equal(got, want + 100, BLOCK);
    cache_fill_end(c, set);
    cache_close(c);
    resource_fini(&r);
}

static void
drops_blocks(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct cache_set *set;
    struct resource r;

    (void) state;
    make_resource(&r, 1, 4 * BLOCK);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(write_block(c, set, &r, i), 0);
    }
    cache_drop(c, set, 2);
    assert_int_equal(cache_finish(c, set, root, false), SHOAL_EIO);
    assert_int_equal(cache_held(c, set), 3);
    assert_int_equal(check_blocks(c, &r), 3);
    cache_fill_end(c, set);
    cache_close(c);
    c = open_cache(64 * MIB);
    assert_int_equal(check_blocks(c, &r), 3);
    cache_close(c);
    resource_fini(&r);
}

static void
replaces_other_versions(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct resource old, new;
    struct cache_stats stats;
    struct cache_info info;

    (void) state;
    make_resource(&old, 1, 5 * BLOCK);
    make_resource(&new, 1, 7 * BLOCK);
    assert_int_equal(fill_all(c, &old), 0);
    assert_int_equal(fill_all(c, &new), 0);
    assert_int_equal(n_left, 1);
    assert_memory_equal(left[0], old.id, 20);
    assert_int_equal(cache_info(c, old.id, &info), SHOAL_ENOTFOUND);
    assert_int_equal(check_blocks(c, &new), 7);
    cache_get_stats(c, &stats);
    assert_int_equal(stats.sets, 1);
    assert_int_equal(stats.complete, 1);
    assert_int_equal(stats.filling, 0);
    assert_true(stats.syncs >= 2);
    assert_true(stats.map_bytes == 64 * MIB);
    assert_true(stats.file_bytes >= 7 * BLOCK);
    assert_int_equal(stats.gone[CACHE_GONE_REPLACED], 1);
    cache_close(c);
    c = open_cache(64 * MIB);
    assert_int_equal(cache_info(c, old.id, &info), SHOAL_ENOTFOUND);
    assert_int_equal(check_blocks(c, &new), 7);
    cache_close(c);
    resource_fini(&old);
    resource_fini(&new);
}

static void
evicts_the_least_recently_used(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    static const unsigned order[] = { 0, 1, 2, 4, 5, 3 };
    struct resource r[60];
    struct cache_stats stats;

    (void) state;
    for (unsigned i = 0; i < 60; i++) {
        make_resource(&r[i], i, 8 * MIB);
        assert_int_equal(fill_all(c, &r[i]), 0);
        if (i == 5) { /* this one is used again, and so goes late */
            check_blocks(c, &r[3]);
        }
        cache_get_stats(c, &stats);
        assert_true(stats.used <= stats.size / 100 * 85);
    }
    assert_int_equal(check_blocks(c, &r[59]), 128);
    assert_int_equal(stats.gone[CACHE_GONE_ROOM], n_left);
    for (unsigned i = 0; i < n_left; i++) {
        unsigned want = i < 6 ? order[i] : i;

        assert_memory_equal(left[i], r[want].id, 20);
    }
    assert_int_equal(stats.gone[CACHE_GONE_ROOM] + stats.sets, 60);
    assert_true(stats.sets >= 5);
    cache_close(c);
    for (unsigned i = 0; i < 60; i++) {
        resource_fini(&r[i]);
    }
}

static void
keeps_what_is_in_use(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct resource big, other;
    struct serve_set reader;
    struct cache_set *set = NULL;

    (void) state;
    make_resource(&big, 1, 45 * MIB);
    make_resource(&other, 2, 20 * MIB);
    assert_int_equal(fill_all(c, &big), 0);
    assert_int_equal(cache_serve_ops.open(c, big.id, NULL, &reader), 0);
    assert_int_equal(cache_fill(c, &other, &set), SHOAL_EFULL);
    assert_null(set);
    assert_int_equal(check_blocks(c, &big), 720);
    cache_serve_ops.close(c, &reader);
    assert_int_equal(cache_fill(c, &other, &set), 0);
    cache_fill_end(c, set);
    assert_int_equal(n_left, 1);
    cache_close(c);
    resource_fini(&big);
    resource_fini(&other);
}

static void
a_deleted_set_reads_as_an_error(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct resource r;
    struct serve_set reader;
    char buf[10];

    (void) state;
    make_resource(&r, 1, 4 * BLOCK);
    assert_int_equal(fill_all(c, &r), 0);
    assert_int_equal(cache_serve_ops.open(c, r.id, NULL, &reader), 0);
    assert_int_equal(cache_serve_ops.read(c, &reader, 0, buf, 10), 10);
    cache_forget(c, r.id);
    assert_int_equal(cache_serve_ops.read(c, &reader, 0, buf, 10), SHOAL_EIO);
    assert_int_equal(cache_serve_ops.held(c, &reader, 0, 10), 0);
    cache_serve_ops.close(c, &reader);
    assert_int_equal(cache_serve_ops.open(c, r.id, NULL, &reader),
                     SHOAL_ENOTFOUND);
    cache_close(c);
    resource_fini(&r);
}

static void
knows_what_is_too_large(void **state)
{
    struct cache *c = open_cache(100 * MIB);

    (void) state;
    assert_false(cache_too_large(c, 79 * MIB));
    assert_true(cache_too_large(c, 81 * MIB));
    assert_true(cache_too_large(c, INT64_MAX));
    cache_close(c);
}

static void
fill_and_die(const struct resource *r, uint32_t first)
{
    struct cache *c = open_cache(64 * MIB);
    struct cache_set *set;

    if (cache_fill(c, r, &set) != 0) {
        _exit(1);
    }
    for (uint32_t i = first; i < first + 40; i++) {
        write_block(c, set, r, i);
    }
    while (cache_held(c, set) < first + 1) {
        usleep(1000);
    }
    raise(SIGKILL);
}

/* The child is killed in the middle of its writes, at another time in each
 * round; what its bitmap says is there, and right. */
static void
survives_kill(void **state)
{
    struct resource r;
    uint32_t before = 0;

    (void) state;
    make_resource(&r, 1, 200 * BLOCK);
    for (unsigned first = 0; first < 160; first += 20) {
        pid_t child = fork();
        int status = 0;

        assert_true(child >= 0);
        if (child == 0) {
            fill_and_die(&r, first);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        struct cache *c = open_cache(64 * MIB);
        uint32_t held = check_blocks(c, &r);
        assert_true(held >= before && held >= first + 1);
        before = held;
        cache_close(c);
    }
    resource_fini(&r);
}

/* As when the disk is full: the set fails, and the cache goes on. */
static void
survives_a_full_disk(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct rlimit unlimited, small;
    struct resource one, two;
    struct cache_set *set;
    int err = 0;

    (void) state;
    signal(SIGXFSZ, SIG_IGN);
    make_resource(&one, 1, 4 * MIB);
    make_resource(&two, 2, 30 * MIB);
    assert_int_equal(fill_all(c, &one), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    small = unlimited;
    small.rlim_cur = 10 * MIB;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(cache_fill(c, &two, &set), 0);
    for (uint32_t i = 0; err == 0 && i < 480; i++) {
        err = write_block(c, set, &two, i);
    }
    if (err == 0) {
        err = cache_finish(c, set, root, false);
    }
    cache_fill_end(c, set);
    assert_true(err == SHOAL_EFULL || err == SHOAL_EIO);
    assert_int_equal(check_blocks(c, &one), 64);
    check_blocks(c, &two);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    assert_int_equal(fill_all(c, &two), 0);
    assert_int_equal(check_blocks(c, &two), 480);
    cache_close(c);
    resource_fini(&one);
    resource_fini(&two);
}

/* The size was lowered: what is held stays until something new comes. */
static void
survives_a_smaller_size(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct resource r, s;

    (void) state;
    make_resource(&r, 1, 40 * MIB);
    make_resource(&s, 2, 20 * MIB);
    assert_int_equal(fill_all(c, &r), 0);
    cache_close(c);
    c = open_cache(32 * MIB);
    assert_int_equal(check_blocks(c, &r), 640);
    assert_int_equal(fill_all(c, &s), 0);
    assert_int_equal(check_blocks(c, &s), 320);
    assert_int_equal(n_left, 1);
    cache_close(c);
    c = open_cache(32 * MIB);
    assert_int_equal(check_blocks(c, &s), 320);
    cache_close(c);
    resource_fini(&r);
    resource_fini(&s);
}

static struct {
    struct cache *cache;
    struct resource resource;
    pthread_t thread;
    int err;
} again;

static void *
fill_again(void *arg)
{
    (void) arg;
    again.err = fill_all(again.cache, &again.resource);
    return NULL;
}

/* Long enough for a set that does not wait to be filled and be deleted. */
static void
start_to_fill_again(void)
{
    meanwhile = NULL;
    assert_int_equal(pthread_create(&again.thread, NULL, fill_again, NULL), 0);
    usleep(300000);
}

/* A set is wanted again while it is being deleted: the deletion must not
 * take the new blocks with it. */
static void
a_set_comes_back_while_it_goes(void **state)
{
    (void) state;
    again.cache = open_cache(64 * MIB);
    make_resource(&again.resource, 1, 20 * BLOCK);
    assert_int_equal(fill_all(again.cache, &again.resource), 0);
    meanwhile = start_to_fill_again;
    cache_forget(again.cache, again.resource.id);
    assert_int_equal(pthread_join(again.thread, NULL), 0);
    assert_int_equal(again.err, 0);
    assert_int_equal(check_blocks(again.cache, &again.resource), 20);
    cache_close(again.cache);
    again.cache = open_cache(64 * MIB);
    assert_int_equal(check_blocks(again.cache, &again.resource), 20);
    cache_close(again.cache);
    resource_fini(&again.resource);
}

/* Who has the old set open does not get the new one's bytes: they need not
 * be the same where the version is not known. */
static void
a_reader_of_a_set_that_came_back(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct resource r;
    struct serve_set reader;
    char buf[10];

    (void) state;
    make_resource(&r, 1, 4 * BLOCK);
    assert_int_equal(fill_all(c, &r), 0);
    assert_int_equal(cache_serve_ops.open(c, r.id, NULL, &reader), 0);
    cache_forget(c, r.id);
    assert_int_equal(fill_all(c, &r), 0);
    assert_int_equal(cache_serve_ops.read(c, &reader, 0, buf, 10), SHOAL_EIO);
    cache_serve_ops.close(c, &reader);
    cache_close(c);
    resource_fini(&r);
}

/* Flips a byte of the block, where the file holds it. */
static void
damage(const struct resource *r, uint32_t block)
{
    static uint8_t data[BLOCK], part[64];
    char name[128];
    long at;

    make_block(r, block, data, BLOCK);
    snprintf(name, sizeof(name), "%s/data.mdb", folder);
    FILE *f = fopen(name, "r+e");
    assert_non_null(f);
    for (at = 16;; at += 4096) { /* behind an overflow page's header */
        assert_int_equal(fseek(f, at, SEEK_SET), 0);
        assert_int_equal(fread(part, sizeof(part), 1, f), 1);
        if (memcmp(part, data, sizeof(part)) == 0) {
            break;
        }
    }
    assert_int_equal(fseek(f, at + 100, SEEK_SET), 0);
    fputc('x', f);
    fclose(f);
}

/* Not served, not even once, and fetched again. */
static void
a_damaged_block(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct resource r;
    struct cache_info info;
    struct cache_set *set;
    struct serve_set reader;
    char buf[10];

    (void) state;
    make_resource(&r, 1, 8 * BLOCK);
    assert_int_equal(fill_all(c, &r), 0);
    cache_close(c);
    damage(&r, 5);
    c = open_cache(64 * MIB);
    assert_int_equal(cache_serve_ops.open(c, r.id, NULL, &reader), 0);
    assert_int_equal(
        cache_serve_ops.read(c, &reader, 5 * BLOCK + 3000, buf, 10),
        SHOAL_EIO);
    cache_serve_ops.close(c, &reader);
    cache_close(c);
    c = open_cache(64 * MIB);
    assert_int_equal(check_blocks(c, &r), 7);
    assert_int_equal(cache_info(c, r.id, &info), 0);
    assert_false(info.complete);
    cache_info_fini(&info);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    assert_int_equal(write_block(c, set, &r, 5), 0);
    assert_int_equal(cache_finish(c, set, root, false), 0);
    cache_fill_end(c, set);
    assert_int_equal(check_blocks(c, &r), 8);
    cache_close(c);
    resource_fini(&r);
}

/* What must go anyway is not enough: then nothing goes. */
static void
evicts_nothing_in_vain(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct resource big, small, other;
    struct serve_set reader;
    struct cache_set *set = NULL;

    (void) state;
    make_resource(&big, 1, 40 * MIB);
    make_resource(&small, 2, 5 * MIB);
    make_resource(&other, 3, 30 * MIB);
    assert_int_equal(fill_all(c, &big), 0);
    assert_int_equal(fill_all(c, &small), 0);
    assert_int_equal(cache_serve_ops.open(c, big.id, NULL, &reader), 0);
    assert_int_equal(cache_fill(c, &other, &set), SHOAL_EFULL);
    assert_int_equal(n_left, 0);
    assert_int_equal(check_blocks(c, &small), 80);
    cache_serve_ops.close(c, &reader);
    cache_close(c);
    resource_fini(&big);
    resource_fini(&small);
    resource_fini(&other);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(survives_kill), /* first: it forks */
        TEST(refuses_bad_folders),
        TEST(keeps_sets),
        TEST(empty_file),
        TEST(goes_on),
        TEST(reads_what_is_queued),
        TEST(drops_blocks),
        TEST(replaces_other_versions),
        TEST(evicts_the_least_recently_used),
        TEST(keeps_what_is_in_use),
        TEST(a_deleted_set_reads_as_an_error),
        TEST(a_set_comes_back_while_it_goes),
        TEST(a_reader_of_a_set_that_came_back),
        TEST(evicts_nothing_in_vain),
        TEST(a_damaged_block),
        TEST(knows_what_is_too_large),
        TEST(survives_a_full_disk),
        TEST(survives_a_smaller_size),
    };

    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    log_set_level(LOG_LEVEL_ERROR);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_files();
    rmdir(folder);
    return failed;
}
