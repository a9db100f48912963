
/*
 * GET /peers: who has this file?
 */


#include "ngx_http_tracker_answer.h"
#include "ngx_http_tracker_list.h"
#include "ngx_http_tracker_query.h"
#include "ngx_http_tracker_report.h"
#include "ngx_http_tracker_roster.h"
#include "ngx_http_tracker_stripe.h"
#include "ngx_http_tracker_swarm.h"
#include "ngx_http_tracker_trace.h"
#include "ngx_http_tracker_wait.h"


enum {
    NGX_HTTP_TRACKER_SOON = 2,          /* s: ask again while one prepares */
    NGX_HTTP_TRACKER_PEERS_SPARE = 8    /* keep 1/8 of the connections free */
};


typedef struct {
    ngx_http_tracker_waiter_t     waiter;
    ngx_http_tracker_zone_t      *zone;
    ngx_http_tracker_loc_conf_t  *conf;
    ngx_http_tracker_resource_t   res;
    ngx_http_tracker_peer_t       asker;
    ngx_http_tracker_place_t      place;       /* of the asker */
    ngx_http_tracker_trace_t      trace;
    ngx_uint_t                    numwant;
    ngx_uint_t                    pending;     /* chosen, not yet answered */
} ngx_http_tracker_peers_ctx_t;


/* What an answer is made of. */

typedef struct {
    ngx_http_tracker_view_t       view;        /* judged */
    ngx_http_tracker_pick_t       pick;
    ngx_http_tracker_peer_t       peers[NGX_HTTP_TRACKER_NUMWANT_MAX];
} ngx_http_tracker_found_t;


static void ngx_http_tracker_peers_asker(ngx_http_tracker_peers_ctx_t *ctx,
    ngx_http_tracker_query_t *q);
static ngx_int_t ngx_http_tracker_peers_stop(
    ngx_http_tracker_peers_ctx_t *ctx);
static ngx_int_t ngx_http_tracker_peers_refer(
    ngx_http_tracker_peers_ctx_t *ctx);
static ngx_int_t ngx_http_tracker_peers_start(
    ngx_http_tracker_peers_ctx_t *ctx);
static ngx_uint_t ngx_http_tracker_peers_choose(
    ngx_http_tracker_peers_ctx_t *ctx, ngx_http_tracker_found_t *found);
static ngx_int_t ngx_http_tracker_peers_commit(
    ngx_http_tracker_peers_ctx_t *ctx, ngx_http_tracker_view_t *view);
static void ngx_http_tracker_peers_tell(ngx_http_tracker_peers_ctx_t *ctx,
    ngx_http_tracker_view_t *view);
static ngx_uint_t ngx_http_tracker_peers_room(
    ngx_http_tracker_peers_ctx_t *ctx);
static ngx_uint_t ngx_http_tracker_peers_ready(ngx_http_tracker_waiter_t *w);
static void ngx_http_tracker_peers_leave(ngx_http_tracker_waiter_t *w);
static ngx_int_t ngx_http_tracker_peers_answer(ngx_http_tracker_waiter_t *w,
    ngx_http_tracker_why_e why);
static ngx_int_t ngx_http_tracker_peers_send(
    ngx_http_tracker_peers_ctx_t *ctx);
static ngx_int_t ngx_http_tracker_peers_give(
    ngx_http_tracker_peers_ctx_t *ctx, ngx_http_tracker_found_t *found);
static ngx_int_t ngx_http_tracker_peers_write(
    ngx_http_tracker_peers_ctx_t *ctx, ngx_http_tracker_list_t *list);


/* of this worker */
static ngx_uint_t  ngx_http_tracker_peers_parked;


