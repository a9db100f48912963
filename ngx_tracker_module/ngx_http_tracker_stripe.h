
/*
 * A stripe of the swarm table: a shared memory zone of its own, so that nginx
 * frees its mutex when the worker that holds it is killed. What such a worker
 * left half done is found by "busy", and the stripe starts anew.
 */


#ifndef _NGX_HTTP_TRACKER_STRIPE_H_INCLUDED_
#define _NGX_HTTP_TRACKER_STRIPE_H_INCLUDED_


#include "ngx_http_tracker.h"


typedef struct ngx_http_tracker_swarm_s  ngx_http_tracker_swarm_t;


typedef struct {
    uint64_t                      busy;
    uint64_t                      lost;        /* and nobody was told yet */
    ngx_queue_t                   lru;         /* the last used first */
    uint32_t                      nbuckets;    /* a power of two */
    uint32_t                      hand;        /* of the expiry */
    uint64_t                      seed;        /* strangers choose the ids */
    uint64_t                      swarms;
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
 * ngx_http_tracker_stripe_full(zone, log):
 * Say once a minute that memory is out. Not under a lock.
 */
void ngx_http_tracker_stripe_full(ngx_http_tracker_zone_t *zone,
    ngx_log_t *log);


#endif /* _NGX_HTTP_TRACKER_STRIPE_H_INCLUDED_ */
