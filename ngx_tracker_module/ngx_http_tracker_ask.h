
/*
 * What a peer-list request does to the store: the asker joins, super peers are
 * chosen and told, and what the answer is made of is copied out.
 */


#ifndef _NGX_HTTP_TRACKER_ASK_H_INCLUDED_
#define _NGX_HTTP_TRACKER_ASK_H_INCLUDED_


#include "ngx_http_tracker_list.h"
#include "ngx_http_tracker_roster.h"
#include "ngx_http_tracker_swarm.h"


typedef struct {
    ngx_http_tracker_zone_t      *zone;
    ngx_http_tracker_loc_conf_t  *conf;
    ngx_log_t                    *log;
    ngx_http_tracker_resource_t   res;
    ngx_http_tracker_peer_t       asker;
    ngx_http_tracker_place_t      place;       /* of the asker */
    ngx_uint_t                    numwant;
    ngx_uint_t                    pending;     /* chosen, not yet answered */
} ngx_http_tracker_ask_t;


/* What an answer is made of. */

typedef struct {
    ngx_http_tracker_view_t       view;        /* judged */
    ngx_http_tracker_pick_t       pick;
    ngx_http_tracker_peer_t       peers[NGX_HTTP_TRACKER_NUMWANT_MAX];
} ngx_http_tracker_found_t;


/**
 * ngx_http_tracker_ask(ask, found):
 * Choose super peers, tell those that do not know yet, and count in
 * ask->pending the ones still to be waited for. With ${found} the asker is
 * registered too, and peers are picked. Returns 1 when all that was found
 * still stands, and may be answered.
 */
ngx_uint_t ngx_http_tracker_ask(ngx_http_tracker_ask_t *ask,
    ngx_http_tracker_found_t *found);

/**
 * ngx_http_tracker_ask_again(ask, found):
 * What there is now; nothing is changed.
 */
void ngx_http_tracker_ask_again(ngx_http_tracker_ask_t *ask,
    ngx_http_tracker_found_t *found);


#endif /* _NGX_HTTP_TRACKER_ASK_H_INCLUDED_ */
