
/*
 * The peers of one swarm and one address family: an open table in shared
 * memory, keyed by address and port. All functions want the stripe's lock.
 */


#ifndef _NGX_HTTP_TRACKER_PEERSET_H_INCLUDED_
#define _NGX_HTTP_TRACKER_PEERSET_H_INCLUDED_


#include "ngx_http_tracker.h"


enum {
    NGX_HTTP_TRACKER_PEERS_MAX = 65536,     /* of one family in one swarm */
    NGX_HTTP_TRACKER_PEERS_EXPIRE = 4       /* looked at in one request */
};


typedef struct {
    ngx_http_tracker_addr_t       addr;
    in_port_t                     port;        /* 0: there is none */
    uint8_t                       near;        /* of its locality: _near() */
    unsigned                      complete:1;
} ngx_http_tracker_peer_t;


typedef struct {
    u_char                       *slots;
    uint32_t                      n;
    uint32_t                      size;        /* a power of two, or 0 */
    uint32_t                      hand;        /* of the expiry */
    uint32_t                      seed;        /* strangers choose the ports */
} ngx_http_tracker_peerset_t;


/**
 * ngx_http_tracker_near(locality):
 * A label path in one byte: equal paths are equal, others seldom. 0: none.
 */
uint8_t ngx_http_tracker_near(ngx_str_t *locality);

/**
 * ngx_http_tracker_peerset_put_locked(set, shpool, peer, now):
 * Register ${peer}, or note that it said so again.
 *
 * Errors:     NGX_DECLINED: no memory; NGX_BUSY: the set has its full size.
 */
ngx_int_t ngx_http_tracker_peerset_put_locked(ngx_http_tracker_peerset_t *set,
    ngx_slab_pool_t *shpool, ngx_http_tracker_peer_t *peer, uint32_t now);

void ngx_http_tracker_peerset_del_locked(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_peer_t *peer);

/**
 * ngx_http_tracker_peerset_expire_locked(set, shpool, family, before):
 * Look at the next few entries, and drop those that were last seen before
 * ${before}.
 */
void ngx_http_tracker_peerset_expire_locked(ngx_http_tracker_peerset_t *set,
    ngx_slab_pool_t *shpool, ngx_uint_t family, uint32_t before);

/**
 * ngx_http_tracker_peerset_pick_locked(set, family, before, not, out, n):
 * Copy up to ${n} peers seen since ${before}, from a random place on, without
 * ${not}. Returns how many.
 */
ngx_uint_t ngx_http_tracker_peerset_pick_locked(ngx_http_tracker_peerset_t *set,
    ngx_uint_t family, uint32_t before, ngx_http_tracker_peer_t *not,
    ngx_http_tracker_peer_t *out, ngx_uint_t n);

void ngx_http_tracker_peerset_free_locked(ngx_http_tracker_peerset_t *set,
    ngx_slab_pool_t *shpool);


#endif /* _NGX_HTTP_TRACKER_PEERSET_H_INCLUDED_ */
