
#include "ngx_http_tracker_peerset.h"


enum {
    NGX_HTTP_TRACKER_PEERS_FIRST = 8,
    NGX_HTTP_TRACKER_PEER_COMPLETE = 1
};


/* as long as its address: 12 bytes with IPv4, 24 with IPv6 */

typedef struct {
    uint32_t                      seen;        /* 0: free */
    uint16_t                      port;
    u_char                        flags;
    u_char                        unused;
    u_char                        addr[16];
} ngx_http_tracker_entry_t;


#define ngx_http_tracker_alen(family)  ((size_t) ((family) == 4 ? 4 : 16))

#define ngx_http_tracker_entry_size(alen)                                     \
    (offsetof(ngx_http_tracker_entry_t, addr) + (alen))

#define ngx_http_tracker_entry(set, alen, i)                                  \
    ((ngx_http_tracker_entry_t *)                                             \
     ((set)->slots + (size_t) (i) * ngx_http_tracker_entry_size(alen)))


uint8_t
ngx_http_tracker_near(ngx_str_t *locality)
{
    if (locality->len == 0) {
        return 0;
    }

    return ngx_murmur_hash2(locality->data, locality->len) % 63 + 1;
}


static uint32_t
ngx_http_tracker_peerset_hash(ngx_http_tracker_peerset_t *set, u_char *addr,
    size_t alen, uint16_t port)
{
    uint64_t  h, part;

    h = (uint64_t) set->seed << 16 | port;

    for ( /* void */ ; alen; alen -= 4, addr += 4) {
        part = (uint64_t) addr[0] << 24 | addr[1] << 16 | addr[2] << 8
               | addr[3];
        h = (h ^ part) * 0x9e3779b97f4a7c15ull;
        h ^= h >> 32;
    }

    return (uint32_t) h;
}


/* The place of that peer, or the free one where it would go. */
static ngx_http_tracker_entry_t *
ngx_http_tracker_peerset_find(ngx_http_tracker_peerset_t *set, u_char *addr,
    size_t alen, uint16_t port)
{
    uint32_t                   i;
    ngx_http_tracker_entry_t  *e;

    i = ngx_http_tracker_peerset_hash(set, addr, alen, port);

    for ( ;; ) {
        i &= set->size - 1;
        e = ngx_http_tracker_entry(set, alen, i);

        if (e->seen == 0
            || (e->port == port && ngx_memcmp(e->addr, addr, alen) == 0))
        {
            return e;
        }

        i++;
    }
}


static ngx_int_t
ngx_http_tracker_peerset_resize(ngx_http_tracker_peerset_t *set,
    ngx_slab_pool_t *shpool, size_t alen, uint32_t size)
{
    uint32_t                     i;
    ngx_http_tracker_entry_t    *e;
    ngx_http_tracker_peerset_t   other;

    other.slots = ngx_slab_calloc_locked(shpool, size
                                         * ngx_http_tracker_entry_size(alen));
    if (other.slots == NULL) {
        return NGX_DECLINED;
    }

    other.n = set->n;
    other.size = size;
    other.hand = 0;
    other.seed = (uint32_t) ngx_random();

    for (i = 0; i < set->size; i++) {
        e = ngx_http_tracker_entry(set, alen, i);

        if (e->seen) {
            ngx_memcpy(ngx_http_tracker_peerset_find(&other, e->addr, alen,
                                                     e->port),
                       e, ngx_http_tracker_entry_size(alen));
        }
    }

    if (set->slots) {
        ngx_slab_free_locked(shpool, set->slots);
    }

    *set = other;

    return NGX_OK;
}


ngx_int_t
ngx_http_tracker_peerset_put_locked(ngx_http_tracker_peerset_t *set,
    ngx_slab_pool_t *shpool, ngx_http_tracker_peer_t *peer, uint32_t now)
{
    size_t                     alen;
    uint32_t                   size;
    ngx_http_tracker_entry_t  *e;

    alen = ngx_http_tracker_alen(peer->addr.family);

    /* a quarter stays free, so that a search ends soon */

    if ((set->n + 1) * 4 > set->size * 3) {
        size = set->size ? set->size * 2 : NGX_HTTP_TRACKER_PEERS_FIRST;

        if (size <= NGX_HTTP_TRACKER_PEERS_MAX) {
            (void) ngx_http_tracker_peerset_resize(set, shpool, alen, size);
        }
    }

    if (set->size == 0) {
        return NGX_DECLINED;
    }

    e = ngx_http_tracker_peerset_find(set, peer->addr.bytes, alen, peer->port);

    if (e->seen == 0) {

        if ((set->n + 1) * 8 > set->size * 7) {
            return set->size < NGX_HTTP_TRACKER_PEERS_MAX ? NGX_DECLINED
                                                          : NGX_BUSY;
        }

        set->n++;
        e->port = peer->port;
        ngx_memcpy(e->addr, peer->addr.bytes, alen);
    }

    e->seen = now;
    e->flags = peer->complete ? NGX_HTTP_TRACKER_PEER_COMPLETE : 0;

    return NGX_OK;
}


