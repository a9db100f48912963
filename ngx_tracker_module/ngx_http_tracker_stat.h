
/*
 * What is counted, for each zone: a row of numbers for each worker's slot, so
 * that workers do not share cache lines; a reader adds them up.
 */


#ifndef _NGX_HTTP_TRACKER_STAT_H_INCLUDED_
#define _NGX_HTTP_TRACKER_STAT_H_INCLUDED_


#include "ngx_http_tracker.h"


enum {
    /* status codes that are counted apart, and one for all others */
    NGX_HTTP_TRACKER_CODES = 13,

    /* bounds of the histogram of waits, without the infinite one */
    NGX_HTTP_TRACKER_BOUNDS = 14,

    /* why a prepare is refused: words of lines, see lines */
    NGX_HTTP_TRACKER_REFUSAL_WORDS = 7
};


typedef enum {
    NGX_HTTP_TRACKER_KIND_PEERS = 0,
    NGX_HTTP_TRACKER_KIND_POLL,            /* a call with wait_ms above 0 */

    /* the two above may be parked */
    NGX_HTTP_TRACKER_KIND_PARKED_MAX,

    NGX_HTTP_TRACKER_KIND_CONTROL = NGX_HTTP_TRACKER_KIND_PARKED_MAX,
    NGX_HTTP_TRACKER_KIND_ANNOUNCE,
    NGX_HTTP_TRACKER_KIND_SCRAPE,
    NGX_HTTP_TRACKER_KIND_STATUS,
    NGX_HTTP_TRACKER_KIND_METRICS,

    NGX_HTTP_TRACKER_KINDS_MAX
} ngx_http_tracker_kind_e;


/* Why a request was answered when it was; docs/operations.md has the words. */

typedef enum {
    NGX_HTTP_TRACKER_REASON_NONE = 0,      /* not known (yet) */
    NGX_HTTP_TRACKER_REASON_READY,
    NGX_HTTP_TRACKER_REASON_DEADLINE,
    NGX_HTTP_TRACKER_REASON_NOW,
    NGX_HTTP_TRACKER_REASON_NOBODY,
    NGX_HTTP_TRACKER_REASON_FULL,
    NGX_HTTP_TRACKER_REASON_EXITING,
    NGX_HTTP_TRACKER_REASON_STOPPED,
    NGX_HTTP_TRACKER_REASON_SMALL,
    NGX_HTTP_TRACKER_REASON_LEFT,
    NGX_HTTP_TRACKER_REASON_BAD,
    NGX_HTTP_TRACKER_REASON_FORBIDDEN,
    NGX_HTTP_TRACKER_REASON_LIMITED,
    NGX_HTTP_TRACKER_REASON_ERROR,

    NGX_HTTP_TRACKER_REASONS_MAX
} ngx_http_tracker_reason_e;


typedef enum {
    /* gauges: what a killed worker had goes with it */
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

    /* bad=, of those who are holders */
    NGX_HTTP_TRACKER_STAT_REPORTS_DEAD,
    NGX_HTTP_TRACKER_STAT_REPORTS_WRONG,

    /* as super peers tell them; in the order of NGX_HTTP_TRACKER_GOT_SUPER */
    NGX_HTTP_TRACKER_STAT_BYTES,           /* got from super peers */
    NGX_HTTP_TRACKER_STAT_BYTES_PEER,      /* from peers */
    NGX_HTTP_TRACKER_STAT_BYTES_CDN,       /* from CDN nodes */
    NGX_HTTP_TRACKER_STAT_BYTES_SENT,

    NGX_HTTP_TRACKER_STAT_SENT,            /* prepares: queued */
    NGX_HTTP_TRACKER_STAT_READY,
    NGX_HTTP_TRACKER_STAT_EXPIRED,
    NGX_HTTP_TRACKER_STAT_REFUSED,         /* + the reason's index */

    /* bytes by source, as clients report them */
    NGX_HTTP_TRACKER_STAT_GOT_SUPER = NGX_HTTP_TRACKER_STAT_REFUSED
                                      + NGX_HTTP_TRACKER_REFUSAL_WORDS,
    NGX_HTTP_TRACKER_STAT_GOT_PEER,
    NGX_HTTP_TRACKER_STAT_GOT_CDN,

    /* + kind * CODES + the code's index */
    NGX_HTTP_TRACKER_STAT_REQUESTS,

    /* + kind * REASONS_MAX + reason, of kinds that may be parked */
    NGX_HTTP_TRACKER_STAT_ANSWERS = NGX_HTTP_TRACKER_STAT_REQUESTS
                                    + NGX_HTTP_TRACKER_KINDS_MAX
                                      * NGX_HTTP_TRACKER_CODES,

    /* + kind * (BOUNDS + 2) + the bound's index; then the infinite one, and
       the sum in ms */
    NGX_HTTP_TRACKER_STAT_WAITS = NGX_HTTP_TRACKER_STAT_ANSWERS
                                  + NGX_HTTP_TRACKER_KIND_PARKED_MAX
                                    * NGX_HTTP_TRACKER_REASONS_MAX,

    NGX_HTTP_TRACKER_STATS_MAX = NGX_HTTP_TRACKER_STAT_WAITS
                                 + NGX_HTTP_TRACKER_KIND_PARKED_MAX
                                   * (NGX_HTTP_TRACKER_BOUNDS + 2)
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
 * ngx_http_tracker_stat_add(zone, stat, n):
 * Add to this worker's number. Any time, under a lock too.
 */
void ngx_http_tracker_stat_add(ngx_http_tracker_zone_t *zone,
    ngx_uint_t stat, int64_t n);

/**
 * ngx_http_tracker_stat_request(zone, kind, status, reason, waited):
 * Count a request that is over; ${waited} is in ms, -1: was not parked.
 */
void ngx_http_tracker_stat_request(ngx_http_tracker_zone_t *zone,
    ngx_uint_t kind, ngx_uint_t status, ngx_uint_t reason,
    ngx_msec_int_t waited);

/**
 * ngx_http_tracker_stat_got(zone, got, size):
 * Count what a client says it has got of a file: nobody checks it, so no more
 * than the file has.
 */
void ngx_http_tracker_stat_got(ngx_http_tracker_zone_t *zone, uint64_t *got,
    uint64_t size);

/**
 * ngx_http_tracker_stat_sums(zone, sums):
 * Add up STATS_MAX numbers: counters over all workers of all times, gauges
 * over those that live.
 */
void ngx_http_tracker_stat_sums(ngx_http_tracker_zone_t *zone, uint64_t *sums);

/* What stands behind the indexes: status codes (the last is 0: others), and
   bounds in ms. */
extern ngx_uint_t  ngx_http_tracker_stat_codes[];
extern ngx_uint_t  ngx_http_tracker_stat_bounds[];


#endif /* _NGX_HTTP_TRACKER_STAT_H_INCLUDED_ */
