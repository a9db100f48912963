#include "unit.h"

#include "blockmap.h"
#include "shoal.h"

static void
block_sizes(void **state)
{
    static const struct {
        uint64_t size, block;
        uint32_t count;
    } cases[] = {
        { 0, 65536, 0 },
        { 1, 65536, 1 },
        { 65535, 65536, 1 },
        { 65536, 65536, 1 },
        { 65537, 65536, 2 },
        { 1073741824, 65536, 16384 },
        { 1073741825, 131072, 8193 },
        { 2147483648, 131072, 16384 },
        { 2147483649, 262144, 8193 },
        { UINT64_C(107374182400), 8388608, 12800 },
        { INT64_MAX, UINT64_C(562949953421312), 16384 },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct blockmap m;

        assert_int_equal(blockmap_init(&m, cases[i].size), 0);
        assert_true(m.block_size == cases[i].block);
        assert_int_equal(m.count, cases[i].count);
        blockmap_fini(&m);
    }
}

static void
setting_and_clearing(void **state)
{
    struct blockmap m;

    (void) state;
    assert_int_equal(blockmap_init(&m, 9 * 65536 + 5), 0);
    assert_int_equal(m.count, 10);
    assert_int_equal(blockmap_bytes(&m), 2);
    assert_int_equal(blockmap_length(&m, 8), 65536);
    assert_int_equal(blockmap_length(&m, 9), 5);
    blockmap_set(&m, 0);
    blockmap_set(&m, 9);
    blockmap_set(&m, 9);
    assert_int_equal(m.held, 2);
    assert_int_equal(m.bits[0], 0x80); /* highest bit first */
    assert_int_equal(m.bits[1], 0x40);
    blockmap_clear(&m, 0);
    blockmap_clear(&m, 0);
    assert_int_equal(m.held, 1);
    assert_false(blockmap_complete(&m));
    blockmap_fill(&m);
    assert_true(blockmap_complete(&m));
    assert_int_equal(m.bits[1], 0xc0);
    blockmap_fini(&m);
}

static void
held_in_a_row(void **state)
{
    struct blockmap m;

    (void) state;
    assert_int_equal(blockmap_init(&m, 4 * 65536 + 10), 0);
    blockmap_set(&m, 1);
    blockmap_set(&m, 2);
    assert_true(blockmap_held_from(&m, 0, 100) == 0);
    assert_true(blockmap_held_from(&m, 65536, 100) == 100);
    assert_true(blockmap_held_from(&m, 65636, UINT64_MAX) == 131072 - 100);
    assert_true(blockmap_held_from(&m, 3 * 65536 - 1, 5) == 1);
    blockmap_set(&m, 4);
    assert_true(blockmap_held_from(&m, 4 * 65536 + 3, 100) == 7);
    assert_true(blockmap_held_from(&m, 4 * 65536 + 10, 1) == 0);
    assert_true(blockmap_held_from(&m, UINT64_MAX, 1) == 0);
    blockmap_fini(&m);
}

static void
loading(void **state)
{
    static const uint8_t right[] = { 0x81, 0x40 }, spare[] = { 0x81, 0x20 };
    struct blockmap m;

    (void) state;
    assert_int_equal(blockmap_init(&m, 10 * 65536), 0);
    assert_int_equal(blockmap_load(&m, right, 2), 0);
    assert_int_equal(m.held, 3);
    assert_true(blockmap_has(&m, 0));
    assert_true(blockmap_has(&m, 7));
    assert_true(blockmap_has(&m, 9));
    assert_int_equal(blockmap_load(&m, spare, 2), SHOAL_EINVAL);
    assert_int_equal(blockmap_load(&m, right, 1), SHOAL_EINVAL);
    assert_int_equal(blockmap_load(&m, right, 3), SHOAL_EINVAL);
    assert_int_equal(m.held, 3);
    blockmap_fini(&m);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(block_sizes),
    cmocka_unit_test(setting_and_clearing),
    cmocka_unit_test(held_in_a_row),
    cmocka_unit_test(loading),
};

UNIT_MAIN(tests)