/* Free entry i, and move those that it kept from their own place. */
static void
ngx_http_tracker_peerset_remove(ngx_http_tracker_peerset_t *set, size_t alen,
    uint32_t i)
{
    uint32_t                   j, home, mask;
    ngx_http_tracker_entry_t  *e;

    mask = set->size - 1;

    for (j = (i + 1) & mask; /* void */ ; j = (j + 1) & mask) {

        e = ngx_http_tracker_entry(set, alen, j);
        if (e->seen == 0) {
            break;
        }

        home = ngx_http_tracker_peerset_hash(set, e->addr, alen, e->port);

        if (((j - home) & mask) >= ((j - i) & mask)) {
            ngx_memcpy(ngx_http_tracker_entry(set, alen, i), e,
                       ngx_http_tracker_entry_size(alen));
            i = j;
        }
    }

    ngx_http_tracker_entry(set, alen, i)->seen = 0;
    set->n--;
}


void
ngx_http_tracker_peerset_del_locked(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_peer_t *peer)
{
    size_t                     alen;
    ngx_http_tracker_entry_t  *e;

    if (set->n == 0) {
        return;
    }

    alen = ngx_http_tracker_alen(peer->addr.family);
    e = ngx_http_tracker_peerset_find(set, peer->addr.bytes, alen, peer->port);

    if (e->seen) {
        ngx_http_tracker_peerset_remove(set, alen,
                          ((u_char *) e - set->slots)
                          / ngx_http_tracker_entry_size(alen));
    }
}


void
ngx_http_tracker_peerset_expire_locked(ngx_http_tracker_peerset_t *set,
    ngx_slab_pool_t *shpool, ngx_uint_t family, uint32_t before)
{
    size_t                     alen;
    ngx_uint_t                 k;
    ngx_http_tracker_entry_t  *e;

    alen = ngx_http_tracker_alen(family);

    for (k = 0; k < NGX_HTTP_TRACKER_PEERS_EXPIRE && set->n; k++) {

        set->hand &= set->size - 1;
        e = ngx_http_tracker_entry(set, alen, set->hand);

        if (e->seen && e->seen < before) {
            ngx_http_tracker_peerset_remove(set, alen, set->hand);
            continue;
        }

        set->hand++;
    }

    if (set->n == 0 && set->slots) {
        ngx_http_tracker_peerset_free_locked(set, shpool);
        return;
    }

    /* a crowd has left: who picks need not look at its empty places */

    if (set->n * 8 < set->size && set->size > NGX_HTTP_TRACKER_PEERS_FIRST) {
        (void) ngx_http_tracker_peerset_resize(set, shpool, alen,
                                               set->size / 2);
    }
}


ngx_uint_t
ngx_http_tracker_peerset_pick_locked(ngx_http_tracker_peerset_t *set,
    ngx_uint_t family, uint32_t before, ngx_http_tracker_peer_t *not,
    ngx_http_tracker_peer_t *out, ngx_uint_t n)
{
    size_t                     alen;
    uint32_t                   i, left;
    ngx_uint_t                 found;
    ngx_http_tracker_entry_t  *e;

    alen = ngx_http_tracker_alen(family);
    i = (uint32_t) ngx_random();
    found = 0;

    for (left = set->n ? set->size : 0; left && found < n; left--, i++) {

        e = ngx_http_tracker_entry(set, alen, i & (set->size - 1));

        if (e->seen == 0 || e->seen < before) {
            continue;
        }

        if (not->addr.family == family && not->port == e->port
            && ngx_memcmp(not->addr.bytes, e->addr, alen) == 0)
        {
            continue;
        }

        out[found].addr.family = (u_char) family;
        ngx_memcpy(out[found].addr.bytes, e->addr, alen);
        out[found].port = e->port;
        out[found].complete = (e->flags & NGX_HTTP_TRACKER_PEER_COMPLETE) != 0;
        found++;
    }

    return found;
}


void
ngx_http_tracker_peerset_free_locked(ngx_http_tracker_peerset_t *set,
    ngx_slab_pool_t *shpool)
{
    if (set->slots) {
        ngx_slab_free_locked(shpool, set->slots);
    }

    ngx_memzero(set, sizeof(ngx_http_tracker_peerset_t));
}
