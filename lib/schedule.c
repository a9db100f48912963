/* schedule.c - sources and works: the facts that the decisions in the other
 * files of the schedule are made from. */
#include "schedule_internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    PATIENCE_MS = 30000 /* with the only source */
};

struct schedule *
schedule_create(const struct blockmap *map, uint32_t start, uint64_t client)
{
    struct schedule *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    s->map = map;
    s->limit = map->count;
    s->start = map->count > 0 ? start % map->count : 0;
    s->client = client;
    s->dice = schedule_mix(client + start);
    s->own_start = client != 0 && map->count > 0
                       ? (uint32_t) (schedule_mix(client) % map->count)
                       : s->start;
    s->free_work = -1;
    s->owner_max = UINT64_MAX;
    s->patience = PATIENCE_MS;
    if (schedule_index_init(s) != 0) {
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
        free(s->sources[i].have);
        free(s->sources[i].fetch);
    }
    schedule_index_fini(s);
    schedule_fill_fini(s);
    free(s->reserved);
    free(s->owner);
    free(s->fast);
    free(s->sources);
    free(s->works);
    free(s);
}

void
schedule_lost(struct schedule *s, uint32_t block)
{
    schedule_index_settle(s, block);
}

void
schedule_seniors(struct schedule *s, uint32_t n)
{
    s->seniors = n;
}

void
schedule_limit(struct schedule *s, uint32_t block)
{
    uint32_t was = s->limit;

    s->limit = block;
    for (uint32_t i = was < block ? was : block;
         i < (was < block ? block : was); i++)
    {
        schedule_index_settle(s, i);
    }
}

uint32_t
schedule_reach(const struct schedule *s, const struct work *w)
{
    uint32_t end = w->end < s->limit ? w->end : s->limit;

    return end > w->next ? end : w->next;
}

void
schedule_patience(struct schedule *s, uint64_t ms)
{
    s->patience = ms;
}

void
schedule_await(struct schedule *s, uint64_t until, unsigned n)
{
    s->await_until = until;
    s->await_left = n;
}

uint32_t
schedule_missing(const struct schedule *s)
{
    return s->map->count - s->map->held;
}

/* ---- sources ---- */

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
    list->latency = -1;
    return s->n_sources++;
}

void
schedule_latency(struct schedule *s, int source, uint64_t ms)
{
    s->sources[source].latency = (double) ms;
}

bool
schedule_holds(const struct schedule *s, int source, uint32_t block)
{
    const struct source *src = &s->sources[source];

    return !src->gone
           && (src->all || (src->have != NULL && bit_get(src->have, block)));
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
    return schedule_holds(s, source, block);
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
    schedule_index_settle(s, block);
    return 0;
}

void
schedule_release(struct schedule *s, uint32_t block)
{
    if (s->reserved != NULL) {
        s->reserved[block] = 0;
        schedule_index_settle(s, block);
    }
}

/* Does it count as somebody from whom a block may be had some day? */
static bool
takes_part(const struct source *src)
{
    return src->id != 0 && !src->gone && !src->all;
}

/* What depends on that, when it may have changed. */
static void
count_part(struct schedule *s, int source, bool was)
{
    bool is = takes_part(&s->sources[source]);
    int peer = s->sources[source].kind == SOURCE_PEER;

    if (is && !was) {
        if (s->n_followed++ == 0) {
            s->idle_from = s->now;
        }
        s->n_trading += peer;
        schedule_owner_changed(s);
    } else if (!is && was) {
        s->n_followed--;
        s->n_trading -= peer;
        schedule_owner_changed(s);
    }
}

static void
count_holder(struct schedule *s, int source, uint32_t block, int step)
{
    s->blocks[block].holders = (uint16_t) (s->blocks[block].holders + step);
    if (step > 0 && s->sources[source].kind == SOURCE_PEER) {
        schedule_cdn_spread(s, block);
    }
    if (step > 0) {
        schedule_fill_gained(s, source, block);
    }
    schedule_index_settle(s, block);
}

static void
count_all(struct schedule *s, int source, int step)
{
    const struct source *src = &s->sources[source];

    if (src->kind == SOURCE_CDN || (!src->all && src->have == NULL)) {
        return;
    }
    for (uint32_t i = 0; i < s->map->count; i++) {
        if (schedule_holds(s, source, i)) {
            count_holder(s, source, i, step);
        }
    }
}

