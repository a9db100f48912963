
/*
 * What the answer to a peer-list request says, as JSON.
 */


#ifndef _NGX_HTTP_TRACKER_LIST_H_INCLUDED_
#define _NGX_HTTP_TRACKER_LIST_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_answer.h"
#include "ngx_http_tracker_peerset.h"
#include "ngx_http_tracker_swarm.h"


enum {
    NGX_HTTP_TRACKER_NUMWANT_MAX = 200
};


typedef struct {
    u_char                       *id;
    ngx_http_tracker_view_t      *view;        /* judged */
    ngx_http_tracker_peer_t      *peers;
    ngx_uint_t                    npeers;
    ngx_uint_t                    interval;
    ngx_uint_t                    nsupers;     /* set: how many are listed */
} ngx_http_tracker_list_t;


/**
 * ngx_http_tracker_list_write(body, zone, list, filling):
 * Write the answer; super peers that are still filling are listed where
 * ${filling} says so.
 */
void ngx_http_tracker_list_write(ngx_http_tracker_body_t *body,
    ngx_http_tracker_zone_t *zone, ngx_http_tracker_list_t *list,
    ngx_uint_t filling);


#endif /* _NGX_HTTP_TRACKER_LIST_H_INCLUDED_ */
