
/*
 * Lists of peers as BitTorrent writes them, from what stands behind "5:peers".
 * Both functions write at p and return the new end.
 */


#ifndef _NGX_HTTP_TRACKER_BENCODE_H_INCLUDED_
#define _NGX_HTTP_TRACKER_BENCODE_H_INCLUDED_


#include "ngx_http_tracker_peerset.h"


/* room for one peer; what is around them all is less than 32 bytes */
enum {
    NGX_HTTP_TRACKER_BENCODE_COMPACT = 16 + 2,
    NGX_HTTP_TRACKER_BENCODE_DICT = 64  /* d2:ip 39:ADDR 4:porti N ee */
};


/**
 * ngx_http_tracker_bencode_compact(p, peers, n):
 * A string of addresses and ports in network byte order, and "peers6" with
 * another one where there are such.
 */
u_char *ngx_http_tracker_bencode_compact(u_char *p,
    ngx_http_tracker_peer_t *peers, ngx_uint_t n);

/**
 * ngx_http_tracker_bencode_dicts(p, peers, n):
 * A list of dictionaries, without "peer id".
 */
u_char *ngx_http_tracker_bencode_dicts(u_char *p,
    ngx_http_tracker_peer_t *peers, ngx_uint_t n);


#endif /* _NGX_HTTP_TRACKER_BENCODE_H_INCLUDED_ */
