#include "cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache_internal.h"
#include "log.h"
#include "shoal.h"

uint64_t
cache_now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

void
cache_unref_locked(struct cache_set *set)
{
    if (--set->refs == 0 && set->gone) {
        sets_destroy(set);
    }
}

void
cache_touch_locked(struct cache *c, struct cache_set *set)
{
    if (!set->touched) {
        set->touched = true;
        set->refs++;
        set->next_touched = c->touched;
        c->touched = set;
    }
}

void
cache_use_locked(struct cache *c, struct cache_set *set)
{
    set->refs++;
    sets_use(&c->sets, set);
}

void
cache_unuse_locked(struct cache *c, struct cache_set *set)
{
    sets_unuse(&c->sets, set, cache_now_us());
    cache_touch_locked(c, set);
    cache_unref_locked(set);
}

struct db_record
cache_record_locked(const struct cache_set *set, enum db_state state)
{
    struct db_record rec = {
        .id = set->resource.id,
        .url = set->resource.url,
        .provider = set->resource.provider,
        .version = set->resource.version,
        .size = set->resource.size,
        .last_use_us = set->last_use_us,
        .state = state,
        .copy = set->copy,
        .plain = set->plain,
        .probation = set->probation,
    };

    memcpy(rec.root, set->root, DIGEST_LEN);
    return rec;
}

/* ---- opening ---- */

/* SHOAL_EINVAL: what the record says makes no sense. */
static int
load_set(const struct db_record *rec, const uint8_t *bits, size_t len,
         struct cache_set **out)
{
    struct resource r = {
        .url = (char *) (uintptr_t) rec->url,
        .provider = (char *) (uintptr_t) rec->provider,
        .version = (char *) (uintptr_t) rec->version,
        .size = rec->size,
    };
    struct cache_set *set;

    memcpy(r.id, rec->id, RESOURCE_ID_LEN);
    int err = sets_create(&r, &set);
    if (err != 0) {
        return err;
    }
    if (blockmap_load(&set->map, bits, len) != 0
        || blockmap_load(&set->stored, bits, len) != 0
        || blockmap_load(&set->writing, bits, len) != 0)
    {
        sets_destroy(set);
        return SHOAL_EINVAL;
    }
    set->last_use_us = rec->last_use_us;
    set->copy = rec->copy;
    set->plain = rec->plain;
    set->probation = rec->probation;
    set->complete = rec->state == DB_COMPLETE && blockmap_complete(&set->map);
    memcpy(set->root, rec->root, DIGEST_LEN);
    *out = set;
    return 0;
}

/* A growing list; `err` sticks. */
struct loading {
    struct cache *cache;
    struct cache_set **list;
    size_t n, cap;
    uint8_t (*damaged)[RESOURCE_ID_LEN];
    size_t n_damaged;
    int err;
};

static void
load_damaged(void *ctx, const uint8_t id[RESOURCE_ID_LEN])
{
    struct loading *l = ctx;
    void *more = realloc(l->damaged, (l->n_damaged + 1) * RESOURCE_ID_LEN);

    log_line(LOG_LEVEL_ERROR, id, "cache: its record is damaged: deleted");
    if (more == NULL) {
        l->err = SHOAL_ENOMEM;
        return;
    }
    l->damaged = more;
    memcpy(l->damaged[l->n_damaged++], id, RESOURCE_ID_LEN);
}

static int
load_room(struct loading *l)
{
    size_t cap = l->cap != 0 ? l->cap * 2 : 1024;

    if (l->n < l->cap) {
        return 0;
    }
    void *list = realloc(l->list, cap * sizeof(struct cache_set *));
    if (list == NULL) {
        return SHOAL_ENOMEM;
    }
    l->list = list;
    l->cap = cap;
    return 0;
}

static void
load_one(void *ctx, const struct db_record *rec, const uint8_t *bits,
         size_t len)
{
    struct loading *l = ctx;
    struct cache_set *set = NULL;

    int err = load_room(l);
    if (err == 0) {
        err = load_set(rec, bits, len, &set);
    }
    if (err == SHOAL_EINVAL) {
        load_damaged(l, rec->id);
    } else if (err != 0) {
        l->err = err;
    } else if (rec->state == DB_LEAVING) {
        evict_again(l->cache, set);
    } else {
        l->list[l->n++] = set;
    }
}

static int
compare_use(const void *a, const void *b)
{
    const struct cache_set *x = *(struct cache_set *const *) a;
    const struct cache_set *y = *(struct cache_set *const *) b;

    return (x->last_use_us > y->last_use_us)
           - (x->last_use_us < y->last_use_us);
}

/* Sets whose deletion was cut short are deleted later, by the writer. */
static int
load_all(struct cache *c)
{
    struct loading l = { .cache = c };
    struct db_each each = { load_one, load_damaged, &l };

    int err = db_each(c->db, &each);
    if (l.n > 0) {
        qsort(l.list, l.n, sizeof(struct cache_set *), compare_use);
    }
    for (size_t i = 0; i < l.n; i++) {
        sets_add(&c->sets, l.list[i]);
    }
    for (size_t i = 0; i < l.n_damaged && err == 0; i++) {
        err = db_delete_unknown(c->db, l.damaged[i]);
        c->gone[CACHE_GONE_DAMAGED]++;
    }
    free(l.damaged);
    free(l.list);
    return err != 0 ? err : l.err;
}

static void
init_sync(struct cache *c)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&c->sync_lock, NULL);
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->queued, &attr);
    pthread_cond_init(&c->done, &attr);
    pthread_cond_init(&c->stop, &attr);
    pthread_condattr_destroy(&attr);
}

static void
fini_sync(struct cache *c)
{
    pthread_cond_destroy(&c->done);
    pthread_cond_destroy(&c->stop);
    pthread_cond_destroy(&c->queued);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->sync_lock);
}

int
cache_open(const struct cache_options *options, struct cache **out, char *why,
           size_t cap)
{
    struct cache *c = calloc(1, sizeof(*c));

    if (c == NULL || sets_init(&c->sets) != 0) {
        snprintf(why, cap, "out of memory");
        free(c);
        return SHOAL_ENOMEM;
    }
    c->on_leaving = options->leaving;
    c->on_damaged = options->damaged;
    c->on_broken = options->broken;
    c->ctx = options->ctx;
    c->pin_ms = options->pin_ms;
    init_sync(c);
    int err = db_open(options->path, options->size, options->map_size, &c->db,
                      why, cap);
    if (err != 0) {
        goto free_cache;
    }
    err = load_all(c);
    if (err == 0) {
        err = writer_start(c);
    }
    if (err != 0) {
        snprintf(why, cap, "cache %s: %s", options->path, shoal_strerror(err));
        goto close_db;
    }
    *out = c;
    return 0;

close_db:
    evict_fini(c);
    db_close(c->db);
free_cache:
    sets_fini(&c->sets);
    fini_sync(c);
    free(c);
    return err;
}

void
cache_close(struct cache *c)
{
    if (c == NULL) {
        return;
    }
    writer_stop(c);
    evict_fini(c);
    db_close(c->db);
    sets_fini(&c->sets);
    fini_sync(c);
    free(c);
}
