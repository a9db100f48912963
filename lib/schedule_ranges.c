/* schedule_ranges.c - long ranges: a client alone, and whoever has the whole
 * file while nobody waits for single blocks. One source reads in order to the
 * end; the others take what is a second's work of theirs from its tail, less
 * towards the end, so that all are done at once. */
#include "schedule_internal.h"

enum {
    FIRST_CHUNK = 2 << 20, /* bytes; asked of a source of unknown rate */
    AWAIT_MS = 100,        /* so while a crowd may turn up */
    AWAIT_WAYS = 2,        /* and so many at a time, for no pause between */
    AWAIT_CHUNK = 1 << 20, /* at most, while its rate rises yet */
    CHUNK_MS = 1000,       /* a request is about that long (DESIGN 5) */
    CHUNK_MIN_MS = 25,     /* at the end: shorter ones cost more than the
                              uneven end that they avoid */
    CDN_MIN_MS = 300,      /* so for a second stream from the CDN */
    SECOND_MIN = 16 << 20, /* bytes left, where no rate is known yet */
    STEAL_MIN_MS = 20,     /* less is left: let it finish */
    LATENCIES = 3,         /* a cut in mid-stream costs that many */
    FAR_MS = 20,           /* of latency: round trips count */
    WAYS_MS = 5,           /* of latency */
    FAR_WAYS = 2,          /* requests at a time there: no pause between */
    FAR_FIRST = 8 << 20,   /* bytes a request, while its rate rises yet */
    FAR_CHUNK = 128 << 10, /* bytes; while a crowd may turn up */
};

static uint32_t
whole_blocks(const struct schedule *s, double bytes)
{
    double blocks = bytes / (double) s->map->block_size;

    if (blocks >= s->map->count) {
        return s->map->count;
    }
    return blocks > 1 ? (uint32_t) blocks : 1;
}

static bool
has_node(const struct schedule *s)
{
    for (int i = 0; i < s->n_sources; i++) {
        if (s->sources[i].kind == SOURCE_CDN && !s->sources[i].gone) {
            return true;
        }
    }
    return false;
}

/* It gave nothing yet: beside a CDN node it is tried with one block. */
static bool
is_unproven(const struct schedule *s, int source)
{
    return s->sources[source].kind != SOURCE_CDN
           && s->sources[source].rate <= 1 && has_node(s);
}

static bool
is_awaiting(const struct schedule *s, int source)
{
    return s->sources[source].kind == SOURCE_CDN && s->await_left > 0
           && s->now < s->await_until;
}

/* Each range's end is a pause of a round trip there, and where TCP begins
 * slowly, nothing short is as fast as a client alone. */
static bool
is_far(const struct schedule *s, int source)
{
    return s->sources[source].latency >= FAR_MS;
}

/* How many blocks one request to the source spans. Where TCP begins slowly
 * the first rates say little: there it may be as much as there was so far. */
static uint32_t
chunk(const struct schedule *s, int source)
{
    const struct source *src = &s->sources[source];
    double some = src->rate > 0 ? src->rate * CHUNK_MS / 1000 : FIRST_CHUNK;

    if (is_unproven(s, source)) {
        return 1;
    }
    if (src->kind == SOURCE_CDN && is_far(s, source)) {
        double least = src->rate > 0 && src->got < FAR_FIRST
                           ? (double) src->got
                           : FAR_FIRST;

        some = some > least ? some : least;
    }
    return whole_blocks(s, some);
}

static bool
is_only_node(const struct schedule *s, int source)
{
    for (int i = 0; i < s->n_sources; i++) {
        if (i != source && s->sources[i].kind == SOURCE_CDN
            && !s->sources[i].gone) {
            return false;
        }
    }
    return s->sources[source].kind == SOURCE_CDN;
}

/* Two long ranges at one node: where a crowd may turn up the first GET is a
 * short one, and its connection goes on beside the HEAD's. */
static bool
has_two_ways(const struct schedule *s, int source)
{
    return s->await_until > 0 && is_far(s, source) && is_only_node(s, source);
}

/* Likewise, of a CDN node. Two requests of half of what there is by now are
 * a slow start: the rate that is measured lags behind it. From afar they are
 * of twice that, as a pause of a round trip follows each. */
