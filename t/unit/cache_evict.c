/* The block cache: who has to go. */
#include "cache_unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "../../superpeer/db.h"

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
    /* None was read from two addresses, so all are on probation. */
    assert_int_equal(stats.gone[CACHE_GONE_PROBATION], n_left);
    for (unsigned i = 0; i < n_left; i++) {
        unsigned want = i < 6 ? order[i] : i;

        assert_true(i < 64);
        assert_memory_equal(left[i], r[want].id, 20);
    }
    assert_int_equal(n_left + stats.sets, 60);
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

/* Who only waits for what becomes of it hears that it goes. */
static void
a_poll_keeps_nothing(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct resource big, other;
    struct serve_set poll;
    struct cache_set *set = NULL;

    (void) state;
    make_resource(&big, 1, 45 * MIB);
    make_resource(&other, 2, 20 * MIB);
    assert_int_equal(fill_all(c, &big), 0);
    assert_int_equal(cache_serve_ops.open(c, big.id, NULL, &poll), 0);
    cache_serve_ops.idle(c, &poll);
    assert_int_equal(cache_fill(c, &other, &set), 0);
    cache_fill_end(c, set);
    assert_int_equal(n_left, 1);
    assert_null(cache_serve_ops.log(c, &poll));
    cache_serve_ops.close(c, &poll);
    cache_close(c);
    resource_fini(&big);
    resource_fini(&other);
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

/* The host with this number reads a byte of it, or sees where it lies; others
 * only look for what there is. */
static void
read_from(struct cache *c, const struct resource *r, unsigned host, bool v6)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(0xc0000200 + host) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    const struct sockaddr *from = (struct sockaddr *) &in;
    struct iovec piece;
    struct serve_view view = { .fd = -1, .pieces = &piece, .max = 1 };
    struct serve_set set;
    char byte;

    if (v6) { /* of one /64 each */
        in6.sin6_addr.s6_addr[0] = 0x20;
        in6.sin6_addr.s6_addr[7] = (uint8_t) (host / 16);
        in6.sin6_addr.s6_addr[15] = (uint8_t) host;
        from = (struct sockaddr *) &in6;
    }
    assert_int_equal(cache_serve_ops.open(c, r->id, from, &set), 0);
    if (v6) {
        assert_int_equal(cache_serve_ops.map(c, &set, &view, 0, 1), 1);
    } else {
        assert_int_equal(cache_serve_ops.read(c, &set, 0, &byte, 1), 1);
    }
    cache_serve_ops.close(c, &set);
}

static void
look_from(struct cache *c, const struct resource *r, unsigned host)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(0xc0000200 + host) };
    struct serve_set set;
    uint8_t bits[40];
    uint64_t cursor;

    assert_int_equal(
        cache_serve_ops.open(c, r->id, (struct sockaddr *) &in, &set), 0);
    assert_int_equal(cache_serve_ops.have(c, &set, bits, &cursor), 0);
    cache_serve_ops.close(c, &set);
}

static bool
on_probation(struct cache *c, const struct resource *r)
{
    struct cache_info info;

    assert_int_equal(cache_info(c, r->id, &info), 0);
    bool probation = info.probation;
    cache_info_fini(&info);
    return probation;
}

/* Who was read from two addresses is kept, although it was used longer ago
 * than what nobody, or one address alone, came back for. */
static void
those_on_probation_go_first(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct cache_stats stats;
    struct resource proven, r[20];

    (void) state;
    make_resource(&proven, 100, 20 * MIB);
    assert_int_equal(fill_all(c, &proven), 0);
    look_from(c, &proven, 1);
    look_from(c, &proven, 2);
    read_from(c, &proven, 1, false);
    read_from(c, &proven, 1, false);
    look_from(c, &proven, 2);
    assert_true(on_probation(c, &proven));
    read_from(c, &proven, 2, false);
    assert_false(on_probation(c, &proven));
    for (unsigned i = 0; i < 20; i++) {
        make_resource(&r[i], i, 8 * MIB);
        assert_int_equal(fill_all(c, &r[i]), 0);
        read_from(c, &r[i], 3, false);
    }
    assert_int_equal(check_blocks(c, &proven), 320);
    cache_get_stats(c, &stats);
    assert_int_equal(stats.gone[CACHE_GONE_PROBATION], n_left);
    assert_int_equal(stats.gone[CACHE_GONE_ROOM], 0);
    assert_true(n_left >= 16);
    cache_close(c);
    c = open_cache(64 * MIB); /* it is stored */
    assert_false(on_probation(c, &proven));
    assert_true(on_probation(c, &r[19]));
    cache_close(c);
    resource_fini(&proven);
    for (unsigned i = 0; i < 20; i++) {
        resource_fini(&r[i]);
    }
}

/* Those on probation keep a tenth: a proven one that was used longer ago goes
 * before them. */
static void
probation_keeps_a_tenth(void **state)
{
    struct cache *c = open_cache(64 * MIB);
    struct resource r[8];

    (void) state;
    for (unsigned i = 0; i < 8; i++) {
        make_resource(&r[i], i, i == 6 ? 2 * MIB : 8 * MIB);
        assert_int_equal(fill_all(c, &r[i]), 0);
        if (i < 6) {
            read_from(c, &r[i], 1, true);
            read_from(c, &r[i], 2, true); /* the same /64 */
            assert_true(on_probation(c, &r[i]));
            read_from(c, &r[i], 17, true);
            assert_false(on_probation(c, &r[i]));
        }
        if (i == 6) { /* a third one: small enough to stay */
            make_resource(&r[7], 50, 2 * MIB);
            assert_int_equal(fill_all(c, &r[7]), 0);
            resource_fini(&r[7]);
        }
    }
    /* 8 MiB more than a tenth with it: those on probation go, oldest first,
     * then the proven. */
    assert_true(n_left >= 2);
    assert_memory_equal(left[0], r[0].id, 20);
    cache_close(c);
    for (unsigned i = 0; i < 8; i++) {
        resource_fini(&r[i]);
    }
}

