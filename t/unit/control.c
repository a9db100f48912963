/* The control file: what it tells, and what is noticed when it is damaged. */
#include "unit.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blockmap.h"
#include "clock.h"
#include "control.h"
#include "digest.h"
#include "ledger.h"
#include "quick.h"
#include "resource.h"
#include "shoal.h"

enum {
    BLOCK = 65536,
    COUNT = 11,
    SIZE = COUNT * BLOCK - 100,
    TEXT_MAX = 65536
};

#define URL     "http://example.com/f?token=1"
#define VERSION "etag:\"a\""

/* What is held, and with which hashes. */
struct state {
    struct blockmap held;
    uint8_t layer[COUNT * DIGEST_LEN], quick[COUNT * QUICK_LEN];
};

struct world {
    char dir[64], path[128];
    struct resource resource;
    struct state told, found;
    struct ledger *ledger;
};

static struct control_blocks
blocks_of(struct state *s)
{
    return (struct control_blocks){ &s->held, s->layer, s->quick };
}

static void
reset(struct state *s)
{
    blockmap_fini(&s->held);
    memset(s, 0, sizeof(*s));
    assert_int_equal(blockmap_init(&s->held, SIZE), 0);
}

static void
setup(struct world *w)
{
    memset(w, 0, sizeof(*w));
    snprintf(w->dir, sizeof(w->dir), "/tmp/shoal-control-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->path, sizeof(w->path), "%s/f.part.ctl", w->dir);
    assert_int_equal(resource_init(&w->resource, URL, SIZE, "", VERSION), 0);
    reset(&w->told);
    reset(&w->found);
}

static void
teardown(struct world *w)
{
    ledger_free(w->ledger);
    control_remove(w->path);
    assert_int_equal(rmdir(w->dir), 0);
    resource_fini(&w->resource);
    blockmap_fini(&w->told.held);
    blockmap_fini(&w->found.held);
}

static void
create(struct world *w)
{
    struct control_blocks b = blocks_of(&w->told);

    w->ledger = ledger_create(w->path, STDIN_FILENO, &w->resource, &b);
    assert_non_null(w->ledger);
}

static void
hold(struct world *w, uint32_t block, bool layered)
{
    struct state *s = &w->told;

    if (layered) {
        memset(s->layer + (size_t) block * DIGEST_LEN, (int) block + 1,
               DIGEST_LEN);
    } else {
        memset(s->layer + (size_t) block * DIGEST_LEN, 0, DIGEST_LEN);
        memset(s->quick + (size_t) block * QUICK_LEN, (int) block + 101,
               QUICK_LEN);
    }
    blockmap_set(&s->held, block);
    if (w->ledger != NULL) {
        ledger_held(w->ledger, block);
    }
}

static void
drop(struct world *w, uint32_t block)
{
    blockmap_clear(&w->told.held, block);
    ledger_dropped(w->ledger, block);
}

static int
load(struct world *w)
{
    struct control_blocks b = blocks_of(&w->found);

    reset(&w->found);
    return control_load(w->path, &w->resource, &b);
}

/* Is the block held with the very hash that it was written with? */
static bool
is_same(const struct world *w, uint32_t i)
{
    const uint8_t *hash = w->told.layer + (size_t) i * DIGEST_LEN;

    return memcmp(w->found.layer + (size_t) i * DIGEST_LEN, hash, DIGEST_LEN)
               == 0
           && (!digest_is_zero(hash)
               || memcmp(w->found.quick + (size_t) i * QUICK_LEN,
                         w->told.quick + (size_t) i * QUICK_LEN, QUICK_LEN)
                      == 0);
}

static void
assert_found(struct world *w)
{
    assert_int_equal(load(w), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(blockmap_has(&w->found.held, i),
                         blockmap_has(&w->told.held, i));
        assert_true(!blockmap_has(&w->told.held, i) || is_same(w, i));
    }
}

static size_t
read_file(const struct world *w, uint8_t *text)
{
    FILE *f = fopen(w->path, "re");

    assert_non_null(f);
    size_t n = fread(text, 1, TEXT_MAX, f);
    fclose(f);
    assert_true(n > 0 && n < TEXT_MAX);
    return n;
}

static void
write_file(const struct world *w, const uint8_t *text, size_t n)
{
    FILE *f = fopen(w->path, "we");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* Some blocks when it is written, some as records. */
static size_t
write_some(struct world *w, uint8_t *text)
{
    hold(w, 0, false);
    hold(w, 3, true);
    hold(w, 4, false);
    create(w);
    size_t base = read_file(w, text);
    hold(w, 7, true);
    hold(w, COUNT - 1, false);
    drop(w, 4);
    hold(w, 4, true);
    drop(w, 0);
    return base;
}

static void
all_is_told(void **state)
{
    uint8_t text[TEXT_MAX];
    struct world w;

    (void) state;
    setup(&w);
    create(&w);
    assert_found(&w);
    assert_int_equal(w.found.held.held, 0);
    ledger_free(w.ledger);
    w.ledger = NULL;
    write_some(&w, text);
    assert_found(&w);
    assert_int_equal(w.found.held.held, 4);
    ledger_free(w.ledger);
    create(&w); /* what were records is in the first part now */
    assert_found(&w);
    teardown(&w);
}

/* Nothing of it is believed that is not as it was written. */
static void
damaged_at_every_byte(void **state)
{
    static const uint8_t masks[] = { 0x01, 0x80, 0xff };
    uint8_t text[TEXT_MAX];
    struct world w;

    (void) state;
    setup(&w);
    size_t base = write_some(&w, text), len = read_file(&w, text);
    assert_int_equal(len, base + 5 * CONTROL_RECORD);
    for (size_t i = 0; i < len * sizeof(masks); i++) {
        size_t at = i / sizeof(masks);
        uint8_t mask = masks[i % sizeof(masks)];

        text[at] ^= mask;
        write_file(&w, text, len);
        text[at] ^= mask;
        int err = load(&w);
        if (at < base) {
            assert_true(err == SHOAL_EINVAL);
            assert_int_equal(w.found.held.held, 0);
            continue;
        }
        size_t whole = (at - base) / CONTROL_RECORD;
        assert_int_equal(err, 0);
        assert_int_equal(blockmap_has(&w.found.held, 7), whole >= 1);
        assert_int_equal(blockmap_has(&w.found.held, COUNT - 1), whole >= 2);
        assert_int_equal(blockmap_has(&w.found.held, 4), whole != 3);
        assert_true(is_same(&w, 3));
    }
    teardown(&w);
}

static void
cut_off_at_every_byte(void **state)
{
    uint8_t text[TEXT_MAX];
    struct world w;

    (void) state;
    setup(&w);
    size_t base = write_some(&w, text), len = read_file(&w, text);
    for (size_t n = 0; n < len; n++) {
        write_file(&w, text, n);
        assert_int_equal(load(&w), n < base ? SHOAL_EINVAL : 0);
        assert_int_equal(blockmap_has(&w.found.held, 7),
                         n >= base + CONTROL_RECORD);
    }
    teardown(&w);
}

/* Records of one control file behind another one. */
static void
foreign_records(void **state)
{
    uint8_t text[TEXT_MAX], other[TEXT_MAX];
    struct world w;

    (void) state;
    setup(&w);
    size_t base = write_some(&w, text), len = read_file(&w, text);
    ledger_free(w.ledger);
    w.ledger = NULL;
    reset(&w.told);
    hold(&w, 0, false);
    hold(&w, 3, true);
    hold(&w, 4, false);
    create(&w);
    assert_int_equal(read_file(&w, other), base);
    memcpy(other + base, text + base, len - base);
    write_file(&w, other, len);
    assert_found(&w);
    teardown(&w);
}

static void
of_another(void **state)
{
    static const struct {
        const char *url, *version;
        uint64_t size;
        int err;
    } cases[] = {
        { URL, VERSION, SIZE, 0 },
        { "http://example.com/f?token=2", VERSION, SIZE, 0 },
        { "http://example.com/g?token=1", VERSION, SIZE, SHOAL_ENOAGREE },
        { URL, "etag:\"b\"", SIZE, SHOAL_EINVAL },
        { URL, "", SIZE, SHOAL_EINVAL },
        { URL, VERSION, SIZE + 1, SHOAL_EINVAL },
        { URL, VERSION, 100 * SIZE, SHOAL_EINVAL },
    };
    struct world w;

    (void) state;
    setup(&w);
    hold(&w, 5, true);
    create(&w);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        resource_fini(&w.resource);
        assert_int_equal(resource_init(&w.resource, cases[i].url,
                                       cases[i].size, "", cases[i].version),
                         0);
        assert_int_equal(control_load(w.path, &w.resource, NULL),
                         cases[i].err);
    }
    ledger_free(w.ledger);
    w.ledger = NULL;
    control_remove(w.path);
    assert_int_equal(control_load(w.path, &w.resource, NULL), SHOAL_ENOTFOUND);
    teardown(&w);
}

/* It is written anew while blocks come in: none is lost. */
static void
anew_meanwhile(void **state)
{
    struct stat before, now;
    struct world w;

    (void) state;
    setup(&w);
    create(&w);
    assert_int_equal(stat(w.path, &before), 0);
    uint64_t end = clock_ms() + 20000;
    for (unsigned i = 0;; i++) {
        uint32_t block = i % COUNT;

        if (blockmap_has(&w.told.held, block)) {
            drop(&w, block);
        } else {
            hold(&w, block, i % 2 == 0);
        }
        ledger_save(w.ledger);
        assert_int_equal(stat(w.path, &now), 0);
        if (now.st_ino != before.st_ino) {
            break;
        }
        assert_true(clock_ms() < end);
        usleep(200);
    }
    hold(&w, 1, true);
    assert_found(&w);
    assert_int_equal(ledger_settle(w.ledger), 0);
    assert_found(&w);
    teardown(&w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(all_is_told),
    cmocka_unit_test(damaged_at_every_byte),
    cmocka_unit_test(cut_off_at_every_byte),
    cmocka_unit_test(foreign_records),
    cmocka_unit_test(of_another),
    cmocka_unit_test(anew_meanwhile),
};

UNIT_MAIN(tests)
