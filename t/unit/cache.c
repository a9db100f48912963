/* The block cache: what it keeps. */
#include "cache_unit.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "../../superpeer/db.h"
#include "havelog.h"
#include "holder.h"

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

static int
try_open(struct cache *c, const struct resource *r)
{
    struct serve_set s;

    int err = cache_serve_ops.open(c, r->id, NULL, &s);
    if (err == 0) {
        cache_serve_ops.close(c, &s);
    }
    return err;
}

/* Blocks of others that nobody vouches for any more after a crash. */
static void
serves_no_doubtful_copy(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct cache_set *set;
    struct resource r;

    (void) state;
    make_resource(&r, 1, 3 * BLOCK);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    assert_int_equal(cache_mark_copy(c, set), 0);
    assert_int_equal(write_block(c, set, &r, 1), 0);
    assert_int_equal(try_open(c, &r), 0);
    cache_fill_end(c, set);
    assert_int_equal(try_open(c, &r), SHOAL_ENOTFOUND);
    cache_close(c);
    c = open_cache(64 * MIB);
    assert_int_equal(try_open(c, &r), SHOAL_ENOTFOUND);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    assert_int_equal(write_block(c, set, &r, 0), 0);
    assert_int_equal(write_block(c, set, &r, 2), 0);
    assert_int_equal(cache_finish(c, set, root, true), 0);
    cache_fill_end(c, set);
    assert_int_equal(try_open(c, &r), 0);
    cache_close(c);
    resource_fini(&r);
}

/* How many blocks of the set are said to be fetched, as one range at most. */
static uint32_t
claimed(struct cache *c, const struct resource *r)
{
    struct serve_set s;
    uint32_t event = 0;
    size_t n = 0;

    assert_int_equal(cache_serve_ops.open(c, r->id, NULL, &s), 0);
    struct havelog *log = cache_serve_ops.log(c, &s);
    if (log != NULL) {
        n = havelog_claims(log, &event, 1);
        cache_serve_ops.unlog(c, &s);
    }
    cache_serve_ops.close(c, &s);
    return n > 0 ? (event >> 16 & 0x3fff) + 1 : 0;
}

