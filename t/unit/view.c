/* Blocks that are sent from where they lie in LMDB's map. */
#include "unit.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../superpeer/cache.h"
#include "blockmap.h"
#include "digest.h"
#include "resource.h"
#include "shoal.h"

enum {
    BLOCK = 65536,
    MIB = 1 << 20,
    TAIL = 5000, /* bytes of the last block: more than a page */
    PIECES = 400
};

static char folder[] = "/tmp/shoal-view-XXXXXX";

static int
setup(void **state)
{
    char name[128];

    (void) state;
    snprintf(name, sizeof(name), "%s/data.mdb", folder);
    unlink(name);
    return 0;
}

static struct cache *
open_cache(void)
{
    struct cache_options o = { .path = folder, .size = 64 * MIB };
    struct cache *c;
    char why[256];

    if (cache_open(&o, &c, why, sizeof(why)) != 0) {
        fail_msg("%s", why);
    }
    return c;
}

static uint8_t
byte_at(unsigned number, uint64_t off)
{
    return (uint8_t) (off * 7 + (off >> 16) * 3 + number);
}

static void
write_block(struct cache *c, struct cache_set *set, uint64_t size,
            unsigned number, uint32_t block)
{
    static uint8_t data[BLOCK];
    uint8_t hash[DIGEST_LEN];
    uint64_t off = (uint64_t) block * BLOCK;
    size_t len = size - off < BLOCK ? (size_t) (size - off) : BLOCK;

    for (size_t i = 0; i < len; i++) {
        data[i] = byte_at(number, off + i);
    }
    assert_int_equal(digest_block(data, len, size, BLOCK, hash), 0);
    assert_int_equal(cache_write(c, set, block, data, len, hash), 0);
}

static void
make_resource(struct resource *r, unsigned number, uint64_t size)
{
    char url[64];

    snprintf(url, sizeof(url), "http://cdn.example.com/%u", number);
    assert_int_equal(resource_init(r, url, size, NULL, "etag:\"x\""), 0);
}

static struct cache_set *
fill(struct cache *c, const struct resource *r, unsigned number)
{
    static const uint8_t root[DIGEST_LEN] = { 1 };
    uint32_t count = (uint32_t) ((r->size + BLOCK - 1) / BLOCK);
    struct cache_set *set;

    assert_int_equal(cache_fill(c, r, &set), 0);
    for (uint32_t i = 0; i < count; i++) {
        write_block(c, set, r->size, number, i);
    }
    assert_int_equal(cache_finish(c, set, root, false), 0);
    return set;
}

/* A reader of some bytes, and the other end of its connection. */
struct reader {
    struct serve_set set;
    struct serve_view view;
    struct iovec pieces[PIECES];
    unsigned n;
    uint64_t off, len;
    int peer;
};

static void
look(struct cache *c, const struct resource *r, uint64_t off, uint64_t len,
     struct reader *out)
{
    int fds[2];

    memset(out, 0, sizeof(*out));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(cache_serve_ops.open(c, r->id, NULL, &out->set), 0);
    out->peer = fds[1];
    out->off = off;
    out->len = len;
    out->view.fd = fds[0];
    out->view.pieces = out->pieces;
    out->view.max = PIECES;
    out->n = cache_serve_ops.map(c, &out->set, &out->view, off, len);
}

static void
look_away(struct cache *c, struct reader *r)
{
    cache_serve_ops.close(c, &r->set);
    close(r->view.fd);
    close(r->peer);
}

static bool
is_right(const struct iovec *piece, unsigned number, uint64_t off)
{
    const uint8_t *p = piece->iov_base;

    for (size_t i = 0; i < piece->iov_len; i++) {
        if (p[i] != byte_at(number, off + i)) {
            return false;
        }
    }
    return true;
}

static void
check_bytes(const struct reader *r, unsigned number)
{
    uint64_t off = r->off;

    for (unsigned i = 0; i < r->n; i++) {
        assert_true(is_right(&r->pieces[i], number, off));
        off += r->pieces[i].iov_len;
    }
    assert_true(off == r->off + r->len);
}

static bool
is_broken(const struct reader *r)
{
    char byte;

    return recv(r->peer, &byte, 1, MSG_DONTWAIT) == 0;
}

static const struct {
    uint64_t off, len;
    unsigned n;
} shown[] = {
    { 0, 1, 1 },
    { 0, BLOCK, 1 },
    { 1, BLOCK, 2 },
    { BLOCK - 1, 2, 2 },
    { 100, 3 * BLOCK, 4 },
    { 0, 10 * BLOCK + TAIL, 11 },
    { 10 * BLOCK + 1, TAIL - 1, 1 },
};

