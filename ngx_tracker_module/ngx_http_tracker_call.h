
/*
 * The arguments of POST /control.
 */


#ifndef _NGX_HTTP_TRACKER_CALL_H_INCLUDED_
#define _NGX_HTTP_TRACKER_CALL_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_args.h"
#include "ngx_http_tracker_roster.h"


/**
 * ngx_http_tracker_call(r, conf, call, wait, refusal):
 * Parse the request's arguments into ${call} and ${wait}, and see whether its
 * name may call: it is preset, or ${conf} lets super peers register.
 *
 * Ownership:  strings are in the request's pool or in the configuration.
 * Errors:     NGX_DECLINED: ${refusal} says why; NGX_ERROR: no memory.
 * Source:     docs/protocol.md "Super peers' calls".
 */
ngx_int_t ngx_http_tracker_call(ngx_http_request_t *r,
    ngx_http_tracker_loc_conf_t *conf, ngx_http_tracker_call_t *call,
    ngx_msec_t *wait, ngx_http_tracker_refusal_t *refusal);

/**
 * ngx_http_tracker_call_begin(r, zone, call, turn, refusal):
 * Bring the call to the roster, and end an older poll.
 *
 * Errors:     as above.
 */
ngx_int_t ngx_http_tracker_call_begin(ngx_http_request_t *r,
    ngx_http_tracker_zone_t *zone, ngx_http_tracker_call_t *call,
    ngx_http_tracker_turn_t *turn, ngx_http_tracker_refusal_t *refusal);


#endif /* _NGX_HTTP_TRACKER_CALL_H_INCLUDED_ */
