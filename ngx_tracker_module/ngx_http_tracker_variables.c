
/*
 * Variables for logs: what a peer-list request got, and when.
 */


#include "ngx_http_tracker_trace.h"


typedef enum {
    NGX_HTTP_TRACKER_VAR_ID = 0,
    NGX_HTTP_TRACKER_VAR_SUPERS,
    NGX_HTTP_TRACKER_VAR_PEERS,
    NGX_HTTP_TRACKER_VAR_WAITED,
    NGX_HTTP_TRACKER_VAR_REASON
} ngx_http_tracker_var_e;


static ngx_int_t ngx_http_tracker_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_tracker_variable_reason(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_http_tracker_trace_t *trace);
static ngx_int_t ngx_http_tracker_variable_text(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, const char *fmt, ngx_uint_t a,
    ngx_uint_t b);


/* not cacheable: they change while the request is under way */

#define ngx_http_tracker_var(name, which)                                     \
    { ngx_string(name), NULL, ngx_http_tracker_variable, which,               \
      NGX_HTTP_VAR_NOCACHEABLE, 0 }


static ngx_http_variable_t  ngx_http_tracker_vars[] = {
    ngx_http_tracker_var("tracker_id", NGX_HTTP_TRACKER_VAR_ID),
    ngx_http_tracker_var("tracker_supers", NGX_HTTP_TRACKER_VAR_SUPERS),
    ngx_http_tracker_var("tracker_peers", NGX_HTTP_TRACKER_VAR_PEERS),
    ngx_http_tracker_var("tracker_waited", NGX_HTTP_TRACKER_VAR_WAITED),
    ngx_http_tracker_var("tracker_reason", NGX_HTTP_TRACKER_VAR_REASON),
    ngx_http_null_variable
};


ngx_int_t
ngx_http_tracker_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_tracker_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_http_tracker_trace_t  *trace;

    trace = ngx_http_get_module_ctx(r, ngx_http_tracker_module);

    if (data == NGX_HTTP_TRACKER_VAR_REASON) {
        return ngx_http_tracker_variable_reason(r, v, trace);
    }

    v->not_found = 1;

    if (trace == NULL) {
        return NGX_OK;
    }

    switch (data) {

    case NGX_HTTP_TRACKER_VAR_ID:
        if (trace->id == NULL) {
            return NGX_OK;
        }

        v->data = ngx_pnalloc(r->pool, 2 * NGX_HTTP_TRACKER_ID_LEN);
        if (v->data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_hex_dump(v->data, trace->id, NGX_HTTP_TRACKER_ID_LEN);
        v->len = 2 * NGX_HTTP_TRACKER_ID_LEN;
        break;

    case NGX_HTTP_TRACKER_VAR_WAITED:
        return !trace->parked ? NGX_OK
               : ngx_http_tracker_variable_text(r, v, "%ui.%03ui",
                                                trace->waited / 1000,
                                                trace->waited % 1000);
    default:
        return !trace->listed ? NGX_OK
               : ngx_http_tracker_variable_text(r, v, "%ui",
                                     data == NGX_HTTP_TRACKER_VAR_SUPERS
                                     ? trace->supers : trace->peers, 0);
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_variable_reason(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_http_tracker_trace_t *trace)
{
    ngx_uint_t                    reason;
    ngx_http_tracker_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);
    reason = ngx_http_tracker_trace_reason(r, trace);

    if (conf->role == NULL || reason == NGX_HTTP_TRACKER_REASON_NONE) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = ngx_http_tracker_trace_reasons[reason].data;
    v->len = ngx_http_tracker_trace_reasons[reason].len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_variable_text(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, const char *fmt, ngx_uint_t a, ngx_uint_t b)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, 2 * NGX_INT64_LEN + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    v->len = ngx_sprintf(p, fmt, a, b) - p;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
