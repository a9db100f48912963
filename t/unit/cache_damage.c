/* The block cache: files that are not what was written. */
#include "cache_unit.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
    SETS = 3,
    PAGE = 4096
};

/* A file of three sets, and what it held. */
static struct resource r[SETS];
static uint8_t *whole;
static size_t whole_len;

static void
name_of(const char *file, char out[128])
{
    snprintf(out, 128, "%s/%s", folder, file);
}

static void
load_file(void)
{
    char name[128];
    struct stat st;

    name_of("data.mdb", name);
    assert_int_equal(stat(name, &st), 0);
    whole_len = (size_t) st.st_size;
    whole = malloc(whole_len);
    assert_non_null(whole);
    FILE *f = fopen(name, "re");
    assert_non_null(f);
    assert_int_equal(fread(whole, 1, whole_len, f), whole_len);
    fclose(f);
}

static void
store_file(const uint8_t *data, size_t len)
{
    char name[128];

    name_of("data.mdb", name);
    FILE *f = fopen(name, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static int
begin(void **state)
{
    setup(state);
    struct cache *c = open_cache(64 * MIB);
    for (unsigned i = 0; i < SETS; i++) {
        make_resource(&r[i], i, 12 * BLOCK + 100 * i);
        assert_int_equal(fill_all(c, &r[i]), 0);
    }
    cache_close(c);
    load_file();
    return 0;
}

static int
end(void **state)
{
    (void) state;
    free(whole);
    for (unsigned i = 0; i < SETS; i++) {
        resource_fini(&r[i]);
    }
    return 0;
}

/* How many files were moved aside. */
static unsigned
moved(void)
{
    unsigned n = 0;
    struct dirent *e;

    DIR *d = opendir(folder);
    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        n += strncmp(e->d_name, "data.mdb.damaged-", 17) == 0;
    }
    closedir(d);
    return n;
}

static void
remove_moved(void)
{
    char name[512];
    struct dirent *e;

    DIR *d = opendir(folder);
    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        if (strncmp(e->d_name, "data.mdb.damaged-", 17) == 0) {
            snprintf(name, sizeof(name), "%s/%s", folder, e->d_name);
            unlink(name);
        }
    }
    closedir(d);
}

/* Whatever is read of the set is right; how many blocks were. */
static unsigned
right_blocks(struct cache *c, const struct resource *one)
{
    static uint8_t want[BLOCK], got[BLOCK];
    const struct serve_ops *ops = &cache_serve_ops;
    struct serve_set set;
    unsigned n = 0;

    if (ops->open(c, one->id, NULL, &set) != 0) {
        return 0;
    }
    for (uint32_t i = 0; i < set.count; i++) {
        uint64_t off = (uint64_t) i * BLOCK;
        uint64_t len = ops->held(c, &set, off, BLOCK);

        if (len == 0) {
            continue;
        }
        long read = ops->read(c, &set, off, got, BLOCK);
        if (read > 0) {
            make_block(one, i, want, (size_t) len);
            assert_int_equal(read, (long) len);
            assert_memory_equal(got, want, (size_t) len);
            n++;
        }
    }
    ops->close(c, &set);
    return n;
}

static unsigned
all_right_blocks(struct cache *c)
{
    unsigned n = 0;

    for (unsigned i = 0; i < SETS; i++) {
        n += right_blocks(c, &r[i]);
    }
    return n;
}

enum {
    BLOCKS = 12 + 13 + 13 /* of all sets */
};

/* Whatever was damaged can be fetched again; a cache that LMDB gave up is
 * left for that, as the super peer does. */
static void
fill_again(void)
{
    struct cache *c = open_cache(64 * MIB);
    bool failed = false;

    all_right_blocks(c);
    for (unsigned i = 0; i < SETS && !failed; i++) {
        failed = fill_all(c, &r[i]) != 0;
    }
    cache_close(c);
    if (failed) {
        c = open_cache(64 * MIB);
        assert_int_equal(moved(), 1);
        for (unsigned i = 0; i < SETS; i++) {
            assert_int_equal(fill_all(c, &r[i]), 0);
        }
        cache_close(c);
    }
    c = open_cache(64 * MIB);
    assert_int_equal(all_right_blocks(c), BLOCKS);
    cache_close(c);
}

/* Flips a byte of the block, where the file holds it. */
static void
damage(const struct resource *one, uint32_t block, size_t skip)
{
    static uint8_t data[BLOCK];
    size_t at = 16; /* behind an overflow page's header */

    make_block(one, block, data, BLOCK);
    while (memcmp(whole + at, data, 64) != 0) {
        at += PAGE;
        assert_true(at + 64 < whole_len);
    }
    whole[at + skip] ^= 1;
    store_file(whole, whole_len);
}

