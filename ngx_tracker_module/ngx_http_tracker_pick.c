
/*
 * Which peers an asker gets: O(numwant), from a random place on, so that over
 * time all are told of equally often; among those that were looked at, the
 * near ones and those that hold more are told first.
 */


#include "ngx_http_tracker_peerset_shm.h"


enum {
    /* looked at, for each that is wanted */
    NGX_HTTP_TRACKER_PICK_TIMES = 3,
    NGX_HTTP_TRACKER_PICK_MAX = 600,

    /* one in so many is anybody, or a crowd would fall into islands */
    NGX_HTTP_TRACKER_PICK_ANY = 4,

    NGX_HTTP_TRACKER_PICK_CLASSES = 32
};


typedef struct {
    ngx_uint_t                    n;
    uint16_t                      start[NGX_HTTP_TRACKER_PICK_CLASSES + 1];
    uint8_t                       class[NGX_HTTP_TRACKER_PICK_MAX];
    ngx_http_tracker_entry_t     *found[NGX_HTTP_TRACKER_PICK_MAX];
    ngx_http_tracker_entry_t     *sorted[NGX_HTTP_TRACKER_PICK_MAX];
} ngx_http_tracker_candidates_t;


uint8_t
ngx_http_tracker_near(ngx_str_t *locality)
{
    if (locality->len == 0) {
        return 0;
    }

    return ngx_murmur_hash2(locality->data, locality->len) % 63 + 1;
}


/* Living peers but the asker, up to max of them, from a random place on. */
static ngx_uint_t
ngx_http_tracker_pick_walk(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, ngx_http_tracker_peer_t *asker,
    ngx_http_tracker_entry_t **found, ngx_uint_t max)
{
    u_char                    *p, *end;
    size_t                     size;
    uint16_t                   not;
    ngx_uint_t                 i, n, page, left;
    ngx_http_tracker_entry_t  *e;

    not = (asker->addr.family == (px->alen == 4 ? 4 : 6)) ? asker->port : 0;
    size = ngx_http_tracker_entry_size(px->alen);

    left = ngx_http_tracker_set_places(set);

    i = (ngx_uint_t) ngx_random() % left;
    page = i / set->size;

    p = ngx_http_tracker_set_table(set, page);
    end = p + set->size * size;
    p += i % set->size * size;

    for (n = 0; left && n < max; left--, p += size) {

        if (p == end) {
            page = (page + 1 < set->pages) ? page + 1 : 0;
            p = ngx_http_tracker_set_table(set, page);
            end = p + set->size * size;
        }

        e = (ngx_http_tracker_entry_t *) p;

        if (e->port == 0
            || ngx_http_tracker_entry_gone(e, px)
            || (e->port == not
                && ngx_memcmp(e->addr, asker->addr.bytes, px->alen) == 0))
        {
            continue;
        }

        found[n++] = e;
    }

    return n;
}


/* /24, /16, /8 or /64, /48, /32 in common: 3, 2, 1 */
static ngx_uint_t
ngx_http_tracker_pick_prefix(u_char *a, u_char *b, size_t alen)
{
    ngx_uint_t  i, n;

    static u_char  lens[2][3] = { { 3, 2, 1 }, { 8, 6, 4 } };

    for (n = 3, i = 0; n; n--, i++) {
        if (ngx_memcmp(a, b, lens[alen > 4][i]) == 0) {
            break;
        }
    }

    return n;
}


/* Locality, then prefix, then what it holds: who has all wants the others. */
static ngx_uint_t
ngx_http_tracker_pick_class(ngx_http_tracker_entry_t *e,
    ngx_http_tracker_px_t *px, ngx_http_tracker_peer_t *asker)
{
    ngx_uint_t  class, have;

    class = asker->near && asker->near == ngx_http_tracker_entry_near(e);
    class <<= 2;

    if (asker->addr.family == (px->alen == 4 ? 4 : 6)) {
        class |= ngx_http_tracker_pick_prefix(e->addr, asker->addr.bytes,
                                              px->alen);
    }

    have = ngx_http_tracker_entry_have(e);

    return class << 2 | (asker->complete ? 3 - have : have);
}


