
/*
 * The swarms' shared memory, for the files that work on it: swarm (table),
 * member (askers), holder (super peers). All want the stripe's lock.
 */


#ifndef _NGX_HTTP_TRACKER_SWARM_SHM_H_INCLUDED_
#define _NGX_HTTP_TRACKER_SWARM_SHM_H_INCLUDED_


#include "ngx_http_tracker_stripe.h"
#include "ngx_http_tracker_swarm.h"


enum {
    /* tried for one allocation: as many may share a page */
    NGX_HTTP_TRACKER_EVICT_MAX = 64,

    /* one page in so many is kept for swarms that grow */
    NGX_HTTP_TRACKER_RESERVE = 16,
    NGX_HTTP_TRACKER_RESERVE_TRIES = 4
};


typedef struct ngx_http_tracker_node_s  ngx_http_tracker_node_t;

struct ngx_http_tracker_node_s {
    ngx_http_tracker_node_t      *next;
    ngx_http_tracker_said_t       said;
};


typedef struct ngx_http_tracker_asked_s  ngx_http_tracker_asked_t;
typedef struct ngx_http_tracker_reports_s  ngx_http_tracker_reports_t;

/* made for the few resources that need them */

struct ngx_http_tracker_notes_s {
    ngx_http_tracker_asked_t     *asked;       /* before somebody was told */
    ngx_http_tracker_reports_t   *reports;
};


/* at most 128 bytes, or a small torrent takes twice that */

struct ngx_http_tracker_swarm_s {
    ngx_http_tracker_swarm_t     *next;
    ngx_queue_t                   lru;
    uint64_t                      mask;        /* workers that have waiters */
    ngx_http_tracker_text_t      *text;        /* NULL: not known yet */
    ngx_http_tracker_node_t      *holders;
    ngx_http_tracker_peerset_t    v4;
    ngx_http_tracker_peerset_t    v6;
    uint32_t                      used;
    uint32_t                      until;       /* the last waiter's deadline */
    uint32_t                      torrent:1;
    uint32_t                      reported:1;  /* text->notes->reports */
    uint32_t                      downloaded:30;
    u_char                        id[NGX_HTTP_TRACKER_ID_LEN];
};


/* What one locked section works on. */

typedef struct {
    ngx_http_tracker_zone_t      *zone;
    ngx_http_tracker_stripe_t    *stripe;
    ngx_slab_pool_t              *shpool;
    u_char                       *id;
    ngx_uint_t                    torrent;
    ngx_http_tracker_swarm_t     *swarm;       /* NULL: there is none */
    ngx_http_tracker_px_t         px[2];       /* of IPv4, of IPv6 */
} ngx_http_tracker_section_t;


/* bits of requests that are over stay in the mask until the next wake */

#define ngx_http_tracker_swarm_waited(swarm)                                  \
    ((swarm)->mask                                                            \
     && ngx_http_tracker_now() <= (swarm)->until)

/**
 * ngx_http_tracker_swarm_enter(zone, id, s):
 * Lock the stripe of ${id}; no swarm is looked for. The section ends with
 * ngx_http_tracker_stripe_unlock(zone, id).
 */
void ngx_http_tracker_swarm_enter(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_section_t *s);

/**
 * ngx_http_tracker_swarm_open(zone, id, s), _open_torrent(zone, id, s):
 * The same, and find the resource's or torrent's swarm, which becomes the last
 * used: in the queue to the second, those of one second are in any order.
 */
void ngx_http_tracker_swarm_open(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_section_t *s);
void ngx_http_tracker_swarm_open_torrent(ngx_http_tracker_zone_t *zone,
    u_char *id, ngx_http_tracker_section_t *s);

/**
 * ngx_http_tracker_swarm_seek_locked(s):
 * In an entered section, find the swarm of s->id and s->torrent for who only
 * looks: it is not the last used by that. Its ticks may be of before a reload.
 */
void ngx_http_tracker_swarm_seek_locked(ngx_http_tracker_section_t *s);

/**
 * ngx_http_tracker_swarm_shift_locked(s, swarm):
 * Give its sets the ticks of this configuration; it may be of before a reload.
 */
void ngx_http_tracker_swarm_shift_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_swarm_t *swarm);

/**
 * ngx_http_tracker_swarm_count_locked(s, swarm, sign):
 * Add the swarm's peers to what the stripe has in all (sign 1), or take them
 * off (-1): around whatever changes them.
 */
void ngx_http_tracker_swarm_count_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_swarm_t *swarm, int64_t sign);

/**
 * ngx_http_tracker_swarm_make_locked(s, res):
 * Make the section's swarm where there is none, and give it its text (where
 * ${res} is not NULL).
 *
 * Errors:     NGX_DECLINED: no memory, even after eviction.
 */
ngx_int_t ngx_http_tracker_swarm_make_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_resource_t *res);

/**
 * ngx_http_tracker_swarm_alloc_locked(s, size):
 * Zeroed memory of the stripe; swarms that were not used for longest make
 * room. NULL when that was not enough.
 */
void *ngx_http_tracker_swarm_alloc_locked(ngx_http_tracker_section_t *s,
    size_t size);

/**
 * ngx_http_tracker_swarm_reserve_locked(s):
 * Before a swarm is made: when the last pages are reached, it gets the place
 * of the small one that was not used for longest. Pages full of small ones,
 * old and new, could only be had back by evicting nearly all of them, when
 * another one grows.
 */
void ngx_http_tracker_swarm_reserve_locked(ngx_http_tracker_section_t *s);

/**
 * ngx_http_tracker_swarm_evict_locked(s, q):
 * Free the swarm at ${q} of the LRU queue unless it is the section's own or
 * waited for. Returns 1 when it was freed.
 */
ngx_uint_t ngx_http_tracker_swarm_evict_locked(ngx_http_tracker_section_t *s,
    ngx_queue_t *q);

/**
 * ngx_http_tracker_note_asker_locked(s, res, asker, after):
 * Note that ${asker} (a hash) asked for ${res}. NGX_OK: at least ${after} (up
 * to NGX_HTTP_TRACKER_AFTER_MAX) different ones did; else NGX_AGAIN.
 *
 * Errors:     NGX_DECLINED: no memory.
 */
ngx_int_t ngx_http_tracker_note_asker_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_resource_t *res, uint32_t asker, ngx_uint_t after);

/**
 * ngx_http_tracker_note_bad_locked(s, view):
 * Copy those that were reported enough, and not too long ago.
 */
void ngx_http_tracker_note_bad_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_view_t *view);

void ngx_http_tracker_note_free_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_notes_t *notes);

void ngx_http_tracker_swarm_counts_locked(ngx_http_tracker_swarm_t *swarm,
    ngx_http_tracker_counts_t *counts);

void ngx_http_tracker_swarm_copy_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_view_t *view);

/**
 * ngx_http_tracker_swarm_expire_locked(s, swarm, places):
 * Look at the next ${places} of each of its sets, and drop who is gone.
 * Returns how many went.
 */
ngx_uint_t ngx_http_tracker_swarm_expire_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_swarm_t *swarm, ngx_uint_t places);

void ngx_http_tracker_swarm_free_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_swarm_t *swarm);

/**
 * ngx_http_tracker_swarm_drop_locked(s, swarm, node):
 * Free a super peer's entry.
 */
void ngx_http_tracker_swarm_drop_locked(ngx_http_tracker_section_t *s,
    ngx_http_tracker_swarm_t *swarm, ngx_http_tracker_node_t *node);


#endif /* _NGX_HTTP_TRACKER_SWARM_SHM_H_INCLUDED_ */
