/* Ranges: a client alone, and sources that have the whole file. */
#include "schedule_unit.h"

static const uint64_t now = 1000;

static void
set_rate(struct fixture *f, int source, double rate)
{
    f->s->sources[source].rate = rate;
}

/* The work's next block comes in, right. */
static void
advance(struct fixture *f, int work)
{
    struct schedule_range r = schedule_left(f->s, work);

    assert_true(r.next < r.end);
    blockmap_set(&f->map, r.next);
    schedule_advance(f->s, work, now);
}

static void
alone_in_order(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r;
    int cdn = schedule_add(f->s, SOURCE_CDN);
    int work = schedule_take(f->s, cdn, now, &r);

    assert_true(work >= 0);
    assert_int_equal(r.next, 0);
    assert_int_equal(r.end, 100);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(schedule_left(f->s, work).next, i);
        advance(f, work);
    }
    assert_int_equal(schedule_take(f->s, cdn, now, &r), SHOAL_EBUSY);
    schedule_end(f->s, work);
    assert_int_equal(schedule_take(f->s, cdn, now, &r), SHOAL_ENOTFOUND);
}

static void
starts_elsewhere(void **state)
{
    struct fixture *f = *state;
    struct schedule *s = schedule_create(&f->map, 60, ME);
    struct schedule_range r;
    int cdn = schedule_add(s, SOURCE_CDN);
    int work = schedule_take(s, cdn, now, &r);

    assert_int_equal(r.next, 60);
    assert_int_equal(r.end, 100);
    schedule_end(s, work);
    for (uint32_t i = 60; i < 100; i++) {
        blockmap_set(&f->map, i);
    }
    assert_true(schedule_take(s, cdn, now, &r) >= 0);
    assert_int_equal(r.next, 0);
    assert_int_equal(r.end, 60);
    schedule_free(s);
}

/* Two short ranges at a time, each of half of what there is; then a long
 * one. (One at a time cost a client alone a round trip for each.) */
static void
crowd_is_awaited(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r, second;
    int cdn = schedule_add(f->s, SOURCE_CDN);

    schedule_await(f->s, now + 1000, 16);
    int work = schedule_take(f->s, cdn, now, &r);
    assert_int_equal(r.end - r.next, 1);
    int other = schedule_take(f->s, cdn, now, &second);
    assert_true(other >= 0);
    assert_int_equal(second.end - second.next, 1);
    assert_int_not_equal(second.next, r.next);
    assert_int_equal(schedule_take(f->s, cdn, now, &r), SHOAL_EBUSY);
    schedule_got(f->s, work, UINT64_C(8) * BLOCK, now);
    advance(f, work);
    schedule_end(f->s, work);
    work = schedule_take(f->s, cdn, now, &r);
    assert_int_equal(r.end - r.next, 4);
    schedule_end(f->s, work);
    schedule_end(f->s, other);
    assert_true(schedule_take(f->s, cdn, now + 1000, &r) >= 0);
    assert_true(r.end - r.next > 50);
}

/* Where a round trip counts the short ranges are longer, and then there are
 * two long ones, each of which can help the other in the end. */
static void
crowd_is_awaited_afar(void **state)
{
    struct fixture *f = *state;
    struct schedule_range own, r, second;
    int cdn = schedule_add(f->s, SOURCE_CDN);

    schedule_latency(f->s, cdn, 40);
    schedule_await(f->s, now + 60, 16);
    int work = schedule_take(f->s, cdn, now, &own);
    assert_in_range(own.next, 25, 75); /* a place of its own */
    assert_int_equal(own.end - own.next, 2);
    advance(f, work);
    advance(f, work);
    schedule_end(f->s, work);
    work = schedule_take(f->s, cdn, now + 60, &r);
    assert_int_equal(r.next, 0);
    assert_int_equal(r.end, own.next);
    assert_true(schedule_take(f->s, cdn, now + 60, &second) >= 0);
    assert_int_equal(second.next, own.end);
    assert_int_equal(second.end, 100);
    while (schedule_left(f->s, work).next < r.end) {
        advance(f, work);
    }
    schedule_end(f->s, work);
    set_rate(f, cdn, 10 * BLOCK);
    assert_true(schedule_take(f->s, cdn, now + 60, &r) >= 0);
    assert_int_equal(r.next, second.end - (100 - second.next) / 2);
    assert_int_equal(r.end, 100);
}

