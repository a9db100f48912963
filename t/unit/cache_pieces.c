/* The block cache: blocks that are stored in several pieces. */
#include "cache_unit.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <lmdb.h>

#include "../../superpeer/db.h"

enum {
    KIB = 1024,
    BIG = 256 * KIB,
    PIECES = BIG / BLOCK,
    TAIL = BIG + 100000 /* bytes of a file behind its whole blocks */
};

/* ---- a set of large blocks ---- */

/* Each byte is told by where it is. */
static uint8_t
byte_at(uint64_t off)
{
    return (uint8_t) (off * 7 + (off >> 16) * 13 + (off >> 20));
}

static int
write_big(struct cache *c, struct cache_set *set, const struct blockmap *m,
          uint32_t block)
{
    static uint8_t data[BIG];
    uint8_t hash[DIGEST_LEN];
    size_t len = blockmap_length(m, block);

    for (size_t i = 0; i < len; i++) {
        data[i] = byte_at(blockmap_offset(m, block) + i);
    }
    assert_int_equal(digest_block(data, len, m->size, m->block_size, hash), 0);
    return cache_write(c, set, block, data, len, hash);
}

static void
expect_bytes(const void *buf, uint64_t off, size_t len)
{
    const uint8_t *p = buf;

    for (size_t i = 0; i < len; i++) {
        assert_int_equal(p[i], byte_at(off + i));
    }
}

static void
expect_read(struct cache *c, const struct resource *r, uint64_t off,
            size_t len)
{
    static uint8_t buf[BIG];
    struct serve_set set;

    assert_int_equal(cache_serve_ops.open(c, r->id, NULL, &set), 0);
    assert_int_equal(cache_serve_ops.read(c, &set, off, buf, len), (long) len);
    expect_bytes(buf, off, len);
    cache_serve_ops.close(c, &set);
}

/* So many pieces, of so many bytes together; or none. */
static void
expect_view(struct cache *c, const struct resource *r, uint64_t off,
            uint64_t len, unsigned want)
{
    struct iovec pieces[PIECES + 1];
    struct serve_view view = { .fd = -1, .pieces = pieces, .max = PIECES + 1 };
    struct serve_set set = { 0 };
    uint64_t at = off;

    assert_int_equal(cache_serve_ops.open(c, r->id, NULL, &set), 0);
    assert_int_equal(cache_serve_ops.map(c, &set, &view, off, len), want);
    for (unsigned i = 0; i < want; i++) {
        expect_bytes(pieces[i].iov_base, at, pieces[i].iov_len);
        at += pieces[i].iov_len;
    }
    assert_true(want == 0 || at == off + len);
    cache_serve_ops.close(c, &set);
}

static void
expect_blocks(struct cache *c, const struct resource *r,
              const struct blockmap *m)
{
    uint32_t last = m->count - 1;

    expect_read(c, r, 0, BIG);
    expect_read(c, r, 5, BIG - 5); /* up to the block's end */
    expect_read(c, r, BIG + BLOCK - 1, 2 * BLOCK);
    expect_read(c, r, blockmap_offset(m, last), blockmap_length(m, last));
    expect_view(c, r, BLOCK + 10, BLOCK - 10, 1);
    expect_view(c, r, BLOCK - 10, BIG, PIECES + 1);
    expect_view(c, r, 0, BIG + BLOCK + 1, 0); /* no room for so many */
    expect_view(c, r, blockmap_offset(m, last), blockmap_length(m, last), 2);
}

