
/*
 * SHA-256, for ids and tickets.
 */


#ifndef _NGX_HTTP_TRACKER_SHA256_H_INCLUDED_
#define _NGX_HTTP_TRACKER_SHA256_H_INCLUDED_


#include "ngx_http_tracker.h"


#define NGX_HTTP_TRACKER_SHA256_LEN    32
#define NGX_HTTP_TRACKER_SHA256_BLOCK  64


/**
 * ngx_http_tracker_sha256(parts, n, md):
 * Hash the ${n} parts as if they were one.
 *
 * Errors:     NGX_ERROR: libcrypto failed.
 */
ngx_int_t ngx_http_tracker_sha256(ngx_str_t *parts, ngx_uint_t n,
    u_char md[NGX_HTTP_TRACKER_SHA256_LEN]);


#endif /* _NGX_HTTP_TRACKER_SHA256_H_INCLUDED_ */