static void
shows_bytes_where_they_lie(void **state)
{
    struct cache *c = open_cache();
    struct resource r;
    struct reader reader;

    (void) state;
    make_resource(&r, 1, 10 * BLOCK + TAIL);
    cache_fill_end(c, fill(c, &r, 1));
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        look(c, &r, shown[i].off, shown[i].len, &reader);
        assert_int_equal(reader.n, shown[i].n);
        check_bytes(&reader, 1);
        look_away(c, &reader);
    }
    cache_close(c);
    resource_fini(&r);
}

/* 0: these have to be read(). */
static void
does_not_show_everything(void **state)
{
    struct cache *c = open_cache();
    struct resource r;
    struct reader reader;

    (void) state;
    make_resource(&r, 1, 500 * BLOCK + 1000);
    cache_fill_end(c, fill(c, &r, 1));
    look(c, &r, 0, PIECES * BLOCK, &reader);
    assert_int_equal(reader.n, PIECES);
    look_away(c, &reader);
    look(c, &r, 1, PIECES * BLOCK, &reader);
    assert_int_equal(reader.n, 0); /* no room */
    look_away(c, &reader);
    look(c, &r, 499 * BLOCK, BLOCK + 1, &reader);
    assert_int_equal(reader.n, 0); /* a short block moves with the tree */
    look_away(c, &reader);
    cache_close(c);
    c = open_cache();
    look(c, &r, 0, BLOCK, &reader);
    assert_int_equal(reader.n, 0); /* of an earlier run, not yet compared */
    char byte;
    assert_int_equal(cache_serve_ops.read(c, &reader.set, 0, &byte, 1), 1);
    look_away(c, &reader);
    look(c, &r, 0, BLOCK, &reader);
    assert_int_equal(reader.n, 1);
    check_bytes(&reader, 1);
    look_away(c, &reader);
    cache_close(c);
    resource_fini(&r);
}

