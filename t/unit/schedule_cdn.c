/* The CDN in a crowd: docs/scheduling.md "The CDN in a crowd". */
#include "schedule_unit.h"

static void
one_block_a_request(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r;
    int cdn = schedule_add(f->s, SOURCE_CDN);

    peer(f, 7);
    assert_true(schedule_take(f->s, cdn, f->now, &r) >= 0);
    assert_int_equal(r.end, r.next + 1);
    assert_true(take(f, cdn) >= 0);
    assert_int_equal(take(f, cdn), SHOAL_EBUSY); /* two are under way */
}

/* Each block has one owner, all agree on it, and each gets its share. */
static void
owners_agree(void **state)
{
    struct fixture *f = *state;
    static const uint64_t ids[3] = { ME, 2000, 3000 };
    struct schedule *other = schedule_create(&f->map, 0, ids[1]);
    int of[3] = { 0 }, sources[3], theirs[3];

    for (int i = 0; i < 3; i++) {
        sources[i] = i == 0 ? OWNER_SELF : peer(f, ids[i]);
        theirs[i] = i == 1 ? OWNER_SELF : schedule_add(other, SOURCE_PEER);
        if (i != 1) {
            schedule_peer(other, theirs[i], ids[i]);
        }
    }
    for (uint32_t b = 0; b < BLOCKS; b++) {
        int mine = schedule_owner_of(f->s, b);
        int its = schedule_owner_of(other, b);

        for (int i = 0; i < 3; i++) {
            assert_int_equal(mine == sources[i], its == theirs[i]);
            of[i] += mine == sources[i];
        }
    }
    for (int i = 0; i < 3; i++) {
        assert_in_range(of[i], BLOCKS / 6, BLOCKS / 2);
    }
    schedule_free(other);
}

/* Where one leaves, only its blocks fall to others. */
static void
who_leaves_hands_on(void **state)
{
    struct fixture *f = *state;
    int a = peer(f, 2000), b = peer(f, 3000), before[BLOCKS];

    for (uint32_t i = 0; i < BLOCKS; i++) {
        before[i] = schedule_owner_of(f->s, i);
    }
    schedule_drop(f->s, a);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        int now = schedule_owner_of(f->s, i);

        assert_true(before[i] == a ? now == b || now == OWNER_SELF
                                   : now == before[i]);
    }
}

static void
own_blocks_first(void **state)
{
    struct fixture *f = *state;
    int cdn = schedule_add(f->s, SOURCE_CDN), last = -1;
    uint32_t mine = 0;
    bool in_order = true;

    peer(f, 2000);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        mine += schedule_owner_of(f->s, i) == OWNER_SELF;
    }
    for (uint32_t i = 0; i < mine; i++) {
        int block = take(f, cdn);

        assert_true(block >= 0);
        assert_int_equal(schedule_owner_of(f->s, (uint32_t) block),
                         OWNER_SELF);
        in_order = in_order && block > last;
        last = block;
        deliver(f, (uint32_t) block);
    }
    assert_false(in_order);
    int block = take(f, cdn); /* then others' */
    assert_int_equal(schedule_owner_of(f->s, (uint32_t) block), 0 + 1);
}

static void
not_what_others_have_or_fetch(void **state)
{
    struct fixture *f = *state;
    int cdn = schedule_add(f->s, SOURCE_CDN), a = peer(f, 2000);

    schedule_gain(f->s, a, 0, 40, f->now);
    schedule_claim(f->s, a, 40, 59, true, f->now);
    assert_int_equal(take(f, cdn), 99);
    f->s->peers_active = 1; /* something comes from a peer */
    assert_int_equal(take(f, cdn), SHOAL_ENOTFOUND);
    schedule_claim(f->s, a, 50, 1, false, f->now); /* given up */
    schedule_gain(f->s, a, 99, 1, f->now);
    f->s->sources[a].moved = 0; /* and shows no sign of life */
    f->now += 1000;
    assert_int_equal(take(f, cdn), 50);
}

/* Never the last two of an owner whose log moves. */
static void
the_last_are_left(void **state)
{
    struct fixture *f = *state;
    int cdn = schedule_add(f->s, SOURCE_CDN), a = peer(f, 2000);
    uint32_t left = 0;

    schedule_claim(f->s, a, 0, 1, true, f->now);
    for (uint32_t i = BLOCKS; i-- > 1;) {
        if (schedule_owner_of(f->s, i) != a || left++ >= 2) {
            hold(f, i, 1);
        }
    }
    f->s->peers_active = 1;
    assert_int_equal(take(f, cdn), SHOAL_ENOTFOUND);
    f->now += 601;
    assert_true(take(f, cdn) > 0);
}

