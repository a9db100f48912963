#include "schedule.h"

#include <stdlib.h>
#include <string.h>

#include "blockmap.h"
#include "shoal.h"

/*
 * A claim is a work's right to fetch a block. Each missing block has at most
 * one, but for the last blocks, which are asked twice.
 */

enum {
    FIRST_CHUNK = 2 << 20, /* bytes; asked of a source of unknown rate */
    CHUNK_MS = 1000,       /* a request is about that long (DESIGN 5) */
    CDN_MIN_MS = 500,      /* so for a second stream from the CDN */
    STEAL_MIN_MS = 100,    /* less is left: let it finish */
    DOUBLE_MIN_MS = 100    /* end game: gain that makes a copy worth it */
};

#define UNKNOWN_RATE 65536.0 /* bytes/s assumed of one that gave nothing */

struct source {
    enum source_kind kind;
    bool all;
    uint8_t *bits;
    double rate;     /* bytes a second */
    uint32_t offset; /* where it begins to look; spreads super peers */
};

struct work {
    bool active;
    int source;
    uint32_t next, end;
};

struct schedule {
    const struct blockmap *map;
    uint32_t start;
    uint8_t *claims;   /* a block's works */
    uint16_t *holders; /* super peers and peers that have it */
    int16_t *reserved; /* NULL; 0: not, else 2 + the CDN node that may not
                          have it, 1 where all may */
    struct source *sources;
    int n_sources;
    struct work *works;
    int n_works;
};

struct schedule *
schedule_create(const struct blockmap *map, uint32_t start)
{
    struct schedule *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    s->map = map;
    s->start = map->count > 0 ? start % map->count : 0;
    s->claims = calloc(map->count + 1, sizeof(*s->claims));
    s->holders = calloc(map->count + 1, sizeof(*s->holders));
    if (s->claims == NULL || s->holders == NULL) {
        schedule_free(s);
        return NULL;
    }
    return s;
}

void
schedule_free(struct schedule *s)
{
    if (s == NULL) {
        return;
    }
    for (int i = 0; i < s->n_sources; i++) {
        free(s->sources[i].bits);
    }
    free(s->claims);
    free(s->holders);
    free(s->reserved);
    free(s->sources);
    free(s->works);
    free(s);
}

int
schedule_add(struct schedule *s, enum source_kind kind)
{
    struct source *list =
        realloc(s->sources, (size_t) (s->n_sources + 1) * sizeof(*list));

    if (list == NULL) {
        return SHOAL_ENOMEM;
    }
    s->sources = list;
    list += s->n_sources;
    memset(list, 0, sizeof(*list));
    list->kind = kind;
    list->all = kind == SOURCE_CDN;
    /* Golden-ratio steps: any number of sources stays evenly spread. */
    list->offset =
        (uint32_t) ((uint64_t) s->map->count
                        * ((uint32_t) s->n_sources * 2654435769u >> 16)
                    >> 16);
    return s->n_sources++;
}

static bool
bit(const uint8_t *bits, uint32_t i)
{
    return (bits[i / 8] & (0x80 >> (i % 8))) != 0;
}

static bool
holds(const struct schedule *s, int source, uint32_t block)
{
    const struct source *src = &s->sources[source];

    return src->all || (src->bits != NULL && bit(src->bits, block));
}

bool
schedule_has(const struct schedule *s, int source, uint32_t block)
{
    int reserved = s->reserved != NULL ? s->reserved[block] : 0;

    if (reserved != 0
        && (s->sources[source].kind != SOURCE_CDN || source == reserved - 2))
    {
        return false;
    }
    return holds(s, source, block);
}

int
schedule_reserve(struct schedule *s, uint32_t block, int except)
{
    if (s->reserved == NULL) {
        s->reserved = calloc(s->map->count + 1, sizeof(*s->reserved));
        if (s->reserved == NULL) {
            return SHOAL_ENOMEM;
        }
    }
    s->reserved[block] = (int16_t) (except + 2);
    return 0;
}

void
schedule_release(struct schedule *s, uint32_t block)
{
    if (s->reserved != NULL) {
        s->reserved[block] = 0;
    }
}

static void
count_holder(struct schedule *s, int source, int step)
{
    if (s->sources[source].kind == SOURCE_CDN) {
        return;
    }
    for (uint32_t i = 0; i < s->map->count; i++) {
        if (holds(s, source, i)) {
            s->holders[i] = (uint16_t) (s->holders[i] + step);
        }
    }
}

