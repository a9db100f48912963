/* evict.c - room for new sets: which ones have to go, and their deletion. */
#include "cache_internal.h"
#include "log.h"
#include "shoal.h"

enum {
    HIGH_PERCENT = 85,      /* of the size: above it sets are evicted */
    LOW_PERCENT = 80,       /* and down to this */
    PROBATION_PERCENT = 10, /* what those on probation may keep of it */
    VICTIMS_MAX = 1024,     /* chosen while the lock is held */
    LEAST_PERCENT = 10      /* of the size: a map that is full takes so much */
};

static struct cache_set *
find(struct cache_set *list, const uint8_t id[20])
{
    while (list != NULL && !sets_is(list, id)) {
        list = list->next_id;
    }
    return list;
}

bool
evict_is_leaving_locked(const struct cache *c, const uint8_t id[20])
{
    return find(c->leaving, id) != NULL;
}

bool
evict_knows_locked(const struct cache *c, const uint8_t id[20])
{
    return find(c->leaving, id) != NULL || find(c->stuck, id) != NULL;
}

/* Those that go, in the order in which they were chosen; linked by
 * next_url. */
struct victims {
    struct cache_set *first, *last;
    unsigned count;
};

/* Out of the tables, and on the list that goes; its room is free only when
 * it was deleted. */
static void
take_out_locked(struct cache *c, struct cache_set *set, enum cache_gone why,
                struct victims *list)
{
    c->gone[why]++;
    set->why = why;
    sets_remove(&c->sets, set);
    c->sets.footprint += set->footprint;
    c->leaving_bytes += set->footprint;
    sets_mark_gone(set);
    view_break_locked(set, 0, UINT32_MAX);
    set->refs++;
    set->next_id = c->leaving;
    c->leaving = set;
    *(list->last != NULL ? &list->last->next_url : &list->first) = set;
    list->last = set;
    list->count++;
}

static void
unlink_locked(struct cache_set **list, struct cache_set *set)
{
    while (*list != set) {
        list = &(*list)->next_id;
    }
    *list = set->next_id;
    set->next_id = NULL;
}

/* Where the disk is full there may be no page to write the deletion to: it
 * is tried again when room is needed. */
static bool
delete_stored(struct cache *c, struct cache_set *set)
{
    pthread_mutex_lock(&c->lock);
    queue_wait_locked(c, set);
    struct db_record rec = cache_record_locked(set, DB_LEAVING);
    pthread_mutex_unlock(&c->lock);
    int err = view_keep(c, set, 0, UINT32_MAX);
    if (err == 0) {
        err = db_delete(c->db, &rec);
    }
    pthread_mutex_lock(&c->lock);
    unlink_locked(&c->leaving, set);
    c->leaving_bytes -= set->footprint;
    if (err != 0) {
        set->next_id = c->stuck;
        c->stuck = set;
    } else {
        c->dirty = true;
        c->sets.footprint -= set->footprint;
        cache_unref_locked(set);
    }
    pthread_cond_broadcast(&c->done);
    pthread_mutex_unlock(&c->lock);
    return err == 0;
}

static const char *const words[CACHE_GONE_REASONS] = {
    "the least recently used",
    "the least recently used of those on probation",
    "replaced by another version",
    "it cannot be completed",
    "removed by the operator",
    "damaged",
};

/* All are told of before the first byte goes. False where one has to be tried
 * again. */
static bool
delete_list(struct cache *c, struct cache_set *list)
{
    struct cache_set *next;
    bool deleted = true;

    for (struct cache_set *set = list; set != NULL; set = set->next_url) {
        log_line(LOG_LEVEL_INFO, set->resource.id, "cache: deleted: %s",
                 words[set->why]);
        if (c->on_leaving != NULL) {
            c->on_leaving(c->ctx, set->resource.id, set->next_url != NULL);
        }
    }
    for (struct cache_set *set = list; set != NULL; set = next) {
        next = set->next_url;
        set->next_url = NULL;
        deleted = delete_stored(c, set) && deleted;
    }
    return deleted;
}

static void
delete_stuck(struct cache *c)
{
    struct cache_set *list = NULL, *next;

    pthread_mutex_lock(&c->lock);
    for (struct cache_set *set = c->stuck; set != NULL; set = next) {
        next = set->next_id;
        set->next_id = c->leaving;
        c->leaving = set;
        c->leaving_bytes += set->footprint;
        set->next_url = list;
        list = set;
    }
    c->stuck = NULL;
    pthread_mutex_unlock(&c->lock);
    while (list != NULL) {
        next = list->next_url;
        list->next_url = NULL;
        delete_stored(c, list);
        list = next;
    }
}

struct room {
    uint64_t high, low, probation; /* bytes */
};

