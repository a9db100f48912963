
/*
 * URLs in one form (docs/protocol.md "Identity").
 */


#ifndef _NGX_HTTP_TRACKER_URL_H_INCLUDED_
#define _NGX_HTTP_TRACKER_URL_H_INCLUDED_


#include "ngx_http_tracker.h"


/* Is it https? For the URL of a resource, which has its scheme. */

#define ngx_http_tracker_url_secure(url)  ((url)[4] == 's')


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


#endif /* _NGX_HTTP_TRACKER_URL_H_INCLUDED_ */