/* A tracker was just told of it: then it stays for a while. */
static void
keeps_what_is_pinned(void **state)
{
    struct cache_options o = { .size = 64 * MIB, .pin_ms = 1500 };
    struct cache *c = open_with(&o);
    struct resource big, other;
    struct cache_set *set = NULL;
    int tries = 0;

    (void) state;
    make_resource(&big, 1, 45 * MIB);
    make_resource(&other, 2, 20 * MIB);
    assert_int_equal(fill_all(c, &big), 0);
    cache_pin(c, big.id);
    assert_int_equal(cache_fill(c, &other, &set), SHOAL_EFULL);
    assert_int_equal(n_left, 0);
    while (cache_fill(c, &other, &set) == SHOAL_EFULL && tries++ < 600) {
        usleep(10000);
    }
    assert_non_null(set);
    assert_true(tries > 20);
    assert_int_equal(n_left, 1);
    cache_fill_end(c, set);
    cache_close(c);
    resource_fini(&big);
    resource_fini(&other);
}

/* A map too small for what it should hold: nothing is lost but the set that
 * did not fit, and from then on less is kept. */
static void
survives_a_full_map(void **state)
{
    struct cache_options o = { .size = 256 * MIB, .map_size = 32 * MIB };
    struct cache *c = open_with(&o);
    struct cache_stats stats;
    struct resource r[40];
    unsigned failed = 0;

    (void) state;
    for (unsigned i = 0; i < 40; i++) {
        make_resource(&r[i], i, 4 * MIB);
        int err = fill_all(c, &r[i]);
        if (err != 0) {
            assert_int_equal(err, SHOAL_EFULL);
            cache_forget(c, r[i].id);
            failed++;
        }
    }
    assert_true(failed >= 1 && failed <= 4);
    assert_int_equal(check_blocks(c, &r[39]), 64);
    cache_get_stats(c, &stats);
    assert_true(stats.map_full >= 1);
    assert_true(stats.sets >= 4);
    cache_close(c);
    o.map_size = 0;
    c = open_with(&o);
    assert_int_equal(check_blocks(c, &r[39]), 64);
    assert_int_equal(fill_all(c, &r[0]), 0);
    cache_get_stats(c, &stats);
    assert_int_equal(stats.map_full, 0);
    cache_close(c);
    for (unsigned i = 0; i < 40; i++) {
        resource_fini(&r[i]);
    }
}

/* LMDB counts its transactions; where, db_check.c knows. */
static uint64_t
transactions(void)
{
    enum {
        PAGE = 4096,
        TXN = 144
    };
    char name[128];
    uint64_t txn[2] = { 0, 0 };

    snprintf(name, sizeof(name), "%s/data.mdb", folder);
    FILE *f = fopen(name, "re");
    assert_non_null(f);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fseek(f, (long) i * PAGE + TXN, SEEK_SET), 0);
        assert_int_equal(fread(&txn[i], sizeof(txn[i]), 1, f), 1);
    }
    fclose(f);
    return txn[0] > txn[1] ? txn[0] : txn[1];
}

static void
put_blocks(struct db *d, const struct resource *r, uint32_t n)
{
    const uint8_t data[10] = { 0 }, hash[DIGEST_LEN] = { 1 };
    int err = 0;

    struct db_txn *t = db_begin(d, &err);
    assert_non_null(t);
    for (uint32_t i = 0; i < n; i++) { /* of any length: db.h does not mind */
        assert_int_equal(db_put_block(t, r->id, i, data, sizeof(data), hash),
                         0);
    }
    assert_int_equal(db_end(t, 0), 0);
}

/* No transaction deletes more than 4,096 pieces, 256 MiB: what it frees is
 * listed in memory, and others wait for it. */
static void
deletes_in_pieces(void **state)
{
    static const struct {
        uint32_t blocks;
        unsigned transactions; /* two more than steps, where it is not one */
    } cases[] = { { 4096, 1 }, { 4097, 4 }, { 3 * 4096 + 1, 6 } };
    struct db_block left_over;
    struct resource r;
    struct db *d;
    char why[256];
    size_t n;

    (void) state;
    if (db_open(folder, 64 * MIB, 0, &d, why, sizeof(why)) != 0) {
        fail_msg("%s", why);
    }
    make_resource(&r, 1, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct db_record rec = { .id = r.id,
                                 .url = r.url,
                                 .provider = "",
                                 .version = r.version,
                                 .size = (uint64_t) BLOCK * cases[i].blocks };

        put_blocks(d, &r, cases[i].blocks);
        uint64_t before = transactions();
        assert_int_equal(db_delete(d, &rec), 0);
        assert_int_equal(transactions() - before, cases[i].transactions);
        assert_int_equal(db_blocks(d, NULL, &left_over, 1, &n), 0);
        assert_int_equal(n, 0);
    }
    db_close(d);
    resource_fini(&r);
}

static int
run(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(evicts_the_least_recently_used),
        TEST(keeps_what_is_in_use),
        TEST(a_poll_keeps_nothing),
        TEST(evicts_nothing_in_vain),
        TEST(knows_what_is_too_large),
        TEST(those_on_probation_go_first),
        TEST(probation_keeps_a_tenth),
        TEST(keeps_what_is_pinned),
        TEST(survives_a_full_map),
        TEST(deletes_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
    return run_in_folder(run);
}
