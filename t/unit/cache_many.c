/* The block cache with a hundred thousand sets: it starts soon, without
 * reading blocks, and nobody waits long for the lock. */
#include "cache_unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../../superpeer/db.h"
#include "clock.h"

enum {
    SETS = 100000,
    SMALL = 100,       /* bytes: kept beside their keys */
    BIG_BLOCKS = 1024, /* of one set, in pages of their own */
    BATCH = 2000,      /* sets, of one transaction */
#ifdef __SANITIZE_ADDRESS__
    START_MS = 10000,
#else
    START_MS = 2000, /* what was promised */
#endif
    COLD_MS = 15000,    /* for a disk of which nothing is known */
    PATIENCE_MS = 1000, /* for the lock; a walk over all takes less, too, but
                           not on such a machine */
    SIZE_GIB = 16
};

static uint64_t
size(void)
{
    return (uint64_t) SIZE_GIB << 30;
}

/* As the writer would have stored it, but for the waiting. */
static void
put_set(struct db_txn *t, unsigned number)
{
    uint8_t data[SMALL], hash[DIGEST_LEN], bits = 0x80;
    struct resource r;

    make_resource(&r, number, SMALL);
    make_block(&r, 0, data, SMALL);
    assert_int_equal(digest_block(data, SMALL, SMALL, BLOCK, hash), 0);
    struct db_record rec = { .id = r.id,
                             .url = r.url,
                             .provider = r.provider,
                             .version = r.version,
                             .size = SMALL,
                             .last_use_us = 1 + number,
                             .state = DB_COMPLETE };
    assert_int_equal(db_put_record(t, &rec), 0);
    assert_int_equal(db_put_bits(t, r.id, &bits, 1), 0);
    assert_int_equal(db_put_block(t, r.id, 0, data, SMALL, hash), 0);
    resource_fini(&r);
}

static struct resource big;

static int
build(void **state)
{
    struct db *d;
    char why[256];
    int err = 0;

    (void) state;
    remove_files();
    if (db_open(folder, size(), 0, &d, why, sizeof(why)) != 0) {
        fail_msg("%s", why);
    }
    for (unsigned i = 0; i < SETS; i += BATCH) {
        struct db_txn *t = db_begin(d, &err);

        assert_non_null(t);
        for (unsigned k = 0; k < BATCH; k++) {
            put_set(t, i + k);
        }
        assert_int_equal(db_end(t, 0), 0);
    }
    assert_int_equal(db_sync(d), 0);
    db_close(d);
    make_resource(&big, SETS, (uint64_t) BIG_BLOCKS * BLOCK);
    struct cache *c = open_cache(size());
    assert_int_equal(fill_all(c, &big), 0);
    cache_close(c);
    return 0;
}

static int
unbuild(void **state)
{
    (void) state;
    resource_fini(&big);
    return remove_files();
}

/* Pages of the file that are in memory, and how many it has. */
static size_t
resident(bool forget, size_t *pages)
{
    char name[128];
    struct stat st;
    size_t n = 0;

    snprintf(name, sizeof(name), "%s/data.mdb", folder);
    int fd = open(name, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    if (forget) {
        assert_int_equal(fsync(fd), 0);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    }
    *pages = (size_t) st.st_size / 4096;
    void *map = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    unsigned char *in = malloc(*pages + 1);
    assert_true(map != MAP_FAILED);
    assert_non_null(in);
    assert_int_equal(mincore(map, (size_t) st.st_size, in), 0);
    for (size_t i = 0; i < *pages; i++) {
        n += in[i] & 1;
    }
    munmap(map, (size_t) st.st_size);
    free(in);
    close(fd);
    return n;
}

/* Others may use the machine as well. */
static uint64_t
cpu_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t) ts.tv_sec * 1000 + (uint64_t) ts.tv_nsec / 1000000;
}

