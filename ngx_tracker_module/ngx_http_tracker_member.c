
/*
 * What askers do with a swarm: look, join, pick, leave.
 */


#include "ngx_http_tracker_swarm_shm.h"


#define ngx_http_tracker_swarm_set(swarm, i)                                  \
    ((i) ? &(swarm)->v6 : &(swarm)->v4)


static ngx_int_t
ngx_http_tracker_swarm_put_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_peer_t *peer)
{
    ngx_uint_t  i;

    i = (peer->addr.family == 6);

    return ngx_http_tracker_peerset_put_locked(
                                        ngx_http_tracker_swarm_set(s->swarm, i),
                                        &s->px[i], peer);
}


/* Others make room, those that were not used for longest first. */
static ngx_int_t
ngx_http_tracker_swarm_join_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_peer_t *peer)
{
    ngx_int_t     rc;
    ngx_uint_t    n;
    ngx_queue_t  *q, *prev;

    if (ngx_http_tracker_swarm_make_locked(s, res) != NGX_OK) {
        s->stripe->tally.refused++;
        return NGX_DECLINED;
    }

    ngx_http_tracker_swarm_count_locked(s, s->swarm, -1);

    rc = ngx_http_tracker_swarm_put_locked(s, peer);

    q = ngx_queue_last(&s->stripe->lru);

    for (n = 0; rc == NGX_DECLINED && n < NGX_HTTP_TRACKER_EVICT_MAX; n++) {

        if (q == ngx_queue_sentinel(&s->stripe->lru)) {
            break;
        }

        prev = ngx_queue_prev(q);

        if (ngx_http_tracker_swarm_evict_locked(s, q)) {
            rc = ngx_http_tracker_swarm_put_locked(s, peer);
        }

        q = prev;
    }

    ngx_http_tracker_swarm_count_locked(s, s->swarm, 1);

    if (rc != NGX_OK) {
        s->stripe->tally.refused++;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_tracker_swarm_leave_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_peer_t *peer)
{
    ngx_uint_t  i, rc;

    if (s->swarm == NULL) {
        return 0;
    }

    i = (peer->addr.family == 6);

    ngx_http_tracker_swarm_count_locked(s, s->swarm, -1);

    rc = ngx_http_tracker_peerset_del_locked(
                                        ngx_http_tracker_swarm_set(s->swarm, i),
                                        &s->px[i], peer);

    ngx_http_tracker_swarm_count_locked(s, s->swarm, 1);

    return rc;
}


/* The asker's own family first: it reaches that one for sure. */
static ngx_uint_t
ngx_http_tracker_swarm_pick_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_pick_t *pick)
{
    ngx_uint_t               i, k, found;
    ngx_http_tracker_pick_t  rest;

    if (s->swarm == NULL) {
        return 0;
    }

    found = 0;
    rest = *pick;
    i = (pick->asker->addr.family == 6);

    for (k = 0; k < 2 && found < pick->n; k++, i = !i) {

        rest.peers = pick->peers + found;
        rest.n = pick->n - found;

        found += ngx_http_tracker_peerset_pick_locked(
                                        ngx_http_tracker_swarm_set(s->swarm, i),
                                        &s->px[i], &rest);
    }

    return found;
}


ngx_int_t
ngx_http_tracker_swarm_look(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_peer_t *peer,
    ngx_http_tracker_view_t *view, ngx_http_tracker_pick_t *pick)
{
    ngx_int_t                   rc;
    ngx_http_tracker_section_t  s;

    rc = NGX_OK;

    ngx_http_tracker_swarm_open(zone, res->id, &s);

    if (s.swarm) {
        (void) ngx_http_tracker_swarm_expire_locked(&s, s.swarm,
                                              NGX_HTTP_TRACKER_PEERS_EXPIRE);
    }

    if (peer) {
        rc = ngx_http_tracker_swarm_join_locked(&s, res, peer);
    }

    ngx_http_tracker_swarm_copy_locked(&s, view);

    if (pick) {
        pick->n = ngx_http_tracker_swarm_pick_locked(&s, pick);
    }

    ngx_http_tracker_stripe_unlock(zone, res->id);

    return rc;
}


void
ngx_http_tracker_swarm_counts_locked(ngx_http_tracker_swarm_t *swarm,
    ngx_http_tracker_counts_t *counts)
{
    counts->complete = swarm->v4.complete + swarm->v6.complete;
    counts->incomplete = swarm->v4.n + swarm->v6.n - counts->complete;
    counts->downloaded = swarm->downloaded;
}


ngx_uint_t
ngx_http_tracker_swarm_announce(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_peer_t *peer, ngx_uint_t event,
    ngx_http_tracker_peer_t *peers, ngx_uint_t n,
    ngx_http_tracker_counts_t *counts)
{
    ngx_uint_t                  found, fresh;
    ngx_http_tracker_pick_t     pick;
    ngx_http_tracker_section_t  s;

    pick.asker = peer;
    pick.peers = peers;
    pick.n = n;

    ngx_memzero(counts, sizeof(ngx_http_tracker_counts_t));
    found = 0;

    ngx_http_tracker_swarm_open_torrent(zone, id, &s);

    if (s.swarm) {
        (void) ngx_http_tracker_swarm_expire_locked(&s, s.swarm,
                                              NGX_HTTP_TRACKER_PEERS_EXPIRE);
    }

    if (event == NGX_HTTP_TRACKER_STOPPED) {
        (void) ngx_http_tracker_swarm_leave_locked(&s, peer);

    } else {

        /* who says "completed" again was complete before */

        fresh = (event == NGX_HTTP_TRACKER_COMPLETED)
                && ngx_http_tracker_swarm_leave_locked(&s, peer) < 2;

        counts->full = (ngx_http_tracker_swarm_join_locked(&s, NULL, peer)
                        != NGX_OK);

        if (s.swarm) {
            s.swarm->downloaded += fresh;
            found = ngx_http_tracker_swarm_pick_locked(&s, &pick);
        }
    }

    if (s.swarm) {
        ngx_http_tracker_swarm_counts_locked(s.swarm, counts);
    }

    ngx_http_tracker_stripe_unlock(zone, id);

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

    ngx_http_tracker_swarm_open_torrent(zone, id, &s);

    if (s.swarm) {
        ngx_http_tracker_swarm_counts_locked(s.swarm, counts);
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

    (void) ngx_http_tracker_swarm_leave_locked(&s, peer);

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
