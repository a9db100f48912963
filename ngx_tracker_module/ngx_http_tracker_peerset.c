
#include "ngx_http_tracker_peerset_shm.h"


enum {
    NGX_HTTP_TRACKER_TABLE_MIN = 64,    /* bytes */
    NGX_HTTP_TRACKER_TABLE_MAX = 2048,  /* above, the slab gives whole pages */
    NGX_HTTP_TRACKER_TABLE_PAGE = 4096,
    NGX_HTTP_TRACKER_TABLE_TRIES = 3
};


static uint64_t
ngx_http_tracker_peerset_hash(ngx_http_tracker_px_t *px, u_char *addr,
    uint16_t port)
{
    size_t    n;
    uint32_t  part;
    uint64_t  h;

    h = px->seed ^ port;

    for (n = px->alen; n; n -= 4, addr += 4) {
        ngx_memcpy(&part, addr, sizeof(part));
        h = (h ^ part) * 0x9e3779b97f4a7c15ull;
        h ^= h >> 32;
    }

    return h * 0xc4ceb9fe1a85ec53ull;
}


/* The place in its table where a hash would best be. */
#define ngx_http_tracker_peerset_home(set, hash)                              \
    ((ngx_uint_t) (((hash) & 0xffffffff) * (set)->size >> 32))


static u_char *
ngx_http_tracker_peerset_table(ngx_http_tracker_peerset_t *set, uint64_t hash)
{
    return ngx_http_tracker_set_table(set, (hash >> 32) * set->pages >> 32);
}


/* That peer, or the free place for it; NULL when its table is full. */
static ngx_http_tracker_entry_t *
ngx_http_tracker_peerset_find(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, u_char *addr, uint16_t port)
{
    u_char                    *table;
    uint64_t                   hash;
    ngx_uint_t                 i, left;
    ngx_http_tracker_entry_t  *e;

    hash = ngx_http_tracker_peerset_hash(px, addr, port);
    table = ngx_http_tracker_peerset_table(set, hash);
    i = ngx_http_tracker_peerset_home(set, hash);

    for (left = set->size; left; left--) {
        e = ngx_http_tracker_entry(table, px->alen, i);

        if (e->port == 0
            || (e->port == port && ngx_memcmp(e->addr, addr, px->alen) == 0))
        {
            return e;
        }

        i = (i + 1 < set->size) ? i + 1 : 0;
    }

    return NULL;
}


/* The least that holds n; pages are given a third more, for some time. */
static void
ngx_http_tracker_peerset_fit(size_t alen, ngx_uint_t n,
    ngx_http_tracker_peerset_t *set)
{
    size_t  bytes, entry;

    entry = ngx_http_tracker_entry_size(alen);

    for (bytes = NGX_HTTP_TRACKER_TABLE_MIN;
         bytes <= NGX_HTTP_TRACKER_TABLE_MAX;
         bytes *= 2)
    {
        if (bytes / entry >= n) {
            set->size = (uint16_t) (bytes / entry);
            set->pages = 0;
            return;
        }
    }

    set->size = (uint16_t) (NGX_HTTP_TRACKER_TABLE_PAGE / entry);
    n = ngx_min(n, NGX_HTTP_TRACKER_PEERS_MAX);

    set->pages = (uint16_t) ngx_min(n * 4 / (set->size * 3) + 1,
                                    NGX_HTTP_TRACKER_PEERS_MAX / set->size);
}


