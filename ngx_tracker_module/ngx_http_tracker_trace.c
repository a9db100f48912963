
#include "ngx_http_tracker_trace.h"
#include "ngx_http_tracker_role.h"


static ngx_int_t ngx_http_tracker_trace_log(ngx_http_request_t *r);
static ngx_uint_t ngx_http_tracker_trace_status(ngx_http_request_t *r);


ngx_str_t  ngx_http_tracker_trace_reasons[NGX_HTTP_TRACKER_REASONS_MAX] = {
    ngx_string("other"),
    ngx_string("ready"),
    ngx_string("deadline"),
    ngx_string("now"),
    ngx_string("none"),
    ngx_string("full"),
    ngx_string("exiting"),
    ngx_string("stopped"),
    ngx_string("small"),
    ngx_string("left"),
    ngx_string("bad"),
    ngx_string("forbidden"),
    ngx_string("limited"),
    ngx_string("error")
};


ngx_str_t  ngx_http_tracker_trace_kinds[NGX_HTTP_TRACKER_KINDS_MAX] = {
    ngx_string("peers"),
    ngx_string("poll"),
    ngx_string("control"),
    ngx_string("announce"),
    ngx_string("scrape"),
    ngx_string("status"),
    ngx_string("metrics")
};


void
ngx_http_tracker_trace_parked(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_trace_t *trace)
{
    trace->parked = 1;
    trace->waiting = 1;
    trace->since = ngx_current_msec;

    ngx_http_tracker_stat_add(zone, trace->poll ? NGX_HTTP_TRACKER_STAT_POLLS
                                                : NGX_HTTP_TRACKER_STAT_PARKED,
                              1);
}


void
ngx_http_tracker_trace_left(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_trace_t *trace)
{
    if (!trace->waiting) {
        return;
    }

    trace->waiting = 0;
    trace->waited = ngx_current_msec - trace->since;

    ngx_http_tracker_stat_add(zone, trace->poll ? NGX_HTTP_TRACKER_STAT_POLLS
                                                : NGX_HTTP_TRACKER_STAT_PARKED,
                              -1);
}


ngx_http_tracker_reason_e
ngx_http_tracker_trace_why(ngx_http_tracker_why_e why)
{
    switch (why) {

    case NGX_HTTP_TRACKER_READY:
        return NGX_HTTP_TRACKER_REASON_READY;

    case NGX_HTTP_TRACKER_DEADLINE:
        return NGX_HTTP_TRACKER_REASON_DEADLINE;

    default: /* NGX_HTTP_TRACKER_EXITING */
        return NGX_HTTP_TRACKER_REASON_EXITING;
    }
}


ngx_http_tracker_reason_e
ngx_http_tracker_trace_unparked(void)
{
    return (ngx_exiting || ngx_terminate) ? NGX_HTTP_TRACKER_REASON_EXITING
                                          : NGX_HTTP_TRACKER_REASON_FULL;
}


ngx_int_t
ngx_http_tracker_trace_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_tracker_trace_log;

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_trace_log(ngx_http_request_t *r)
{
    ngx_uint_t                    kind;
    ngx_http_tracker_trace_t     *trace;
    ngx_http_tracker_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);

    if (conf->role == NULL) {
        return NGX_OK;
    }

    trace = ngx_http_get_module_ctx(r, ngx_http_tracker_module);

    kind = (trace && trace->poll) ? NGX_HTTP_TRACKER_KIND_POLL
                                  : conf->role->kind;

    ngx_http_tracker_stat_request(conf->zone, kind,
                                  ngx_http_tracker_trace_status(r),
                                  ngx_http_tracker_trace_reason(r, trace),
                                  (trace && trace->parked)
                                  ? (ngx_msec_int_t) trace->waited : -1);
    return NGX_OK;
}


static ngx_uint_t
ngx_http_tracker_trace_status(ngx_http_request_t *r)
{
    return r->err_status ? r->err_status : r->headers_out.status;
}


ngx_uint_t
ngx_http_tracker_trace_reason(ngx_http_request_t *r,
    ngx_http_tracker_trace_t *trace)
{
    ngx_uint_t  status;

    if (trace && trace->reason != NGX_HTTP_TRACKER_REASON_NONE) {
        return trace->reason;
    }

    status = ngx_http_tracker_trace_status(r);

    switch (status) {

    case NGX_HTTP_UNAUTHORIZED:
    case NGX_HTTP_FORBIDDEN:
        return NGX_HTTP_TRACKER_REASON_FORBIDDEN;

    case NGX_HTTP_CLIENT_CLOSED_REQUEST:
        return NGX_HTTP_TRACKER_REASON_LEFT;

    case NGX_HTTP_TOO_MANY_REQUESTS:
    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return NGX_HTTP_TRACKER_REASON_LIMITED;
    }

    return status < NGX_HTTP_BAD_REQUEST ? NGX_HTTP_TRACKER_REASON_NONE
           : status < NGX_HTTP_INTERNAL_SERVER_ERROR
             ? NGX_HTTP_TRACKER_REASON_BAD : NGX_HTTP_TRACKER_REASON_ERROR;
}
