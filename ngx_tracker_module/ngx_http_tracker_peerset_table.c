
/*
 * The tables of a set of peers: where a peer's place is, and how they grow.
 */


#include "ngx_http_tracker_peerset_shm.h"


enum {
    NGX_HTTP_TRACKER_TABLE_MIN = 64,    /* bytes */
    NGX_HTTP_TRACKER_TABLE_MAX = 2048,  /* above, the slab gives whole pages */
    NGX_HTTP_TRACKER_TABLE_PAGE = 4096,
    NGX_HTTP_TRACKER_TABLE_TRIES = 3
};


uint64_t
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


u_char *
ngx_http_tracker_peerset_table(ngx_http_tracker_peerset_t *set, uint64_t hash)
{
    return ngx_http_tracker_set_table(set, (hash >> 32) * set->pages >> 32);
}


/* That peer, or the free place for it; NULL when its table is full. */
ngx_http_tracker_entry_t *
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
void
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
ngx_int_t
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


/* The place for one more: what was found before, or one in more room. */
ngx_http_tracker_entry_t *
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