static void
large_blocks(void **state)
{
    struct cache *c = open_cache((uint64_t) 8192 * MIB);
    struct cache_verified v = { 0 };
    struct cache_verify_ops ops = { NULL, NULL };
    struct cache_set *set;
    struct blockmap m;
    struct resource r;

    (void) state;
    make_resource(&r, 1, (uint64_t) 3072 * MIB + TAIL);
    assert_int_equal(blockmap_init(&m, r.size), 0);
    assert_int_equal(m.block_size, BIG);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    const uint32_t blocks[] = { 0, 1, 2, 300, m.count - 1 };
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        assert_int_equal(write_big(c, set, &m, blocks[i]), 0);
    }
    cache_fill_end(c, set); /* all are committed */
    expect_blocks(c, &r, &m);
    cache_close(c);
    c = open_cache((uint64_t) 8192 * MIB);
    expect_view(c, &r, 0, BIG, 0); /* not yet compared with their hashes */
    expect_blocks(c, &r, &m);
    assert_int_equal(cache_verify(c, r.id, &ops, &v), 0);
    assert_int_equal(v.blocks, 5);
    assert_int_equal(v.wrong, 0);
    assert_int_equal(cache_fill(c, &r, &set), 0);
    cache_drop(c, set, 1);
    cache_drop(c, set, 300);
    assert_int_equal(write_big(c, set, &m, 300), 0);
    cache_fill_end(c, set);
    expect_view(c, &r, BIG, BLOCK, 0);
    expect_read(c, &r, (uint64_t) 300 * BIG, BIG);
    cache_close(c);
    c = open_cache((uint64_t) 8192 * MIB);
    assert_int_equal(cache_verify(c, r.id, &ops, &v), 0);
    assert_int_equal(v.blocks, 5 + 4);
    assert_int_equal(cache_verify_astray(c, &ops, &v), 0);
    cache_forget(c, r.id);
    assert_int_equal(cache_verify_astray(c, &ops, &v), 0);
    assert_int_equal(v.astray, 0);
    cache_close(c);
    blockmap_fini(&m);
    resource_fini(&r);
}

/* Between a list of keys and the look at what they are. */
static bool
forget(void *ctx, const struct cache_verified *so_far)
{
    struct resource r;

    (void) so_far;
    make_resource(&r, 1, 10 * BLOCK);
    cache_forget(ctx, r.id);
    resource_fini(&r);
    return false;
}

static void
a_set_goes_while_keys_are_looked_at(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct cache_verify_ops ops = { forget, c };
    struct cache_verified v = { 0 };
    struct resource r;

    (void) state;
    make_resource(&r, 1, 10 * BLOCK);
    assert_int_equal(fill_all(c, &r), 0);
    assert_int_equal(cache_verify_astray(c, &ops, &v), 0);
    assert_int_equal(n_left, 1);
    assert_int_equal(v.astray, 0);
    cache_close(c);
    resource_fini(&r);
}

/* ---- the file, when sets come and go ---- */

enum {
    CACHE = 96 * MIB,
    SETS = 240,
    PARALLEL = 4
};

struct filled {
    uint8_t id[20];
    uint32_t block_size, blocks, put;
    uint64_t bytes; /* that it takes of the file */
    bool live;
};

struct churn {
    struct db *d;
    struct filled sets[SETS];
    unsigned n;
    uint64_t live;
    uint32_t random;
};

static uint32_t
next_random(struct churn *ch)
{
    ch->random = ch->random * 1664525 + 1013904223;
    return ch->random >> 8;
}

static void
begin_set(struct churn *ch)
{
    struct filled *s = &ch->sets[ch->n];
    uint32_t number = next_random(ch);

    memset(s, 0, sizeof(*s));
    memcpy(s->id, &number, sizeof(number));
    memcpy(s->id + 4, &ch->n, sizeof(ch->n));
    s->block_size = next_random(ch) % 100 < 30 ? BIG : BLOCK;
    s->blocks = (2 + next_random(ch) % 4) * (MIB / s->block_size);
    s->bytes =
        (uint64_t) s->blocks * (s->block_size / BLOCK) * (BLOCK + 4096 + 192)
        + 16384;
    ch->live += s->bytes;
    ch->n++;
}

static void
delete_set(struct churn *ch, struct filled *s)
{
    struct db_record rec = { .id = s->id,
                             .url = "u",
                             .provider = "",
                             .version = "",
                             .size = (uint64_t) s->blocks * s->block_size,
                             .state = DB_LEAVING };

    assert_int_equal(db_delete(ch->d, &rec), 0);
    s->live = false;
    ch->live -= s->bytes;
}

