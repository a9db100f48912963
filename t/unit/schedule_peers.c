/* Peers, the end game, and sources that stand still. */
#include "schedule_unit.h"

static void
rarest_first(void **state)
{
    struct fixture *f = *state;
    int a = peer(f, 2000), b = peer(f, 3000), c = peer(f, 4000);

    schedule_gain(f->s, a, 0, 30, f->now);
    schedule_gain(f->s, b, 0, 29, f->now);
    schedule_gain(f->s, c, 0, 28, f->now);
    assert_int_equal(take(f, a), 29); /* one holder */
    assert_int_equal(take(f, a), 28); /* two */
    assert_in_range(take(f, b), 0, 27);
}

/* Works until it gets no more; how many. */
static int
take_all(struct fixture *f, int source)
{
    int n = 0;

    while (take(f, source) >= 0) {
        n++;
    }
    return n;
}

/* m = 2 + rate x 100 ms / block, at most 12; one where many others are. */
static void
how_many_at_once(void **state)
{
    (void) state;
    static const struct {
        double blocks_s;
        int peers, want;
    } cases[] = { { 0, 1, 2 },  { 9, 1, 2 },    { 10, 1, 3 },
                  { 55, 1, 7 }, { 500, 1, 12 }, { 0, 20, 1 } };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        void *own = NULL;
        int n, a = 0;

        if (setup(&own) != 0) {
            fail();
            return;
        }
        struct fixture *f = own;
        for (int k = 0; k < cases[i].peers; k++) {
            a = peer(f, 2000 + (uint64_t) k);
        }
        schedule_gain(f->s, a, 0, 50, f->now);
        f->s->sources[a].rate = cases[i].blocks_s * BLOCK;
        n = take_all(f, a);
        assert_int_equal(n, cases[i].want);
        assert_int_equal(take(f, a), SHOAL_EBUSY);
        teardown(&own);
    }
}

/* So many requests at 80 peers, of a file of that size. */
static int
requests_for(uint64_t size)
{
    struct fixture f = { .now = 1000 };
    int n = 0;

    assert_int_equal(blockmap_init(&f.map, size), 0);
    f.s = schedule_create(&f.map, 0, ME);
    assert_non_null(f.s);
    for (int k = 0; k < 80; k++) {
        int a = peer(&f, 2000 + (uint64_t) k);

        schedule_gain(f.s, a, 0, 1000, f.now);
        n += take_all(&f, a);
    }
    schedule_free(f.s);
    blockmap_fini(&f.map);
    return n;
}

/* Each request gathers a block in memory: large ones, few at once. */
static void
room_for_blocks(void **state)
{
    (void) state;
    assert_int_equal(requests_for(16ull << 30), 64);  /* of 1 MiB */
    assert_int_equal(requests_for(128ull << 30), 8);  /* of 8 MiB */
    assert_int_equal(requests_for(2048ull << 30), 1); /* of 128 MiB */
}

/* A slow one is asked only for what no faster one has; where all are slow,
 * for everything. */
static void
slow_ones(void **state)
{
    struct fixture *f = *state;
    int s[6];

    for (int i = 0; i < 6; i++) {
        s[i] = peer(f, 2000 + (uint64_t) i);
        f->s->sources[s[i]].service = i < 3 ? 10 : 100;
    }
    for (int i = 0; i < 6; i++) {
        schedule_gain(f->s, s[i], 0, i < 3 ? 20 : 21, f->now);
    }
    schedule_tick(f->s, f->now);
    schedule_tick(f->s, f->now + 100);
    f->now += 100;
    assert_int_equal(take(f, s[3]), 20);
    assert_int_equal(take(f, s[3]), SHOAL_ENOTFOUND);
    assert_in_range(take(f, s[0]), 0, 19);
    for (int i = 0; i < 3; i++) {
        schedule_drop(f->s, s[i]);
    }
    schedule_tick(f->s, f->now + 100);
    assert_in_range(take(f, s[3]), 0, 19);
}

/* In the end game what is late is asked again, once; at the CDN when it is
 * later. */
static void
overdue_is_asked_again(void **state)
{
    struct fixture *f = *state;
    int a = peer(f, 2000), b = peer(f, 3000), c = peer(f, 4000);
    int cdn = schedule_add(f->s, SOURCE_CDN);

    hold(f, 0, 99);
    schedule_gain(f->s, a, 99, 1, f->now);
    schedule_gain(f->s, b, 99, 1, f->now);
    schedule_gain(f->s, c, 99, 1, f->now);
    f->s->sources[a].service = 100;
    assert_int_equal(take(f, a), 99);
    f->now += 499;
    assert_int_equal(take(f, b), SHOAL_ENOTFOUND);
    f->now += 2;
    assert_int_equal(take(f, cdn), SHOAL_ENOTFOUND);
    assert_int_equal(take(f, b), 99);
    assert_int_equal(take(f, c), SHOAL_ENOTFOUND); /* at most doubled */
    f->now += 1000;
    assert_int_equal(take(f, cdn), SHOAL_ENOTFOUND);
}

