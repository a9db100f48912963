
/*
 * POST /control: super peers' calls. A poll is parked until there is a
 * command for its super peer; any other call brings news and is answered at
 * once.
 */


#include "ngx_http_tracker_answer.h"
#include "ngx_http_tracker_call.h"
#include "ngx_http_tracker_feed.h"
#include "ngx_http_tracker_trace.h"
#include "ngx_http_tracker_prepare.h"
#include "ngx_http_tracker_roster.h"
#include "ngx_http_tracker_stat.h"
#include "ngx_http_tracker_stripe.h"
#include "ngx_http_tracker_swarm.h"
#include "ngx_http_tracker_wait.h"


enum {
    /* polls may take more of the connections than askers */
    NGX_HTTP_TRACKER_POLL_SPARE = 16
};


typedef struct {
    ngx_http_tracker_waiter_t     waiter;
    ngx_http_tracker_zone_t      *zone;
    ngx_http_tracker_call_t       call;
    ngx_http_tracker_turn_t       turn;
    ngx_http_tracker_feed_t       feed;
    ngx_http_tracker_trace_t      trace;
    ngx_msec_t                    wait;
} ngx_http_tracker_control_ctx_t;


static ngx_int_t ngx_http_tracker_control_start(ngx_http_request_t *r,
    ngx_http_tracker_control_ctx_t *ctx);
static void ngx_http_tracker_control_body(ngx_http_request_t *r);
static void ngx_http_tracker_control_line(void *data, u_char *id,
    ngx_http_tracker_said_t *said);
static void ngx_http_tracker_control_conflict(
    ngx_http_tracker_control_ctx_t *ctx, u_char *id,
    ngx_http_tracker_view_t *view);
static ngx_int_t ngx_http_tracker_control_finish(ngx_http_request_t *r,
    ngx_http_tracker_control_ctx_t *ctx);
static ngx_uint_t ngx_http_tracker_control_ready(ngx_http_tracker_waiter_t *w);
static void ngx_http_tracker_control_leave(ngx_http_tracker_waiter_t *w);
static ngx_int_t ngx_http_tracker_control_answer(ngx_http_tracker_waiter_t *w,
    ngx_http_tracker_why_e why);


ngx_int_t
ngx_http_tracker_control_handler(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    ngx_http_tracker_control_ctx_t  *ctx;

    if (r != r->main || r->request_body || r->discard_body) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "tracker: the body of a control call is not there: "
                      "a subrequest, or read before");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_tracker_control_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_set_ctx(r, &ctx->trace, ngx_http_tracker_module);

    rc = ngx_http_tracker_control_start(r, ctx);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_discard_request_body(r);
        if (rc != NGX_OK) {
            return rc;
        }

        return ngx_http_tracker_send_refusal(r, &ctx->feed.refusal);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->trace.poll = ctx->call.poll;

    ctx->feed.handler = ngx_http_tracker_control_body;
    ctx->feed.line = ngx_http_tracker_control_line;
    ctx->feed.data = ctx;

    return ngx_http_tracker_feed(r, &ctx->feed);
}


static ngx_int_t
ngx_http_tracker_control_start(ngx_http_request_t *r,
    ngx_http_tracker_control_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_http_tracker_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);

    ctx->zone = conf->zone;
    ctx->waiter.request = r;

    if (r->method != NGX_HTTP_POST) {
        return ngx_http_tracker_refuse(&ctx->feed.refusal, NGX_HTTP_NOT_ALLOWED,
                                       "method", "not POST");
    }

    rc = ngx_http_tracker_call(r, conf, &ctx->call, &ctx->wait,
                               &ctx->feed.refusal);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_tracker_call_begin(r, ctx->zone, &ctx->call, &ctx->turn,
                                       &ctx->feed.refusal);
}


/* Called for each piece of the body, and when there is none any more. */
static void
ngx_http_tracker_control_body(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    ngx_http_tracker_trace_t         *trace;
    ngx_http_tracker_control_ctx_t  *ctx;

    trace = ngx_http_get_module_ctx(r, ngx_http_tracker_module);

    ctx = (ngx_http_tracker_control_ctx_t *)
              ((u_char *) trace
               - offsetof(ngx_http_tracker_control_ctx_t, trace));

    rc = ngx_http_tracker_feed_read(&ctx->feed);

    if (rc == NGX_OK) {
        rc = ngx_http_tracker_control_finish(r, ctx);
    }

    if (rc == NGX_AGAIN) {
        return;
    }

    if (rc == NGX_DECLINED) {
        rc = ngx_http_tracker_send_refusal(r, &ctx->feed.refusal);
    }

    ngx_http_finalize_request(r, rc);
}


static void
ngx_http_tracker_control_line(void *data, u_char *id,
    ngx_http_tracker_said_t *said)
{
    uint64_t                         wake;
    ngx_int_t                        rc;
    ngx_http_tracker_view_t          view;
    ngx_http_tracker_control_ctx_t  *ctx = data;

    if (!ctx->turn.take) {
        return;
    }

    said->super = ctx->turn.super;
    said->gen = ctx->turn.gen;
    said->at = ngx_http_tracker_now();

    rc = ngx_http_tracker_swarm_say(ctx->zone, id, said, &wake, &view);

    if (wake) {
        ngx_http_tracker_slots_wake(wake, ngx_http_tracker_swarm_key(id));
    }

    if (view.nholders) {
        ngx_http_tracker_control_conflict(ctx, id, &view);
    }

    if (rc != NGX_OK) {
        ngx_http_tracker_stripe_full(ctx->zone,
                                     ctx->waiter.request->connection->log);
    }
}


