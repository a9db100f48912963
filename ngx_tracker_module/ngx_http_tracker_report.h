
/*
 * Reports of holders that do not answer or give wrong bytes: those of three
 * networks together make that others go before it for some time.
 */


#ifndef _NGX_HTTP_TRACKER_REPORT_H_INCLUDED_
#define _NGX_HTTP_TRACKER_REPORT_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_place.h"
#include "ngx_http_tracker_roster.h"
#include "ngx_http_tracker_swarm.h"


/**
 * ngx_http_tracker_report(zone, res, place, bad, n):
 * Take the ${n} reports of an asker at ${place} about holders of ${res};
 * those about anybody else are passed over.
 */
void ngx_http_tracker_report(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_place_t *place,
    ngx_http_tracker_bad_t *bad, ngx_uint_t n);

/**
 * ngx_http_tracker_report_of(view, super, born):
 * Was the super peer whose entry was made in generation ${born} reported
 * enough? Any time; costs nothing where nobody was.
 */
ngx_uint_t ngx_http_tracker_report_of(ngx_http_tracker_view_t *view,
    uint32_t super, uint32_t born);

/**
 * ngx_http_tracker_report_listed(listed, n), _peers(view, peers, n):
 * Take reported ones off a list as long as there are others in it, super
 * peers that hold no less. Returns how many are left.
 */
ngx_uint_t ngx_http_tracker_report_listed(ngx_http_tracker_listed_t *listed,
    ngx_uint_t n);
ngx_uint_t ngx_http_tracker_report_peers(ngx_http_tracker_view_t *view,
    ngx_http_tracker_peer_t *peers, ngx_uint_t n);


#endif /* _NGX_HTTP_TRACKER_REPORT_H_INCLUDED_ */
