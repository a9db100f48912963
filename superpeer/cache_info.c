/* cache_info.c - what the cache holds, for announcements and the status. */
#include <stdlib.h>
#include <string.h>

#include "cache_internal.h"
#include "shoal.h"

enum {
    LIST_SETS = 64 /* copied while the lock is held */
};

int
cache_info_locked(const struct cache_set *set, struct cache_info *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->id, set->resource.id, sizeof(out->id));
    memcpy(out->root, set->root, sizeof(out->root));
    out->size = set->resource.size;
    out->last_use = set->last_use_us / 1000000;
    out->blocks = set->map.count;
    out->held = set->map.held;
    out->complete = set->complete;
    out->copy = set->copy;
    out->plain = set->plain;
    out->probation = set->probation;
    out->room = set->footprint;
    out->filling = set->filling;
    out->url = strdup(set->resource.url);
    out->provider = strdup(set->resource.provider);
    out->version = strdup(set->resource.version);
    if (out->url == NULL || out->provider == NULL || out->version == NULL) {
        cache_info_fini(out);
        return SHOAL_ENOMEM;
    }
    return 0;
}

void
cache_info_fini(struct cache_info *info)
{
    free(info->url);
    free(info->provider);
    free(info->version);
    memset(info, 0, sizeof(*info));
}

int
cache_info(struct cache *c, const uint8_t id[20], struct cache_info *out)
{
    int err = SHOAL_ENOTFOUND;

    pthread_mutex_lock(&c->lock);
    struct cache_set *set = sets_find(&c->sets, id);
    if (set != NULL) {
        err = cache_info_locked(set, out);
    }
    pthread_mutex_unlock(&c->lock);
    return err;
}

struct some {
    struct cache_info *list;
    size_t n, room;
};

static int
add_one(struct some *s, const struct cache_set *set)
{
    if (s->n == s->room) {
        size_t room = s->room == 0 ? 64 : s->room * 2;
        struct cache_info *list =
            realloc(s->list, room * sizeof(struct cache_info));

        if (list == NULL) {
            return SHOAL_ENOMEM;
        }
        s->list = list;
        s->room = room;
    }
    int err = cache_info_locked(set, &s->list[s->n]);
    s->n += err == 0;
    return err;
}

static int
add_bucket(struct some *s, const struct cache_set *set)
{
    int err = 0;

    for (; set != NULL && err == 0; set = set->next_id) {
        err = add_one(s, set);
    }
    return err;
}

/* Whole buckets. Where the table grows in between, a bucket's sets go to it
 * and to one further on: none is passed over. */
int
cache_list_some(struct cache *c, size_t *cursor, size_t most,
                struct cache_info **out, size_t *n)
{
    struct some s = { NULL, 0, 0 };
    size_t i = *cursor;
    int err = 0;

    pthread_mutex_lock(&c->lock);
    for (; i < c->sets.buckets && s.n < most && err == 0; i++) {
        err = add_bucket(&s, c->sets.by_id[i]);
    }
    bool last = i >= c->sets.buckets;
    pthread_mutex_unlock(&c->lock);
    if (err != 0) {
        cache_list_free(s.list, s.n);
        return SHOAL_ENOMEM;
    }
    *cursor = last ? 0 : i;
    *out = s.list;
    *n = s.n;
    return 0;
}

struct listing {
    struct cache_info *list;
    size_t n, cap;
    int err;
};

static void
list_one(struct cache_set *set, void *ctx)
{
    struct listing *l = ctx;

    if (l->err == 0 && l->n == l->cap) {
        size_t cap = l->cap != 0 ? l->cap * 2 : 256;
        void *list = realloc(l->list, cap * sizeof(*l->list));

        if (list == NULL) {
            l->err = SHOAL_ENOMEM;
            return;
        }
        l->list = list;
        l->cap = cap;
    }
    if (l->err == 0) {
        l->err = cache_info_locked(set, &l->list[l->n]);
        l->n += l->err == 0;
    }
}

/* Some at a time: serving must not wait for a hundred thousand. */
int
cache_list(struct cache *c, struct cache_info **out, size_t *n)
{
    struct listing l = { NULL, 0, 0, 0 };
    size_t cursor = 0;

    do {
        size_t until = l.n + LIST_SETS;

        pthread_mutex_lock(&c->lock);
        do {
            cursor = sets_scan(&c->sets, cursor, list_one, &l);
        } while (cursor != 0 && l.n < until && l.err == 0);
        pthread_mutex_unlock(&c->lock);
    } while (cursor != 0 && l.err == 0);
    if (l.err != 0) {
        cache_list_free(l.list, l.n);
        return l.err;
    }
    *out = l.list;
    *n = l.n;
    return 0;
}

void
cache_list_free(struct cache_info *list, size_t n)
{
    for (size_t i = 0; list != NULL && i < n; i++) {
        cache_info_fini(&list[i]);
    }
    free(list);
}

const char *
cache_gone_name(enum cache_gone why)
{
    static const char *const names[] = { "room",   "probation", "replaced",
                                         "failed", "admin",     "damaged" };

    return why < CACHE_GONE_REASONS ? names[why] : "?";
}

void
cache_get_stats(struct cache *c, struct cache_stats *out)
{
    memset(out, 0, sizeof(*out));
    out->size = db_room(c->db);
    db_sizes(c->db, &out->map_bytes, &out->file_bytes);
    pthread_mutex_lock(&c->lock);
    out->used = c->sets.footprint;
    out->sets = c->sets.count;
    out->complete = c->sets.complete;
    out->filling = c->sets.filling;
    memcpy(out->gone, c->gone, sizeof(out->gone));
    out->damaged = c->damaged;
    out->queue_bytes = c->queue_bytes;
    out->turns = c->turns;
    out->sync_turns = c->sync_turns;
    out->syncs = c->syncs;
    out->commit_errors = c->commit_errors;
    out->map_full = c->map_full;
    pthread_mutex_unlock(&c->lock);
}
