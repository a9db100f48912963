/* The block cache: what cannot be written. */
#include "cache_unit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "holder.h"

/* LMDB's syncs, too, come here. */
static atomic_bool syncs_fail;

int /* NOLINTNEXTLINE: the header's names are reserved */
fdatasync(int fd)
{
    if (atomic_load(&syncs_fail)) {
        errno = EIO;
        return -1;
    }
    return (int) syscall(SYS_fdatasync, fd);
}

/* No file grows beyond `bytes`; 0: as much as it wants. */
static void
limit_files(uint64_t bytes)
{
    struct rlimit l;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
    l.rlim_cur = bytes > 0 ? bytes : l.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* What was served out of the queue is not held any more when it could not be
 * committed; what is committed stays. */
static void
a_failed_commit_takes_blocks_back(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct rlimit unlimited, small;
    struct cache_stats stats;
    struct cache_set *set;
    struct resource r;
    struct holder h;

    (void) state;
    signal(SIGXFSZ, SIG_IGN);
    make_resource(&r, 1, 200 * BLOCK);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(write_block(c, set, &r, i), 0);
    }
    cache_fill_end(c, set);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    hold_writer(&h);
    for (uint32_t i = 100; i < 200; i++) {
        assert_int_equal(write_block(c, set, &r, i), 0);
    }
    assert_int_equal(check_blocks(c, &r), 120);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    small = unlimited;
    cache_get_stats(c, &stats);
    small.rlim_cur = stats.file_bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    let_go(&h);
    assert_int_not_equal(cache_finish(c, set, root, false), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    assert_int_equal(check_blocks(c, &r), 20);
    cache_get_stats(c, &stats);
    assert_true(stats.commit_errors >= 1);
    assert_int_equal(stats.damaged, 0);
    cache_fill_end(c, set);
    assert_int_equal(fill_all(c, &r), 0);
    assert_int_equal(check_blocks(c, &r), 200);
    cache_close(c);
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

/* A block that is known to be wrong does not come back with the next run. */
static void
a_drop_that_fails_is_not_forgotten(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct cache_stats stats;
    struct cache_set *set;
    struct resource r;
    struct holder h;

    (void) state;
    make_resource(&r, 1, 200 * BLOCK);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(write_block(c, set, &r, i), 0);
    }
    cache_fill_end(c, set);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    hold_writer(&h);
    for (uint32_t i = 100; i < 200; i++) {
        assert_int_equal(write_block(c, set, &r, i), 0);
        if (i == 150) { /* in one transaction with what does not fit */
            cache_drop(c, set, 7);
        }
    }
    cache_get_stats(c, &stats);
    limit_files(stats.file_bytes);
    let_go(&h);
    assert_int_not_equal(cache_finish(c, set, root, false), 0);
    cache_get_stats(c, &stats);
    assert_true(stats.commit_errors >= 1);
    cache_fill_end(c, set);
    limit_files(0);
    cache_close(c);
    c = open_cache(64 * MIB);
    uint32_t held = check_blocks(c, &r);
    assert_true(held >= 19 && held < 200);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    struct serve_set reader;
    assert_int_equal(cache_serve_ops.open(c, r.id, NULL, &reader), 0);
    assert_int_equal(cache_serve_ops.held(c, &reader, 7 * BLOCK, BLOCK), 0);
    cache_serve_ops.close(c, &reader);
    cache_fill_end(c, set);
    cache_close(c);
    resource_fini(&r);
}

struct finishing {
    struct cache *cache;
    struct cache_set *set;
    int err;
};

static void *
finish(void *arg)
{
    struct finishing *f = arg;

    f->err = cache_finish(f->cache, f->set, root, false);
    return NULL;
}

/* Nobody is told that it is complete. */
static void
a_block_is_lost_while_it_is_finished(void **state)
{
    struct finishing f = { .cache = open_cache(64 * MIB) };
    struct cache_info info;
    struct resource r;
    struct holder h;
    pthread_t thread;

    (void) state;
    make_resource(&r, 1, 10 * BLOCK);
    assert_int_equal(cache_fill(f.cache, &r, &f.set), 0);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(write_block(f.cache, f.set, &r, i), 0);
    }
    cache_fill_end(f.cache, f.set); /* all are committed */
    assert_int_equal(cache_fill(f.cache, &r, &f.set), 0);
    hold_writer(&h);
    assert_int_equal(pthread_create(&thread, NULL, finish, &f), 0);
    usleep(100000); /* for it to wait for the writer; else it is too easy */
    cache_drop(f.cache, f.set, 3);
    let_go(&h);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(f.err, SHOAL_EIO);
    assert_int_equal(cache_info(f.cache, r.id, &info), 0);
    assert_false(info.complete);
    cache_info_fini(&info);
    assert_int_equal(write_block(f.cache, f.set, &r, 3), 0);
    assert_int_equal(cache_finish(f.cache, f.set, root, false), 0);
    cache_fill_end(f.cache, f.set);
    cache_close(f.cache);
    resource_fini(&r);
}

static bool
ended_clean(void)
{
    char name[128], mark[8] = "";

    snprintf(name, sizeof(name), "%s/superpeer.lock", folder);
    FILE *f = fopen(name, "re");
    assert_non_null(f);
    assert_true(fread(mark, 1, 5, f) > 0);
    fclose(f);
    return strcmp(mark, "clean") == 0;
}

/* Linux says it once, and the next sync succeeds: what was to be synced may
 * be lost all the same, so that the next start has to look. */
static void
a_sync_fails(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct cache_stats stats;
    struct resource r;

    (void) state;
    make_resource(&r, 1, 10 * BLOCK);
    assert_int_equal(fill_all(c, &r), 0);
    cache_close(c);
    assert_true(ended_clean());
    c = open_cache(64 * MIB);
    cache_forget(c, r.id);
    atomic_store(&syncs_fail, true);
    assert_int_equal(fill_all(c, &r), SHOAL_EIO);
    cache_get_stats(c, &stats);
    assert_true(stats.commit_errors >= 1);
    assert_int_equal(stats.complete, 0);
    atomic_store(&syncs_fail, false);
    assert_int_equal(fill_all(c, &r), 0);
    cache_close(c);
    assert_false(ended_clean());
    c = open_cache(64 * MIB);
    assert_int_equal(check_blocks(c, &r), 10);
    cache_close(c);
    assert_true(ended_clean());
    resource_fini(&r);
}

static int
run(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_failed_commit_takes_blocks_back),
        TEST(survives_a_full_disk),
        TEST(a_drop_that_fails_is_not_forgotten),
        TEST(a_block_is_lost_while_it_is_finished),
        TEST(a_sync_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
    return run_in_folder(run);
}
