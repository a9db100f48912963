
/*
 * What is remembered of a request until it is logged: there it is counted,
 * and variables are made of it.
 */


#ifndef _NGX_HTTP_TRACKER_TRACE_H_INCLUDED_
#define _NGX_HTTP_TRACKER_TRACE_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_stat.h"
#include "ngx_http_tracker_wait.h"


/*
 * The module's context of a request is always one of these. It is gone after
 * an internal redirect (error_page).
 */

typedef struct {
    u_char                       *id;          /* NULL: none was formed */
    ngx_msec_t                    since;       /* parked */
    ngx_msec_t                    waited;
    uint32_t                      supers;      /* in the answer */
    uint32_t                      peers;
    uint8_t                       reason;
    unsigned                      poll:1;
    unsigned                      parked:1;    /* was */
    unsigned                      waiting:1;   /* is */
    unsigned                      listed:1;    /* supers and peers are set */
} ngx_http_tracker_trace_t;


/**
 * ngx_http_tracker_trace_parked(zone, trace), _left(zone, trace):
 * The request is parked; for its waiter's leave(), that it is no more (nothing
 * is done when it was not).
 */
void ngx_http_tracker_trace_parked(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_trace_t *trace);
void ngx_http_tracker_trace_left(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_trace_t *trace);

/**
 * ngx_http_tracker_trace_why(why), _unparked():
 * The reason for what is answered after parking; when that was refused.
 */
ngx_http_tracker_reason_e ngx_http_tracker_trace_why(
    ngx_http_tracker_why_e why);
ngx_http_tracker_reason_e ngx_http_tracker_trace_unparked(void);

/**
 * ngx_http_tracker_trace_init(cf):
 * Have requests counted where nginx logs them.
 *
 * Errors:     NGX_ERROR, logged.
 */
ngx_int_t ngx_http_tracker_trace_init(ngx_conf_t *cf);

/**
 * ngx_http_tracker_trace_reason(r, trace):
 * Why it was answered; for what has no reason noted (${trace} may be NULL) the
 * status tells.
 */
ngx_uint_t ngx_http_tracker_trace_reason(ngx_http_request_t *r,
    ngx_http_tracker_trace_t *trace);

/**
 * ngx_http_tracker_variables(cf):
 * Add the module's variables.
 *
 * Errors:     NGX_ERROR, logged.
 */
ngx_int_t ngx_http_tracker_variables(ngx_conf_t *cf);

/* the reasons' words, in the order of the enumeration */
extern ngx_str_t  ngx_http_tracker_trace_reasons[];

/* and the kinds' */
extern ngx_str_t  ngx_http_tracker_trace_kinds[];


#endif /* _NGX_HTTP_TRACKER_TRACE_H_INCLUDED_ */
