
/*
 * GET of a tracker_status location: everything in short, for which the store
 * is walked through in pieces, some in a turn of the event loop; or one
 * resource in full.
 */


#include "ngx_http_tracker_status.h"
#include "ngx_http_tracker_query.h"


enum {
    /* locked sections in one turn of the event loop: half a millisecond */
    NGX_HTTP_TRACKER_STATUS_SECTIONS = 8,

    NGX_HTTP_TRACKER_STATUS_ARG = 64
};


typedef struct {
    ngx_http_request_t           *request;
    ngx_http_tracker_zone_t      *zone;
    ngx_event_t                   timer;
    ngx_http_tracker_walk_t       walk;
    ngx_http_tracker_state_t      state;
} ngx_http_tracker_status_ctx_t;


typedef struct {
    ngx_str_t                     id;
    ngx_str_t                     url;
    ngx_str_t                     size;
    u_char                        bytes[NGX_HTTP_TRACKER_ID_LEN];
    uint64_t                      numwant;
} ngx_http_tracker_status_args_t;


static ngx_int_t ngx_http_tracker_status_find(ngx_http_request_t *r,
    ngx_http_tracker_zone_t *zone, ngx_http_tracker_status_args_t *a,
    ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_status_resource(ngx_http_request_t *r,
    ngx_http_tracker_zone_t *zone, ngx_http_tracker_status_args_t *a,
    ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_status_start(ngx_http_request_t *r,
    ngx_http_tracker_zone_t *zone);
static ngx_uint_t ngx_http_tracker_status_step(
    ngx_http_tracker_status_ctx_t *ctx);
static void ngx_http_tracker_status_insert(ngx_http_tracker_state_t *state,
    ngx_http_tracker_glance_t *g);
static void ngx_http_tracker_status_timer(ngx_event_t *ev);
static void ngx_http_tracker_status_cleanup(void *data);
static ngx_int_t ngx_http_tracker_status_send(
    ngx_http_tracker_status_ctx_t *ctx);
static ngx_int_t ngx_http_tracker_arg_id(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_shown(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);


static ngx_http_tracker_arg_t  ngx_http_tracker_status_table[] = {

    { ngx_string("id"), NGX_HTTP_TRACKER_STATUS_ARG, 1,
      ngx_http_tracker_arg_id,
      offsetof(ngx_http_tracker_status_args_t, id) },

    /* what they are is for ngx_http_tracker_query() to say */

    { ngx_string("url"), NGX_HTTP_TRACKER_URL_MAX, 1,
      ngx_http_tracker_arg_str,
      offsetof(ngx_http_tracker_status_args_t, url) },

    { ngx_string("size"), NGX_HTTP_TRACKER_STATUS_ARG, 1,
      ngx_http_tracker_arg_str,
      offsetof(ngx_http_tracker_status_args_t, size) },

    { ngx_string("numwant"), NGX_HTTP_TRACKER_STATUS_ARG, 1,
      ngx_http_tracker_arg_shown,
      offsetof(ngx_http_tracker_status_args_t, numwant) },

    ngx_http_tracker_arg_null
};


ngx_int_t
ngx_http_tracker_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    ngx_http_tracker_refusal_t       refusal;
    ngx_http_tracker_loc_conf_t     *conf;
    ngx_http_tracker_status_args_t   a;

    rc = ngx_http_tracker_get_only(r, &refusal);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? ngx_http_tracker_send_refusal(r, &refusal)
                                  : rc;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);

    ngx_memzero(&a, sizeof(ngx_http_tracker_status_args_t));
    a.numwant = NGX_HTTP_TRACKER_NUMWANT_MAX;

    rc = ngx_http_tracker_args(r, ngx_http_tracker_status_table, &a, &refusal);

    if (rc == NGX_OK) {

        if (a.id.len == 0 && a.url.data == NULL && a.size.data == NULL) {
            return ngx_http_tracker_status_start(r, conf->zone);
        }

        rc = ngx_http_tracker_status_find(r, conf->zone, &a, &refusal);
    }

    if (rc == NGX_OK) {
        return ngx_http_tracker_status_resource(r, conf->zone, &a, &refusal);
    }

    return rc == NGX_DECLINED ? ngx_http_tracker_send_refusal(r, &refusal)
                              : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* Which one is meant. */
static ngx_int_t
ngx_http_tracker_status_find(ngx_http_request_t *r,
    ngx_http_tracker_zone_t *zone, ngx_http_tracker_status_args_t *a,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_int_t                    rc;
    ngx_http_tracker_query_t     q;
    ngx_http_tracker_resource_t  res;

    if (a->id.len) {
        return (a->url.data || a->size.data)
               ? ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST, "id",
                                         "not with url or size")
               : NGX_OK;
    }

    rc = ngx_http_tracker_query(r, &zone->origins, &q, &res, refusal);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_memcpy(a->bytes, res.id, NGX_HTTP_TRACKER_ID_LEN);
    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_status_resource(ngx_http_request_t *r,
    ngx_http_tracker_zone_t *zone, ngx_http_tracker_status_args_t *a,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_http_tracker_body_t    body;
    ngx_http_tracker_sight_t  *sight;

    sight = ngx_palloc(r->pool, sizeof(ngx_http_tracker_sight_t));
    if (sight == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_tracker_view_swarm(zone, a->bytes, 0, a->numwant, sight)
        != NGX_OK
        && (a->id.len == 0
            || ngx_http_tracker_view_swarm(zone, a->bytes, 1, a->numwant,
                                           sight)
               != NGX_OK))
    {
        (void) ngx_http_tracker_refuse(refusal, NGX_HTTP_NOT_FOUND,
                                       a->id.len ? "id" : "url", "not known");
        return ngx_http_tracker_send_refusal(r, refusal);
    }

    ngx_memzero(&body, sizeof(ngx_http_tracker_body_t));
    body.pool = r->pool;

    ngx_http_tracker_status_one(&body, zone, a->bytes, sight);

    return ngx_http_tracker_send_body(r, &body);
}


static ngx_int_t
ngx_http_tracker_status_start(ngx_http_request_t *r,
    ngx_http_tracker_zone_t *zone)
{
    ngx_http_cleanup_t             *cln;
    ngx_http_tracker_census_t       census;
    ngx_http_tracker_state_t       *state;
    ngx_http_tracker_status_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_tracker_status_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->request = r;
    ctx->zone = zone;

    state = &ctx->state;

    ngx_http_tracker_view_census(zone, &census);

    state->nmembers = census.known;
    state->members = ngx_pcalloc(r->pool, (state->nmembers + 1)
                                          * sizeof(ngx_http_tracker_member_t));

    cln = ngx_http_cleanup_add(r, 0);

    if (state->members == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_tracker_view_members(zone, state->members, state->nmembers);

    if (ngx_http_tracker_status_step(ctx)) {
        return ngx_http_tracker_status_send(ctx);
    }

    cln->handler = ngx_http_tracker_status_cleanup;
    cln->data = ctx;

    ctx->timer.handler = ngx_http_tracker_status_timer;
    ctx->timer.data = ctx;
    ctx->timer.log = r->connection->log;

    ngx_add_timer(&ctx->timer, 1);

    r->write_event_handler = ngx_http_request_empty_handler;

    if (r == r->main && !r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    r->main->count++;

    return NGX_DONE;
}


/* Returns 1 when the walk is over. */
static ngx_uint_t
ngx_http_tracker_status_step(ngx_http_tracker_status_ctx_t *ctx)
{
    ngx_uint_t                 i, k, n;
    ngx_http_tracker_state_t  *state;
    ngx_http_tracker_glance_t  glances[NGX_HTTP_TRACKER_VIEW_SWARMS];

    state = &ctx->state;

    for (i = 0; i < NGX_HTTP_TRACKER_STATUS_SECTIONS; i++) {

        if (ctx->walk.stripe == NGX_HTTP_TRACKER_STRIPES) {
            return 1;
        }

        n = ngx_http_tracker_view_walk(ctx->zone, &ctx->walk, glances,
                                       state->members, state->nmembers);

        for (k = 0; k < n; k++) {
            ngx_http_tracker_status_insert(state, &glances[k]);
        }
    }

    return ctx->walk.stripe == NGX_HTTP_TRACKER_STRIPES;
}


/* Keeps the busiest, the busiest first. */
static void
ngx_http_tracker_status_insert(ngx_http_tracker_state_t *state,
    ngx_http_tracker_glance_t *g)
{
    ngx_uint_t                  i;
    ngx_http_tracker_glance_t  *b;

    b = state->busiest;
    i = state->nbusiest;

    if (i == NGX_HTTP_TRACKER_BUSIEST) {
        i--;

        if (b[i].peers > g->peers
            || (b[i].peers == g->peers && b[i].holders >= g->holders))
        {
            return;
        }

    } else {
        state->nbusiest++;
    }

    for ( /* void */ ; i > 0; i--) {

        if (b[i - 1].peers > g->peers
            || (b[i - 1].peers == g->peers && b[i - 1].holders >= g->holders))
        {
            break;
        }

        b[i] = b[i - 1];
    }

    b[i] = *g;
}


/* Not cancelable: a worker that leaves finishes the page first. */
static void
ngx_http_tracker_status_timer(ngx_event_t *ev)
{
    ngx_connection_t               *c;
    ngx_http_request_t             *r;
    ngx_http_tracker_status_ctx_t  *ctx;

    ctx = ev->data;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (!ngx_http_tracker_status_step(ctx)) {
        ngx_add_timer(ev, 1);
        return;
    }

    ngx_http_finalize_request(r, ngx_http_tracker_status_send(ctx));

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_tracker_status_cleanup(void *data)
{
    ngx_http_tracker_status_ctx_t  *ctx = data;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }
}


static ngx_int_t
ngx_http_tracker_status_send(ngx_http_tracker_status_ctx_t *ctx)
{
    ngx_http_tracker_body_t  body;

    ngx_memzero(&body, sizeof(ngx_http_tracker_body_t));
    body.pool = ctx->request->pool;

    ngx_http_tracker_status_all(&body, ctx->zone, &ctx->state);

    return ngx_http_tracker_send_body(ctx->request, &body);
}


static ngx_int_t
ngx_http_tracker_arg_id(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_http_tracker_status_args_t  *a = data;

    if (value->len != 2 * NGX_HTTP_TRACKER_ID_LEN
        || ngx_http_tracker_hex(value->data, a->bytes, NGX_HTTP_TRACKER_ID_LEN)
           != NGX_OK)
    {
        return ngx_http_tracker_refuse(refusal, 0, NULL, "not 40 hex digits");
    }

    return ngx_http_tracker_arg_str(data, offset, value, refusal);
}


static ngx_int_t
ngx_http_tracker_arg_shown(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_http_tracker_status_args_t  *a = data;

    if (ngx_http_tracker_number(value->data, value->len,
                                NGX_HTTP_TRACKER_NUMWANT_MAX, &a->numwant)
        != NGX_OK)
    {
        return ngx_http_tracker_refuse(refusal, 0, NULL,
                                       "not a number from 0 to 200");
    }

    return NGX_OK;
}