/* Who never gave a byte gets one block at the end; the stream reads through
 * it when it gets there first. */
static void
unproven_ones_cut_nothing(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r;
    int cdn = schedule_add(f->s, SOURCE_CDN);
    int super = schedule_add(f->s, SOURCE_SUPER);
    int work = schedule_take(f->s, cdn, now, &r);

    set_rate(f, cdn, 100 * BLOCK);
    assert_int_equal(schedule_have(f->s, super, NULL), 0);
    assert_true(schedule_take(f->s, super, now, &r) >= 0);
    assert_int_equal(r.next, 99);
    assert_int_equal(r.end, 100);
    assert_int_equal(schedule_take(f->s, super, now, &r), SHOAL_EBUSY);
    for (int i = 0; i < 99; i++) {
        assert_false(schedule_read_on(f->s, work, 100));
        advance(f, work);
    }
    assert_true(schedule_read_on(f->s, work, 100));
    advance(f, work);
    assert_false(schedule_read_on(f->s, work, 100));
}

/* One that gives it soon is left its block, and the stream is cut. */
static void
fast_ones_do(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r;
    int cdn = schedule_add(f->s, SOURCE_CDN);
    int super = schedule_add(f->s, SOURCE_SUPER);
    int work = schedule_take(f->s, cdn, now, &r);

    set_rate(f, cdn, 100 * BLOCK);
    set_rate(f, super, 100 * BLOCK);
    assert_int_equal(schedule_have(f->s, super, NULL), 0);
    assert_true(schedule_take(f->s, super, now, &r) >= 0);
    assert_int_equal(r.next, 75); /* half of its share */
    for (uint32_t i = 0; i < r.next; i++) {
        advance(f, work);
    }
    assert_false(schedule_read_on(f->s, work, 100));
    set_rate(f, super, 1);
    assert_true(schedule_read_on(f->s, work, 100));
    assert_int_equal(schedule_left(f->s, work).end, 76);
}

static void
tail_goes_to_the_fast(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r;
    int cdn = schedule_add(f->s, SOURCE_CDN);
    int super = schedule_add(f->s, SOURCE_SUPER);
    int first = schedule_take(f->s, cdn, now, &r);

    assert_int_equal(schedule_take(f->s, super, now, &r), SHOAL_ENOTFOUND);
    assert_int_equal(schedule_have(f->s, super, NULL), 0);
    set_rate(f, cdn, 10 * BLOCK);
    set_rate(f, super, 30 * BLOCK);
    int second = schedule_take(f->s, super, now, &r);
    assert_true(second >= 0);
    assert_int_equal(r.next, 70); /* a second's worth of the tail */
    assert_int_equal(r.end, 100);
    assert_int_equal(schedule_left(f->s, first).end, 70);

    /* what nobody works at any more is free again */
    schedule_end(f->s, second);
    second = schedule_take(f->s, super, now, &r);
    assert_true(second >= 0);
    assert_int_equal(r.end - r.next, 30);
    assert_true(r.next >= 70);
}

static void
slow_one_gets_less(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r;
    int fast = schedule_add(f->s, SOURCE_CDN);
    int slow = schedule_add(f->s, SOURCE_CDN);

    schedule_take(f->s, fast, now, &r);
    set_rate(f, fast, 90 * BLOCK);
    set_rate(f, slow, 10 * BLOCK);
    assert_true(schedule_take(f->s, slow, now, &r) >= 0);
    assert_int_equal(r.next, 95); /* half of its share, a tenth */
    assert_int_equal(r.end, 100);
}

