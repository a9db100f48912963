/* schedule_end.c - the end game: what is overdue is asked a second time, once,
 * where it is expected to come sooner. What comes twice is waste, and
 * counted. */
#include "schedule_internal.h"

enum {
    GAIN_MS = 50,    /* that makes a copy worth it */
    END_BLOCKS = 64, /* that are missing: the end game */
    OVERDUE_CDN = 8, /* at the CDN: others' blocks are dearer there */
    LATE_MS = 3000,  /* there, of who leaves the CDN to others */
    SERVICE_MIN_MS = 10
};

int
schedule_end_range(struct schedule *s, int source)
{
    const struct work *slowest = NULL;
    double longest = 0;

    for (int i = 0; i < s->n_works; i++) {
        const struct work *w = &s->works[i];

        uint32_t reach = schedule_reach(s, w);

        if (!w->active || w->source == source || w->next >= reach
            || s->blocks[w->next].claims > 1 || blockmap_has(s->map, w->next)
            || !schedule_has(s, source, w->next))
        {
            continue;
        }
        double its = schedule_left_ms(s, w);
        double mine = schedule_ready_ms(s, source)
                      + schedule_time(s, source, reach - w->next);
        if (its > 2 * mine + GAIN_MS && its > longest) {
            slowest = w;
            longest = its;
        }
    }
    if (slowest == NULL) {
        return SHOAL_ENOTFOUND;
    }
    uint32_t next = slowest->next, end = next + 1;
    while (end < schedule_reach(s, slowest) && s->blocks[end].claims == 1
           && schedule_has(s, source, end) && !blockmap_has(s->map, end))
    {
        end++;
    }
    return schedule_begin(s, source, next, end);
}

static double
service_of(const struct schedule *s, int source)
{
    double service = schedule_service(s, source);

    return service > SERVICE_MIN_MS ? service : SERVICE_MIN_MS;
}

/* Until its block is expected: one that is late will need half as long as it
 * took already. What comes from the CDN is not fetched twice before that. */
static double
expected_ms(const struct schedule *s, const struct work *w)
{
    double age = (double) (s->now - w->begun);
    double left = service_of(s, w->source) - age;
    bool cdn = s->sources[w->source].kind == SOURCE_CDN;

    return cdn || left < age / 2 ? age / 2 : left;
}

/* How much better the block is had from that source; 0: it is not. Others'
 * blocks are dear at the CDN. */
static double
gain_of(const struct schedule *s, const struct work *w, int source)
{
    double mine = schedule_service(s, source), left = expected_ms(s, w);

    if (s->sources[source].kind == SOURCE_CDN) {
        double age = (double) (s->now - w->begun);

        return age > OVERDUE_CDN * service_of(s, w->source) ? age : 0;
    }
    mine = mine > 0 ? mine : service_of(s, w->source);
    return left > 2 * mine + GAIN_MS ? left : 0;
}

int
schedule_end_block(struct schedule *s, int source)
{
    bool cdn = s->sources[source].kind == SOURCE_CDN;
    uint64_t age = cdn && !schedule_owner_is_one(s) ? LATE_MS : 0;
    const struct work *best = NULL;
    double most = 0;

    if (schedule_missing(s) >= END_BLOCKS) {
        return SHOAL_ENOTFOUND;
    }
    for (int i = 0; i < s->n_works; i++) {
        const struct work *w = &s->works[i];

        if (!w->active || w->source == source || w->next >= w->end
            || s->blocks[w->next].claims > 1 || blockmap_has(s->map, w->next)
            || !schedule_has(s, source, w->next) || s->now < w->begun + age)
        {
            continue;
        }
        double gain = gain_of(s, w, source);
        if (gain > most) {
            best = w;
            most = gain;
        }
    }
    if (best == NULL) {
        return SHOAL_ENOTFOUND;
    }
    return schedule_begin(s, source, best->next, best->next + 1);
}

/* Is it had sooner from the stream than from who fetches it? */
static bool
is_passed(const struct schedule *s, const struct work *w, uint32_t block)
{
    double mine = schedule_time(s, w->source, 1);

    if (blockmap_has(s->map, block) || !schedule_has(s, w->source, block)) {
        return false;
    }
    for (int i = 0; i < s->n_works; i++) {
        const struct work *v = &s->works[i];

        if (v != w && v->active && block >= v->next && block < v->end
            && schedule_time(s, v->source, block - v->next + 1)
                   <= 2 * mine + GAIN_MS)
        {
            return false;
        }
    }
    return true;
}

bool
schedule_read_on(struct schedule *s, int work, uint32_t end)
{
    struct work *w = &s->works[work];
    uint32_t block = w->end;

    if (s->sources[w->source].kind != SOURCE_CDN || schedule_is_crowd(s)
        || w->next < block || block >= end || block >= s->limit
        || !is_passed(s, w, block))
    {
        return false;
    }
    w->end++;
    s->blocks[block].claims++;
    schedule_index_settle(s, block);
    return true;
}
