
#include "ngx_http_tracker_report.h"
#include "ngx_http_tracker_stat.h"


/* what an address of four bytes has behind them may be anything */

#define ngx_http_tracker_report_same(a, b)                                    \
    ((a)->family == (b)->family                                               \
     && ngx_memcmp((a)->bytes, (b)->bytes, (a)->family == 4 ? 4 : 16) == 0)


void
ngx_http_tracker_report(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_place_t *place,
    ngx_http_tracker_bad_t *bad, ngx_uint_t n)
{
    u_char      network[NGX_HTTP_TRACKER_NETWORK_LEN];
    uint32_t    from;
    ngx_uint_t  i;

    ngx_http_tracker_network(&place->addr, network);
    from = ngx_murmur_hash2(network, sizeof(network));

    ngx_http_tracker_roster_match(zone, bad, n);

    ngx_http_tracker_swarm_report(zone, res, from, bad, n);

    for (i = 0; i < n; i++) {
        if (bad[i].taken) {
            ngx_http_tracker_stat_add(zone, bad[i].wrong
                                      ? NGX_HTTP_TRACKER_STAT_REPORTS_WRONG
                                      : NGX_HTTP_TRACKER_STAT_REPORTS_DEAD,
                                      1);
        }
    }
}


ngx_uint_t
ngx_http_tracker_report_of(ngx_http_tracker_view_t *view, uint32_t super,
    uint32_t born)
{
    ngx_uint_t  i;

    for (i = 0; i < view->nbad; i++) {
        if (view->bad[i].known && view->bad[i].super == super
            && view->bad[i].born == born)
        {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_tracker_report_listed(ngx_http_tracker_listed_t *listed, ngx_uint_t n)
{
    ngx_uint_t                  i, k;
    ngx_http_tracker_holder_t  *h, *best;

    best = NULL;

    for (i = 0; i < n; i++) {
        h = listed[i].holder;

        if (!h->reported
            && (best == NULL || h->said.state > best->said.state))
        {
            best = h;
        }
    }

    if (best == NULL) {
        return n;
    }

    for (i = 0, k = 0; i < n; i++) {
        h = listed[i].holder;

        if (!h->reported || h->said.state > best->said.state) {
            listed[k++].holder = h;
        }
    }

    return k;
}


ngx_uint_t
ngx_http_tracker_report_peers(ngx_http_tracker_view_t *view,
    ngx_http_tracker_peer_t *peers, ngx_uint_t n)
{
    ngx_uint_t               i, k, left;
    ngx_http_tracker_bad_t  *bad;

    for (i = 0, left = 0; i < n; i++) {

        for (k = 0; k < view->nbad; k++) {
            bad = &view->bad[k];

            if (!bad->known && bad->port == peers[i].port
                && ngx_http_tracker_report_same(&bad->addr, &peers[i].addr))
            {
                break;
            }
        }

        if (k == view->nbad) {
            peers[left++] = peers[i];
        }
    }

    /* where it is all of them, none was moved */

    return left ? left : n;
}
