
/*
 * The peers of one swarm and one address family, in shared memory: open tables
 * of at most a page, keyed by address and port. A small set is one table that
 * may be full; a large one is a directory of pages, so that it needs no run of
 * free pages. All functions want the stripe's lock.
 */


#ifndef _NGX_HTTP_TRACKER_PEERSET_H_INCLUDED_
#define _NGX_HTTP_TRACKER_PEERSET_H_INCLUDED_


#include "ngx_http_tracker.h"


enum {
    NGX_HTTP_TRACKER_PEERS_MAX = 65536,     /* places of one family */
    NGX_HTTP_TRACKER_PEERS_EXPIRE = 4,      /* looked at in one request */
    NGX_HTTP_TRACKER_PEERS_REMOVE = 2048,   /* at most in one sweep */
    NGX_HTTP_TRACKER_HAVE_ALL = 3
};


typedef struct {
    ngx_http_tracker_addr_t       addr;
    in_port_t                     port;        /* 0: there is none */
    uint8_t                       near;        /* of its locality: _near() */
    uint8_t                       have;        /* 0 little .. 2 most */
    uint8_t                       complete;
} ngx_http_tracker_peer_t;


typedef struct {
    u_char                       *slots;       /* the table, or u_char *[] */
    uint32_t                      n;
    uint32_t                      complete;
    uint16_t                      hand;        /* of the expiry */
    uint16_t                      size;        /* places of one table */
    uint16_t                      pages;       /* 0: slots is the table */
    uint8_t                       shift;       /* of its ticks */
    uint8_t                       unused;
} ngx_http_tracker_peerset_t;


/* What a locked section knows for the set of one family. */

typedef struct {
    ngx_slab_pool_t              *shpool;
    uint64_t                      seed;        /* strangers choose the ports */
    uint32_t                      tick;        /* now */
    uint32_t                      ttl;         /* in ticks */
    uint32_t                      shift;       /* a tick: 2^shift s */
    uint32_t                      alen;        /* of an address: 4 or 16 */
} ngx_http_tracker_px_t;


/* Who picks, and what. */

typedef struct {
    ngx_http_tracker_peer_t      *asker;
    ngx_http_tracker_peer_t      *peers;       /* room for n */
    ngx_uint_t                    n;
} ngx_http_tracker_pick_t;


/**
 * ngx_http_tracker_near(locality):
 * A label path in one byte, 1 to 63: equal paths are equal, others seldom.
 * 0: none.
 */
uint8_t ngx_http_tracker_near(ngx_str_t *locality);

/**
 * ngx_http_tracker_peerset_shift(ttl):
 * A peer's age is kept in 7 bits of ticks of 2^shift seconds: the shift with
 * which ${ttl} seconds are less than 32 of them.
 */
ngx_uint_t ngx_http_tracker_peerset_shift(uint32_t ttl);

/**
 * ngx_http_tracker_peerset_put_locked(set, px, peer):
 * Register ${peer}, or note that it said so again.
 *
 * Errors:     NGX_DECLINED: no memory; NGX_BUSY: the set has its full size.
 */
ngx_int_t ngx_http_tracker_peerset_put_locked(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, ngx_http_tracker_peer_t *peer);

/**
 * ngx_http_tracker_peerset_has_locked(set, px, addr, port):
 * Is that one there?
 */
ngx_uint_t ngx_http_tracker_peerset_has_locked(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, ngx_http_tracker_addr_t *addr, in_port_t port);

/**
 * ngx_http_tracker_peerset_del_locked(set, px, peer):
 * Returns 1 when it was there, 2 when it was complete.
 */
ngx_uint_t ngx_http_tracker_peerset_del_locked(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, ngx_http_tracker_peer_t *peer);

/**
 * ngx_http_tracker_peerset_expire_locked(set, px, n):
 * Look at the next ${n} places (each once at most), and drop who was not seen
 * for the ttl. Returns how many were dropped; a set that is much too large
 * for the rest is made smaller.
 */
ngx_uint_t ngx_http_tracker_peerset_expire_locked(
    ngx_http_tracker_peerset_t *set, ngx_http_tracker_px_t *px, ngx_uint_t n);

/**
 * ngx_http_tracker_peerset_pick_locked(set, px, pick):
 * Copy up to ${pick}->n living peers other than the asker: when there are
 * more, mostly those near the asker and those that hold more, out of so many
 * from a random place on. Returns how many; near and have are not copied.
 */
ngx_uint_t ngx_http_tracker_peerset_pick_locked(
    ngx_http_tracker_peerset_t *set, ngx_http_tracker_px_t *px,
    ngx_http_tracker_pick_t *pick);

/**
 * ngx_http_tracker_peerset_shift_locked(set, px, now):
 * Give the set the ticks of ${px}; it may be of before a reload.
 */
void ngx_http_tracker_peerset_shift_locked(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, uint32_t now);

void ngx_http_tracker_peerset_free_locked(ngx_http_tracker_peerset_t *set,
    ngx_slab_pool_t *shpool);


#endif /* _NGX_HTTP_TRACKER_PEERSET_H_INCLUDED_ */