static int
need_bits(const struct schedule *s, uint64_t **bits)
{
    if (*bits == NULL) {
        *bits = calloc(s->words + 1, sizeof(**bits));
    }
    return *bits != NULL ? 0 : SHOAL_ENOMEM;
}

static void
unclaim(struct schedule *s, struct source *src, uint32_t block)
{
    if (src->n_fetch == 0 || !bit_get(src->fetch, block)) {
        return;
    }
    src->n_fetch--;
    src->fetch[block / 64] &= ~bit_of(block);
    if (--s->blocks[block].fetchers == 0) {
        s->fetched[block / 64] &= ~bit_of(block);
    }
}

static void
unclaim_all(struct schedule *s, struct source *src)
{
    for (uint32_t i = 0; src->n_fetch > 0 && i < s->map->count; i++) {
        unclaim(s, src, i);
    }
}

void
schedule_drop(struct schedule *s, int source)
{
    struct source *src = &s->sources[source];
    bool was = takes_part(src);

    if (src->gone) {
        return;
    }
    count_all(s, source, -1);
    unclaim_all(s, src);
    src->gone = true;
    src->silent_ms = 0;
    count_part(s, source, was);
}

static void
load_bits(const struct schedule *s, struct source *src, const uint8_t *bits)
{
    memset(src->have, 0, s->words * sizeof(*src->have));
    src->held = 0;
    for (uint32_t i = 0; i < s->map->count; i++) {
        if ((bits[i / 8] & (0x80 >> (i % 8))) != 0) {
            src->have[i / 64] |= bit_of(i);
            src->held++;
        }
    }
}

int
schedule_have(struct schedule *s, int source, const uint8_t *bits)
{
    struct source *src = &s->sources[source];
    bool was = takes_part(src);

    if (bits != NULL && need_bits(s, &src->have) != 0) {
        return SHOAL_ENOMEM;
    }
    if (!src->gone) {
        count_all(s, source, -1);
    }
    src->gone = false;
    src->all = bits == NULL;
    if (bits != NULL) {
        load_bits(s, src, bits);
    }
    count_all(s, source, 1);
    count_part(s, source, was);
    return 0;
}

int
schedule_peer(struct schedule *s, int source, uint64_t id)
{
    struct source *src = &s->sources[source];
    bool was = takes_part(src);

    if (src->id == id) {
        return 0;
    }
    if (id != 0 && need_bits(s, &src->have) != 0) {
        return SHOAL_ENOMEM;
    }
    if (was) { /* under its old name */
        src->id = 0;
        count_part(s, source, was);
    }
    if (id == 0) {
        unclaim_all(s, src);
    }
    src->id = id;
    src->early =
        s->n_followed + 1 < SCHEDULE_CROWD && s->seniors < SCHEDULE_CROWD;
    count_part(s, source, false);
    return 0;
}

int
schedule_gain(struct schedule *s, int source, uint32_t first, uint32_t n,
              uint64_t now)
{
    struct source *src = &s->sources[source];
    bool was = takes_part(src);

    schedule_clock(s, now);
    src->moved = now;
    if (src->all || src->gone) {
        return 0;
    }
    if (need_bits(s, &src->have) != 0) {
        return SHOAL_ENOMEM;
    }
    for (uint32_t i = first; i < first + n && i < s->map->count; i++) {
        unclaim(s, src, i);
        if (!bit_get(src->have, i)) {
            src->have[i / 64] |= bit_of(i);
            src->held++;
            count_holder(s, source, i, 1);
        }
    }
    src->all = src->held == s->map->count;
    count_part(s, source, was);
    return 0;
}

int
schedule_claim(struct schedule *s, int source, uint32_t first, uint32_t n,
               bool on, uint64_t now)
{
    struct source *src = &s->sources[source];

    schedule_clock(s, now);
    src->moved = now;
    if (src->gone) {
        return 0;
    }
    if (on && need_bits(s, &src->fetch) != 0) {
        return SHOAL_ENOMEM;
    }
    if (on && n == 1 && !src->claims) {
        src->claims = true;
        schedule_owner_changed(s);
    }
    for (uint32_t i = first; i < first + n && i < s->map->count; i++) {
        if (!on) {
            unclaim(s, src, i);
        } else if (!bit_get(src->fetch, i) && !schedule_holds(s, source, i)) {
            src->fetch[i / 64] |= bit_of(i);
            s->blocks[i].fetchers++;
            src->n_fetch++;
            s->fetched[i / 64] |= bit_of(i);
        }
    }
    return 0;
}

