
/*
 * Which super peer it is that calls, and where it serves.
 */


#ifndef _NGX_HTTP_TRACKER_CALLER_H_INCLUDED_
#define _NGX_HTTP_TRACKER_CALLER_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_args.h"
#include "ngx_http_tracker_roster.h"


/* A call as its arguments say it. */

typedef struct {
    ngx_http_tracker_call_t       call;
    uint64_t                      wait;
    in_port_t                     port;
    unsigned                      tls:1;
} ngx_http_tracker_call_args_t;


/**
 * ngx_http_tracker_caller_proved(r, conf, name, refusal):
 * Compare ${name} with the one that the connection proved, which it becomes
 * when it is empty.
 *
 * Errors:     NGX_DECLINED: ${refusal} says why; NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_tracker_caller_proved(ngx_http_request_t *r,
    ngx_http_tracker_loc_conf_t *conf, ngx_str_t *name,
    ngx_http_tracker_refusal_t *refusal);

/**
 * ngx_http_tracker_caller_url(r, conf, a, refusal):
 * May it call: is it preset, or does ${conf} let super peers register? Its URL
 * is that of its preset, else the address that the call comes from.
 *
 * Errors:     as above.
 */
ngx_int_t ngx_http_tracker_caller_url(ngx_http_request_t *r,
    ngx_http_tracker_loc_conf_t *conf, ngx_http_tracker_call_args_t *a,
    ngx_http_tracker_refusal_t *refusal);

/**
 * ngx_http_tracker_caller_preset(presets, name):
 * The tracker_superpeer of that name, or NULL.
 */
ngx_http_tracker_preset_t *ngx_http_tracker_caller_preset(
    ngx_array_t *presets, ngx_str_t *name);

/**
 * ngx_http_tracker_caller_name_valid(name), _locality_valid(locality):
 * The same for calls and presets.
 */
ngx_uint_t ngx_http_tracker_caller_name_valid(ngx_str_t *name);
ngx_uint_t ngx_http_tracker_caller_locality_valid(ngx_str_t *locality);


#endif /* _NGX_HTTP_TRACKER_CALLER_H_INCLUDED_ */