/* What waits at a slow peer need not be late first; what comes from the CDN
 * has to be. */
static void
sooner_elsewhere(void **state)
{
    struct fixture *f = *state;
    int slow = peer(f, 2000), fast = peer(f, 3000);
    int cdn = schedule_add(f->s, SOURCE_CDN);

    hold(f, 0, 98);
    f->s->sources[slow].service = f->s->sources[cdn].service = 1000;
    f->s->sources[fast].service = 100;
    schedule_gain(f->s, slow, 98, 1, f->now);
    assert_int_equal(take(f, slow), 98);
    assert_int_equal(take(f, cdn), 99);
    schedule_gain(f->s, fast, 99, 1, f->now);
    assert_int_equal(take(f, fast), SHOAL_ENOTFOUND);
    schedule_gain(f->s, fast, 98, 1, f->now);
    assert_int_equal(take(f, fast), 98);
    f->now += 600;
    assert_int_equal(take(f, fast), 99);
}

static void
no_end_game_before(void **state)
{
    struct fixture *f = *state;
    int a = peer(f, 2000), b = peer(f, 3000);

    schedule_gain(f->s, a, 99, 1, f->now);
    schedule_gain(f->s, b, 99, 1, f->now);
    assert_int_equal(take(f, a), 99);
    f->now += 100000;
    assert_int_equal(take(f, b), SHOAL_ENOTFOUND);
}

/* ---- who stands still ---- */

static enum schedule_verdict
after(struct fixture *f, int work, uint64_t ms)
{
    f->now += ms;
    schedule_tick(f->s, f->now);
    return schedule_judge(f->s, work, f->now);
}

/* Within two seconds where others bring something; the only one has time. */
static void
stalls(void **state)
{
    struct fixture *f = *state;
    int a = schedule_add(f->s, SOURCE_CDN), b = schedule_add(f->s, SOURCE_CDN);

    assert_int_equal(take(f, a), 0);
    int first = work_of(f, 0);
    schedule_got(f->s, first, 100, f->now);
    schedule_drop(f->s, b);
    assert_int_equal(after(f, first, 29000), SCHEDULE_GO_ON);
    schedule_patience(f->s, 20000); /* the user wants less */
    assert_int_equal(after(f, first, 1), SCHEDULE_STALLED);
    schedule_patience(f->s, 30000);
    schedule_got(f->s, first, 100, f->now);
    schedule_have(f->s, b, NULL);
    assert_int_equal(after(f, first, 3900), SCHEDULE_GO_ON); /* all dark */
    int second = schedule_begin_at(f->s, b, 60, 70, f->now);
    schedule_got(f->s, second, 100, f->now);
    assert_int_equal(after(f, first, 1), SCHEDULE_STALLED);
    schedule_got(f->s, first, 100, f->now);
    for (int i = 0; i < 15; i++) {
        assert_int_equal(after(f, first, 100), SCHEDULE_GO_ON);
        schedule_got(f->s, second, 100, f->now);
    }
    assert_int_equal(after(f, first, 400), SCHEDULE_STALLED);
    assert_int_equal(after(f, second, 0), SCHEDULE_GO_ON);
}

/* Its blocks come from elsewhere each time before it counts as stalled, though
 * it began to give them; one who gave a block meanwhile is only slow. */
static void
stalls_in_parts(void **state)
{
    struct fixture *f = *state;
    int a = peer(f, 2000), b = peer(f, 3000);

    schedule_gain(f->s, a, 0, 50, f->now);
    schedule_gain(f->s, b, 50, 40, f->now);
    int other = schedule_begin_at(f->s, b, 60, 70, f->now);
    for (int i = 0; i < 12; i++) {
        int work = schedule_begin_at(f->s, a, 10, 12, f->now);

        schedule_got(f->s, work, 100, f->now);
        if (i == 5) {
            schedule_advance(f->s, work, f->now);
        }
        schedule_got(f->s, other, 100, f->now + 400);
        assert_int_equal(after(f, work, 500),
                         i < 11 ? SCHEDULE_GO_ON : SCHEDULE_DEAD);
        schedule_end(f->s, work);
    }
    schedule_drop(f->s, a); /* named again, it begins anew */
    schedule_peer(f->s, a, 2000);
    schedule_have(f->s, a, NULL);
    int work = schedule_begin_at(f->s, a, 10, 11, f->now);
    schedule_got(f->s, other, 100, f->now + 400);
    assert_int_equal(after(f, work, 500), SCHEDULE_GO_ON);
}

