/* schedule_peers.c - single blocks of peers, and of super peers in a crowd:
 * several requests under way at each, the rarest block first. */
#include "schedule_internal.h"

#include <string.h>

enum {
    REQUESTS_MIN = 2, /* the next is there when the first is over */
    REQUESTS_MAX = 12,
    AHEAD_MS = 100,  /* of a source's rate that are asked for beyond them */
    END_BLOCKS = 32, /* that are missing: the end game */
    SLOWER = 2,      /* times the service time of the fast ones: slow */
    SOURCES_FEW = 3  /* below that nobody is called slow */
};

static unsigned
depth(const struct schedule *s, int source)
{
    double rate = s->sources[source].rate;
    double n = rate * AHEAD_MS / 1000 / (double) s->map->block_size;

    if (n >= REQUESTS_MAX - REQUESTS_MIN) {
        return REQUESTS_MAX;
    }
    return REQUESTS_MIN + (unsigned) n;
}

static bool
gives(const struct source *o)
{
    return o->kind != SOURCE_CDN && !o->gone && (o->all || o->held > 0)
           && o->service > 0;
}

/* Below which a third of the sources' service times lie; 0: too few. */
static double
lower_third(const struct schedule *s)
{
    double low[SCHEDULE_CROWD] = { 0 }; /* the smallest, sorted */
    int n = 0, kept = 0;

    for (int i = 0; i < s->n_sources; i++) {
        double ms = s->sources[i].service;
        int at = kept;

        if (!gives(&s->sources[i])) {
            continue;
        }
        n++;
        while (at > 0 && low[at - 1] > ms) {
            at--;
        }
        if (at == SCHEDULE_CROWD) {
            continue;
        }
        kept += kept < SCHEDULE_CROWD;
        memmove(&low[at + 1], &low[at],
                (size_t) (kept - at - 1) * sizeof(*low));
        low[at] = ms;
    }
    int third = n / SOURCES_FEW;
    return n < SOURCES_FEW ? 0 : low[third < kept ? third : kept - 1];
}

/* What faster sources have: the slow one need not give that. "Only what
 * nobody else has" hung a swarm whose holders were all slow. */
static void
add_faster(const struct schedule *s, int slow, uint64_t *mask)
{
    double bound = s->sources[slow].service / SLOWER;

    for (int i = 0; i < s->n_sources; i++) {
        const struct source *o = &s->sources[i];

        if (i == slow || !gives(o) || o->service > bound) {
            continue;
        }
        for (uint32_t w = 0; w < s->words; w++) {
            mask[w] |= o->all ? ~0ull : o->have[w];
        }
    }
}

static bool
is_slow(const struct schedule *s, int source)
{
    double third = lower_third(s);

    return third > 0 && s->sources[source].service > SLOWER * third;
}

int
schedule_peers_take(struct schedule *s, int source)
{
    const struct source *src = &s->sources[source];
    uint64_t mask[BLOCKMAP_BLOCKS_MAX / 64] = { 0 };
    uint32_t block = 0;

    if (src->active >= depth(s, source)) {
        return SHOAL_EBUSY;
    }
    if (!src->all && src->held == 0) {
        return SHOAL_ENOTFOUND;
    }
    bool slow = is_slow(s, source);
    if (slow) {
        add_faster(s, source, mask);
    }
    if (schedule_index_rarest(s, source, slow ? mask : NULL, &block)) {
        return schedule_begin(s, source, block, block + 1);
    }
    if (schedule_missing(s) < END_BLOCKS && !slow) {
        return schedule_end_block(s, source);
    }
    return SHOAL_ENOTFOUND;
}