/* Names those whose roots differ, once for each word that made it so. */
static void
ngx_http_tracker_control_conflict(ngx_http_tracker_control_ctx_t *ctx,
    u_char *id, ngx_http_tracker_view_t *view)
{
    u_char                      hex[2 * NGX_HTTP_TRACKER_ID_LEN];
    u_char                     *p, *end, names[NGX_MAX_ERROR_STR / 2];
    ngx_uint_t                  i;
    ngx_http_tracker_place_t    place;
    ngx_http_tracker_holder_t  *h;

    place.addr = ctx->call.addr;
    place.locality = ctx->call.locality;

    ngx_http_tracker_roster_judge(ctx->zone, id, &place, view);

    for (i = 0; i < view->nholders; i++) {
        if (view->holders[i].valid && view->holders[i].outvoted) {
            break;
        }
    }

    if (i == view->nholders) {
        return;    /* whose root it was is gone, or nobody voted */
    }

    ngx_http_tracker_stat_add(ctx->zone, NGX_HTTP_TRACKER_STAT_CONFLICTS, 1);

    p = names;
    end = names + sizeof(names) - NGX_HTTP_TRACKER_NAME_MAX - 16;

    for (i = 0; i < view->nholders && p < end; i++) {
        h = &view->holders[i];

        if (!h->valid || !h->said.rooted) {
            continue;
        }

        *p++ = ' ';
        p += ngx_http_tracker_roster_name(ctx->zone, h->said.super, p);
        *p++ = '=';
        p = ngx_hex_dump(p, h->said.root, 4);
        *p++ = h->said.vote ? '!' : '?';
    }

    ngx_hex_dump(hex, id, NGX_HTTP_TRACKER_ID_LEN);

    ngx_log_error(NGX_LOG_WARN, ctx->waiter.request->connection->log, 0,
                  "tracker: roots of %*s differ (\"!\": voted):%*s",
                  sizeof(hex), hex, (size_t) (p - names), names);
}


/* The body is read; parks the poll (NGX_AGAIN) or answers. */
static ngx_int_t
ngx_http_tracker_control_finish(ngx_http_request_t *r,
    ngx_http_tracker_control_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_http_tracker_waiter_t  *w;

    if (ctx->turn.take) {
        ngx_http_tracker_roster_end(ctx->zone, &ctx->call, &ctx->turn);
    }

    if (!ctx->call.poll) {
        ctx->trace.reason = NGX_HTTP_TRACKER_REASON_NOW;
        return ngx_http_tracker_prepare_send(r, ctx->zone, &ctx->call,
                                             &ctx->turn);
    }

    if (ctx->feed.lines.n) {
        return ngx_http_tracker_refuse(&ctx->feed.refusal, NGX_HTTP_BAD_REQUEST,
                                       "line 1", "a poll has no lines");
    }

    w = &ctx->waiter;

    w->key = ngx_http_tracker_roster_key(ctx->turn.super);
    w->ready = ngx_http_tracker_control_ready;
    w->answer = ngx_http_tracker_control_answer;
    w->leave = ngx_http_tracker_control_leave;

    if (ngx_http_tracker_control_ready(w)) {
        ctx->trace.reason = NGX_HTTP_TRACKER_REASON_READY;
        return ngx_http_tracker_prepare_send(r, ctx->zone, &ctx->call,
                                             &ctx->turn);
    }

    rc = ngx_http_tracker_wait_park(w, ctx->wait,
                                    NGX_HTTP_TRACKER_POLL_SPARE);

    if (rc == NGX_OK) {
        ngx_http_tracker_trace_parked(ctx->zone, &ctx->trace);
        return NGX_AGAIN;
    }

    ngx_http_tracker_control_leave(w);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ctx->trace.reason = ngx_http_tracker_trace_unparked();

    return ngx_http_tracker_prepare_send(r, ctx->zone, &ctx->call,
                                         &ctx->turn);
}


static ngx_uint_t
ngx_http_tracker_control_ready(ngx_http_tracker_waiter_t *w)
{
    ngx_http_tracker_control_ctx_t  *ctx;

    ctx = (ngx_http_tracker_control_ctx_t *) w;

    return ngx_http_tracker_roster_wait(ctx->zone, &ctx->call, &ctx->turn,
                                        ngx_http_tracker_slots_bit());
}


static void
ngx_http_tracker_control_leave(ngx_http_tracker_waiter_t *w)
{
    ngx_http_tracker_control_ctx_t  *ctx;

    ctx = (ngx_http_tracker_control_ctx_t *) w;

    ngx_http_tracker_trace_left(ctx->zone, &ctx->trace);
    ngx_http_tracker_roster_unwait(ctx->zone, &ctx->turn);
}


static ngx_int_t
ngx_http_tracker_control_answer(ngx_http_tracker_waiter_t *w,
    ngx_http_tracker_why_e why)
{
    ngx_http_tracker_control_ctx_t  *ctx;

    ctx = (ngx_http_tracker_control_ctx_t *) w;

    ctx->trace.reason = ngx_http_tracker_trace_why(why);

    return ngx_http_tracker_prepare_send(w->request, ctx->zone, &ctx->call,
                                         &ctx->turn);
}
