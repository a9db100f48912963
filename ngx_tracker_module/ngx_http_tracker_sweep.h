
#ifndef _NGX_HTTP_TRACKER_SWEEP_H_INCLUDED_
#define _NGX_HTTP_TRACKER_SWEEP_H_INCLUDED_


#include "ngx_http_tracker_roster.h"


/**
 * ngx_http_tracker_sweep_zone(zone, floor):
 * This second's part of the store, unless another worker has done it;
 * ${floor} is room for roster_max() generations.
 */
void ngx_http_tracker_sweep_zone(ngx_http_tracker_zone_t *zone,
    uint32_t *floor);


#endif /* _NGX_HTTP_TRACKER_SWEEP_H_INCLUDED_ */
