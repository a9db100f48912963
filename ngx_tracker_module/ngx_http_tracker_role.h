
/*
 * What a location of the tracker is for: directives that name a zone and take
 * over the location's requests.
 */


#ifndef _NGX_HTTP_TRACKER_ROLE_H_INCLUDED_
#define _NGX_HTTP_TRACKER_ROLE_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_stat.h"


struct ngx_http_tracker_role_s {
    ngx_http_handler_pt           handler;
    ngx_str_t                     allow;       /* methods */
    char                         *contradicts; /* for whoever comes second */
    unsigned                      registers:1; /* its interval counts */
    unsigned                      origins:1;   /* needs tracker_origin */
    ngx_http_tracker_kind_e       kind;        /* as requests are counted */
};


/* for the command table: "post" of ngx_http_tracker_role_set() */
extern ngx_http_tracker_role_t  ngx_http_tracker_role_peers;
extern ngx_http_tracker_role_t  ngx_http_tracker_role_control;
extern ngx_http_tracker_role_t  ngx_http_tracker_role_announce;
extern ngx_http_tracker_role_t  ngx_http_tracker_role_scrape;
extern ngx_http_tracker_role_t  ngx_http_tracker_role_status;
extern ngx_http_tracker_role_t  ngx_http_tracker_role_metrics;


/**
 * ngx_http_tracker_role_set(cf, cmd, conf):
 * NAME ZONE; of a location.
 */
char *ngx_http_tracker_role_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/**
 * ngx_http_tracker_role_merge(cf, prev, conf):
 * "if" and "limit_except" blocks do what their location does; peers stay as
 * long as the longest interval of the zone's locations wants.
 */
void ngx_http_tracker_role_merge(ngx_conf_t *cf,
    ngx_http_tracker_loc_conf_t *prev, ngx_http_tracker_loc_conf_t *conf);


#endif /* _NGX_HTTP_TRACKER_ROLE_H_INCLUDED_ */