static void
paced_by_what_is_passed_on(void **state)
{
    struct fixture *f = *state;
    int cdn = schedule_add(f->s, SOURCE_CDN), a = peer(f, 2000);
    uint32_t blocks[4];

    for (int i = 0; i < 4; i++) {
        blocks[i] = (uint32_t) take(f, cdn);
        deliver(f, blocks[i]);
    }
    schedule_gain(f->s, a, 90, 1, f->now);
    assert_int_equal(take(f, a), 90); /* something comes from a peer */
    assert_int_equal(take(f, cdn), SHOAL_ENOTFOUND);
    schedule_gain(f->s, a, blocks[0], 1, f->now);
    assert_true(take(f, cdn) >= 0);
    deliver(f, (uint32_t) f->s->works[f->s->n_works - 1].next);
    assert_int_equal(take(f, cdn), SHOAL_ENOTFOUND);
    schedule_gain(f->s, a, blocks[1], 1, f->now);
    assert_true(take(f, cdn) >= 0);
}

/* Late comers take old blocks of it first; it does not wait for that. */
static void
not_paced_when_alone_was_faster(void **state)
{
    struct fixture *f = *state;
    int cdn = schedule_add(f->s, SOURCE_CDN), a = peer(f, 2000);

    for (int i = 0; i < 4; i++) {
        deliver(f, (uint32_t) take(f, cdn));
    }
    schedule_gain(f->s, a, 90, 1, f->now);
    assert_int_equal(take(f, a), 90);
    f->s->cdn_alone = 2e6;
    f->s->total = 1.9e6;
    assert_int_equal(take(f, cdn), SHOAL_ENOTFOUND);
    f->s->total = 1.7e6;
    assert_true(take(f, cdn) >= 0);
}

/* What it has from before there was anybody to give it to does not count. */
static void
paced_since_the_crowd_alone(void **state)
{
    struct fixture *f = *state;
    int cdn = schedule_add(f->s, SOURCE_CDN);

    for (uint32_t i = 0; i < 10; i++) {
        hold(f, i, 1);
        schedule_cdn_arrived(f->s, i);
    }
    int a = peer(f, 2000);
    schedule_gain(f->s, a, 90, 1, f->now);
    assert_int_equal(take(f, a), 90);
    for (int i = 0; i < 4; i++) {
        deliver(f, (uint32_t) take(f, cdn));
    }
    assert_int_equal(take(f, cdn), SHOAL_ENOTFOUND);
}

static void
not_paced_when_nothing_comes(void **state)
{
    struct fixture *f = *state;
    int cdn = schedule_add(f->s, SOURCE_CDN);

    peer(f, 2000);
    for (int i = 0; i < 20; i++) {
        int block = take(f, cdn);

        assert_true(block >= 0);
        deliver(f, (uint32_t) block);
    }
}

/* A crowd forms: of the long range the block under way is left, if it is
 * ours. */
static void
long_ranges_are_cut(void **state)
{
    struct fixture *f = *state;
    int cdn = schedule_add(f->s, SOURCE_CDN);

    assert_int_equal(take(f, cdn), 0);
    int work = work_of(f, 50), a = peer(f, 2000);
    take(f, cdn);
    struct schedule_range left = schedule_left(f->s, work);
    bool mine = schedule_owner_of(f->s, 0) == OWNER_SELF;
    assert_int_equal(left.end - left.next, mine ? 1 : 0);
    assert_int_equal(schedule_owner_of(f->s, 0), mine ? OWNER_SELF : a);
}

/* One of very many waits, and not all equally long. */
static void
juniors_wait(void **state)
{
    struct fixture *f = *state;
    int early = 0, late = 0;

    for (uint64_t id = 1; id <= 200; id++) {
        struct schedule *s = schedule_create(&f->map, 0, id * 77);
        int cdn = schedule_add(s, SOURCE_CDN);
        struct schedule_range r;
        uint64_t t = 1000;

        schedule_seniors(s, SCHEDULE_LIST);
        schedule_tick(s, t);
        schedule_peer(s, schedule_add(s, SOURCE_PEER), 5);
        while (schedule_take(s, cdn, t, &r) < 0) {
            t += 100;
            assert_true(t < 3200);
        }
        early += t < 2200;
        late += t > 2400;
        schedule_free(s);
    }
    assert_in_range(early, 0, 20);
    assert_true(late > 120);
}

/* The crowd gives less than the CDN did: as if alone, for a while. */
static void
slow_crowd_is_left(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r;
    int cdn = schedule_add(f->s, SOURCE_CDN), a = peer(f, 2000);

    f->s->cdn_alone = 1e8;
    for (int i = 0; i < 40; i++) {
        f->now += 100;
        schedule_tick(f->s, f->now);
    }
    assert_false(schedule_is_crowd(f->s));
    schedule_gain(f->s, a, 0, 10, f->now);
    assert_true(schedule_take(f->s, cdn, f->now, &r) >= 0);
    assert_int_equal(r.next, 10);
    assert_int_equal(r.end, BLOCKS);
    f->now += 40000;
    schedule_tick(f->s, f->now);
    assert_true(schedule_is_crowd(f->s));
}