ngx_int_t
ngx_http_tracker_peers_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_http_tracker_query_t       q;
    ngx_http_tracker_refusal_t     refusal;
    ngx_http_tracker_peers_ctx_t  *ctx;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        (void) ngx_http_tracker_refuse(&refusal, NGX_HTTP_NOT_ALLOWED,
                                       "method", "not GET or HEAD");
        return ngx_http_tracker_send_refusal(r, &refusal);
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_tracker_peers_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->waiter.request = r;
    ctx->conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);
    ctx->zone = ctx->conf->zone;

    rc = ngx_http_tracker_query(r, &ctx->zone->origins, &q, &ctx->res,
                                &refusal);

    if (rc == NGX_DECLINED) {
        return ngx_http_tracker_send_refusal(r, &refusal);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->trace.id = ctx->res.id;
    ngx_http_set_ctx(r, &ctx->trace, ngx_http_tracker_module);

    if (ngx_http_tracker_place(r, ctx->conf, &ctx->place) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_tracker_peers_asker(ctx, &q);

    ngx_http_tracker_stat_got(ctx->zone, q.got, q.size);

    if (ctx->res.size < ctx->conf->min_size) {
        return ngx_http_tracker_peers_refer(ctx);
    }

    if (q.nbad) {
        ngx_http_tracker_report(ctx->zone, &ctx->res, &ctx->place, q.bad,
                                q.nbad);
    }

    return (q.event == NGX_HTTP_TRACKER_STOPPED)
           ? ngx_http_tracker_peers_stop(ctx)
           : ngx_http_tracker_peers_start(ctx);
}


static void
ngx_http_tracker_peers_asker(ngx_http_tracker_peers_ctx_t *ctx,
    ngx_http_tracker_query_t *q)
{
    ctx->asker.addr = ctx->place.addr;
    ctx->asker.near = ngx_http_tracker_near(&ctx->place.locality);
    ctx->asker.port = q->port;
    ctx->asker.complete = (q->left == 0);
    ctx->asker.have = (q->left < q->size / 3) ? 2
                                              : (q->left < q->size / 3 * 2);
    ctx->numwant = q->numwant;
}


static ngx_int_t
ngx_http_tracker_peers_stop(ngx_http_tracker_peers_ctx_t *ctx)
{
    if (ctx->asker.port && ctx->asker.addr.family) {
        ngx_http_tracker_swarm_leave(ctx->zone, ctx->res.id, &ctx->asker);
    }

    ctx->trace.reason = NGX_HTTP_TRACKER_REASON_STOPPED;

    return ngx_http_tracker_peers_send(ctx);
}


/* Too small for this: an empty list, so that the CDN alone is used. */
static ngx_int_t
ngx_http_tracker_peers_refer(ngx_http_tracker_peers_ctx_t *ctx)
{
    ngx_http_tracker_view_t  view;
    ngx_http_tracker_list_t  list;

    view.nholders = 0;
    view.nbad = 0;
    view.root = NULL;

    list.id = ctx->res.id;
    list.view = &view;
    list.peers = NULL;
    list.npeers = 0;
    list.interval = ctx->conf->interval;

    ctx->trace.reason = NGX_HTTP_TRACKER_REASON_SMALL;

    return ngx_http_tracker_peers_write(ctx, &list);
}


static ngx_int_t
ngx_http_tracker_peers_start(ngx_http_tracker_peers_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_uint_t                  done;
    ngx_http_request_t         *r;
    ngx_http_tracker_found_t    found;
    ngx_http_tracker_waiter_t  *w;

    r = ctx->waiter.request;

    done = ngx_http_tracker_peers_choose(ctx, &found);

    if (ctx->conf->delay == 0 || (ctx->conf->early && ctx->pending == 0)) {

        ctx->trace.reason = (ctx->conf->delay == 0)
                            ? NGX_HTTP_TRACKER_REASON_NOW
                            : found.view.nchosen
                              ? NGX_HTTP_TRACKER_REASON_READY
                              : NGX_HTTP_TRACKER_REASON_NOBODY;

        return done ? ngx_http_tracker_peers_give(ctx, &found)
                    : ngx_http_tracker_peers_send(ctx);
    }

    w = &ctx->waiter;

    w->key = ngx_http_tracker_swarm_key(ctx->res.id);
    w->ready = ngx_http_tracker_peers_ready;
    w->answer = ngx_http_tracker_peers_answer;
    w->leave = ngx_http_tracker_peers_leave;

    rc = ngx_http_tracker_peers_room(ctx)
         ? ngx_http_tracker_wait_park(w, ctx->conf->delay,
                                      NGX_HTTP_TRACKER_PEERS_SPARE)
         : NGX_DECLINED;

    if (rc == NGX_OK) {
        r->main->count++;

        ngx_http_tracker_peers_parked++;
        ngx_http_tracker_trace_parked(ctx->zone, &ctx->trace);

        return NGX_DONE;
    }

    if (rc == NGX_DECLINED) {
        ctx->trace.reason = ngx_http_tracker_trace_unparked();

        return ngx_http_tracker_peers_send(ctx);
    }

    return rc;
}


/* An IPv6 host has all of its /64. */
static uint32_t
ngx_http_tracker_peers_hash(ngx_http_tracker_addr_t *addr)
{
    return ngx_murmur_hash2(addr->bytes, addr->family == 6 ? 8 : 4);
}


/*
 * Chooses super peers, tells those that do not know yet, and counts the ones
 * still to be waited for. With "found" the asker is registered too, and peers
 * are picked; the result is 1 when all that was found still stands at the end.
 * Locked sections one after the other; what changes in between is found by the
 * commit, or by the wake that it causes.
 */
static ngx_uint_t
ngx_http_tracker_peers_choose(ngx_http_tracker_peers_ctx_t *ctx,
    ngx_http_tracker_found_t *found)
{
    ngx_int_t                 rc;
    ngx_http_tracker_peer_t  *peer;
    ngx_http_tracker_view_t   own, *view;
    ngx_http_tracker_pick_t  *pick;
    ngx_http_tracker_wish_t   wish;

    ctx->pending = 0;

    view = &own;
    peer = NULL;
    pick = NULL;

    if (found) {
        view = &found->view;

        pick = &found->pick;
        pick->asker = &ctx->asker;
        pick->peers = found->peers;
        pick->n = ctx->numwant;

        peer = (ctx->asker.port && ctx->asker.addr.family) ? &ctx->asker
                                                           : NULL;
    }

    rc = ngx_http_tracker_swarm_look(ctx->zone, &ctx->res, peer, view, pick);

    wish.n = ctx->conf->per_file;
    wish.budget = ctx->conf->prepare_budget;

    ngx_http_tracker_roster_choose(ctx->zone, &ctx->res, &ctx->place, &wish,
                                   view);

    if (view->npending == 0 && view->nfresh == 0 && view->nstale == 0
        && rc == NGX_OK)
    {
        return 1;
    }

    if ((view->nchosen || view->nstale)
        && ngx_http_tracker_peers_commit(ctx, view) != NGX_OK)
    {
        rc = NGX_DECLINED;
    }

    if (view->nfresh) {
        ngx_http_tracker_peers_tell(ctx, view);
    }

    if (rc != NGX_OK) {
        ngx_http_tracker_stripe_full(ctx->zone,
                                     ctx->waiter.request->connection->log);
    }

    return 0;
}


static ngx_int_t
ngx_http_tracker_peers_commit(ngx_http_tracker_peers_ctx_t *ctx,
    ngx_http_tracker_view_t *view)
{
    ngx_int_t                  rc;
    ngx_http_tracker_commit_t  commit;

    commit.bit = ctx->conf->early ? ngx_http_tracker_slots_bit() : 0;
    commit.until = ngx_http_tracker_now() + ctx->conf->delay / 1000 + 1;
    commit.after = ctx->conf->prepare_after;
    commit.asker = ngx_http_tracker_peers_hash(&ctx->place.addr);

    rc = ngx_http_tracker_swarm_commit(ctx->zone, &ctx->res, view, &commit);

    ctx->pending = commit.pending;

    return rc;
}


static void
ngx_http_tracker_peers_tell(ngx_http_tracker_peers_ctx_t *ctx,
    ngx_http_tracker_view_t *view)
{
    ngx_uint_t                 i;
    ngx_http_tracker_wakes_t   wakes;

    ngx_http_tracker_roster_tell(ctx->zone, &ctx->res,
                                 ctx->conf->prepare_budget ? &ctx->place.addr
                                                           : NULL,
                                 view, &wakes);

    for (i = 0; i < wakes.n; i++) {
        ngx_http_tracker_slots_wake(wakes.mask[i], wakes.key[i]);
    }
}


static ngx_uint_t
ngx_http_tracker_peers_ready(ngx_http_tracker_waiter_t *w)
{
    ngx_http_tracker_peers_ctx_t  *ctx;

    ctx = (ngx_http_tracker_peers_ctx_t *) w;

    if (!ctx->conf->early) {
        return 0;
    }

    (void) ngx_http_tracker_peers_choose(ctx, NULL);

    return ctx->pending == 0;
}


static ngx_uint_t
ngx_http_tracker_peers_room(ngx_http_tracker_peers_ctx_t *ctx)
{
    ngx_uint_t  max;

    max = ctx->conf->max_parked;

    if (max == NGX_CONF_UNSET_UINT) {
        max = ngx_cycle->connection_n / 4;
    }

    return ngx_http_tracker_peers_parked < max;
}


static void
ngx_http_tracker_peers_leave(ngx_http_tracker_waiter_t *w)
{
    ngx_http_tracker_peers_ctx_t  *ctx;

    ctx = (ngx_http_tracker_peers_ctx_t *) w;

    ngx_http_tracker_peers_parked--;
    ngx_http_tracker_trace_left(ctx->zone, &ctx->trace);
}


static ngx_int_t
ngx_http_tracker_peers_answer(ngx_http_tracker_waiter_t *w,
    ngx_http_tracker_why_e why)
{
    ngx_http_tracker_peers_ctx_t  *ctx;

    ctx = (ngx_http_tracker_peers_ctx_t *) w;

    ctx->trace.reason = ngx_http_tracker_trace_why(why);

    return ngx_http_tracker_peers_send(ctx);
}


static ngx_int_t
ngx_http_tracker_peers_send(ngx_http_tracker_peers_ctx_t *ctx)
{
    ngx_http_tracker_found_t  found;

    found.pick.asker = &ctx->asker;
    found.pick.peers = found.peers;
    found.pick.n = ctx->numwant;

    (void) ngx_http_tracker_swarm_look(ctx->zone, &ctx->res, NULL, &found.view,
                                       &found.pick);

    ngx_http_tracker_roster_judge(ctx->zone, ctx->res.id, &ctx->place,
                                  &found.view);

    return ngx_http_tracker_peers_give(ctx, &found);
}


static ngx_int_t
ngx_http_tracker_peers_give(ngx_http_tracker_peers_ctx_t *ctx,
    ngx_http_tracker_found_t *found)
{
    ngx_uint_t                  i;
    ngx_http_tracker_list_t     list;
    ngx_http_tracker_holder_t  *h;

    list.id = ctx->res.id;
    list.view = &found->view;
    list.peers = found->peers;
    list.npeers = found->view.nbad
                  ? ngx_http_tracker_report_peers(&found->view, found->peers,
                                                  found->pick.n)
                  : found->pick.n;
    list.interval = ctx->conf->interval;

    for (i = 0; i < found->view.nholders; i++) {
        h = &found->view.holders[i];

        if (h->valid && h->alive
            && (h->said.state == NGX_HTTP_TRACKER_PREPARING
                || h->said.state == NGX_HTTP_TRACKER_FILLING))
        {
            list.interval = ngx_min(list.interval, NGX_HTTP_TRACKER_SOON);
        }
    }

    return ngx_http_tracker_peers_write(ctx, &list);
}


static ngx_int_t
ngx_http_tracker_peers_write(ngx_http_tracker_peers_ctx_t *ctx,
    ngx_http_tracker_list_t *list)
{
    ngx_http_tracker_body_t  body;

    ngx_memzero(&body, sizeof(ngx_http_tracker_body_t));
    body.pool = ctx->waiter.request->pool;

    ngx_http_tracker_list_write(&body, ctx->zone, list,
                                ctx->conf->list_filling);

    ctx->trace.supers = (uint32_t) list->nsupers;
    ctx->trace.peers = (uint32_t) list->npeers;
    ctx->trace.listed = 1;

    return ngx_http_tracker_send_body(ctx->waiter.request, &body);
}
