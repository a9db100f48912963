/* schedule_peers.c - single blocks of peers, and of super peers in a crowd:
 * several requests under way at each, the rarest block first. */
#include "schedule_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    REQUESTS_MIN = 2, /* the next is there when the first is over */
    FEW = 12, /* with more neighbours one is enough: others fill the gap */
    REQUESTS_MAX = 12,
    AHEAD_MS = 100,  /* of a source's rate that are asked for beyond them */
    SLOWER = 2,      /* times the service time of the fast ones: slow */
    SOURCES_FEW = 3, /* below that nobody is called slow */
    BUFFERS_MAX = 64 << 20 /* bytes: each request gathers a block */
};

bool
schedule_peers_has_room(const struct schedule *s)
{
    return s->peers_active == 0
           || (s->peers_active + 1) * s->map->block_size <= BUFFERS_MAX;
}

static unsigned
depth(const struct schedule *s, int source)
{
    double rate = s->sources[source].rate;
    unsigned least = s->n_followed > FEW ? 1 : REQUESTS_MIN;
    double n = rate * AHEAD_MS / 1000 / (double) s->map->block_size;

    if (n >= REQUESTS_MAX - REQUESTS_MIN) {
        return REQUESTS_MAX;
    }
    return least + (unsigned) n;
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

/* What sources that are not slow have: the slow ones need not give that.
 * "Only what nobody else has" hung a swarm whose holders were all slow. */
static bool
gather(struct schedule *s)
{
    if (s->fast == NULL) {
        s->fast = calloc(s->words + 1, sizeof(*s->fast));
    }
    if (s->fast == NULL || s->fast_known) {
        return s->fast != NULL;
    }
    memset(s->fast, 0, s->words * sizeof(*s->fast));
    for (int i = 0; i < s->n_sources; i++) {
        const struct source *o = &s->sources[i];

        if (!gives(o) || schedule_peers_is_slow(s, i)) {
            continue;
        }
        for (uint32_t w = 0; w < s->words; w++) {
            s->fast[w] |= o->all ? ~0ull : o->have[w];
        }
    }
    s->fast_known = true;
    return true;
}

void
schedule_peers_tick(struct schedule *s)
{
    s->fast_ms = lower_third(s);
    s->fast_known = false;
}

bool
schedule_peers_is_slow(const struct schedule *s, int source)
{
    return s->fast_ms > 0 && s->sources[source].service > SLOWER * s->fast_ms;
}

/* Of a slow one only what no faster one has, as of the last tick. */
static bool
find_unique(struct schedule *s, int source, uint32_t *out)
{
    return gather(s)
           && schedule_index_rarest(
               s, source, schedule_fill_mask(s, source, s->fast), out);
}

int
schedule_peers_take(struct schedule *s, int source)
{
    const struct source *src = &s->sources[source];
    uint32_t block = 0;

    if (src->active >= depth(s, source)) {
        return SHOAL_EBUSY;
    }
    if (!src->all && src->held == 0) {
        return SHOAL_ENOTFOUND;
    }
    bool slow = schedule_peers_is_slow(s, source);
    if (slow ? find_unique(s, source, &block)
             : schedule_index_rarest(
                 s, source, schedule_fill_mask(s, source, NULL), &block))
    {
        return schedule_begin(s, source, block, block + 1);
    }
    return slow ? SHOAL_ENOTFOUND : schedule_end_block(s, source);
}