/* By class, the best first; stable. */
static void
ngx_http_tracker_pick_sort(ngx_http_tracker_candidates_t *c,
    ngx_http_tracker_px_t *px, ngx_http_tracker_peer_t *asker)
{
    uint16_t    next[NGX_HTTP_TRACKER_PICK_CLASSES];
    ngx_uint_t  i, class;

    ngx_memzero(c->start, sizeof(c->start));

    for (i = 0; i < c->n; i++) {
        class = NGX_HTTP_TRACKER_PICK_CLASSES - 1
                - ngx_http_tracker_pick_class(c->found[i], px, asker);
        c->class[i] = (uint8_t) class;
        c->start[class + 1]++;
    }

    for (i = 0; i < NGX_HTTP_TRACKER_PICK_CLASSES; i++) {
        next[i] = c->start[i];
        c->start[i + 1] += c->start[i];
    }

    for (i = 0; i < c->n; i++) {
        c->sorted[next[c->class[i]]++] = c->found[i];
    }
}


/* Exchanges places from..from + n with those a random way on, up to "to". */
static void
ngx_http_tracker_pick_mix(ngx_http_tracker_entry_t **sorted, ngx_uint_t from,
    ngx_uint_t to, ngx_uint_t n)
{
    ngx_uint_t                 i, k;
    ngx_http_tracker_entry_t  *e;

    k = (ngx_uint_t) ngx_random();

    for (i = from; n && i < to; i++, n--) {
        k = k * 6364136223846793005ull + 1442695040888963407ull;

        e = sorted[i];
        sorted[i] = sorted[i + (k >> 33) % (to - i)];
        sorted[i + (k >> 33) % (to - i)] = e;
    }
}


static void
ngx_http_tracker_pick_best(ngx_http_tracker_candidates_t *c, ngx_uint_t want)
{
    ngx_uint_t  i, any, best;

    any = want / NGX_HTTP_TRACKER_PICK_ANY;
    best = want - any;

    /* the class that the best end in: any of it */

    for (i = 0; c->start[i + 1] < best; i++) { /* void */ }

    ngx_http_tracker_pick_mix(c->sorted, c->start[i], c->start[i + 1],
                              best - c->start[i]);

    ngx_http_tracker_pick_mix(c->sorted, best, c->n, any);
}


ngx_uint_t
ngx_http_tracker_peerset_pick_locked(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, ngx_http_tracker_pick_t *pick)
{
    ngx_uint_t                      i, max;
    ngx_http_tracker_entry_t       *e, **chosen;
    ngx_http_tracker_peer_t        *peer;
    ngx_http_tracker_candidates_t   c;

    if (set->n == 0 || pick->n == 0) {
        return 0;
    }

    /* one more: the asker may be among them */

    max = (set->n <= pick->n + 1) ? pick->n
                                  : pick->n * NGX_HTTP_TRACKER_PICK_TIMES + 16;

    c.n = ngx_http_tracker_pick_walk(set, px, pick->asker, c.found,
                                   ngx_min(max, NGX_HTTP_TRACKER_PICK_MAX));
    chosen = c.found;

    if (c.n > pick->n) {
        ngx_http_tracker_pick_sort(&c, px, pick->asker);
        ngx_http_tracker_pick_best(&c, pick->n);
        chosen = c.sorted;
        c.n = pick->n;
    }

    for (i = 0; i < c.n; i++) {
        e = chosen[i];
        peer = &pick->peers[i];

        /* of a fixed length: no call */

        if (px->alen == 4) {
            peer->addr.family = 4;
            ngx_memcpy(peer->addr.bytes, e->addr, 4);

        } else {
            peer->addr.family = 6;
            ngx_memcpy(peer->addr.bytes, e->addr, 16);
        }

        peer->port = e->port;
        peer->complete = ngx_http_tracker_entry_complete(e);
    }

    return c.n;
}
