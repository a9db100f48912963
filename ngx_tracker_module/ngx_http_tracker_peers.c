
/*
 * GET /peers: who has this file?
 */


#include "ngx_http_tracker_answer.h"
#include "ngx_http_tracker_ask.h"
#include "ngx_http_tracker_list.h"
#include "ngx_http_tracker_query.h"
#include "ngx_http_tracker_report.h"
#include "ngx_http_tracker_trace.h"
#include "ngx_http_tracker_wait.h"


enum {
    NGX_HTTP_TRACKER_SOON = 2,          /* s: ask again while one prepares */
    NGX_HTTP_TRACKER_PEERS_SPARE = 8    /* keep 1/8 of the connections free */
};


typedef struct {
    ngx_http_tracker_waiter_t     waiter;
    ngx_http_tracker_ask_t        ask;
    ngx_http_tracker_trace_t      trace;
} ngx_http_tracker_peers_ctx_t;


static void ngx_http_tracker_peers_asker(ngx_http_tracker_peers_ctx_t *ctx,
    ngx_http_tracker_query_t *q);
static ngx_int_t ngx_http_tracker_peers_stop(
    ngx_http_tracker_peers_ctx_t *ctx);
static ngx_int_t ngx_http_tracker_peers_refer(
    ngx_http_tracker_peers_ctx_t *ctx);
static ngx_int_t ngx_http_tracker_peers_start(
    ngx_http_tracker_peers_ctx_t *ctx);
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

    rc = ngx_http_tracker_get_only(r, &refusal);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? ngx_http_tracker_send_refusal(r, &refusal)
                                  : rc;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_tracker_peers_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->waiter.request = r;
    ctx->ask.log = r->connection->log;
    ctx->ask.conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);
    ctx->ask.zone = ctx->ask.conf->zone;

    rc = ngx_http_tracker_query(r, &ctx->ask.zone->origins, &q, &ctx->ask.res,
                                &refusal);

    if (rc == NGX_DECLINED) {
        return ngx_http_tracker_send_refusal(r, &refusal);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->trace.id = ctx->ask.res.id;
    ngx_http_set_ctx(r, &ctx->trace, ngx_http_tracker_module);

    if (ngx_http_tracker_place(r, ctx->ask.conf, &ctx->ask.place) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_tracker_peers_asker(ctx, &q);

    ngx_http_tracker_stat_got(ctx->ask.zone, q.got, q.size);

    if (ctx->ask.res.size < ctx->ask.conf->min_size) {
        return ngx_http_tracker_peers_refer(ctx);
    }

    if (q.nbad) {
        ngx_http_tracker_report(ctx->ask.zone, &ctx->ask.res, &ctx->ask.place,
                                q.bad, q.nbad);
    }

    return (q.event == NGX_HTTP_TRACKER_STOPPED)
           ? ngx_http_tracker_peers_stop(ctx)
           : ngx_http_tracker_peers_start(ctx);
}


static void
ngx_http_tracker_peers_asker(ngx_http_tracker_peers_ctx_t *ctx,
    ngx_http_tracker_query_t *q)
{
    ctx->ask.asker.addr = ctx->ask.place.addr;
    ctx->ask.asker.near = ngx_http_tracker_near(&ctx->ask.place.locality);
    ctx->ask.asker.port = q->port;
    ctx->ask.asker.complete = (q->left == 0);
    ctx->ask.asker.have = (q->left < q->size / 3) ? 2
                                              : (q->left < q->size / 3 * 2);
    ctx->ask.numwant = q->numwant;
}


static ngx_int_t
ngx_http_tracker_peers_stop(ngx_http_tracker_peers_ctx_t *ctx)
{
    ngx_http_tracker_ask_t  *ask;

    ask = &ctx->ask;

    if (ask->asker.port && ask->asker.addr.family) {
        ngx_http_tracker_swarm_leave(ask->zone, ask->res.id, &ask->asker);
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

    list.id = ctx->ask.res.id;
    list.view = &view;
    list.peers = NULL;
    list.npeers = 0;
    list.interval = ctx->ask.conf->interval;

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

    done = ngx_http_tracker_ask(&ctx->ask, &found);

    if (ctx->ask.conf->delay == 0
        || (ctx->ask.conf->early && ctx->ask.pending == 0))
    {
        ctx->trace.reason = (ctx->ask.conf->delay == 0)
                            ? NGX_HTTP_TRACKER_REASON_NOW
                            : found.view.nchosen
                              ? NGX_HTTP_TRACKER_REASON_READY
                              : NGX_HTTP_TRACKER_REASON_NOBODY;

        return done ? ngx_http_tracker_peers_give(ctx, &found)
                    : ngx_http_tracker_peers_send(ctx);
    }

    w = &ctx->waiter;

    w->key = ngx_http_tracker_swarm_key(ctx->ask.res.id);
    w->ready = ngx_http_tracker_peers_ready;
    w->answer = ngx_http_tracker_peers_answer;
    w->leave = ngx_http_tracker_peers_leave;

    rc = ngx_http_tracker_peers_room(ctx)
         ? ngx_http_tracker_wait_park(w, ctx->ask.conf->delay,
                                      NGX_HTTP_TRACKER_PEERS_SPARE)
         : NGX_DECLINED;

    if (rc == NGX_OK) {
        r->main->count++;

        ngx_http_tracker_peers_parked++;
        ngx_http_tracker_trace_parked(ctx->ask.zone, &ctx->trace);

        return NGX_DONE;
    }

    if (rc == NGX_DECLINED) {
        ctx->trace.reason = ngx_http_tracker_trace_unparked();

        return ngx_http_tracker_peers_send(ctx);
    }

    return rc;
}


static ngx_uint_t
ngx_http_tracker_peers_ready(ngx_http_tracker_waiter_t *w)
{
    ngx_http_tracker_peers_ctx_t  *ctx;

    ctx = (ngx_http_tracker_peers_ctx_t *) w;

    if (!ctx->ask.conf->early) {
        return 0;
    }

    (void) ngx_http_tracker_ask(&ctx->ask, NULL);

    return ctx->ask.pending == 0;
}


static ngx_uint_t
ngx_http_tracker_peers_room(ngx_http_tracker_peers_ctx_t *ctx)
{
    ngx_uint_t  max;

    max = ctx->ask.conf->max_parked;

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
    ngx_http_tracker_trace_left(ctx->ask.zone, &ctx->trace);
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

    ngx_http_tracker_ask_again(&ctx->ask, &found);

    return ngx_http_tracker_peers_give(ctx, &found);
}


static ngx_int_t
ngx_http_tracker_peers_give(ngx_http_tracker_peers_ctx_t *ctx,
    ngx_http_tracker_found_t *found)
{
    ngx_uint_t                  i;
    ngx_http_tracker_list_t     list;
    ngx_http_tracker_holder_t  *h;

    list.id = ctx->ask.res.id;
    list.view = &found->view;
    list.peers = found->peers;
    list.npeers = found->view.nbad
                  ? ngx_http_tracker_report_peers(&found->view, found->peers,
                                                  found->pick.n)
                  : found->pick.n;
    list.interval = ctx->ask.conf->interval;

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

    ngx_http_tracker_list_write(&body, ctx->ask.zone, list,
                                ctx->ask.conf->list_filling);

    ctx->trace.supers = (uint32_t) list->nsupers;
    ctx->trace.peers = (uint32_t) list->npeers;
    ctx->trace.listed = 1;

    return ngx_http_tracker_send_body(ctx->waiter.request, &body);
}