uint32_t
schedule_wanted(const struct schedule *s, int source)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->map->count; i++) {
        n += !blockmap_has(s->map, i) && schedule_has(s, source, i);
    }
    return n;
}

/* ---- works ---- */

static int
new_work(struct schedule *s)
{
    int i = s->free_work;

    if (i >= 0) {
        s->free_work = s->works[i].free_next;
        return i;
    }
    struct work *list =
        realloc(s->works, (size_t) (s->n_works + 1) * sizeof(*list));
    if (list == NULL) {
        return SHOAL_ENOMEM;
    }
    s->works = list;
    return s->n_works++;
}

int
schedule_begin(struct schedule *s, int source, uint32_t next, uint32_t end)
{
    int i = new_work(s);

    if (i < 0) {
        return i;
    }
    s->works[i] = (struct work){ .active = true,
                                 .second = s->blocks[next].claims > 0,
                                 .source = source,
                                 .next = next,
                                 .end = end,
                                 .begun = s->now,
                                 .moved = s->now,
                                 .blocked = s->now };
    for (uint32_t b = next; b < end; b++) {
        s->blocks[b].claims++;
        schedule_index_settle(s, b);
    }
    schedule_rates_begun(s, source);
    return i;
}

void
schedule_shrink(struct schedule *s, struct work *w, uint32_t end)
{
    for (uint32_t b = end > w->next ? end : w->next; b < w->end; b++) {
        s->blocks[b].claims--;
        schedule_index_settle(s, b);
    }
    if (end < w->end) {
        w->end = end > w->next ? end : w->next;
    }
}

bool
schedule_is_crowd(const struct schedule *s)
{
    return s->n_trading > 0 && s->now >= s->alone_until;
}

/* Ranges are for those who have long runs of blocks, and where nobody waits
 * for single ones. */
static int
take(struct schedule *s, int source)
{
    const struct source *src = &s->sources[source];
    bool cdn = src->kind == SOURCE_CDN;

    if (src->gone) {
        return SHOAL_ENOTFOUND;
    }
    if (!cdn && !schedule_peers_has_room(s)) {
        return SHOAL_EBUSY;
    }
    if (s->in_crowd) {
        return cdn ? schedule_cdn_take(s, source)
                   : schedule_peers_take(s, source);
    }
    return schedule_ranges_take(s, source);
}

int
schedule_take(struct schedule *s, int source, uint64_t now,
              struct schedule_range *out)
{
    bool crowd = schedule_is_crowd(s);

    schedule_clock(s, now);
    if (crowd && !s->in_crowd) {
        schedule_cdn_join(s);
    }
    s->in_crowd = crowd;
    int work = take(s, source);

    if (work >= 0) {
        out->next = s->works[work].next;
        out->end = s->works[work].end;
    }
    return work;
}

int
schedule_begin_at(struct schedule *s, int source, uint32_t next, uint32_t end,
                  uint64_t now)
{
    schedule_clock(s, now);
    int work = schedule_begin(s, source, next, end);

    if (work >= 0) {
        s->works[work].answered = true; /* and it is not known how soon */
    }
    return work;
}

struct schedule_range
schedule_left(struct schedule *s, int work)
{
    struct work *w = &s->works[work];

    if (w->next < w->end && blockmap_has(s->map, w->next)) {
        schedule_shrink(s, w, w->next);
    }
    return (struct schedule_range){ w->next, w->end };
}

void
schedule_advance(struct schedule *s, int work, uint64_t now)
{
    struct work *w = &s->works[work];

    schedule_clock(s, now);
    if (w->next >= w->end) {
        return;
    }
    uint32_t block = w->next++;

    s->blocks[block].claims--;
    schedule_index_settle(s, block);
    if (s->sources[w->source].kind == SOURCE_CDN
        && blockmap_has(s->map, block)) {
        schedule_cdn_arrived(s, block);
    }
    schedule_rates_block(s, w);
}

void
schedule_end(struct schedule *s, int work)
{
    struct work *w = &s->works[work];

    schedule_shrink(s, w, w->next);
    schedule_rates_ended(s, w->source);
    w->active = false;
    w->free_next = s->free_work;
    s->free_work = work;
}
