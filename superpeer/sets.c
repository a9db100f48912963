#include "sets.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "sets_internal.h"
#include "shoal.h"

enum {
    BUCKETS_MIN = 256,
    PAGE = 4096,           /* bytes, LMDB's on all that we know */
    VALUE_HEADER = 16,     /* bytes, of an overflow page */
    PIECE = 65536,         /* bytes, of a block in one value: DB_PIECE */
    PIECE_ENTRIES = 192,   /* bytes, of keys and hash in the trees */
    SET_ENTRIES = 4 * PAGE /* bytes, record and bitmap */
};

int
sets_init(struct sets *s)
{
    memset(s, 0, sizeof(*s));
    s->by_id = calloc(BUCKETS_MIN, sizeof(struct cache_set *));
    s->by_url = calloc(BUCKETS_MIN, sizeof(struct cache_set *));
    if (s->by_id == NULL || s->by_url == NULL) {
        free(s->by_id);
        free(s->by_url);
        return SHOAL_ENOMEM;
    }
    s->buckets = BUCKETS_MIN;
    return 0;
}

void
sets_fini(struct sets *s)
{
    for (size_t i = 0; i < s->buckets; i++) {
        while (s->by_id[i] != NULL) {
            struct cache_set *set = s->by_id[i];

            s->by_id[i] = set->next_id;
            sets_destroy(set);
        }
    }
    free(s->by_id);
    free(s->by_url);
    memset(s, 0, sizeof(*s));
}

static uint64_t
stored_size(uint64_t len)
{
    return (len + VALUE_HEADER + PAGE - 1) / PAGE * PAGE + PIECE_ENTRIES;
}

/* What the set takes of LMDB's file when it is complete. */
static uint64_t
footprint(const struct blockmap *m)
{
    uint64_t rest = m->size % PIECE;

    return m->size / PIECE * stored_size(PIECE)
           + (rest > 0 ? stored_size(rest) : 0) + SET_ENTRIES;
}

/* The identity of URL and provider alone. */
static int
make_url_key(const struct resource *r, uint8_t key[RESOURCE_ID_LEN])
{
    struct resource plain;

    int err = resource_init(&plain, r->url, 0, r->provider, NULL);
    if (err == 0) {
        memcpy(key, plain.id, RESOURCE_ID_LEN);
        resource_fini(&plain);
    }
    return err;
}

int
sets_create(const struct resource *r, struct cache_set **out)
{
    struct cache_set *set = calloc(1, sizeof(*set));

    if (set == NULL) {
        return SHOAL_ENOMEM;
    }
    int err = resource_init(&set->resource, r->url, r->size, r->provider,
                            r->version);
    if (err == 0) {
        memcpy(set->resource.id, r->id, RESOURCE_ID_LEN);
        err = make_url_key(r, set->url_key);
    }
    if (err == 0) {
        err = blockmap_init(&set->map, r->size);
    }
    if (err == 0) {
        err = blockmap_init(&set->stored, r->size);
    }
    if (err == 0) {
        err = blockmap_init(&set->writing, r->size);
    }
    if (err == 0) {
        err = blockmap_init(&set->checked, r->size);
    }
    if (err != 0) {
        sets_destroy(set);
        return err;
    }
    set->footprint = footprint(&set->map);
    set->probation = true;
    havelog_init(&set->log, clock_us());
    *out = set;
    return 0;
}

void
sets_destroy(struct cache_set *set)
{
    if (set == NULL) {
        return;
    }
    resource_fini(&set->resource);
    blockmap_fini(&set->map);
    blockmap_fini(&set->stored);
    blockmap_fini(&set->writing);
    blockmap_fini(&set->checked);
    havelog_fini(&set->log);
    free(set);
}

void
sets_block_held(struct cache_set *set, uint32_t block)
{
    blockmap_set(&set->map, block);
    havelog_have(&set->log, block);
}

void
sets_block_lost(struct cache_set *set, uint32_t block)
{
    blockmap_clear(&set->map, block);
    havelog_forget(&set->log);
}

void
sets_mark_gone(struct cache_set *set)
{
    set->gone = true;
    havelog_ring(&set->log);
}

/* Keys are hashes already: any of their bytes do. */
static size_t
bucket(const struct sets *s, const uint8_t key[RESOURCE_ID_LEN])
{
    uint32_t n;

    memcpy(&n, key, sizeof(n));
    return n & (s->buckets - 1);
}

