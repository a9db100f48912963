
/*
 * Numbers, hex digits and addresses.
 */


#ifndef _NGX_HTTP_TRACKER_PARSE_H_INCLUDED_
#define _NGX_HTTP_TRACKER_PARSE_H_INCLUDED_


#include "ngx_http_tracker.h"


/**
 * ngx_http_tracker_number(p, len, max, n):
 * Parse decimal digits up to ${max}. Errors: NGX_ERROR.
 */
ngx_int_t ngx_http_tracker_number(u_char *p, size_t len, uint64_t max,
    uint64_t *n);

/**
 * ngx_http_tracker_hex(p, out, n):
 * Decode 2 * ${n} hex digits. Errors: NGX_ERROR.
 */
ngx_int_t ngx_http_tracker_hex(u_char *p, u_char *out, size_t n);

/**
 * ngx_http_tracker_host(p, end, addr, port):
 * Parse ADDR[:PORT] or [ADDR][:PORT], in figures; without a port it is 0.
 * Errors: NGX_ERROR.
 */
ngx_int_t ngx_http_tracker_host(u_char *p, u_char *end,
    ngx_http_tracker_addr_t *addr, in_port_t *port);

/**
 * ngx_http_tracker_addr(sockaddr, addr):
 * Take the address out; an IPv4 address mapped into IPv6 is IPv4.
 */
void ngx_http_tracker_addr(struct sockaddr *sockaddr,
    ngx_http_tracker_addr_t *addr);


#endif /* _NGX_HTTP_TRACKER_PARSE_H_INCLUDED_ */
