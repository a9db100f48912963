/* The block cache: files that are not what was written. */
#include "cache_unit.h"

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

static int
run(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_damaged_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int
main(void)
{
    return run_in_folder(run);
}
