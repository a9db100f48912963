/* view.c - blocks that are sent from where they lie in LMDB's map. No read
 * transaction keeps them there: they stay until they are deleted, and whoever
 * deletes some that are looked at begins one before, which lasts until those
 * who look have been disconnected. */
#include <sys/socket.h>

#include "cache_internal.h"
#include "shoal.h"

enum {
    WARM_PIECES = SERVE_WARM / DB_PIECE + 1
};

struct found {
    struct iovec *pieces;
    unsigned max; /* that there is room for */
    bool cold;    /* not all of them are in memory */
};

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

/* Where they lie; how many pieces, or 0. */
static unsigned
find(const struct cache *c, const struct cache_set *set, uint64_t off,
     uint64_t len, struct found *out)
{
    struct db_range range = { set->resource.id, set->map.block_size, off,
                              len };
    int n = db_find(c->db, &range, out->pieces, out->max, &out->cold);

    return n > 0 ? (unsigned) n : 0;
}

unsigned
view_map(void *ctx, struct serve_set *set, struct serve_view *view,
         uint64_t off, uint64_t len)
{
    struct cache *c = ctx;
    struct cache_set *cs = set->handle;
    uint64_t size = cs->map.block_size;
    struct found found = { view->pieces, view->max, false };
    struct db_hold *hold = NULL;

    if (len == 0) {
        return 0;
    }
    view->first = (uint32_t) (off / size);
    view->last = (uint32_t) ((off + len - 1) / size);
    pthread_mutex_lock(&c->lock);
    bool begun = begin_locked(c, cs, view);
    if (begun) {
        cache_note_reader_locked(c, cs, set->reader);
    }
    pthread_mutex_unlock(&c->lock);
    if (!begun) {
        return 0;
    }
    unsigned n = find(c, cs, off, len, &found);
    if (n > 0 && (!found.cold || len <= SERVE_WARM)) { /* else: read() */
        view->cold = found.cold;
        set->view = view;
        return n;
    }
    pthread_mutex_lock(&c->lock);
    hold = view_end_locked(cs, view);
    pthread_mutex_unlock(&c->lock);
    db_release(c->db, hold);
    return 0;
}

/* ---- into memory ---- */

/* Where the bytes of a block are. */
enum place {
    QUEUED,    /* in memory */
    UNCHECKED, /* on the disk, and all of it is read before it is served */
    STORED     /* there, or in memory */
};

static enum place
place_of_locked(const struct cache *c, const struct cache_set *set,
                uint32_t block)
{
    if (set->queued > 0 && queue_find_locked(c, set, block) != NULL) {
        return QUEUED;
    }
    return blockmap_has(&set->checked, block) ? STORED : UNCHECKED;
}

/* How many of the bytes are of one place. */
static uint64_t
run_of(struct cache *c, const struct cache_set *set, uint64_t off,
       uint64_t len, enum place *out)
{
    uint64_t size = set->map.block_size, n = 0;

    pthread_mutex_lock(&c->lock);
    *out = place_of_locked(c, set, (uint32_t) (off / size));
    do {
        n += size - (off + n) % size;
    } while (n < len
             && place_of_locked(c, set, (uint32_t) ((off + n) / size))
                    == *out);
    pthread_mutex_unlock(&c->lock);
    return n < len ? n : len;
}

bool
view_cold(void *ctx, const struct serve_set *set, uint64_t off, uint64_t len)
{
    struct iovec pieces[WARM_PIECES];
    struct found found = { pieces, WARM_PIECES, false };
    enum place place;

    while (len > 0) {
        uint64_t n = run_of(ctx, set->handle, off, len, &place);

        if (place == UNCHECKED
            || (place == STORED && find(ctx, set->handle, off, n, &found) > 0
                && found.cold))
        {
            return true;
        }
        off += n;
        len -= n;
    }
    return false;
}

/* What is wrong with a block, its reader will see. */
static void
check_blocks(struct cache *c, struct cache_set *set, uint64_t off,
             uint64_t len)
{
    uint64_t size = set->map.block_size;
    uint32_t last = (uint32_t) ((off + len - 1) / size);

    for (uint32_t i = (uint32_t) (off / size); i <= last; i++) {
        check_block(c, set, i);
    }
}

void
view_warm(void *ctx, const struct serve_set *set, uint64_t off, uint64_t len)
{
    struct cache *c = ctx;
    struct iovec pieces[WARM_PIECES];
    struct found found = { pieces, WARM_PIECES, false };
    enum place place;

    while (len > 0) {
        uint64_t n = run_of(c, set->handle, off, len, &place);

        if (place == UNCHECKED) {
            check_blocks(c, set->handle, off, n);
        } else if (place == STORED) {
            db_read_in(c->db, pieces, find(c, set->handle, off, n, &found));
        }
        off += n;
        len -= n;
    }
}

/* ---- the end ---- */

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
