
/*
 * Directives that build up a zone, and what is checked when all are read.
 */


#ifndef _NGX_HTTP_TRACKER_CONF_H_INCLUDED_
#define _NGX_HTTP_TRACKER_CONF_H_INCLUDED_


#include "ngx_http_tracker.h"


char *ngx_http_tracker_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_tracker_conf_origin(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_tracker_conf_superpeer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/**
 * ngx_http_tracker_conf_named(cf, name):
 * The zone of that name; it may be declared further down. NULL: no memory.
 */
ngx_http_tracker_zone_t *ngx_http_tracker_conf_named(ngx_conf_t *cf,
    ngx_str_t *name);

/**
 * ngx_http_tracker_conf_check(cf):
 * All directives are read: is every zone that they name declared, and has
 * every one that tracker_peers names its origins? Errors: NGX_ERROR, logged.
 */
ngx_int_t ngx_http_tracker_conf_check(ngx_conf_t *cf);


#endif /* _NGX_HTTP_TRACKER_CONF_H_INCLUDED_ */
