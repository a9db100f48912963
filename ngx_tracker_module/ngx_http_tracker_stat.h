
/*
 * What is counted, for each zone: a row of numbers for each worker's slot, so
 * that workers do not share cache lines; a reader adds them up.
 */


#ifndef _NGX_HTTP_TRACKER_STAT_H_INCLUDED_
#define _NGX_HTTP_TRACKER_STAT_H_INCLUDED_


#include "ngx_http_tracker.h"


typedef enum {
    /* gauges: what a killed worker had goes when its slot is taken again */
    NGX_HTTP_TRACKER_STAT_PARKED = 0,      /* peer-list requests */
    NGX_HTTP_TRACKER_STAT_POLLS,           /* super peers' polls parked */

    NGX_HTTP_TRACKER_STAT_GAUGES,

    /* counters */
    NGX_HTTP_TRACKER_STAT_CONFLICTS = NGX_HTTP_TRACKER_STAT_GAUGES,
    NGX_HTTP_TRACKER_STAT_RESETS,          /* of stripes */

    /* BitTorrent: announces by event, then those that failed */
    NGX_HTTP_TRACKER_STAT_ANNOUNCES,
    NGX_HTTP_TRACKER_STAT_ANNOUNCES_STARTED,
    NGX_HTTP_TRACKER_STAT_ANNOUNCES_COMPLETED,
    NGX_HTTP_TRACKER_STAT_ANNOUNCES_STOPPED,
    NGX_HTTP_TRACKER_STAT_ANNOUNCES_BAD,   /* arguments or method */
    NGX_HTTP_TRACKER_STAT_ANNOUNCES_DENIED,    /* passkey or info-hash */

    NGX_HTTP_TRACKER_STAT_SCRAPES,
    NGX_HTTP_TRACKER_STAT_SCRAPES_BAD,
    NGX_HTTP_TRACKER_STAT_SCRAPES_DENIED,

    /* as super peers tell them; in the order of NGX_HTTP_TRACKER_GOT_SUPER */
    NGX_HTTP_TRACKER_STAT_BYTES,           /* got from super peers */
    NGX_HTTP_TRACKER_STAT_BYTES_PEER,      /* from peers */
    NGX_HTTP_TRACKER_STAT_BYTES_CDN,       /* from CDN nodes */
    NGX_HTTP_TRACKER_STAT_BYTES_SENT,

    NGX_HTTP_TRACKER_STATS_MAX
} ngx_http_tracker_stat_e;


/**
 * ngx_http_tracker_stat_size():
 * Bytes of a zone's counters, in shared memory.
 */
size_t ngx_http_tracker_stat_size(void);

/**
 * ngx_http_tracker_stat_start(zone):
 * A worker begins, and has its slot: its gauges are 0.
 */
void ngx_http_tracker_stat_start(ngx_http_tracker_zone_t *zone);

/**
 * ngx_http_tracker_stat_add(zone, stat, n), _sum(zone, stat):
 * Add to this worker's number; the sum over all workers, of all times for a
 * counter. Any time, under a lock too.
 */
void ngx_http_tracker_stat_add(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_stat_e stat, int64_t n);
uint64_t ngx_http_tracker_stat_sum(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_stat_e stat);


#endif /* _NGX_HTTP_TRACKER_STAT_H_INCLUDED_ */
