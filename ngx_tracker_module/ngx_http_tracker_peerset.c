
#include "ngx_http_tracker_peerset_shm.h"


/* Pages are searched fast while some is free; a small table may fill up. */
static ngx_uint_t
ngx_http_tracker_peerset_crowded(ngx_http_tracker_peerset_t *set)
{
    return set->pages
           && (set->n + 1) * 8 > ngx_http_tracker_set_places(set) * 7;
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
