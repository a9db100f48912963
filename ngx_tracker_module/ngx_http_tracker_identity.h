
/*
 * What a resource is: one form of its URL, and the id over that, size,
 * provider and version (docs/protocol.md "Identity").
 */


#ifndef _NGX_HTTP_TRACKER_IDENTITY_H_INCLUDED_
#define _NGX_HTTP_TRACKER_IDENTITY_H_INCLUDED_


#include "ngx_http_tracker.h"


/* A URL taken apart; canonical is [HOST][:PORT]/PATH[?QUERY]. */

typedef struct {
    ngx_str_t                     canonical;
    ngx_str_t                     host;
    in_port_t                     port;
    unsigned                      tls:1;
    unsigned                      signing:1;   /* has parameters that sign */
} ngx_http_tracker_url_t;


/**
 * ngx_http_tracker_url(pool, text, url):
 * Bring ${text} into its one form, without the parameters that only count.
 *
 * Errors:     NGX_DECLINED: not a URL that can be shared. NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_tracker_url(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_tracker_url_t *url);

/**
 * ngx_http_tracker_version_valid(version):
 * Is it empty, or written with one of the kinds?
 */
ngx_uint_t ngx_http_tracker_version_valid(ngx_str_t *version);

/**
 * ngx_http_tracker_identify(canonical, res):
 * Compute res->id from the canonical URL and the resource's other fields.
 *
 * Errors:     NGX_ERROR: libcrypto failed.
 */
ngx_int_t ngx_http_tracker_identify(ngx_str_t *canonical,
    ngx_http_tracker_resource_t *res);

/**
 * ngx_http_tracker_origin_find(origins, url):
 * The tracker_origin entry that covers the URL's host, or NULL.
 */
ngx_http_tracker_origin_t *ngx_http_tracker_origin_find(ngx_array_t *origins,
    ngx_http_tracker_url_t *url);


#endif /* _NGX_HTTP_TRACKER_IDENTITY_H_INCLUDED_ */