/* A tail is taken from who stands still, as if it was slow. */
static void
standing_loses_its_tail(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r;
    int a = schedule_add(f->s, SOURCE_CDN), b = schedule_add(f->s, SOURCE_CDN);

    f->s->sources[a].rate = f->s->sources[b].rate = 1000.0 * BLOCK;
    assert_int_equal(take(f, a), 0);
    int work = work_of(f, 0);
    schedule_got(f->s, work, 100, f->now);
    for (int i = 0; i < 10; i++) {
        after(f, work, 100);
    }
    assert_true(f->s->sources[a].rate < 50.0 * BLOCK);
    assert_true(schedule_take(f->s, b, f->now, &r) >= 0);
    assert_true(r.end == BLOCKS && r.next < 60);
}

/* Bytes a second of the time that it had work. */
static void
rates(void **state)
{
    struct fixture *f = *state;
    int cdn = schedule_add(f->s, SOURCE_CDN);

    schedule_tick(f->s, f->now);
    assert_int_equal(take(f, cdn), 0);
    int work = work_of(f, 0);
    for (int i = 0; i < 20; i++) {
        f->now += 100;
        schedule_got(f->s, work, BLOCK, f->now);
        schedule_tick(f->s, f->now);
    }
    assert_in_range((uint64_t) schedule_rate(f->s, cdn), 9 * BLOCK,
                    11 * BLOCK);
    schedule_end(f->s, work);
    f->now += 5000; /* without work it stays known */
    schedule_tick(f->s, f->now);
    assert_in_range((uint64_t) schedule_rate(f->s, cdn), 9 * BLOCK,
                    11 * BLOCK);
}

static int
filling(struct fixture *f, uint64_t id)
{
    int source = schedule_add(f->s, SOURCE_SUPER);

    assert_int_equal(schedule_peer(f->s, source, id), 0);
    f->s->sources[source].rate = 1e9; /* many requests at a time */
    return source;
}

/* Takes and delivers ${n} blocks of the source, all of that turn; then there is
 * none. */
static void
take_turn(struct fixture *f, int source, unsigned turn, unsigned n)
{
    while (n-- > 0) {
        int block = take(f, source);

        assert_true(block >= 0);
        assert_int_equal(schedule_owner_turn(f->s, (uint32_t) block), turn);
        deliver(f, (uint32_t) block);
    }
    assert_int_equal(take(f, source), SHOAL_ENOTFOUND);
}

/* Of what a super peer that fills has just got, one client of four may take a
 * quarter at once, the others one after the other; of a peer at any time. */
static void
fresh_blocks_in_turn(void **state)
{
    struct fixture *f = *state;
    int super = filling(f, 9000), a = peer(f, 2000);
    unsigned turns[4] = { 0 };
    uint32_t theirs = 0;

    peer(f, 3000);
    peer(f, 4000);
    schedule_gain(f->s, super, 0, BLOCKS - 1, f->now);
    for (uint32_t i = 0; i < BLOCKS - 1; i++) {
        unsigned turn = schedule_owner_turn(f->s, i);

        assert_in_range(turn, 0, 3);
        turns[turn]++;
        theirs = turn == 3 ? i : theirs;
    }
    for (int i = 0; i < 4; i++) {
        assert_in_range(turns[i], 10, 40);
    }
    take_turn(f, super, 0, turns[0]);
    schedule_gain(f->s, a, theirs, 1, f->now);
    assert_int_equal(take(f, a), theirs);
    f->now += 49;
    assert_int_equal(take(f, super), SHOAL_ENOTFOUND);
    f->now += 1;
    take_turn(f, super, 1, turns[1]);

    /* Nobody waits for others at one that has all. */
    schedule_gain(f->s, super, BLOCKS - 1, 1, f->now);
    assert_true(take(f, super) >= 0);
}

/* Who passes nothing on comes last; who is alone does not wait. */
static void
turn_of_who_serves_nobody(void **state)
{
    struct fixture *f = *state;
    int super = filling(f, 9000);

    f->s->client = 0;
    schedule_gain(f->s, super, 0, 1, f->now);
    assert_int_equal(take(f, super), 0);
    peer(f, 2000);
    peer(f, 3000);
    schedule_gain(f->s, super, 1, 1, f->now);
    f->now += 99;
    assert_int_equal(take(f, super), SHOAL_ENOTFOUND);
    f->now += 1;
    assert_int_equal(take(f, super), 1);
}

static const struct CMUnitTest tests[] = {
    WITH(rarest_first),
    WITH(fresh_blocks_in_turn),
    WITH(turn_of_who_serves_nobody),
    WITH(how_many_at_once),
    WITH(room_for_blocks),
    WITH(slow_ones),
    WITH(overdue_is_asked_again),
    WITH(sooner_elsewhere),
    WITH(no_end_game_before),
    WITH(stalls),
    WITH(stalls_in_parts),
    WITH(standing_loses_its_tail),
    WITH(rates),
};

UNIT_MAIN(tests)
