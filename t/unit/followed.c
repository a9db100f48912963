/* What another tells of its blocks, taken from the wire. */
#include "unit.h"

#include "followed.h"
#include "shoal.h"

enum {
    BLOCKS = 20,
    FILE_SIZE = BLOCKS * 65536
};

static unsigned heard[3];

static void
hear(void *ctx, enum havelog_kind kind, uint32_t block)
{
    (void) ctx;
    (void) block;
    heard[kind]++;
}

static const struct followed_ops ops = { hear, NULL };

static void
a_bitmap_replaces_all(void **state)
{
    static const uint8_t body[] = {
        0x80, 0x00, 0x10,       /* blocks 0 and 19 */
        0x40, 0x02, 0x00, 0x01, /* fetching 1 to 3 */
    };
    static const uint8_t bare[] = { 0x00, 0x01, 0x00 };
    struct followed f;

    (void) state;
    assert_int_equal(followed_init(&f, FILE_SIZE), 0);
    assert_int_equal(followed_bitmap(&f, body, sizeof(body)), 0);
    assert_int_equal(f.have.held, 2);
    assert_true(blockmap_has(&f.have, 19));
    assert_int_equal(f.fetching.held, 3);
    assert_true(blockmap_has(&f.fetching, 3));
    assert_int_equal(followed_bitmap(&f, bare, sizeof(bare)), 0);
    assert_int_equal(f.have.held, 1);
    assert_true(blockmap_has(&f.have, 15));
    assert_int_equal(f.fetching.held, 0);
    followed_clear(&f);
    assert_int_equal(f.have.held, 0);
    followed_fini(&f);
}

static void
events_add_up(void **state)
{
    static const uint8_t body[] = {
        0x40, 0x03, 0x00, 0x04, /* fetching 4 to 7 */
        0x00, 0x00, 0x00, 0x05, /* have 5 */
        0x80, 0x03, 0x00, 0x04, /* unfetch 4 to 7 */
        0x00, 0x00, 0x00, 0x05, /* have 5, again */
        0x40, 0x00, 0x00, 0x05, /* fetching what it has */
    };
    struct followed f;

    (void) state;
    heard[0] = heard[1] = heard[2] = 0;
    assert_int_equal(followed_init(&f, FILE_SIZE), 0);
    assert_int_equal(followed_events(&f, body, 8, &ops), 0);
    assert_int_equal(f.have.held, 1);
    assert_int_equal(f.fetching.held, 3);
    assert_int_equal(followed_events(&f, body + 8, sizeof(body) - 8, &ops), 0);
    assert_int_equal(f.have.held, 1);
    assert_int_equal(f.fetching.held, 0);
    assert_int_equal(heard[HAVELOG_HAVE], 1);
    assert_int_equal(heard[HAVELOG_FETCHING], 4);
    assert_int_equal(heard[HAVELOG_UNFETCH], 3);
    assert_int_equal(followed_events(&f, body, 0, &ops), 0);
    followed_fini(&f);
}

static void
nonsense_changes_nothing(void **state)
{
    static const struct {
        const char *what;
        bool bitmap;
        size_t len;
        uint8_t body[16];
    } rows[] = {
        { "bitmap too short", true, 2, { 0xff, 0xff } },
        { "spare bits", true, 3, { 0xff, 0xff, 0xff } },
        { "half an event", true, 5, { 0xff, 0xff, 0xf0, 0x40, 0x00 } },
        { "behind the end",
          false,
          8,
          { 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x14 } },
        { "across the end", false, 4, { 0x40, 0x01, 0x00, 0x13 } },
        { "no such kind", false, 4, { 0xc0, 0x00, 0x00, 0x01 } },
        { "event cut off", false, 7, { 0x00, 0x00, 0x00, 0x01, 0x00 } },
    };
    struct followed f;

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(followed_init(&f, FILE_SIZE), 0);
        blockmap_set(&f.have, 7);
        int err = rows[i].bitmap
                      ? followed_bitmap(&f, rows[i].body, rows[i].len)
                      : followed_events(&f, rows[i].body, rows[i].len, &ops);
        assert_int_equal(err, SHOAL_EPROTO);
        assert_int_equal(f.have.held, 1);
        followed_fini(&f);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_bitmap_replaces_all),
    cmocka_unit_test(events_add_up),
    cmocka_unit_test(nonsense_changes_nothing),
};

UNIT_MAIN(tests)