static struct cache *
timed_open(const char *how, bool forget)
{
    size_t pages, before = resident(forget, &pages);
    uint64_t begun = clock_ms(), cpu_begun = cpu_ms();
    struct cache *c = open_cache(size());
    uint64_t ms = clock_ms() - begun;
    uint64_t cpu = cpu_ms() - cpu_begun;
    size_t after = resident(false, &pages);
    size_t read = after > before ? after - before : 0;
    struct cache_stats stats;

    print_message("# %s: %u ms, %u of them at work, %zu of %zu pages read\n",
                  how, (unsigned) ms, (unsigned) cpu, read, pages);
    cache_get_stats(c, &stats);
    assert_int_equal(stats.sets, SETS + 1);
    assert_int_equal(stats.complete, SETS + 1);
    assert_true(cpu < START_MS);
    assert_true(ms < COLD_MS);
    /* Where nothing could be forgotten (tmpfs), nothing can be told. */
    if (before < pages / 10) {
        assert_true(read < pages - (size_t) BIG_BLOCKS * BLOCK / 4096 / 2);
    }
    return c;
}

static void
open_and_die(void)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        open_cache(size());
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void
starts_soon(void **state)
{
    (void) state;
    cache_close(timed_open("after a clean end", false));
    open_and_die();
    cache_close(timed_open("after kill -9", false));
    cache_close(timed_open("after a clean end, nothing in memory", true));
    open_and_die();
    struct cache *c = timed_open("after kill -9, nothing in memory", true);
    assert_int_equal(check_blocks(c, &big), BIG_BLOCKS);
    cache_close(c);
}

/* A reader that never rests, and the longest that it had to wait. */
struct reader {
    struct cache *cache;
    pthread_t thread;
    atomic_bool stop;
    uint64_t longest_ms, rounds;
};

static void *
read_on(void *arg)
{
    struct reader *r = arg;
    struct serve_set set;
    uint8_t buf[1000];

    while (!atomic_load(&r->stop)) {
        uint64_t begun = clock_ms();

        if (cache_serve_ops.open(r->cache, big.id, NULL, &set) == 0) {
            cache_serve_ops.read(r->cache, &set, r->rounds % 512 * BLOCK, buf,
                                 sizeof(buf));
            cache_serve_ops.close(r->cache, &set);
            r->rounds++;
        }
        uint64_t ms = clock_ms() - begun;
        r->longest_ms = ms > r->longest_ms ? ms : r->longest_ms;
        usleep(200);
    }
    return NULL;
}

/* Lists for announcements, a set that thousands of the others have to go for,
 * and half of them read: a reader goes on meanwhile. */
static void
nobody_waits(void **state)
{
    struct cache *c = open_cache(size());
    struct reader r = { .cache = c };
    struct cache_info *list;
    struct cache_stats stats;
    struct cache_set *set;
    struct serve_set one;
    struct resource huge;
    size_t n;

    (void) state;
    assert_int_equal(pthread_create(&r.thread, NULL, read_on, &r), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(cache_list(c, &list, &n), 0);
        assert_int_equal(n, SETS + 1);
        for (size_t k = 0; i == 0 && k < n; k += 2) {
            assert_int_equal(cache_serve_ops.open(c, list[k].id, NULL, &one),
                             0);
            cache_serve_ops.close(c, &one);
        }
        cache_list_free(list, n);
    }
    cache_get_stats(c, &stats);
    make_resource(&huge, SETS + 1,
                  stats.size / 100 * 85 - stats.used / 100 * 97);
    uint64_t begun = clock_ms();
    assert_int_equal(cache_fill(c, &huge, &set), 0);
    print_message("# %u sets evicted in %u ms\n", n_left,
                  (unsigned) (clock_ms() - begun));
    atomic_store(&r.stop, true);
    pthread_join(r.thread, NULL);
    print_message("# a reader waited %u ms at most, of %u reads\n",
                  (unsigned) r.longest_ms, (unsigned) r.rounds);
    assert_true(n_left > SETS / 50);
    assert_true(r.rounds > 100);
    assert_true(r.longest_ms < PATIENCE_MS);
    cache_fill_end(c, set);
    cache_close(c);
    resource_fini(&huge);
}

static int
run(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_soon), /* first: it forks */
        cmocka_unit_test(nobody_waits),
    };

    return cmocka_run_group_tests(tests, build, unbuild);
}

int
main(void)
{
    return run_in_folder(run);
}
