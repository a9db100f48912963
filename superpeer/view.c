/* view.c - blocks that are sent from where they lie in LMDB's map. No read
 * transaction keeps them there: they stay until they are deleted, and whoever
 * deletes some that are looked at begins one before, which lasts until those
 * who look have been disconnected. */
#include <sys/socket.h>

#include "cache_internal.h"
#include "shoal.h"

static bool
covers(const struct serve_view *v, uint32_t first, uint32_t last)
{
    return v->first <= last && first <= v->last;
}

/* The others are read(): those that are queued, and those of an earlier run
 * that were not yet compared with their hash. */
static bool
can_be_shown_locked(const struct cache *c, const struct cache_set *set,
                    uint32_t block)
{
    return blockmap_has(&set->map, block) && blockmap_has(&set->checked, block)
           && (set->queued == 0 || queue_find_locked(c, set, block) == NULL);
}

static bool
begin_locked(const struct cache *c, struct cache_set *set,
             struct serve_view *v)
{
    if (set->gone) {
        return false;
    }
    for (uint32_t i = v->first; i <= v->last; i++) {
        if (!can_be_shown_locked(c, set, i)) {
            return false;
        }
    }
    v->kept = false;
    v->prev = NULL;
    v->next = set->views;
    if (v->next != NULL) {
        v->next->prev = v;
    }
    set->views = v;
    return true;
}

unsigned
view_map(void *ctx, struct serve_set *set, struct serve_view *view,
         uint64_t off, uint64_t len)
{
    struct cache *c = ctx;
    struct cache_set *cs = set->handle;
    uint64_t size = cs->map.block_size;
    struct db_hold *hold = NULL;

    struct db_range range = { cs->resource.id, size, off, len };

    if (len == 0) {
        return 0;
    }
    view->first = (uint32_t) (off / size);
    view->last = (uint32_t) ((off + len - 1) / size);
    pthread_mutex_lock(&c->lock);
    bool begun = begin_locked(c, cs, view);
    pthread_mutex_unlock(&c->lock);
    if (!begun) {
        return 0;
    }
    int n = db_find(c->db, &range, view->pieces, view->max, &view->cold);
    if (n > 0) {
        set->view = view;
        return (unsigned) n;
    }
    pthread_mutex_lock(&c->lock);
    hold = view_end_locked(cs, view);
    pthread_mutex_unlock(&c->lock);
    db_release(c->db, hold);
    return 0;
}

void
view_warm(void *ctx, const struct iovec *pieces, unsigned n)
{
    db_read_in(((struct cache *) ctx)->db, pieces, n);
}

struct db_hold *
view_end_locked(struct cache_set *set, struct serve_view *view)
{
    struct db_hold *hold = NULL;

    *(view->prev != NULL ? &view->prev->next : &set->views) = view->next;
    if (view->next != NULL) {
        view->next->prev = view->prev;
    }
    set->kept -= view->kept;
    if (set->kept == 0) {
        hold = set->hold;
        set->hold = NULL;
    }
    return hold;
}

/* The connection's owner sees that it is shut down, and ends the view. */
void
view_break_locked(struct cache_set *set, uint32_t first, uint32_t last)
{
    for (struct serve_view *v = set->views; v != NULL; v = v->next) {
        if (covers(v, first, last)) {
            shutdown(v->fd, SHUT_RDWR);
        }
    }
}

static void
mark_locked(struct cache_set *set, uint32_t first, uint32_t last)
{
    for (struct serve_view *v = set->views; v != NULL; v = v->next) {
        if (!v->kept && covers(v, first, last)) {
            v->kept = true;
            set->kept++;
        }
    }
}

/* Nobody begins to look at these blocks any more: the set is gone, or they
 * are not held. One hold is enough, if it was there before; whoever comes
 * later, to see other blocks, does not make it last longer. */
int
view_keep(struct cache *c, struct cache_set *set, uint32_t first,
          uint32_t last)
{
    pthread_mutex_lock(&c->lock);
    mark_locked(set, first, last);
    bool needed = set->kept > 0 && set->hold == NULL;
    pthread_mutex_unlock(&c->lock);
    if (!needed) {
        return 0;
    }
    struct db_hold *hold = db_hold(c->db);
    if (hold == NULL) {
        return SHOAL_EFULL;
    }
    pthread_mutex_lock(&c->lock);
    if (set->kept > 0 && set->hold == NULL) {
        set->hold = hold;
        hold = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    db_release(c->db, hold);
    return 0;
}