int
schedule_have(struct schedule *s, int source, const uint8_t *bits)
{
    struct source *src = &s->sources[source];
    size_t len = blockmap_bytes(s->map);

    if (bits != NULL && src->bits == NULL) {
        src->bits = calloc(1, len + 1);
        if (src->bits == NULL) {
            return SHOAL_ENOMEM;
        }
    }
    count_holder(s, source, -1);
    src->all = bits == NULL;
    if (bits != NULL) {
        memcpy(src->bits, bits, len);
    }
    count_holder(s, source, 1);
    return 0;
}

void
schedule_rate(struct schedule *s, int source, double rate)
{
    s->sources[source].rate = rate;
}

static double
rate_of(const struct schedule *s, int source)
{
    double rate = s->sources[source].rate;

    return rate > 0 ? rate : UNKNOWN_RATE;
}

static double
time_ms(const struct schedule *s, int source, uint32_t blocks)
{
    return 1000.0 * blocks * (double) s->map->block_size / rate_of(s, source);
}

/* How many blocks one request to the source spans. */
static uint32_t
chunk(const struct schedule *s, int source)
{
    const struct source *src = &s->sources[source];
    double bytes = src->rate > 0 ? src->rate * CHUNK_MS / 1000 : FIRST_CHUNK;

    if (src->kind == SOURCE_CDN) {
        return s->map->count; /* long, and cut short when need be */
    }
    uint32_t blocks = (uint32_t) (bytes / (double) s->map->block_size);
    if (blocks > s->map->count) {
        return s->map->count;
    }
    return blocks > 0 ? blocks : 1;
}

static bool
is_free(const struct schedule *s, int source, uint32_t block)
{
    return s->claims[block] == 0 && !blockmap_has(s->map, block)
           && schedule_has(s, source, block);
}

static int
new_work(struct schedule *s, int source, uint32_t next, uint32_t end)
{
    int i = 0;

    while (i < s->n_works && s->works[i].active) {
        i++;
    }
    if (i == s->n_works) {
        struct work *list =
            realloc(s->works, (size_t) (s->n_works + 1) * sizeof(*list));

        if (list == NULL) {
            return SHOAL_ENOMEM;
        }
        s->works = list;
        s->n_works++;
    }
    s->works[i] = (struct work){ true, source, next, end };
    for (uint32_t b = next; b < end; b++) {
        s->claims[b]++;
    }
    return i;
}

/* The work gives up its blocks from `end` on. */
static void
shrink(struct schedule *s, struct work *w, uint32_t end)
{
    for (uint32_t b = end > w->next ? end : w->next; b < w->end; b++) {
        s->claims[b]--;
    }
    if (end < w->end) {
        w->end = end > w->next ? end : w->next;
    }
}

/*
 * The free block to begin with, looking from the source's own place round the
 * file: of a CDN node one that nobody else has, if there is any; of super
 * peers and peers the one with the fewest holders.
 */
static bool
find_free(const struct schedule *s, int source, uint32_t *found)
{
    const struct source *src = &s->sources[source];
    uint32_t count = s->map->count;
    uint32_t at = src->kind == SOURCE_CDN ? s->start : src->offset;
    bool any = false;

    for (uint32_t i = 0; i < count; i++, at = at + 1 < count ? at + 1 : 0) {
        if (!is_free(s, source, at)
            || (any && s->holders[at] >= s->holders[*found])) {
            continue;
        }
        *found = at;
        any = true;
        if (src->kind == SOURCE_CDN && s->holders[at] == 0) {
            break;
        }
    }
    return any;
}

static int
take_free(struct schedule *s, int source)
{
    uint32_t next = 0, most = chunk(s, source);

    if (!find_free(s, source, &next)) {
        return SHOAL_ENOTFOUND;
    }
    bool rare = s->sources[source].kind == SOURCE_CDN && s->holders[next] == 0;
    uint32_t end = next + 1;
    while (end < s->map->count && end - next < most && is_free(s, source, end)
           && (!rare || s->holders[end] == 0))
    {
        end++;
    }
    return new_work(s, source, next, end);
}

/* What the thief can take of the victim: the last run of blocks that it has,
 * behind the one that is under way. */
