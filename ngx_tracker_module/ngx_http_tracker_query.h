
/*
 * The arguments of GET /peers.
 */


#ifndef _NGX_HTTP_TRACKER_QUERY_H_INCLUDED_
#define _NGX_HTTP_TRACKER_QUERY_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_args.h"
#include "ngx_http_tracker_swarm.h"


typedef struct {
    ngx_str_t                     url;
    ngx_http_tracker_event_e      event;
    uint64_t                      size;
    uint64_t                      left;
    uint64_t                      numwant;
    uint64_t                      got[3];      /* super peers, peers, CDN */
    in_port_t                     port;
    ngx_str_t                     version;
    ngx_str_t                     provider;
    ngx_uint_t                    nbad;

    /* not zeroed */
    ngx_http_tracker_bad_t        bad[NGX_HTTP_TRACKER_BAD_MAX];
} ngx_http_tracker_query_t;


/**
 * ngx_http_tracker_query(r, origins, q, res, refusal):
 * Parse the request's arguments into ${q}, and identify the resource.
 *
 * Ownership:  strings are in the request's pool.
 * Errors:     NGX_DECLINED: ${refusal} says why (400, or 403 for what no origin
 *             covers); NGX_ERROR: no memory.
 * Source:     docs/protocol.md "Peer list".
 */
ngx_int_t ngx_http_tracker_query(ngx_http_request_t *r, ngx_array_t *origins,
    ngx_http_tracker_query_t *q, ngx_http_tracker_resource_t *res,
    ngx_http_tracker_refusal_t *refusal);


#endif /* _NGX_HTTP_TRACKER_QUERY_H_INCLUDED_ */
