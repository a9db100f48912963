/* schedule_gate.c - when the CDN is asked although others have the blocks: a
 * crowd that uploads little needs it, and only a measurement tells. And when
 * the crowd is no help at all: a client in it must not be slower than one
 * alone. */
#include "schedule_internal.h"

enum {
    TRIAL_MS = 1000, /* the gate is open that long to see what it gives */
    FIRST_MS = 1000, /* before the first trial */
    AGAIN_MS = 2000, /* after one in vain; doubled at each */
    AGAIN_MAX_MS = 32000,
    SETTLE_MS = 300,   /* after a change, until what it gives is counted */
    STARVED_MS = 2500, /* too slow for so long: the crowd is left */
    LACK_MAX = 5,      /* times that soon, where it is far too slow */
    ALONE_MS = 4000,   /* for so long; doubled at each */
    TICK_MAX_MS = 500, /* that count of a longer one: we were held up */
    FIRST_LOOK_MS = 20,
    LEARN_MS = 250,  /* alone, until it is known what the CDN gives */
    BURST_MS = 3000, /* of a crowd: its rate says little */
    FED_MS = 1000,   /* blocks of so long may wait to be asked for */
    END_MS = 1000,   /* less is left: no trial */
    MANY = 12        /* neighbours: a share of the CDN is next to nothing */
};

#define SMOOTHING 0.1
#define MOST      0.7     /* of what the CDN gives has to be gain */
#define STARVED   0.7     /* of what it gave alone */
#define LACKS     0.9     /* likewise: waiting for others has no sense */
#define WORTH     0.05    /* of the total rate, at least */
#define FADE_MS   10000.0 /* what the CDN gave long ago says little */

#define BEST_FADE_MS 60000.0 /* what came in then is our own line's rate */

static void
set_gate(struct schedule *s, bool open, uint64_t for_ms)
{
    struct gate *g = &s->gate;

    if (open && !g->open) {
        g->before = s->total;
    }
    g->open = open;
    g->from = s->now + SETTLE_MS;
    g->until = s->now + for_ms;
    g->total = g->cdn = 0;
}

static uint64_t
backoff(uint64_t first, unsigned tries, uint64_t most)
{
    uint64_t ms = first;

    while (tries-- > 0 && ms < most) {
        ms *= 2;
    }
    return ms < most ? ms : most;
}

/* The trial is over: does the total rise by most of what the CDN gives? */
static void
judge_gate(struct schedule *s)
{
    struct gate *g = &s->gate;
    double ms = (double) (s->now - g->from);
    double total = (double) g->total * 1000 / ms;
    double cdn = (double) g->cdn * 1000 / ms;

    if (cdn > WORTH * total && total - g->before > MOST * cdn) {
        g->tries = 0;
        set_gate(s, true, 2 * TRIAL_MS);
    } else {
        set_gate(s, false, backoff(AGAIN_MS, g->tries++, AGAIN_MAX_MS));
    }
}

/* What it is known to give to this client alone. (The rate of single blocks
 * says little: each comes in a burst after a pause.) */
static double
cdn_known(const struct schedule *s)
{
    double rate = s->cdn_alone > s->cdn_first ? s->cdn_alone : s->cdn_first;

    return rate > s->cdn_total ? rate : s->cdn_total;
}

bool
schedule_gate_lacks(const struct schedule *s)
{
    return s->total < LACKS * s->cdn_alone;
}

/* All that only the CDN has is on its way, and less comes in than once did:
 * the others' uplinks are the bottleneck, and the CDN's is idle. */
static bool
is_uplink_bound(const struct schedule *s)
{
    return s->n_open[0] == 0 && s->cdn_active == 0
           && s->total < LACKS * s->crowd_best;
}

/* A super peer fills, and what it has got is had soon: there is no more to get,
 * and what the CDN gave us would be taken from it, and come twice. */
static bool
is_fed(const struct schedule *s)
{
    uint32_t blocks = 0;

    for (int level = 1; level < LEVELS; level++) {
        blocks += s->n_open[level];
    }
    return schedule_fill_is_on(s)
           && (double) blocks * (double) s->map->block_size * 1000
                  < s->total * FED_MS;
}

/* Only where the crowd gives less than it, or the CDN, once did, and time is
 * left in which it would help. */