static void
link_set(struct sets *s, struct cache_set *set)
{
    struct cache_set **id = &s->by_id[bucket(s, set->resource.id)];
    struct cache_set **url = &s->by_url[bucket(s, set->url_key)];

    set->next_id = *id;
    *id = set;
    set->next_url = *url;
    *url = set;
}

/* Without memory the tables stay as they are, only slower. */
static void
grow(struct sets *s)
{
    struct sets bigger = { .buckets = s->buckets * 2 };

    bigger.by_id = calloc(bigger.buckets, sizeof(struct cache_set *));
    bigger.by_url = calloc(bigger.buckets, sizeof(struct cache_set *));
    if (bigger.by_id == NULL || bigger.by_url == NULL) {
        free(bigger.by_id);
        free(bigger.by_url);
        return;
    }
    for (size_t i = 0; i < s->buckets; i++) {
        struct cache_set *next;

        for (struct cache_set *set = s->by_id[i]; set != NULL; set = next) {
            next = set->next_id;
            link_set(&bigger, set);
        }
    }
    free(s->by_id);
    free(s->by_url);
    s->by_id = bigger.by_id;
    s->by_url = bigger.by_url;
    s->buckets = bigger.buckets;
}

void
sets_add(struct sets *s, struct cache_set *set)
{
    if (s->count >= s->buckets) {
        grow(s);
    }
    link_set(s, set);
    s->count++;
    s->complete += set->complete;
    s->filling += set->filling;
    s->footprint += set->footprint;
    s->probation += set->probation ? set->footprint : 0;
    sets_enlist(s, set);
}

void
sets_mark(struct sets *s, struct cache_set *set, bool complete, bool filling)
{
    if (!set->gone) {
        s->complete += (size_t) complete - set->complete;
        s->filling += (size_t) filling - set->filling;
    }
    set->complete = complete;
    set->filling = filling;
}

void
sets_remove(struct sets *s, struct cache_set *set)
{
    struct cache_set **id = &s->by_id[bucket(s, set->resource.id)];
    struct cache_set **url = &s->by_url[bucket(s, set->url_key)];

    while (*id != set) {
        id = &(*id)->next_id;
    }
    *id = set->next_id;
    while (*url != set) {
        url = &(*url)->next_url;
    }
    *url = set->next_url;
    set->next_id = set->next_url = NULL;
    sets_delist(set);
    s->count--;
    s->complete -= set->complete;
    s->filling -= set->filling;
    s->footprint -= set->footprint;
    s->probation -= set->probation ? set->footprint : 0;
}

bool
sets_is(const struct cache_set *set, const uint8_t id[RESOURCE_ID_LEN])
{
    return memcmp(set->resource.id, id, RESOURCE_ID_LEN) == 0;
}

struct cache_set *
sets_find(const struct sets *s, const uint8_t id[RESOURCE_ID_LEN])
{
    struct cache_set *set = s->by_id[bucket(s, id)];

    while (set != NULL && !sets_is(set, id)) {
        set = set->next_id;
    }
    return set;
}

struct cache_set *
sets_other(const struct sets *s, const struct cache_set *set)
{
    struct cache_set *o = s->by_url[bucket(s, set->url_key)];

    while (o != NULL
           && (memcmp(o->url_key, set->url_key, RESOURCE_ID_LEN) != 0
               || sets_is(o, set->resource.id)))
    {
        o = o->next_url;
    }
    return o;
}

/* The cursor counts with its bits reversed, so that it stays right when the
 * tables double: a bucket that was seen is split into two that both lie
 * behind it. */
static size_t
next_cursor(size_t cursor, size_t mask)
{
    size_t bit = (mask >> 1) + 1;

    while (bit != 0 && (cursor & bit) != 0) {
        cursor &= ~bit;
        bit >>= 1;
    }
    return bit != 0 ? cursor | bit : 0;
}

size_t
sets_scan(const struct sets *s, size_t cursor,
          void (*fn)(struct cache_set *set, void *ctx), void *ctx)
{
    struct cache_set *set = s->by_id[cursor & (s->buckets - 1)];

    for (; set != NULL; set = set->next_id) {
        fn(set, ctx);
    }
    return next_cursor(cursor, s->buckets - 1);
}