static void
choose_victims_locked(struct cache *c, const struct room *room, uint64_t need,
                      uint64_t fresh, struct victims *list)
{
    struct cache_set *old;

    while (need > room->low && list->count < VICTIMS_MAX) {
        uint64_t most = room->probation > fresh ? room->probation - fresh : 0;

        old = sets_victim(&c->sets, most);
        if (old == NULL) {
            break;
        }
        need -= old->footprint;
        take_out_locked(c, old,
                        old->probation && c->sets.probation > most
                            ? CACHE_GONE_PROBATION
                            : CACHE_GONE_ROOM,
                        list);
    }
}

/* Another version of its URL goes in any case, the least recently used where
 * there is no room. Those that go are put on `list`. */
static int
choose_locked(struct cache *c, const struct cache_set *set,
              const struct room *room, struct victims *list)
{
    struct cache_set *old = sets_other(&c->sets, set);

    if (old != NULL && old->filling) {
        return SHOAL_EFULL;
    }
    if (old != NULL) { /* it may be in use: its readers see an error */
        take_out_locked(c, old, CACHE_GONE_REPLACED, list);
    }
    sets_settle(&c->sets);
    uint64_t need = c->sets.footprint + set->footprint - c->leaving_bytes;
    if (need <= room->high) {
        return 0;
    }
    if (need - sets_evictable(&c->sets) > room->high) {
        return SHOAL_EFULL;
    }
    choose_victims_locked(c, room, need, set->footprint, list);
    return 0;
}

/* True when the set is in its place; else `list` has to go, or others are
 * being deleted. */
static bool
settle_locked(struct cache *c, struct cache_set *set, const struct room *room,
              struct victims *list, int *err)
{
    *err = find(c->stuck, set->resource.id) != NULL ? SHOAL_EFULL : 0;
    if (*err == 0) {
        *err = choose_locked(c, set, room, list);
    }
    if (*err != 0 || list->first != NULL) {
        return false;
    }
    if (c->leaving != NULL && c->sets.footprint + set->footprint > room->high)
    {
        pthread_cond_wait(&c->done, &c->lock);
        return false;
    }
    set->filling = true;
    set->refs = 1;
    set->users = 1;
    sets_add(&c->sets, set);
    return true;
}

/* What the sets may take: of the size, or of what the disk has room for, or
 * of what a map that was full has turned out to hold. */
static uint64_t
room_of(struct cache *c)
{
    uint64_t size = db_room(c->db);

    pthread_mutex_lock(&c->lock);
    uint64_t limit = c->limit;
    pthread_mutex_unlock(&c->lock);
    return limit != 0 && limit < size ? limit : size;
}

int
evict_make_room(struct cache *c, struct cache_set *set)
{
    bool settled = false;
    int err = 0;

    delete_stuck(c);
    while (!settled && err == 0) {
        uint64_t size = room_of(c);
        struct room room = { size / 100 * HIGH_PERCENT,
                             size / 100 * LOW_PERCENT,
                             size / 100 * PROBATION_PERCENT };
        struct victims list = { NULL, NULL, 0 };

        pthread_mutex_lock(&c->lock);
        settled = settle_locked(c, set, &room, &list, &err);
        pthread_mutex_unlock(&c->lock);
        if (list.first != NULL && !delete_list(c, list.first)) {
            err = SHOAL_EFULL; /* more victims would not go, either */
        }
    }
    return err;
}

void
evict_map_full_locked(struct cache *c)
{
    uint64_t limit = c->sets.footprint / HIGH_PERCENT * 100 / 8 * 7;
    uint64_t least = db_size(c->db) / 100 * LEAST_PERCENT;

    limit = limit > least ? limit : least;
    if (c->limit == 0 || limit < c->limit) {
        c->limit = limit;
    }
    c->map_full++;
}

void
evict_forget_locked(struct cache *c, struct cache_set *set,
                    enum cache_gone why)
{
    struct victims list = { NULL, NULL, 0 };

    take_out_locked(c, set, why, &list);
    pthread_mutex_unlock(&c->lock);
    delete_list(c, list.first);
    pthread_mutex_lock(&c->lock);
}

void
evict_again(struct cache *c, struct cache_set *set)
{
    sets_mark_gone(set);
    set->refs = 1;
    c->sets.footprint += set->footprint;
    set->next_id = c->stuck;
    c->stuck = set;
}

void
evict_retry(struct cache *c)
{
    delete_stuck(c);
}

void
evict_fini(struct cache *c)
{
    while (c->stuck != NULL) {
        struct cache_set *set = c->stuck;

        c->stuck = set->next_id;
        sets_destroy(set);
    }
}

bool
cache_too_large(struct cache *c, uint64_t size)
{
    return size > room_of(c) / 100 * LOW_PERCENT;
}