static uint32_t
cdn_chunk(const struct schedule *s, int source)
{
    const struct source *src = &s->sources[source];
    double some = (double) src->got / 2, most = src->rate * AWAIT_MS / 1000;

    if (!is_awaiting(s, source)) {
        return s->map->count;
    }
    if (is_far(s, source)) {
        some = 4 * some > FAR_CHUNK ? 4 * some : FAR_CHUNK;
    }
    some = some < AWAIT_CHUNK ? some : AWAIT_CHUNK;
    return whole_blocks(s, some > most ? some : most);
}

/* Where a source begins to look: golden-ratio steps, so that any number of
 * them stays evenly spread. */
static uint32_t
own_place(const struct schedule *s, int source)
{
    if (s->sources[source].kind == SOURCE_CDN) {
        return !is_awaiting(s, source) ? s->start
               : is_far(s, source)     ? s->map->count / 4 + s->own_start / 2
                                       : s->own_start; /* far: two halves */
    }
    return (uint32_t) ((uint64_t) s->map->count
                           * ((uint32_t) source * 2654435769u >> 16)
                       >> 16);
}

static bool
is_free(const struct schedule *s, int source, uint32_t block)
{
    if (schedule_index_is_open(s, block)) {
        return schedule_holds(s, source, block);
    }
    return s->reserved != NULL && s->reserved[block] != 0 && block < s->limit
           && s->blocks[block].claims == 0 && !blockmap_has(s->map, block)
           && schedule_has(s, source, block);
}

static bool
has_open(const struct schedule *s)
{
    for (int level = 0; level < LEVELS; level++) {
        if (s->n_open[level] > 0) {
            return true;
        }
    }
    return s->reserved != NULL;
}

/*
 * The free block to begin with, looking from the source's own place round the
 * file: of a CDN node one that nobody else has, if there is any; of super
 * peers and peers the one with the fewest holders.
 */
static bool
find_free(const struct schedule *s, int source, uint32_t *found)
{
    bool cdn = s->sources[source].kind == SOURCE_CDN, any = false;
    uint32_t count = s->map->count, at = own_place(s, source);

    for (uint32_t i = 0; i < count; i++, at = at + 1 < count ? at + 1 : 0) {
        if (!is_free(s, source, at)
            || (any && s->blocks[at].holders >= s->blocks[*found].holders))
        {
            continue;
        }
        *found = at;
        any = true;
        if (s->blocks[at].holders == (cdn ? 0 : 1)) {
            break;
        }
    }
    return any;
}

static int
take_free(struct schedule *s, int source)
{
    bool cdn = s->sources[source].kind == SOURCE_CDN;
    uint32_t most = cdn ? cdn_chunk(s, source) : chunk(s, source), next = 0;

    if (!find_free(s, source, &next)) {
        return SHOAL_ENOTFOUND;
    }
    bool rare = cdn && s->blocks[next].holders == 0;
    uint32_t end = next + 1;
    while (end < s->map->count && end - next < most && is_free(s, source, end)
           && (!rare || s->blocks[end].holders == 0))
    {
        end++;
    }
    s->await_left -= cdn && s->await_left > 0;
    return schedule_begin(s, source, next, end);
}

/* What the thief can take of the victim: the last run of blocks that it has,
 * behind the one that is under way. */
static struct schedule_range
tail_of(const struct schedule *s, const struct work *victim, int thief)
{
    struct schedule_range r = { 0, 0 };
    uint32_t b = schedule_reach(s, victim);

    while (b > victim->next + 1
           && (!schedule_has(s, thief, b - 1) || blockmap_has(s->map, b - 1)))
    {
        b--;
    }
    r.end = b;
    while (b > victim->next + 1 && schedule_has(s, thief, b - 1)
           && !blockmap_has(s->map, b - 1))
    {
        b--;
    }
    r.next = b;
    return r;
}

/* The rates of all that are at work, and the thief's. */
static double
all_rates(const struct schedule *s, int thief, double mine)
{
    double sum = mine;

    for (int i = 0; i < s->n_sources; i++) {
        if (i != thief && s->sources[i].active > 0) {
            sum += schedule_rate_of(s, i);
        }
    }
    return sum;
}

/*
 * The thief's share of what the victim has left once the thief can begin: all
 * of it that it would do until all are done would never be cut again; half of
 * that leaves room for rates that change, and comes down to nothing in few
 * steps.
 */