/* Not served, not even once, and fetched again. */
static void
a_damaged_block(void **state)
{
    struct cache_info info;
    struct cache_stats stats;
    struct cache_set *set;
    struct serve_set reader;
    char buf[10];

    (void) state;
    damage(&r[1], 5, 100);
    struct cache *c = open_cache(64 * MIB);
    assert_int_equal(cache_serve_ops.open(c, r[1].id, NULL, &reader), 0);
    assert_int_equal(
        cache_serve_ops.read(c, &reader, 5 * BLOCK + 3000, buf, 10),
        SHOAL_EIO);
    cache_serve_ops.close(c, &reader);
    cache_get_stats(c, &stats);
    assert_int_equal(stats.damaged, 1);
    assert_int_equal(stats.complete, SETS - 1);
    cache_close(c);
    c = open_cache(64 * MIB);
    assert_int_equal(check_blocks(c, &r[1]), 12);
    assert_int_equal(cache_info(c, r[1].id, &info), 0);
    assert_false(info.complete);
    cache_info_fini(&info);
    assert_int_equal(cache_fill(c, &r[1], &set), 0);
    assert_int_equal(write_block(c, set, &r[1], 5), 0);
    assert_int_equal(cache_finish(c, set, root, false), 0);
    cache_fill_end(c, set);
    assert_int_equal(check_blocks(c, &r[1]), 13);
    cache_close(c);
    assert_int_equal(moved(), 0);
}

/* The first page of a block has a header that LMDB believes: a wrong one is
 * the block's damage, or nobody's, and not the file's. Each byte of it, and
 * the whole page. */
static void
a_damaged_header(void **state)
{
    static uint8_t data[BLOCK];
    size_t at = 16;

    (void) state;
    make_block(&r[1], 5, data, BLOCK);
    while (memcmp(whole + at, data, 64) != 0) {
        at += PAGE;
    }
    for (size_t i = 0; i <= 16; i++) {
        uint8_t page[PAGE];

        memcpy(page, whole + at - 16, PAGE);
        if (i < 16) {
            whole[at - 16 + i] ^= 0x41;
        } else {
            memset(whole + at - 16, 0, PAGE);
        }
        store_file(whole, whole_len);
        memcpy(whole + at - 16, page, PAGE);
        struct cache *c = open_cache(64 * MIB);
        assert_int_equal(all_right_blocks(c), BLOCKS - (i == 16));
        cache_forget(c, r[1].id);
        assert_int_equal(fill_all(c, &r[1]), 0);
        assert_int_equal(all_right_blocks(c), BLOCKS);
        cache_close(c);
        c = open_cache(64 * MIB);
        assert_int_equal(moved(), 0);
        assert_int_equal(all_right_blocks(c), BLOCKS);
        cache_close(c);
    }
}

/* Pages of LMDB's trees, by their flags. */
static bool
is_tree(size_t page)
{
    uint16_t flags;

    memcpy(&flags, whole + page * PAGE + 10, sizeof(flags));
    return flags == 1 || flags == 2 || flags == 8;
}

/* The disk cannot read the last blocks, as where the file is cut short behind
 * LMDB's back: an error, and no signal. They are dropped, and fetched again. */
static void
pages_that_cannot_be_read(void **state)
{
    char name[128];

    (void) state;
    struct cache *c = open_cache(64 * MIB);
    name_of("data.mdb", name);
    size_t cut = whole_len / PAGE; /* behind all pages of trees */
    while (!is_tree(cut - 1)) {
        cut--;
    }
    assert_int_equal(truncate(name, (off_t) (cut * PAGE)), 0);
    unsigned right = all_right_blocks(c);
    assert_true(right <= BLOCKS);
    assert_int_equal(all_right_blocks(c), right);
    for (unsigned i = 0; i < SETS; i++) {
        assert_int_equal(fill_all(c, &r[i]), 0);
    }
    assert_int_equal(all_right_blocks(c), BLOCKS);
    cache_close(c);
    c = open_cache(64 * MIB);
    assert_int_equal(moved(), 0);
    assert_int_equal(all_right_blocks(c), BLOCKS);
    cache_close(c);
}

static void
expect_anew(void)
{
    struct cache *c = open_cache(64 * MIB);

    assert_int_equal(moved(), 1);
    assert_int_equal(all_right_blocks(c), 0);
    for (unsigned i = 0; i < SETS; i++) {
        assert_int_equal(fill_all(c, &r[i]), 0);
    }
    assert_int_equal(all_right_blocks(c), BLOCKS);
    cache_close(c);
    c = open_cache(64 * MIB);
    assert_int_equal(all_right_blocks(c), BLOCKS);
    cache_close(c);
}

/* No LMDB at all; and one such file is kept, not several. */
static void
rubbish(void **state)
{
    (void) state;
    for (int i = 0; i < 2; i++) {
        memset(whole, "xy"[i], whole_len);
        store_file(whole, whole_len);
        expect_anew();
    }
}

static void
cut_short(void **state)
{
    static const unsigned percent[] = { 99, 60, 10, 1 };

    (void) state;
    for (size_t i = 0; i < sizeof(percent) / sizeof(percent[0]); i++) {
        remove_moved();
        store_file(whole, whole_len / 100 * percent[i]);
        expect_anew();
    }
    remove_moved();
    store_file(whole, 100);
    expect_anew();
}

