
/*
 * What a resource is: the id over its URL's one form, size, provider and
 * version (docs/protocol.md "Identity"), and whether it is served here.
 */


#ifndef _NGX_HTTP_TRACKER_IDENTITY_H_INCLUDED_
#define _NGX_HTTP_TRACKER_IDENTITY_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_url.h"


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
