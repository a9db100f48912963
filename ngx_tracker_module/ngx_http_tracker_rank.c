
#include "ngx_http_tracker_rank.h"


enum {
    /*
     * Of its own limits; not all of them: a rate is measured over a poll, and
     * stays a little below its limit.
     */
    NGX_HTTP_TRACKER_OVERLOADED = 95,   /* % */

    NGX_HTTP_TRACKER_LOAD_CLASS = 25,   /* % */
    NGX_HTTP_TRACKER_LABELS_MAX = 15
};


/* Leading labels in common. */
static ngx_uint_t
ngx_http_tracker_rank_labels(u_char *a, size_t alen, u_char *b, size_t blen)
{
    size_t      i;
    ngx_uint_t  n, aends, bends;

    n = 0;

    if (alen == 0 || blen == 0) {
        return 0;
    }

    for (i = 0; n < NGX_HTTP_TRACKER_LABELS_MAX; i++) {

        aends = (i == alen || a[i] == '/');
        bends = (i == blen || b[i] == '/');

        if (aends && bends) {
            n++;
        }

        if (i == alen || i == blen || a[i] != b[i]) {
            break;
        }
    }

    return n;
}


/*
 * Leading bytes in common, in the classes that networks are handed out in:
 * with every bit counted no two super peers were equal, and neither load nor
 * hash had a say.
 */
static ngx_uint_t
ngx_http_tracker_rank_prefix(ngx_http_tracker_addr_t *a,
    ngx_http_tracker_addr_t *b)
{
    size_t      *len;
    ngx_uint_t   n;

    static size_t  v4[] = { 1, 2, 3 };
    static size_t  v6[] = { 4, 6, 8 };

    if (a->family == 0 || a->family != b->family) {
        return 0;
    }

    len = (a->family == 4) ? v4 : v6;

    for (n = 0; n < 3; n++) {
        if (ngx_memcmp(a->bytes, b->bytes, len[n]) != 0) {
            break;
        }
    }

    return n;
}


/*
 * From the highest bit: 1 not overloaded; 2 what it has; 4 labels, 2 prefix,
 * 2 load; the rest is the hash, so that one file gathers on few super peers.
 */
uint64_t
ngx_http_tracker_rank(ngx_http_tracker_super_t *super, u_char *id,
    ngx_http_tracker_place_t *place, ngx_uint_t state)
{
    uint64_t    h, rank;
    ngx_uint_t  load;

    ngx_memcpy(&h, id, sizeof(h));

    h ^= super->hash;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;

    rank = super->load < NGX_HTTP_TRACKER_OVERLOADED;

    rank = rank << 2
           | (state == NGX_HTTP_TRACKER_COMPLETE ? 2
              : state == NGX_HTTP_TRACKER_PREPARING
                || state == NGX_HTTP_TRACKER_FILLING ? 1 : 0);

    rank = rank << 4
           | ngx_http_tracker_rank_labels(super->locality, super->locality_len,
                                          place->locality.data,
                                          place->locality.len);

    rank = rank << 2
           | ngx_http_tracker_rank_prefix(&super->addr, &place->addr);

    /* a class, so that a few percent do not scatter a file */

    load = ngx_min(super->load / NGX_HTTP_TRACKER_LOAD_CLASS, 3);

    rank = rank << 2 | (3 - load);

    return rank << 53 | h >> 11;
}


ngx_uint_t
ngx_http_tracker_rank_load(ngx_http_tracker_load_t *load)
{
    uint64_t  most, active, max;

    most = load->cpu;

    if (load->active_max) {

        /* they may be any number: a product must not overflow */

        max = ngx_min(load->active_max, NGX_MAX_INT32_VALUE);
        active = ngx_min(load->active, max);

        most = ngx_max(most, active * 100 / max);
    }

    if (load->rate_max) {
        most = ngx_max(most, load->rate / (load->rate_max / 100 + 1));
    }

    return ngx_min(most, 100);
}