static ngx_int_t
ngx_http_tracker_peerset_alloc(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px)
{
    u_char      **dir;
    ngx_uint_t    i;

    if (set->pages == 0) {
        set->slots = ngx_slab_calloc_locked(px->shpool, set->size
                                    * ngx_http_tracker_entry_size(px->alen));
        return set->slots ? NGX_OK : NGX_DECLINED;
    }

    /* a crowded set tries each time that somebody comes: not in vain */

    if (px->shpool->pfree < set->pages) {
        return NGX_DECLINED;
    }

    dir = ngx_slab_calloc_locked(px->shpool, set->pages * sizeof(u_char *));
    if (dir == NULL) {
        return NGX_DECLINED;
    }

    set->slots = (u_char *) dir;

    for (i = 0; i < set->pages; i++) {

        dir[i] = ngx_slab_calloc_locked(px->shpool,
                                        NGX_HTTP_TRACKER_TABLE_PAGE);
        if (dir[i] == NULL) {
            ngx_http_tracker_peerset_free_locked(set, px->shpool);
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


void
ngx_http_tracker_peerset_free_locked(ngx_http_tracker_peerset_t *set,
    ngx_slab_pool_t *shpool)
{
    u_char      **dir;
    ngx_uint_t    i;

    if (set->slots == NULL) {
        return;
    }

    dir = (u_char **) set->slots;

    for (i = 0; i < set->pages && dir[i]; i++) {
        ngx_slab_free_locked(shpool, dir[i]);
    }

    ngx_slab_free_locked(shpool, set->slots);

    ngx_memzero(set, sizeof(ngx_http_tracker_peerset_t));
}


static ngx_int_t
ngx_http_tracker_peerset_move(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, u_char *table, ngx_uint_t n)
{
    ngx_uint_t                 i;
    ngx_http_tracker_entry_t  *from, *to;

    for (i = 0; i < n; i++) {
        from = ngx_http_tracker_entry(table, px->alen, i);

        if (from->port == 0) {
            continue;
        }

        to = ngx_http_tracker_peerset_find(set, px, from->addr, from->port);
        if (to == NULL) {
            return NGX_DECLINED;
        }

        ngx_memcpy(to, from, ngx_http_tracker_entry_size(px->alen));
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_peerset_copy(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, ngx_http_tracker_peerset_t *other)
{
    ngx_uint_t  i;

    for (i = 0; set->slots && i < ngx_max(set->pages, 1); i++) {

        if (ngx_http_tracker_peerset_move(other, px,
                                          ngx_http_tracker_set_table(set, i),
                                          set->size)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/*
 * To hold n; the set stays as it is when that cannot be. Of many pages one may
 * get more than it holds: then they are some more.
 */
static ngx_int_t
ngx_http_tracker_peerset_resize(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, ngx_uint_t n)
{
    ngx_uint_t                  i;
    ngx_http_tracker_peerset_t  other;

    for (i = 0; i < NGX_HTTP_TRACKER_TABLE_TRIES; i++, n += n / 16) {

        other = *set;
        other.hand = 0;

        ngx_http_tracker_peerset_fit(px->alen, n, &other);

        if ((other.size == set->size && other.pages == set->pages)
            || ngx_http_tracker_peerset_alloc(&other, px) != NGX_OK)
        {
            return NGX_DECLINED;
        }

        if (ngx_http_tracker_peerset_copy(set, px, &other) == NGX_OK) {
            ngx_http_tracker_peerset_free_locked(set, px->shpool);
            *set = other;
            return NGX_OK;
        }

        ngx_http_tracker_peerset_free_locked(&other, px->shpool);
    }

    return NGX_DECLINED;
}


/* Pages are searched fast while some is free; a small table may fill up. */
static ngx_uint_t
ngx_http_tracker_peerset_crowded(ngx_http_tracker_peerset_t *set)
{
    return set->pages
           && (set->n + 1) * 8 > ngx_http_tracker_set_places(set) * 7;
}


/* The place for one more: what was found before, or one in more room. */
static ngx_http_tracker_entry_t *
ngx_http_tracker_peerset_grow(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, u_char *addr, uint16_t port,
    ngx_http_tracker_entry_t *e)
{
    ngx_uint_t  i, n;

    for (i = 0; i < NGX_HTTP_TRACKER_TABLE_TRIES; i++) {

        n = set->n + 1;

        /* its page is full: one page more */

        if (e == NULL && set->pages) {
            n = ngx_max(n, ngx_http_tracker_set_places(set) * 3 / 4 + 1);
        }

        if (ngx_http_tracker_peerset_resize(set, px, n) != NGX_OK) {
            return e;
        }

        e = ngx_http_tracker_peerset_find(set, px, addr, port);
        if (e) {
            return e;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_tracker_peerset_put_locked(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, ngx_http_tracker_peer_t *peer)
{
    u_char                    *addr;
    ngx_uint_t                 have;
    ngx_http_tracker_entry_t  *e;

    addr = peer->addr.bytes;

    if (set->slots) {
        e = ngx_http_tracker_peerset_find(set, px, addr, peer->port);

    } else {
        e = NULL;
        set->shift = (uint8_t) px->shift;
    }

    if (e == NULL || (e->port == 0 && ngx_http_tracker_peerset_crowded(set))) {
        e = ngx_http_tracker_peerset_grow(set, px, addr, peer->port, e);
    }

    if (e == NULL) {
        return ngx_http_tracker_set_places(set) * 8
               > NGX_HTTP_TRACKER_PEERS_MAX * 7
               ? NGX_BUSY : NGX_DECLINED;
    }

    if (e->port == 0) {
        set->n++;
        e->port = peer->port;
        ngx_memcpy(e->addr, addr, px->alen);

    } else {
        set->complete -= ngx_http_tracker_entry_complete(e);
    }

    have = peer->complete ? NGX_HTTP_TRACKER_HAVE_ALL : ngx_min(peer->have, 2);

    e->meta = (uint16_t) ((px->tick & NGX_HTTP_TRACKER_SEEN_MASK)
                          | have << NGX_HTTP_TRACKER_HAVE_SHIFT
                          | peer->near << NGX_HTTP_TRACKER_NEAR_SHIFT);

    set->complete += ngx_http_tracker_entry_complete(e);

    return NGX_OK;
}


/* Free place i, and move those that it kept from their own. */
static void
ngx_http_tracker_peerset_remove(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, u_char *table, ngx_uint_t i)
{
    ngx_uint_t                 j, home, left;
    ngx_http_tracker_entry_t  *e;

    e = ngx_http_tracker_entry(table, px->alen, i);

    set->complete -= ngx_http_tracker_entry_complete(e);
    set->n--;

    j = i;

    for (left = set->size - 1; left; left--) {

        j = (j + 1 < set->size) ? j + 1 : 0;

        e = ngx_http_tracker_entry(table, px->alen, j);
        if (e->port == 0) {
            break;
        }

        home = ngx_http_tracker_peerset_home(set,
                         ngx_http_tracker_peerset_hash(px, e->addr, e->port));

        if ((j + set->size - home) % set->size
            >= (j + set->size - i) % set->size)
        {
            ngx_memcpy(ngx_http_tracker_entry(table, px->alen, i), e,
                       ngx_http_tracker_entry_size(px->alen));
            i = j;
        }
    }

    ngx_http_tracker_entry(table, px->alen, i)->port = 0;
}


/* Gives back what a crowd that has left had needed. */
static void
ngx_http_tracker_peerset_shrink(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px)
{
    ngx_http_tracker_peerset_t  other;

    if (set->n == 0) {
        ngx_http_tracker_peerset_free_locked(set, px->shpool);
        return;
    }

    ngx_http_tracker_peerset_fit(px->alen, set->n * 2, &other);

    if (ngx_http_tracker_set_places(&other)
        < ngx_http_tracker_set_places(set))
    {
        (void) ngx_http_tracker_peerset_resize(set, px, set->n * 2);
    }
}


ngx_uint_t
ngx_http_tracker_peerset_has_locked(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, ngx_http_tracker_addr_t *addr, in_port_t port)
{
    ngx_http_tracker_entry_t  *e;

    if (set->slots == NULL) {
        return 0;
    }

    e = ngx_http_tracker_peerset_find(set, px, addr->bytes, port);

    return e && e->port;
}


ngx_uint_t
ngx_http_tracker_peerset_del_locked(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, ngx_http_tracker_peer_t *peer)
{
    u_char                    *table;
    uint64_t                   hash;
    ngx_uint_t                 rc;
    ngx_http_tracker_entry_t  *e;

    if (set->n == 0) {
        return 0;
    }

    e = ngx_http_tracker_peerset_find(set, px, peer->addr.bytes, peer->port);

    if (e == NULL || e->port == 0) {
        return 0;
    }

    rc = 1 + ngx_http_tracker_entry_complete(e);

    hash = ngx_http_tracker_peerset_hash(px, e->addr, e->port);
    table = ngx_http_tracker_peerset_table(set, hash);

    ngx_http_tracker_peerset_remove(set, px, table,
                                    ((u_char *) e - table)
                                    / ngx_http_tracker_entry_size(px->alen));

    ngx_http_tracker_peerset_shrink(set, px);

    return rc;
}


ngx_uint_t
ngx_http_tracker_peerset_expire_locked(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, ngx_uint_t n)
{
    u_char                    *table;
    ngx_uint_t                 i, places, removed;
    ngx_http_tracker_entry_t  *e;

    places = ngx_http_tracker_set_places(set);
    n = ngx_min(n, places);
    removed = 0;

    while (n && set->n && removed < NGX_HTTP_TRACKER_PEERS_REMOVE) {

        if (set->hand >= places) {
            set->hand = 0;
        }

        i = set->hand % set->size;
        table = ngx_http_tracker_set_table(set, set->hand / set->size);
        e = ngx_http_tracker_entry(table, px->alen, i);

        if (e->port && ngx_http_tracker_entry_gone(e, px)) {
            ngx_http_tracker_peerset_remove(set, px, table, i);
            removed++;
            continue;
        }

        set->hand++;
        n--;
    }

    if (removed) {
        ngx_http_tracker_peerset_shrink(set, px);
    }

    return removed;
}


ngx_uint_t
ngx_http_tracker_peerset_shift(uint32_t ttl)
{
    ngx_uint_t  shift;

    shift = 0;

    while (ttl >> shift >= 32) {
        shift++;
    }

    return shift;
}


void
ngx_http_tracker_peerset_shift_locked(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, uint32_t now)
{
    u_char                    *table;
    uint32_t                   seen, tick;
    ngx_uint_t                 i, places;
    ngx_http_tracker_entry_t  *e;

    if (set->slots == NULL || set->shift == px->shift) {
        return;
    }

    places = ngx_http_tracker_set_places(set);
    tick = now >> set->shift;

    for (i = 0; i < places; i++) {
        table = ngx_http_tracker_set_table(set, i / set->size);
        e = ngx_http_tracker_entry(table, px->alen, i % set->size);

        /* at the end of that tick: not gone before its time */

        seen = tick - ngx_http_tracker_entry_age(e, tick);
        seen = ngx_min(((seen + 1) << set->shift) - 1, now);

        e->meta = (uint16_t) ((e->meta & ~NGX_HTTP_TRACKER_SEEN_MASK)
                              | (seen >> px->shift
                                 & NGX_HTTP_TRACKER_SEEN_MASK));
    }

    set->shift = (uint8_t) px->shift;
}