static bool
may_try(const struct schedule *s)
{
    double left = (double) schedule_missing(s) * (double) s->map->block_size;

    return s->n_followed <= MANY
           && (s->total < cdn_known(s) || is_uplink_bound(s)) && !is_fed(s)
           && left * 1000 > s->total * END_MS;
}

/* The first bytes of a line come in a burst. */
static void
learn_best(struct schedule *s, double elapsed)
{
    s->crowd_ms += elapsed;
    s->crowd_best -= s->crowd_best * elapsed / BEST_FADE_MS;
    if (s->crowd_ms >= BURST_MS && s->total > s->crowd_best) {
        s->crowd_best = s->total;
    }
}

static void
step_gate(struct schedule *s, uint64_t bytes, uint64_t cdn)
{
    struct gate *g = &s->gate;

    if (g->until == 0) {
        set_gate(s, false, FIRST_MS);
    }
    if (s->now >= g->from) {
        g->total += bytes;
        g->cdn += cdn;
    }
    if (s->now < g->until) {
        return;
    }
    if (g->open) {
        judge_gate(s);
    } else if (may_try(s)) {
        set_gate(s, true, TRIAL_MS);
    }
}

void
schedule_gate_first(struct schedule *s)
{
    for (int i = 0; i < s->n_sources; i++) {
        const struct source *src = &s->sources[i];
        double ms = src->busy;

        ms += src->active > 0 ? (double) (s->now - src->busy_from) : 0;
        if (src->kind == SOURCE_CDN && ms >= FIRST_LOOK_MS) {
            s->cdn_first += (double) src->bytes * 1000 / ms;
        }
    }
}

/* As measured last. */
static double
cdn_rate(const struct schedule *s)
{
    double rate = 0;

    for (int i = 0; i < s->n_sources; i++) {
        if (s->sources[i].kind == SOURCE_CDN && !s->sources[i].gone) {
            rate += s->sources[i].rate;
        }
    }
    return rate;
}

/* One short look says little: others may have begun a moment later. */
static void
learn_alone(struct schedule *s, double elapsed)
{
    double rate = cdn_rate(s);

    s->alone_ms += elapsed;
    if (s->alone_ms >= LEARN_MS && (rate > s->cdn_alone || s->n_followed > 0))
    {
        s->cdn_alone = rate;
    }
}

/* Nobody has anything yet, and others go to the CDN first: were the crowd left
 * now, all would, for the same blocks. */
static bool
waits_its_turn(const struct schedule *s)
{
    return !schedule_owner_is_one(s) && s->peers_active == 0;
}

/* What the CDN gives is known from the time alone, and fades; or from what is
 * asked there. */
static void
watch_crowd(struct schedule *s, double elapsed)
{
    if (!schedule_is_crowd(s)) {
        learn_alone(s, elapsed);
        s->starved = 0;
        return;
    }
    s->alone_ms = 0;
    s->cdn_alone -= s->cdn_alone * elapsed / FADE_MS;
    s->cdn_first -= s->cdn_first * elapsed / FADE_MS;
    if (s->total >= STARVED * cdn_known(s) || waits_its_turn(s)) {
        s->starved = 0;
        return;
    }
    double lack = STARVED * cdn_known(s) / (s->total + 1);
    s->starved += (unsigned) (elapsed * (lack < LACK_MAX ? lack : LACK_MAX));
    if (s->starved >= STARVED_MS) {
        s->alone_until =
            s->now + backoff(ALONE_MS, s->left_crowd++, AGAIN_MAX_MS);
    }
}

void
schedule_gate_tick(struct schedule *s, double elapsed, uint64_t bytes,
                   uint64_t cdn)
{
    double rate = (double) bytes * 1000 / elapsed;
    double weight = SMOOTHING * elapsed / 100;

    weight = weight < 1 ? weight : 1;
    s->total = s->total > 0 ? s->total + weight * (rate - s->total) : rate;
    s->cdn_total += weight * ((double) cdn * 1000 / elapsed - s->cdn_total);
    watch_crowd(s, elapsed < TICK_MAX_MS ? elapsed : TICK_MAX_MS);
    if (schedule_is_crowd(s)) {
        learn_best(s, elapsed);
        step_gate(s, bytes, cdn);
    }
}
