
/*
 * The answer to a super peer's call: epoch, cursor, what it is to prepare.
 */


#ifndef _NGX_HTTP_TRACKER_PREPARE_H_INCLUDED_
#define _NGX_HTTP_TRACKER_PREPARE_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_roster.h"


/**
 * ngx_http_tracker_prepare_send(r, zone, call, turn):
 * Answer the call, a poll with the commands that it has not seen and that
 * still stand. Returns what to finalize the request with.
 */
ngx_int_t ngx_http_tracker_prepare_send(ngx_http_request_t *r,
    ngx_http_tracker_zone_t *zone, ngx_http_tracker_call_t *call,
    ngx_http_tracker_turn_t *turn);


#endif /* _NGX_HTTP_TRACKER_PREPARE_H_INCLUDED_ */
