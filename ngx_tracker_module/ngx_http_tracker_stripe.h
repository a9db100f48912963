
/*
 * A stripe of the swarm table: a shared memory zone of its own, so that nginx
 * frees its mutex when the worker that holds it is killed. What such a worker
 * left half done is found by "busy", and the stripe starts anew.
 */


#ifndef _NGX_HTTP_TRACKER_STRIPE_H_INCLUDED_
#define _NGX_HTTP_TRACKER_STRIPE_H_INCLUDED_


#include "ngx_http_tracker.h"


typedef struct ngx_http_tracker_swarm_s  ngx_http_tracker_swarm_t;


enum {
    NGX_HTTP_TRACKER_LOST_DIED = 1,     /* a worker died in it */
    NGX_HTTP_TRACKER_LOST_NEW           /* there was another one before */
};


/* What there is, and what went. */

typedef struct {
    uint64_t                      resources;
    uint64_t                      torrents;
    uint64_t                      peers[2];    /* IPv4, IPv6 */
    uint64_t                      complete[2]; /* of them */
    uint64_t                      evicted;     /* swarms, for want of memory */
    uint64_t                      expired;     /* swarms nobody asked for */
    uint64_t                      refused;     /* peers not registered */
    uint64_t                      gone;        /* peers not seen again */
} ngx_http_tracker_tally_t;


typedef struct {
    uint64_t                      busy;
    uint64_t                      lost;        /* and nobody was told yet */
    uint64_t                      made;        /* random; which memory it is */
    ngx_queue_t                   lru;         /* the last used first */
    uint32_t                      nbuckets;    /* a power of two */
    uint32_t                      hand;        /* of the sweep: a bucket */
    uint32_t                      swept;       /* in which second */
    uint64_t                      seed;        /* strangers choose the ids */
    ngx_http_tracker_tally_t      tally;
    ngx_http_tracker_swarm_t     *buckets[1];
} ngx_http_tracker_stripe_t;


/**
 * ngx_http_tracker_stripe_add(cf, zone, tag):
 * Add the stripes of ${zone} to the configuration.
 *
 * Errors:     NGX_ERROR, logged.
 */
ngx_int_t ngx_http_tracker_stripe_add(ngx_conf_t *cf,
    ngx_http_tracker_zone_t *zone, void *tag);

/**
 * ngx_http_tracker_stripe_lock(zone, id, pool), _unlock(zone, id):
 * Take and leave the stripe of ${id}. No other lock may be held; nothing that
 * logs, formats or can fail may run in between.
 */
ngx_http_tracker_stripe_t *ngx_http_tracker_stripe_lock(
    ngx_http_tracker_zone_t *zone, u_char *id, ngx_slab_pool_t **pool);
void ngx_http_tracker_stripe_unlock(ngx_http_tracker_zone_t *zone,
    u_char *id);

/**
 * ngx_http_tracker_stripe_usage(zone, n, tally, size, used):
 * Of stripe ${n}: what is in it, and its memory in bytes, all and in use.
 */
void ngx_http_tracker_stripe_usage(ngx_http_tracker_zone_t *zone, ngx_uint_t n,
    ngx_http_tracker_tally_t *tally, size_t *size, size_t *used);

/**
 * ngx_http_tracker_stripe_full(zone, log):
 * Say that memory is out, once a minute whatever the number of workers. Not
 * under a lock.
 */
void ngx_http_tracker_stripe_full(ngx_http_tracker_zone_t *zone,
    ngx_log_t *log);


#endif /* _NGX_HTTP_TRACKER_STRIPE_H_INCLUDED_ */