static void
only_what_it_has(void **state)
{
    struct fixture *f = *state;
    uint8_t bits[13] = { 0 };
    struct schedule_range r;
    int cdn = schedule_add(f->s, SOURCE_CDN);
    int peer = schedule_add(f->s, SOURCE_PEER);

    bits[5] = 0x3c; /* blocks 42 to 45 */
    assert_int_equal(schedule_have(f->s, peer, bits), 0);
    assert_true(schedule_has(f->s, peer, 42));
    assert_false(schedule_has(f->s, peer, 46));
    set_rate(f, peer, 50 * BLOCK);
    int work = schedule_take(f->s, peer, now, &r);
    assert_int_equal(r.next, 42);
    assert_int_equal(r.end, 46);

    assert_true(schedule_take(f->s, cdn, now, &r) >= 0);
    assert_int_equal(r.next, 0);
    assert_int_equal(r.end, 42); /* up to what the peer has */
    schedule_end(f->s, work);
}

static void
steals_from_the_middle(void **state)
{
    struct fixture *f = *state;
    uint8_t bits[13] = { 0 };
    struct schedule_range r;
    int cdn = schedule_add(f->s, SOURCE_CDN);
    int super = schedule_add(f->s, SOURCE_SUPER);
    int first = schedule_take(f->s, cdn, now, &r);

    bits[5] = 0x3c;
    schedule_have(f->s, super, bits);
    set_rate(f, cdn, BLOCK);
    set_rate(f, super, 50 * BLOCK);
    assert_true(schedule_take(f->s, super, now, &r) >= 0);
    assert_int_equal(r.next, 42);
    assert_int_equal(r.end, 46);
    assert_int_equal(schedule_left(f->s, first).end, 42);
    int other = schedule_add(f->s, SOURCE_CDN);
    assert_true(schedule_take(f->s, other, now, &r) >= 0);
    assert_int_equal(r.next, 46); /* the rest behind it is free */
    assert_int_equal(r.end, 100);
}

static void
last_blocks_are_asked_twice(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r;
    int slow = schedule_add(f->s, SOURCE_CDN);
    int fast = schedule_add(f->s, SOURCE_CDN);

    for (uint32_t i = 0; i < 99; i++) {
        blockmap_set(&f->map, i);
    }
    int first = schedule_take(f->s, slow, now, &r);
    assert_int_equal(r.next, 99);
    set_rate(f, slow, BLOCK / 10.0);
    set_rate(f, fast, 10 * BLOCK);
    int second = schedule_take(f->s, fast, now, &r);
    assert_true(second >= 0);
    assert_int_equal(r.next, 99);
    assert_int_equal(schedule_take(f->s, fast, now, &r), SHOAL_EBUSY);
    advance(f, second);
    r = schedule_left(f->s, first); /* it came from elsewhere */
    assert_true(r.next >= r.end);
    schedule_end(f->s, first);
    schedule_end(f->s, second);
}

static void
equals_do_not_double(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r;
    int a = schedule_add(f->s, SOURCE_CDN);
    int b = schedule_add(f->s, SOURCE_CDN);

    for (uint32_t i = 0; i < 99; i++) {
        blockmap_set(&f->map, i);
    }
    set_rate(f, a, 10 * BLOCK);
    set_rate(f, b, 10 * BLOCK);
    assert_true(schedule_take(f->s, a, now, &r) >= 0);
    assert_int_equal(schedule_take(f->s, b, now, &r), SHOAL_ENOTFOUND);
}

static void
rarest_first(void **state)
{
    struct fixture *f = *state;
    uint8_t all[13], most[13];
    struct schedule_range r;
    int a = schedule_add(f->s, SOURCE_PEER);
    int b = schedule_add(f->s, SOURCE_PEER);

    memset(all, 0xff, 13);
    all[12] = 0xf0;
    memcpy(most, all, 13);
    most[8] = 0xfe; /* lacks block 71 */
    schedule_have(f->s, a, all);
    schedule_have(f->s, b, most);
    set_rate(f, a, BLOCK);
    schedule_take(f->s, a, now, &r);
    assert_int_equal(r.next, 71);
}