static uint32_t
share(const struct schedule *s, const struct work *victim, int thief)
{
    uint32_t left = schedule_reach(s, victim) - victim->next;
    uint32_t most = chunk(s, thief);

    if (victim->source == thief) {
        return left / 2;
    }
    double its = schedule_rate_of(s, victim->source);
    double mine = schedule_known_rate(s, thief);

    mine = mine > 0 ? mine : its;
    double gone =
        schedule_ready_ms(s, thief) * its / 1000 / (double) s->map->block_size;
    double behind = gone < left ? left - gone : 0;
    double fair = behind * mine / all_rates(s, thief, mine);
    double latency = s->sources[thief].latency;
    double least_ms = latency > CHUNK_MIN_MS ? latency : CHUNK_MIN_MS;
    double least = least_ms * mine / 1000 / (double) s->map->block_size;
    uint32_t n = (uint32_t) (fair / 2 + 0.5);

    if (n < least) {
        n = (uint32_t) (fair < least ? fair + 0.5 : least + 0.5);
    }
    n = n < most ? n : most;
    return n > 0 ? n : 1;
}

/* Whoever has most left has little left: then all are soon done, and to cut
 * costs nobody anything. A further stream from the CDN is not begun before it
 * is known that it helps. */
static bool
worth_it(const struct schedule *s, const struct work *victim, int thief,
         double left_ms)
{
    const struct source *me = &s->sources[thief];
    double ways = victim->source == thief ? LATENCIES * me->latency : 0;
    double ready = ways > 0 ? ways : schedule_ready_ms(s, thief);

    if (left_ms < STEAL_MIN_MS + ready) {
        return false;
    }
    if (me->kind != SOURCE_CDN && me->rate > 1) {
        return schedule_time(s, thief, 1) < left_ms;
    }
    if (me->kind != SOURCE_CDN || schedule_known_rate(s, thief) > 0) {
        return true;
    }
    if (schedule_known_rate(s, victim->source) <= 0) {
        return s->now >= s->await_until
               && schedule_reach(s, victim) - victim->next
                      > SECOND_MIN / s->map->block_size;
    }
    return left_ms > CDN_MIN_MS;
}

static struct work *
find_victim(struct schedule *s, int thief, struct schedule_range *tail)
{
    struct work *victim = NULL;
    double longest = 0;

    for (int i = 0; i < s->n_works; i++) {
        struct work *w = &s->works[i];

        if (!w->active || schedule_reach(s, w) - w->next < 2
            || (w->source == thief && !has_two_ways(s, thief)))
        {
            continue;
        }
        double ms = schedule_left_ms(s, w);
        if (ms <= longest || !worth_it(s, w, thief, ms)) {
            continue;
        }
        struct schedule_range r = tail_of(s, w, thief);
        if (r.next < r.end) {
            victim = w;
            *tail = r;
            longest = ms;
        }
    }
    return victim;
}

static int
take_tail(struct schedule *s, int source)
{
    struct schedule_range tail;
    struct work *victim = find_victim(s, source, &tail);

    if (victim == NULL) {
        return SHOAL_ENOTFOUND;
    }
    uint32_t want = share(s, victim, source);
    if (want < tail.end - tail.next) {
        tail.next = tail.end - want;
    }
    schedule_shrink(s, victim, tail.next);
    return schedule_begin(s, source, tail.next, tail.end);
}

/* From afar two requests are under way at a time, so that the way there and
 * back costs nothing. */
static bool
is_busy(const struct schedule *s, int source)
{
    const struct source *src = &s->sources[source];

    if (is_unproven(s, source)) {
        return src->active > 0;
    }
    if (has_two_ways(s, source) || is_awaiting(s, source)) {
        return src->active >= AWAIT_WAYS;
    }
    return src->active >= (src->kind != SOURCE_CDN || src->latency >= WAYS_MS
                               ? FAR_WAYS
                               : 1);
}

int
schedule_ranges_take(struct schedule *s, int source)
{
    int work = SHOAL_ENOTFOUND;

    if (is_busy(s, source)) {
        return SHOAL_EBUSY;
    }
    if (has_open(s)) {
        work = take_free(s, source);
    }
    if (work == SHOAL_ENOTFOUND) {
        work = take_tail(s, source);
    }
    if (work == SHOAL_ENOTFOUND) {
        work = schedule_end_range(s, source);
    }
    return work;
}