/* An empty file is as none. */
static void
emptied(void **state)
{
    (void) state;
    store_file(whole, 0);
    struct cache *c = open_cache(64 * MIB);
    assert_int_equal(all_right_blocks(c), 0);
    cache_close(c);
    assert_int_equal(moved(), 0);
}

/* The bytes of one record: its set goes, with its room; the others stay. */
static void
a_damaged_record(void **state)
{
    struct cache_stats stats;
    struct cache_info info;
    unsigned found = 0;

    (void) state;
    for (size_t at = 0; at + 30 < whole_len; at++) {
        if (memcmp(whole + at, "http://cdn.example.com/1", 25) == 0) {
            whole[at + 8] ^= 1; /* in every copy, also of older records */
            found++;
        }
    }
    assert_true(found > 0);
    store_file(whole, whole_len);
    struct cache *c = open_cache(64 * MIB);
    assert_int_equal(moved(), 0);
    cache_get_stats(c, &stats);
    assert_int_equal(stats.sets, SETS - 1);
    assert_int_equal(stats.gone[CACHE_GONE_DAMAGED], 1);
    assert_int_equal(cache_info(c, r[1].id, &info), SHOAL_ENOTFOUND);
    assert_int_equal(all_right_blocks(c), BLOCKS - 13);
    assert_int_equal(fill_all(c, &r[1]), 0);
    assert_int_equal(all_right_blocks(c), BLOCKS);
    cache_close(c);
}

static uint32_t
first_seed(void)
{
    const char *given = getenv("SHOAL_SEED");
    uint32_t seed = given != NULL ? (uint32_t) strtoul(given, NULL, 10)
                                  : (uint32_t) time(NULL);

    print_message("# SHOAL_SEED=%u\n", seed);
    return seed;
}

static uint32_t
next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Bytes of the trees' pages, near their beginning, where LMDB's own data are,
 * and anywhere: noticed, or harmless. */
static void
damaged_pages(void **state)
{
    uint32_t seed = first_seed();
    unsigned pages = 0, aside = 0;

    (void) state;
    log_set_level((enum log_level) - 1);
    for (size_t page = 0; page < whole_len / PAGE; page++) {
        for (int i = 0; is_tree(page) && i < 6; i++) {
            size_t at = page * PAGE + next_random(&seed) % (i < 3 ? 64 : PAGE);
            uint8_t before = whole[at];

            whole[at] ^= (uint8_t) (1 + next_random(&seed) % 255);
            store_file(whole, whole_len);
            whole[at] = before;
            remove_moved();
            fill_again();
            aside += moved();
            pages++;
        }
    }
    log_set_level(LOG_LEVEL_ERROR);
    print_message("# %u damages, %u files moved aside\n", pages, aside);
    assert_true(pages > 50 && aside >= 4);
}

/* Any 64 bytes of the file. */
static void
damaged_anywhere(void **state)
{
    uint32_t seed = first_seed();

    (void) state;
    log_set_level((enum log_level) - 1);
    for (int i = 0; i < 60; i++) {
        size_t at = next_random(&seed) % (whole_len - 64);
        uint8_t before[64];

        memcpy(before, whole + at, sizeof(before));
        for (size_t k = 0; k < sizeof(before); k++) {
            whole[at + k] = (uint8_t) next_random(&seed);
        }
        store_file(whole, whole_len);
        memcpy(whole + at, before, sizeof(before));
        remove_moved();
        fill_again();
    }
    log_set_level(LOG_LEVEL_ERROR);
}

static void
fill_and_die(void)
{
    struct cache *c = open_cache(64 * MIB);
    struct resource one;
    struct cache_set *set;

    make_resource(&one, 9, 100 * BLOCK);
    if (cache_fill(c, &one, &set) == 0) {
        for (uint32_t i = 0; i < 100; i++) {
            write_block(c, set, &one, i);
        }
    }
    raise(SIGKILL);
}

/* After kill -9 the trees are checked, found sound, and kept; and what comes
 * after it is noticed as well. */
static void
after_a_kill(void **state)
{
    int status = 0;

    (void) state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fill_and_die();
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    struct cache *c = open_cache(64 * MIB);
    assert_int_equal(moved(), 0);
    assert_int_equal(all_right_blocks(c), BLOCKS);
    cache_close(c);
}

#define DAMAGE(f) cmocka_unit_test_setup_teardown(f, begin, end)

static int
run(void)
{
    static const struct CMUnitTest tests[] = {
        DAMAGE(after_a_kill), /* first: it forks */
        DAMAGE(a_damaged_block),
        DAMAGE(a_damaged_header),
        DAMAGE(pages_that_cannot_be_read),
        DAMAGE(rubbish),
        DAMAGE(cut_short),
        DAMAGE(emptied),
        DAMAGE(a_damaged_record),
        DAMAGE(damaged_pages),
        DAMAGE(damaged_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
    return run_in_folder(run);
}