static void
reserved_for_the_cdn(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r;
    int a = schedule_add(f->s, SOURCE_CDN);
    int b = schedule_add(f->s, SOURCE_CDN);
    int super = schedule_add(f->s, SOURCE_SUPER);

    for (uint32_t i = 0; i < 99; i++) {
        blockmap_set(&f->map, i);
    }
    schedule_have(f->s, super, NULL);
    assert_int_equal(schedule_reserve(f->s, 99, a), 0);
    assert_int_equal(schedule_take(f->s, super, now, &r), SHOAL_ENOTFOUND);
    assert_int_equal(schedule_take(f->s, a, now, &r), SHOAL_ENOTFOUND);
    int work = schedule_take(f->s, b, now, &r);
    assert_true(work >= 0);
    schedule_end(f->s, work);
    assert_int_equal(schedule_reserve(f->s, 99, -1), 0);
    work = schedule_take(f->s, a, now, &r);
    assert_true(work >= 0);
    schedule_end(f->s, work);
    schedule_release(f->s, 99);
    assert_true(schedule_take(f->s, super, now, &r) >= 0);
}

static void
cdn_takes_what_nobody_has(void **state)
{
    struct fixture *f = *state;
    uint8_t bits[13] = { 0xff, 0xff };
    struct schedule_range r;
    int cdn = schedule_add(f->s, SOURCE_CDN);
    int peer = schedule_add(f->s, SOURCE_PEER);

    schedule_have(f->s, peer, bits);
    int work = schedule_take(f->s, cdn, now, &r);
    assert_int_equal(r.next, 16);
    assert_int_equal(r.end, 100);
    int other = schedule_add(f->s, SOURCE_CDN);
    assert_true(schedule_take(f->s, other, now, &r) >= 0);
    assert_int_equal(r.next, 0); /* then what the peer has, too */
    assert_int_equal(r.end, 16);
    schedule_end(f->s, work);
}

/* Sources of every kind, random deaths: at the end everything is held, and
 * no block was ever claimed more than twice. */
static void
everything_ends(void **state)
{
    struct fixture *f = *state;
    int sources[6], works[6];
    struct schedule_range r;
    unsigned turns = 0;

    srand(1);
    for (int i = 0; i < 6; i++) {
        sources[i] = schedule_add(f->s, i < 2   ? SOURCE_CDN
                                        : i < 4 ? SOURCE_SUPER
                                                : SOURCE_PEER);
        schedule_have(f->s, sources[i], NULL);
        set_rate(f, sources[i], (i + 1) * BLOCK);
        works[i] = -1;
    }
    while (!blockmap_complete(&f->map)) {
        int i = rand() % 6;

        assert_true(++turns < 100000);
        if (works[i] < 0) {
            works[i] = schedule_take(f->s, sources[i], now, &r);
            continue;
        }
        r = schedule_left(f->s, works[i]);
        if (r.next >= r.end || rand() % 50 == 0) {
            schedule_end(f->s, works[i]);
            works[i] = -1;
        } else if (rand() % 20 == 0) {
            schedule_advance(f->s, works[i], now); /* it was wrong */
        } else {
            advance(f, works[i]);
        }
    }
}

/* A reader takes the blocks in order: nothing is asked beyond his window, not
 * even the tail of a stream that goes on there. */