static void
claims_end_with_the_fill(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct cache_set *set;
    struct resource r;

    (void) state;
    make_resource(&r, 1, 10 * BLOCK);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    cache_fetching(c, set, 0, 10, true);
    assert_int_equal(claimed(c, &r), 10);
    assert_int_equal(write_block(c, set, &r, 0), 0);
    assert_int_equal(claimed(c, &r), 9);
    cache_fill_end(c, set);
    assert_int_equal(claimed(c, &r), 0);
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

/* Nothing can be committed, and yet it is served: bits, hashes and bytes. */
static void
serves_what_is_queued(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct cache_stats stats;
    struct cache_set *set;
    struct resource r;
    struct holder h;
    uint8_t bits[2];
    uint64_t before, cursor;
    struct serve_set reader;

    (void) state;
    make_resource(&r, 1, 10 * BLOCK + 7);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    hold_writer(&h);
    assert_int_equal(cache_serve_ops.open(c, r.id, NULL, &reader), 0);
    assert_int_equal(cache_serve_ops.have(c, &reader, bits, &before), 0);
    for (uint32_t i = 0; i < 11; i += 2) {
        assert_int_equal(write_block(c, set, &r, i), 0);
    }
    assert_int_equal(check_blocks(c, &r), 6);
    assert_int_equal(cache_held(c, set), 6);
    assert_int_equal(cache_serve_ops.have(c, &reader, bits, &cursor), 0);
    assert_int_equal(bits[0], 0xaa);
    assert_int_equal(bits[1], 0xa0);
    assert_int_equal(cursor, before + 6);
    cache_drop(c, set, 4); /* queued behind the block itself */
    assert_int_equal(check_blocks(c, &r), 5);
    assert_int_equal(write_block(c, set, &r, 4), 0);
    assert_int_equal(check_blocks(c, &r), 6);
    cache_get_stats(c, &stats);
    assert_true(stats.queue_bytes >= 6 * BLOCK + 7);
    cache_serve_ops.close(c, &reader);
    let_go(&h);
    cache_fill_end(c, set);
    assert_int_equal(check_blocks(c, &r), 6);
    cache_get_stats(c, &stats);
    assert_int_equal(stats.queue_bytes, 0);
    cache_close(c);
    c = open_cache(64 * MIB);
    assert_int_equal(check_blocks(c, &r), 6);
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
    assert_true(stats.map_bytes >= 64 * MIB);
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
fill_and_die(const struct resource *r, uint32_t first)
{
    struct cache *c = open_cache(64 * MIB);
    struct cache_stats stats;
    struct cache_set *set;

    if (cache_fill(c, r, &set) != 0) {
        _exit(1);
    }
    for (uint32_t i = first; i < first + 40; i++) {
        write_block(c, set, r, i);
    }
    do { /* until the first one is committed */
        usleep(100);
        cache_get_stats(c, &stats);
    } while (stats.queue_bytes > 39 * BLOCK);
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

/* A large set's deletion takes several transactions. One that was cut short
 * goes on at the next start; nobody can see the rest of the set. */
static void
a_deletion_that_was_cut_short(void **state)
{
    uint8_t data[BLOCK] = { 0 }, hash[DIGEST_LEN] = { 1 }, bits[2] = { 0 };
    struct resource r;
    struct cache_stats stats;
    struct cache_verified v = { 0 };
    struct cache_verify_ops ops = { NULL, NULL };
    struct serve_set reader;
    struct db *d;
    char why[256];
    int err = 0;

    (void) state;
    make_resource(&r, 1, 10 * BLOCK);
    if (db_open(folder, 64 * MIB, 0, &d, why, sizeof(why)) != 0) {
        fail_msg("%s", why);
    }
    struct db_record rec = { .id = r.id,
                             .url = r.url,
                             .provider = "",
                             .version = r.version,
                             .size = r.size,
                             .state = DB_LEAVING };
    struct db_txn *t = db_begin(d, &err);
    assert_non_null(t);
    assert_int_equal(db_put_record(t, &rec), 0);
    assert_int_equal(db_put_bits(t, r.id, bits, sizeof(bits)), 0);
    for (uint32_t i = 4; i < 10; i++) {
        assert_int_equal(db_put_block(t, r.id, i, data, BLOCK, hash), 0);
    }
    assert_int_equal(db_end(t, 0), 0);
    db_close(d);
    struct cache *c = open_cache(64 * MIB);
    assert_int_equal(cache_serve_ops.open(c, r.id, NULL, &reader),
                     SHOAL_ENOTFOUND);
    assert_int_equal(fill_all(c, &r), 0); /* waits for it */
    assert_int_equal(check_blocks(c, &r), 10);
    cache_forget(c, r.id);
    cache_get_stats(c, &stats);
    assert_int_equal(stats.used, 0);
    assert_int_equal(cache_verify_astray(c, &ops, &v), 0);
    assert_int_equal(v.astray, 0);
    cache_close(c);
    resource_fini(&r);
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

static int
run(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(survives_kill),
        TEST(refuses_bad_folders),
        TEST(keeps_sets),
        TEST(serves_no_doubtful_copy),
        TEST(empty_file),
        TEST(claims_end_with_the_fill),
        TEST(goes_on),
        TEST(reads_what_is_queued),
        TEST(serves_what_is_queued),
        TEST(drops_blocks),
        TEST(replaces_other_versions),
        TEST(a_deleted_set_reads_as_an_error),
        TEST(a_set_comes_back_while_it_goes),
        TEST(a_reader_of_a_set_that_came_back),
        TEST(a_deletion_that_was_cut_short),
        TEST(survives_a_smaller_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
    return run_in_folder(run);
}