/* The second source: only while the total rises by most of what it gives. */
static void
gate_opens_where_it_helps(void **state)
{
    static const struct {
        double peers_before, peers_then, cdn;
        bool open;
    } cases[] = {
        { 2e6, 2e6, 1e6, true },
        { 2e6, 1.2e6, 1e6, false }, /* it only takes the peers' place */
        { 2e6, 2e6, 0.01e6, false } /* next to nothing */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = *state;
        struct schedule *s = schedule_create(&f->map, 0, ME);
        uint64_t t = 1000;
        int cdn = schedule_add(s, SOURCE_CDN),
            a = schedule_add(s, SOURCE_PEER);
        bool opened = false;

        schedule_peer(s, a, 5);
        s->cdn_alone = 2.7e6;
        s->total = cases[i].peers_before;
        schedule_tick(s, t);
        for (int k = 0; k < 23; k++) {
            opened = opened || s->gate.open;
            bool on = s->gate.open;

            t += 100;
            s->sources[a].bytes = (uint64_t) (0.1
                                              * (on ? cases[i].peers_then
                                                    : cases[i].peers_before));
            s->sources[cdn].bytes = on ? (uint64_t) (0.1 * cases[i].cdn) : 0;
            schedule_tick(s, t);
            s->sources[a].bytes = s->sources[cdn].bytes = 0;
        }
        assert_true(opened);
        assert_int_equal(s->gate.open, cases[i].open);
        schedule_free(s);
    }
}

/* So much comes from the peer for so long; was the gate opened? */
static bool
opens_at(struct fixture *f, int source, double rate, unsigned ms)
{
    bool opened = false;

    for (unsigned k = 0; k < ms / 100; k++) {
        f->now += 100;
        f->s->sources[source].bytes = (uint64_t) (0.1 * rate);
        schedule_tick(f->s, f->now);
        f->s->sources[source].bytes = 0;
        opened = opened || f->s->gate.open;
    }
    return opened;
}

/* Who takes all that its own line carries needs no second source; nor does a
 * crowd that still has to get blocks from the CDN. */
static void
gate_opens_where_uplinks_lack(void **state)
{
    struct fixture *f = *state;
    int a = peer(f, 2000), b = peer(f, 3000);

    schedule_add(f->s, SOURCE_CDN);
    schedule_gain(f->s, a, 0, BLOCKS / 2, f->now);
    assert_false(opens_at(f, a, 3e6, 3000));
    assert_false(opens_at(f, a, 2.4e6, 1500));
    assert_false(opens_at(f, a, 3e6, 3000));
    schedule_gain(f->s, b, BLOCKS / 2, BLOCKS / 2, f->now);
    assert_false(opens_at(f, a, 3e6, 5000));
    assert_true(opens_at(f, a, 2.4e6, 1500));
}

/* Beside a super peer that fills alone, who is slow perhaps, a client reads
 * from the CDN as if there was nobody. */
static void
no_crowd_without_clients(void **state)
{
    struct fixture *f = *state;
    struct schedule_range r;
    int cdn = schedule_add(f->s, SOURCE_CDN),
        a = schedule_add(f->s, SOURCE_SUPER);

    schedule_peer(f->s, a, 9000);
    schedule_claim(f->s, a, 0, BLOCKS, true, f->now);
    assert_false(schedule_is_crowd(f->s));
    assert_true(schedule_take(f->s, cdn, f->now, &r) >= 0);
    assert_int_equal(r.end - r.next, BLOCKS);
    int b = peer(f, 2000);
    assert_true(schedule_is_crowd(f->s));
    schedule_drop(f->s, b);
    assert_false(schedule_is_crowd(f->s));
}

/* What a super peer that fills has got comes in at once: the CDN is its. */
static void
gate_leaves_the_cdn_to_who_fills(void **state)
{
    struct fixture *f = *state;
    int a = schedule_add(f->s, SOURCE_SUPER);

    peer(f, 2000);
    f->s->cdn_alone = 4e6;
    schedule_peer(f->s, a, 9000);
    schedule_gain(f->s, a, 0, 20, f->now);
    assert_false(opens_at(f, a, 3e6, 2000));
    f->s->cdn_alone = 4e6;
    schedule_gain(f->s, a, 20, 40, f->now); /* it cannot give it all */
    assert_true(opens_at(f, a, 3e6, 2000));
}

static const struct CMUnitTest tests[] = {
    WITH(one_block_a_request),
    WITH(owners_agree),
    WITH(who_leaves_hands_on),
    WITH(own_blocks_first),
    WITH(not_what_others_have_or_fetch),
    WITH(the_last_are_left),
    WITH(paced_by_what_is_passed_on),
    WITH(not_paced_when_nothing_comes),
    WITH(not_paced_when_alone_was_faster),
    WITH(paced_since_the_crowd_alone),
    WITH(long_ranges_are_cut),
    WITH(juniors_wait),
    WITH(slow_crowd_is_left),
    WITH(gate_opens_where_it_helps),
    WITH(gate_opens_where_uplinks_lack),
    WITH(gate_leaves_the_cdn_to_who_fills),
    WITH(no_crowd_without_clients),
};

UNIT_MAIN(tests)
