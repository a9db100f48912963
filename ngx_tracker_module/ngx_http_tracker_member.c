
/*
 * What askers do with a swarm: look, join, pick, leave.
 */


#include "ngx_http_tracker_swarm_shm.h"


static ngx_int_t
ngx_http_tracker_swarm_join_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_peer_t *peer)
{
    uint32_t                     now;
    ngx_int_t                    rc;
    ngx_uint_t                   n;
    ngx_queue_t                 *q, *prev;
    ngx_http_tracker_peerset_t  *set;

    if (ngx_http_tracker_swarm_make_locked(s, res) != NGX_OK) {
        return NGX_DECLINED;
    }

    now = ngx_http_tracker_now();
    set = ngx_http_tracker_swarm_set(s->swarm, peer->addr.family);

    rc = ngx_http_tracker_peerset_put_locked(set, s->shpool, peer, now);

    /* the section's own swarm is the last used: the queue has others or ends */

    q = ngx_queue_last(&s->stripe->lru);

    for (n = 0; rc == NGX_DECLINED && n < NGX_HTTP_TRACKER_EVICT_MAX; n++) {

        if (q == &s->swarm->lru) {
            break;
        }

        prev = ngx_queue_prev(q);

        if (ngx_http_tracker_swarm_evict_locked(s, q)) {
            rc = ngx_http_tracker_peerset_put_locked(set, s->shpool, peer,
                                                     now);
        }

        q = prev;
    }

    return rc == NGX_OK ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_tracker_swarm_look(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_peer_t *peer,
    ngx_http_tracker_view_t *view)
{
    uint32_t                    now, before;
    ngx_int_t                   rc;
    ngx_http_tracker_section_t  s;

    now = ngx_http_tracker_now();
    before = now - ngx_min(zone->ttl, now);
    rc = NGX_OK;

    ngx_http_tracker_swarm_open(zone, res->id, &s);

    ngx_http_tracker_swarm_expire_locked(&s, zone->ttl);

    if (s.swarm) {
        ngx_http_tracker_peerset_expire_locked(&s.swarm->v4, s.shpool, 4,
                                               before);
        ngx_http_tracker_peerset_expire_locked(&s.swarm->v6, s.shpool, 6,
                                               before);
    }

    if (peer) {
        rc = ngx_http_tracker_swarm_join_locked(&s, res, peer);
    }

    ngx_http_tracker_swarm_copy_locked(&s, view);

    ngx_http_tracker_stripe_unlock(zone, res->id);

    return rc;
}


ngx_uint_t
ngx_http_tracker_swarm_pick(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_peer_t *not, uint32_t ttl, ngx_http_tracker_view_t *view,
    ngx_http_tracker_peer_t *peers, ngx_uint_t n)
{
    uint32_t                    before;
    ngx_uint_t                  found, family;
    ngx_http_tracker_section_t  s;

    before = ngx_http_tracker_now() - ngx_min(ttl, ngx_http_tracker_now());
    found = 0;

    /* the asker's own family first: it reaches that one for sure */

    family = (not->addr.family == 6) ? 6 : 4;

    ngx_http_tracker_swarm_open(zone, id, &s);

    ngx_http_tracker_swarm_copy_locked(&s, view);

    if (s.swarm) {
        found = ngx_http_tracker_peerset_pick_locked(
                             ngx_http_tracker_swarm_set(s.swarm, family),
                             family, before, not, peers, n);
        family = 10 - family;

        found += ngx_http_tracker_peerset_pick_locked(
                             ngx_http_tracker_swarm_set(s.swarm, family),
                             family, before, not, peers + found, n - found);
    }

    ngx_http_tracker_stripe_unlock(zone, id);

    return found;
}


ngx_uint_t
ngx_http_tracker_swarm_announce(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_peer_t *peer, ngx_uint_t event,
    ngx_http_tracker_peer_t *peers, ngx_uint_t n,
    ngx_http_tracker_counts_t *counts)
{
    ngx_uint_t                   found;
    ngx_http_tracker_view_t      view;
    ngx_http_tracker_resource_t  res;

    ngx_memzero(&res, sizeof(ngx_http_tracker_resource_t));
    ngx_memcpy(res.id, id, NGX_HTTP_TRACKER_ID_LEN);

    if (event == NGX_HTTP_TRACKER_STOPPED) {
        ngx_http_tracker_swarm_leave(zone, id, peer);

    } else {
        (void) ngx_http_tracker_swarm_look(zone, &res, peer, &view);
    }

    found = ngx_http_tracker_swarm_pick(zone, id, peer, zone->ttl, &view,
                                        peers, n);

    (void) ngx_http_tracker_swarm_scrape(zone, id, counts);

    return found;
}


ngx_int_t
ngx_http_tracker_swarm_scrape(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_counts_t *counts)
{
    ngx_int_t                   rc;
    ngx_http_tracker_section_t  s;

    ngx_memzero(counts, sizeof(ngx_http_tracker_counts_t));
    rc = NGX_DECLINED;

    ngx_http_tracker_swarm_open(zone, id, &s);

    if (s.swarm) {
        counts->incomplete = s.swarm->v4.n + s.swarm->v6.n;
        rc = NGX_OK;
    }

    ngx_http_tracker_stripe_unlock(zone, id);

    return rc;
}


void
ngx_http_tracker_swarm_leave(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_peer_t *peer)
{
    ngx_http_tracker_section_t  s;

    ngx_http_tracker_swarm_open(zone, id, &s);

    if (s.swarm) {
        ngx_http_tracker_peerset_del_locked(
                 ngx_http_tracker_swarm_set(s.swarm, peer->addr.family), peer);
    }

    ngx_http_tracker_stripe_unlock(zone, id);
}


ngx_int_t
ngx_http_tracker_swarm_text(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_text_t *text, ngx_http_tracker_view_t *view)
{
    ngx_int_t                   rc;
    ngx_http_tracker_text_t    *t;
    ngx_http_tracker_section_t  s;

    rc = NGX_DECLINED;

    ngx_http_tracker_swarm_open(zone, id, &s);

    if (s.swarm && s.swarm->text) {
        t = s.swarm->text;

        ngx_memcpy(text, t, offsetof(ngx_http_tracker_text_t, data)
                            + t->url_len + t->version_len + t->provider_len);

        ngx_http_tracker_swarm_copy_locked(&s, view);

        rc = NGX_OK;
    }

    ngx_http_tracker_stripe_unlock(zone, id);

    return rc;
}
