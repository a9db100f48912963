
/*
 * Where an asker is.
 */


#ifndef _NGX_HTTP_TRACKER_PLACE_H_INCLUDED_
#define _NGX_HTTP_TRACKER_PLACE_H_INCLUDED_


#include "ngx_http_tracker.h"


typedef struct {
    ngx_http_tracker_addr_t       addr;
    ngx_str_t                     locality;    /* empty: not known */
} ngx_http_tracker_place_t;


enum {
    NGX_HTTP_TRACKER_NETWORK_LEN = 7
};


/**
 * ngx_http_tracker_network(addr, network):
 * The address's /24 or /48, in a form that can be compared, to ${network}.
 */
void ngx_http_tracker_network(ngx_http_tracker_addr_t *addr, u_char *network);

/**
 * ngx_http_tracker_place(r, conf, place):
 * The address that the request comes from, and what tracker_locality says. A
 * locality that is none is no reason to fail: it may be a client's word.
 *
 * Errors:     NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_tracker_place(ngx_http_request_t *r,
    ngx_http_tracker_loc_conf_t *conf, ngx_http_tracker_place_t *place);


#endif /* _NGX_HTTP_TRACKER_PLACE_H_INCLUDED_ */