/* As the cache does, but of those that are there any one. */
static void
make_room(struct churn *ch)
{
    bool over = ch->live > CACHE / 100 * 85;

    while (over && ch->live > CACHE / 100 * 80) {
        struct filled *s = &ch->sets[next_random(ch) % ch->n];

        if (s->live) {
            delete_set(ch, s);
        }
    }
}

/* 256 KiB of a set; false when it is whole. */
static bool
put_some(struct db_txn *t, struct filled *s)
{
    static const uint8_t data[BIG], hash[DIGEST_LEN] = { 1 };
    bool more = s->put < s->blocks;

    for (uint32_t n = 0; n < BIG && s->put < s->blocks; n += s->block_size) {
        assert_int_equal(
            db_put_block(t, s->id, s->put++, data, s->block_size, hash), 0);
    }
    return more;
}

static bool
put_some_of_each(struct db_txn *t, struct filled *first)
{
    bool more = false;

    for (int i = 0; i < PARALLEL; i++) {
        more = put_some(t, &first[i]) || more;
    }
    return more;
}

/* Four sets are filled at once, so that their blocks lie among each other's,
 * and others were deleted for them. */
static void
fill_some(struct churn *ch)
{
    struct filled *first = &ch->sets[ch->n];
    bool more = true;

    for (int i = 0; i < PARALLEL; i++) {
        begin_set(ch);
    }
    make_room(ch);
    while (more) {
        int err = 0;

        struct db_txn *t = db_begin(ch->d, &err);
        assert_non_null(t);
        more = false;
        for (int round = 0; round < 4; round++) {
            more = put_some_of_each(t, first);
        }
        assert_int_equal(db_end(t, 0), 0);
    }
    for (int i = 0; i < PARALLEL; i++) {
        first[i].live = true;
    }
}

/* Blocks of all sizes fit into what others have left: the file does not grow
 * to its limit, where there is room for nothing. */
static void
holes_are_filled(void **state)
{
    struct churn *ch = calloc(1, sizeof(*ch));
    uint64_t map, file = 0, settled = 0;
    char why[256];

    (void) state;
    assert_non_null(ch);
    ch->random = 3;
    if (db_open(folder, CACHE, 0, &ch->d, why, sizeof(why)) != 0) {
        fail_msg("%s", why);
    }
    while (ch->n + PARALLEL <= SETS) {
        fill_some(ch);
        db_sizes(ch->d, &map, &file);
        if (ch->n == SETS / 4) {
            settled = file;
        }
    }
    print_message("# the file: %llu KiB after a quarter, %llu in the end\n",
                  (unsigned long long) settled / KIB,
                  (unsigned long long) file / KIB);
    assert_true(file <= CACHE / 100 * 95);
    assert_true(file - settled <= CACHE / 100 * 6);
    db_close(ch->d);
    free(ch);
}

/* ---- files of other versions ---- */

static void
set_format(uint32_t format)
{
    MDB_val key = { 6, (void *) (uintptr_t) "format" };
    MDB_val data = { sizeof(format), &format };
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi info;

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
    assert_int_equal(mdb_env_open(env, folder, MDB_NOTLS, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "info", 0, &info), 0);
    assert_int_equal(mdb_put(txn, info, &key, &data, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

/* Neither is understood, and neither ends in an error. */
static void
another_format(void **state)
{
    static const uint32_t formats[] = { 1, 3 };
    struct resource r;

    (void) state;
    make_resource(&r, 1, 4 * BLOCK);
    for (size_t i = 0; i < 2; i++) {
        struct cache_info info;
        struct cache *c = open_cache(64 * MIB);

        assert_int_equal(fill_all(c, &r), 0);
        cache_close(c);
        set_format(formats[i]);
        c = open_cache(64 * MIB);
        assert_int_equal(cache_info(c, r.id, &info), SHOAL_ENOTFOUND);
        assert_int_equal(fill_all(c, &r), 0);
        cache_close(c);
        c = open_cache(64 * MIB);
        assert_int_equal(check_blocks(c, &r), 4);
        cache_close(c);
    }
    resource_fini(&r);
}

static int
run(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(large_blocks),
        TEST(a_set_goes_while_keys_are_looked_at),
        TEST(holes_are_filled),
        TEST(another_format),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
    return run_in_folder(run);
}