static void
none_beyond_the_limit(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r;
    int cdn = schedule_add(f->s, SOURCE_CDN);
    int fast = schedule_add(f->s, SOURCE_SUPER);

    schedule_have(f->s, fast, NULL);
    set_rate(f, cdn, BLOCK);
    set_rate(f, fast, 100 * BLOCK);
    schedule_limit(f->s, 20);
    int work = schedule_begin_at(f->s, cdn, 0, 100, now);
    assert_true(work >= 0);
    int stolen = schedule_take(f->s, fast, now, &r);
    assert_true(stolen >= 0);
    assert_true(r.next > 0 && r.next < 20);
    assert_int_equal(r.end, 20);
    uint32_t cut = r.next;
    assert_int_equal(schedule_left(f->s, work).end, cut);
    for (uint32_t i = cut; i < 20; i++) {
        advance(f, stolen);
    }
    schedule_end(f->s, stolen);
    for (uint32_t i = 0; i < cut; i++) {
        advance(f, work);
    }
    schedule_end(f->s, work);
    assert_int_equal(schedule_take(f->s, cdn, now, &r), SHOAL_ENOTFOUND);
    assert_int_equal(schedule_take(f->s, fast, now, &r), SHOAL_ENOTFOUND);
    schedule_limit(f->s, 30);
    assert_true(schedule_take(f->s, cdn, now, &r) >= 0);
    assert_int_equal(r.next, 20);
    assert_int_equal(r.end, 30);
}

/* Two requests at a time where answers take a while, one elsewhere. */
static void
two_at_a_time_afar(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r;
    int first = schedule_add(f->s, SOURCE_CDN);
    int far = schedule_add(f->s, SOURCE_CDN);
    int near = schedule_add(f->s, SOURCE_CDN);

    schedule_latency(f->s, far, 40);
    schedule_latency(f->s, near, 1);
    schedule_take(f->s, first, now, &r);
    set_rate(f, first, 10 * BLOCK);
    set_rate(f, far, 10 * BLOCK);
    set_rate(f, near, 10 * BLOCK);
    assert_true(schedule_take(f->s, far, now, &r) >= 0);
    assert_true(schedule_take(f->s, far, now, &r) >= 0);
    assert_int_equal(schedule_take(f->s, far, now, &r), SHOAL_EBUSY);
    assert_true(schedule_take(f->s, near, now, &r) >= 0);
    assert_int_equal(schedule_take(f->s, near, now, &r), SHOAL_EBUSY);
}

/* Who has enough to do itself helps nobody, however fast. (Its second request
 * copied what slower ones were bringing: 1.06 of the bound, 1.055 copies.) */
static void
busy_ones_do_not_double(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r;
    int fast = schedule_add(f->s, SOURCE_CDN);
    int slow = schedule_add(f->s, SOURCE_CDN);

    schedule_latency(f->s, fast, 40);
    set_rate(f, fast, 10 * BLOCK);
    set_rate(f, slow, BLOCK);
    int work = schedule_begin_at(f->s, fast, 0, 92, now);
    assert_true(work >= 0);
    assert_true(schedule_begin_at(f->s, slow, 92, 100, now) >= 0);
    assert_int_equal(schedule_take(f->s, fast, now, &r), SHOAL_ENOTFOUND);
    for (int i = 0; i < 91; i++) {
        advance(f, work);
    }
    assert_true(schedule_take(f->s, fast, now, &r) >= 0);
    assert_in_range(r.next, 93, 99);
    assert_int_equal(r.end, 100);
}

static const struct CMUnitTest tests[] = {
    WITH(two_at_a_time_afar),     WITH(busy_ones_do_not_double),
    WITH(none_beyond_the_limit),  WITH(alone_in_order),
    WITH(starts_elsewhere),       WITH(crowd_is_awaited),
    WITH(crowd_is_awaited_afar),  WITH(unproven_ones_cut_nothing),
    WITH(fast_ones_do),           WITH(tail_goes_to_the_fast),
    WITH(slow_one_gets_less),     WITH(only_what_it_has),
    WITH(steals_from_the_middle), WITH(last_blocks_are_asked_twice),
    WITH(equals_do_not_double),   WITH(rarest_first),
    WITH(reserved_for_the_cdn),   WITH(cdn_takes_what_nobody_has),
    WITH(everything_ends),
};

UNIT_MAIN(tests)
