
#include "ngx_http_tracker_ask.h"
#include "ngx_http_tracker_slots.h"
#include "ngx_http_tracker_stripe.h"
#include "ngx_http_tracker_url.h"


/* An IPv6 host has all of its /64. */
static uint32_t
ngx_http_tracker_ask_hash(ngx_http_tracker_addr_t *addr)
{
    return ngx_murmur_hash2(addr->bytes, addr->family == 6 ? 8 : 4);
}


static ngx_int_t
ngx_http_tracker_ask_commit(ngx_http_tracker_ask_t *ask,
    ngx_http_tracker_view_t *view)
{
    ngx_int_t                  rc;
    ngx_http_tracker_commit_t  commit;

    commit.bit = ask->conf->early ? ngx_http_tracker_slots_bit() : 0;
    commit.filling = ask->conf->early == NGX_HTTP_TRACKER_EARLY_FILLING
                     && ask->conf->list_filling;
    commit.until = ngx_http_tracker_now() + ask->conf->delay / 1000 + 1;
    commit.after = ask->conf->prepare_after;
    commit.asker = ngx_http_tracker_ask_hash(&ask->place.addr);

    rc = ngx_http_tracker_swarm_commit(ask->zone, &ask->res, view, &commit);

    ask->pending = commit.pending;

    return rc;
}


static void
ngx_http_tracker_ask_tell(ngx_http_tracker_ask_t *ask,
    ngx_http_tracker_view_t *view)
{
    ngx_uint_t                 i;
    ngx_http_tracker_wakes_t   wakes;

    ngx_http_tracker_roster_tell(ask->zone, &ask->res,
                                 ask->conf->prepare_budget ? &ask->place.addr
                                                           : NULL,
                                 view, &wakes);

    for (i = 0; i < wakes.n; i++) {
        ngx_http_tracker_slots_wake(wakes.mask[i], wakes.key[i]);
    }
}


/*
 * Locked sections one after the other; what changes in between is found by the
 * commit, or by the wake that it causes.
 */
ngx_uint_t
ngx_http_tracker_ask(ngx_http_tracker_ask_t *ask,
    ngx_http_tracker_found_t *found)
{
    ngx_int_t                 rc;
    ngx_http_tracker_peer_t  *peer;
    ngx_http_tracker_view_t   own, *view;
    ngx_http_tracker_pick_t  *pick;
    ngx_http_tracker_wish_t   wish;

    ask->pending = 0;

    view = &own;
    peer = NULL;
    pick = NULL;

    if (found) {
        view = &found->view;

        pick = &found->pick;
        pick->asker = &ask->asker;
        pick->peers = found->peers;
        pick->n = ask->numwant;

        peer = (ask->asker.port && ask->asker.addr.family) ? &ask->asker
                                                           : NULL;
    }

    rc = ngx_http_tracker_swarm_look(ask->zone, &ask->res, peer, view, pick);

    view->secure = ngx_http_tracker_url_secure(ask->res.url.data);

    wish.n = ask->conf->per_file;
    wish.budget = ask->conf->prepare_budget;

    ngx_http_tracker_roster_choose(ask->zone, &ask->res, &ask->place, &wish,
                                   view);

    if (view->npending == 0 && view->nfresh == 0 && view->nstale == 0
        && rc == NGX_OK)
    {
        return 1;
    }

    if ((view->nchosen || view->nstale)
        && ngx_http_tracker_ask_commit(ask, view) != NGX_OK)
    {
        rc = NGX_DECLINED;
    }

    if (view->nfresh) {
        ngx_http_tracker_ask_tell(ask, view);
    }

    if (rc != NGX_OK) {
        ngx_http_tracker_stripe_full(ask->zone, ask->log);
    }

    return 0;
}


void
ngx_http_tracker_ask_again(ngx_http_tracker_ask_t *ask,
    ngx_http_tracker_found_t *found)
{
    found->pick.asker = &ask->asker;
    found->pick.peers = found->peers;
    found->pick.n = ask->numwant;

    (void) ngx_http_tracker_swarm_look(ask->zone, &ask->res, NULL,
                                       &found->view, &found->pick);

    found->view.secure = ngx_http_tracker_url_secure(ask->res.url.data);

    ngx_http_tracker_roster_judge(ask->zone, ask->res.id, &ask->place,
                                  &found->view);
}