static struct schedule_range
tail_of(const struct schedule *s, const struct work *victim, int thief)
{
    struct schedule_range r = { 0, 0 };
    uint32_t b = victim->end;

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

/* Both end at the same time when each has its rate's share of what is left. */
static uint32_t
fair_share(const struct schedule *s, int victim, int thief, uint32_t left)
{
    double mine = rate_of(s, thief), its = rate_of(s, victim);

    if (s->sources[thief].rate <= 0) {
        mine = its;
    }
    uint32_t share = (uint32_t) (left * mine / (mine + its) + 0.5);

    return share > 0 ? share : 1;
}

/* A further stream from the CDN costs a connection, and what is under way
 * when the first is cut: not before it is known that it helps. */
static bool
worth_it(const struct schedule *s, const struct work *victim, int thief,
         double left_ms)
{
    return s->sources[thief].kind != SOURCE_CDN
           || (s->sources[victim->source].rate > 0 && left_ms > CDN_MIN_MS);
}

static int
take_tail(struct schedule *s, int source)
{
    struct work *victim = NULL;
    struct schedule_range tail = { 0, 0 };
    double longest = STEAL_MIN_MS;

    for (int i = 0; i < s->n_works; i++) {
        struct work *w = &s->works[i];

        if (!w->active || w->source == source || w->end - w->next < 2) {
            continue;
        }
        double ms = time_ms(s, w->source, w->end - w->next);
        if (ms <= longest || !worth_it(s, w, source, ms)) {
            continue;
        }
        struct schedule_range r = tail_of(s, w, source);
        if (r.next < r.end) {
            victim = w;
            tail = r;
            longest = ms;
        }
    }
    if (victim == NULL) {
        return SHOAL_ENOTFOUND;
    }
    uint32_t want =
        fair_share(s, victim->source, source, victim->end - victim->next);
    uint32_t most = chunk(s, source);

    want = want < most ? want : most;
    if (want < tail.end - tail.next) {
        tail.next = tail.end - want;
    }
    shrink(s, victim, tail.next);
    return new_work(s, source, tail.next, tail.end);
}

/* End game: everything is claimed, and this source would be done with what
 * is left of another's work well before that one. */
static int
take_again(struct schedule *s, int source)
{
    const struct work *slowest = NULL;
    double longest = 0;

    for (int i = 0; i < s->n_works; i++) {
        const struct work *w = &s->works[i];

        if (!w->active || w->source == source || w->next >= w->end
            || s->claims[w->next] > 1 || blockmap_has(s->map, w->next)
            || !schedule_has(s, source, w->next))
        {
            continue;
        }
        double its = time_ms(s, w->source, w->end - w->next);
        double mine = time_ms(s, source, w->end - w->next);
        if (its > 2 * mine + DOUBLE_MIN_MS && its > longest) {
            slowest = w;
            longest = its;
        }
    }
    if (slowest == NULL) {
        return SHOAL_ENOTFOUND;
    }
    uint32_t next = slowest->next, end = next + 1;
    while (end < slowest->end && s->claims[end] == 1
           && schedule_has(s, source, end) && !blockmap_has(s->map, end))
    {
        end++;
    }
    return new_work(s, source, next, end);
}

int
schedule_take(struct schedule *s, int source, struct schedule_range *out)
{
    int work = take_free(s, source);

    if (work == SHOAL_ENOTFOUND) {
        work = take_tail(s, source);
    }
    if (work == SHOAL_ENOTFOUND) {
        work = take_again(s, source);
    }
    if (work >= 0) {
        out->next = s->works[work].next;
        out->end = s->works[work].end;
    }
    return work;
}

struct schedule_range
schedule_left(struct schedule *s, int work)
{
    struct work *w = &s->works[work];

    if (w->next < w->end && blockmap_has(s->map, w->next)) {
        shrink(s, w, w->next);
    }
    return (struct schedule_range){ w->next, w->end };
}

void
schedule_advance(struct schedule *s, int work)
{
    struct work *w = &s->works[work];

    if (w->next < w->end) {
        s->claims[w->next++]--;
    }
}

void
schedule_end(struct schedule *s, int work)
{
    struct work *w = &s->works[work];

    shrink(s, w, w->next);
    w->active = false;
}

int
schedule_begin_at(struct schedule *s, int source, uint32_t next, uint32_t end)
{
    return new_work(s, source, next, end);
}