static void
put_out_of_memory(void)
{
    char name[128];

    snprintf(name, sizeof(name), "%s/data.mdb", folder);
    int fd = open(name, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fdatasync(fd), 0);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

static unsigned
how_many(struct cache *c, const struct resource *r, uint64_t len)
{
    struct reader reader;

    look(c, r, 0, len, &reader);
    unsigned n = reader.n;
    look_away(c, &reader);
    return n;
}

/* As who serves many does: without a wait for the disk. */
static void
read_all(struct cache *c, const struct serve_set *set, uint64_t off,
         uint64_t len)
{
    static uint8_t buf[BLOCK];
    struct rusage before, after;

    getrusage(RUSAGE_THREAD, &before);
    for (uint64_t end = off + len; off < end; off += BLOCK) {
        assert_int_equal(cache_serve_ops.read(c, set, off, buf, BLOCK), BLOCK);
        assert_int_equal(buf[7], byte_at(1, off + 7));
    }
    getrusage(RUSAGE_THREAD, &after);
    assert_int_equal(after.ru_majflt, before.ru_majflt);
}

static void
bring_some(struct cache *c, const struct resource *r, struct serve_set *set)
{
    const struct serve_ops *ops = &cache_serve_ops;

    assert_int_equal(how_many(c, r, SERVE_WARM), SERVE_WARM / BLOCK);
    assert_int_equal(how_many(c, r, SERVE_WARM + 1), 0);
    for (uint64_t off = 0; off < 20 * MIB; off += 8 * MIB) {
        ops->warm(c, set, off, SERVE_WARM);
        assert_false(ops->cold(c, set, off, SERVE_WARM));
        read_all(c, set, off, SERVE_WARM);
    }
    assert_true(ops->cold(c, set, 7 * MIB, 100));
    assert_int_equal(how_many(c, r, 20 * MIB), 0); /* not in its middle */
    ops->warm(c, set, 4 * MIB, SERVE_WARM);
    ops->warm(c, set, 12 * MIB, SERVE_WARM);
    assert_int_equal(how_many(c, r, 20 * MIB), 20 * MIB / BLOCK);
}

/* What is not in memory is told, wherever it lies, and brought when asked. */
static void
cold_ones_are_brought(void **state)
{
    struct cache *c = open_cache();
    struct serve_set set = { .size = 0 };
    struct resource r;

    (void) state;
    make_resource(&r, 1, 20 * MIB);
    cache_fill_end(c, fill(c, &r, 1));
    put_out_of_memory();
    assert_int_equal(cache_serve_ops.open(c, r.id, NULL, &set), 0);
    bool can_be_cold = cache_serve_ops.cold(c, &set, 0, SERVE_WARM);
    if (can_be_cold) {
        bring_some(c, &r, &set);
    }
    cache_serve_ops.close(c, &set);
    cache_close(c);
    resource_fini(&r);
    if (!can_be_cold) {
        skip(); /* the file system is memory */
    }
}

/* Of an earlier run: compared at the same time. */
static void
unchecked_ones_are_cold(void **state)
{
    struct cache *c = open_cache();
    struct serve_set set = { .size = 0 };
    struct resource r;

    (void) state;
    make_resource(&r, 1, 4 * MIB);
    cache_fill_end(c, fill(c, &r, 1));
    cache_close(c);
    c = open_cache();
    assert_int_equal(cache_serve_ops.open(c, r.id, NULL, &set), 0);
    assert_true(cache_serve_ops.cold(c, &set, MIB + 100, MIB));
    assert_int_equal(how_many(c, &r, 2 * MIB), 0);
    cache_serve_ops.warm(c, &set, 100, 2 * MIB - 100);
    assert_false(cache_serve_ops.cold(c, &set, 0, 2 * MIB));
    assert_true(cache_serve_ops.cold(c, &set, 0, 2 * MIB + 1));
    assert_int_equal(how_many(c, &r, 2 * MIB), 2 * MIB / BLOCK);
    cache_serve_ops.close(c, &set);
    cache_close(c);
    resource_fini(&r);
}

/* As much as the deleted set had room for is written, and not over it. */
static void
a_deleted_set_stays_where_it_was(void **state)
{
    struct cache *c = open_cache();
    struct resource r[4];
    struct reader reader;

    (void) state;
    for (unsigned i = 0; i < 4; i++) {
        make_resource(&r[i], i, 20 * MIB);
    }
    cache_fill_end(c, fill(c, &r[0], 0));
    look(c, &r[0], 12345, 300 * BLOCK, &reader);
    assert_int_equal(reader.n, 301);
    assert_false(is_broken(&reader));
    cache_forget(c, r[0].id);
    assert_true(is_broken(&reader));
    cache_fill_end(c, fill(c, &r[1], 1));
    check_bytes(&reader, 0);
    look_away(c, &reader);
    /* its room is used again: both would not fit beside it */
    cache_fill_end(c, fill(c, &r[2], 2));
    cache_forget(c, r[1].id);
    cache_fill_end(c, fill(c, &r[3], 3));
    look(c, &r[3], 0, 320 * BLOCK, &reader);
    check_bytes(&reader, 3);
    look_away(c, &reader);
    cache_close(c);
    for (unsigned i = 0; i < 4; i++) {
        resource_fini(&r[i]);
    }
}

static void
a_dropped_block_stays_where_it_was(void **state)
{
    struct cache *c = open_cache();
    struct resource r, other;
    struct reader reader, aside;

    (void) state;
    make_resource(&r, 1, 20 * BLOCK);
    make_resource(&other, 2, 100 * BLOCK);
    struct cache_set *set = fill(c, &r, 1);
    look(c, &r, 5 * BLOCK, 5 * BLOCK, &reader);
    look(c, &r, 0, 5 * BLOCK, &aside);
    cache_drop(c, set, 7);
    assert_true(is_broken(&reader));
    assert_false(is_broken(&aside));
    write_block(c, set, r.size, 99, 7);
    cache_fill_end(c, set);
    cache_fill_end(c, fill(c, &other, 2));
    check_bytes(&reader, 1);
    check_bytes(&aside, 1);
    look_away(c, &reader);
    look_away(c, &aside);
    look(c, &r, 7 * BLOCK, BLOCK, &reader);
    check_bytes(&reader, 99);
    look_away(c, &reader);
    cache_close(c);
    resource_fini(&r);
    resource_fini(&other);
}

/* There is somebody who looks at the set at any time. That keeps what was
 * dropped for those who saw it, and not for those who came later: else no page
 * would be used again. */
static void
those_who_come_later_hold_nothing(void **state)
{
    struct cache *c = open_cache();
    struct cache_stats stats;
    struct resource r, other;
    struct reader reader[2];

    (void) state;
    make_resource(&r, 1, 20 * BLOCK);
    struct cache_set *set = fill(c, &r, 1);
    look(c, &r, 5 * BLOCK, 5 * BLOCK, &reader[0]);
    cache_drop(c, set, 7);
    cache_fill_end(c, set);
    for (unsigned i = 1; i < 20; i++) {
        look(c, &r, 0, 2 * BLOCK, &reader[i % 2]);
        assert_int_equal(reader[i % 2].n, 2);
        look_away(c, &reader[(i + 1) % 2]);
        make_resource(&other, 1 + i, 8 * MIB);
        cache_fill_end(c, fill(c, &other, 1 + i));
        cache_forget(c, other.id);
        resource_fini(&other);
    }
    check_bytes(&reader[1], 1);
    look_away(c, &reader[1]);
    cache_get_stats(c, &stats);
    assert_true(stats.file_bytes < 32 * MIB);
    cache_close(c);
    resource_fini(&r);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shows_bytes_where_they_lie),
        TEST(does_not_show_everything),
        TEST(cold_ones_are_brought),
        TEST(unchecked_ones_are_cold),
        TEST(a_deleted_set_stays_where_it_was),
        TEST(a_dropped_block_stays_where_it_was),
        TEST(those_who_come_later_hold_nothing),
    };

    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[160];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command) == 0 ? failed : 1;
}
