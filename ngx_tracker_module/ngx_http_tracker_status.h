
/*
 * The pages of state, for the two files that make them: status (requests),
 * status_page (what is written).
 */


#ifndef _NGX_HTTP_TRACKER_STATUS_H_INCLUDED_
#define _NGX_HTTP_TRACKER_STATUS_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_answer.h"
#include "ngx_http_tracker_view.h"


enum {
    NGX_HTTP_TRACKER_BUSIEST = 20
};


/* What the page of everything is made of. */

typedef struct {
    ngx_http_tracker_member_t    *members;
    ngx_uint_t                    nmembers;
    ngx_http_tracker_glance_t     busiest[NGX_HTTP_TRACKER_BUSIEST];
    ngx_uint_t                    nbusiest;
} ngx_http_tracker_state_t;


/**
 * ngx_http_tracker_status_all(body, zone, state):
 * Write the page of everything.
 */
void ngx_http_tracker_status_all(ngx_http_tracker_body_t *body,
    ngx_http_tracker_zone_t *zone, ngx_http_tracker_state_t *state);

/**
 * ngx_http_tracker_status_one(body, zone, id, sight):
 * Write the page of one resource or torrent.
 */
void ngx_http_tracker_status_one(ngx_http_tracker_body_t *body,
    ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_sight_t *sight);


#endif /* _NGX_HTTP_TRACKER_STATUS_H_INCLUDED_ */
