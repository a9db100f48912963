
/*
 * The store and the roster as pages show them: copies of bounded pieces, each
 * made in one locked section, by which nothing is used or changed.
 */


#ifndef _NGX_HTTP_TRACKER_VIEW_H_INCLUDED_
#define _NGX_HTTP_TRACKER_VIEW_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_list.h"
#include "ngx_http_tracker_roster.h"
#include "ngx_http_tracker_swarm.h"


enum {
    /* of one locked section */
    NGX_HTTP_TRACKER_VIEW_SWARMS = 256,
    NGX_HTTP_TRACKER_VIEW_BUCKETS = 4096,
    NGX_HTTP_TRACKER_VIEW_SUPERS = 32
};


/* The zone in a few numbers. */

typedef struct {
    uint64_t                      started;     /* s since 1970 */
    uint64_t                      epoch;
    uint64_t                      known;       /* super peers */
    uint64_t                      alive;
    uint64_t                      workers;
} ngx_http_tracker_census_t;


/* A swarm in short. */

typedef struct {
    uint32_t                      peers;
    uint32_t                      holders;
    uint32_t                      torrent;
    u_char                        id[NGX_HTTP_TRACKER_ID_LEN];
} ngx_http_tracker_glance_t;


/* A swarm in full. */

typedef struct {
    ngx_uint_t                    torrent;
    ngx_uint_t                    has_text;
    uint32_t                      idle;        /* s since it was asked for */
    ngx_uint_t                    npeers;
    ngx_http_tracker_counts_t     counts;
    ngx_http_tracker_view_t       view;        /* not judged yet */
    ngx_http_tracker_text_t       text;
    ngx_http_tracker_peer_t       peers[NGX_HTTP_TRACKER_NUMWANT_MAX];
} ngx_http_tracker_sight_t;


typedef struct {
    uint32_t                      used;        /* 0: nobody's */
    uint32_t                      born;
    uint32_t                      min_gen;
    uint32_t                      load;        /* % */
    uint32_t                      alive;
    uint64_t                      seen;        /* ms ago; 0: a poll waits */
    uint64_t                      queued;      /* commands not acknowledged */
    uint32_t                      sets[NGX_HTTP_TRACKER_GONE]; /* by state */
    ngx_http_tracker_load_t       said;
    ngx_http_tracker_addr_t       addr;
    uint8_t                       name_len;
    uint8_t                       locality_len;
    uint16_t                      url_len;
    u_char                        session[NGX_HTTP_TRACKER_SESSION_LEN];
    u_char                        name[NGX_HTTP_TRACKER_NAME_MAX];
    u_char                        locality[NGX_HTTP_TRACKER_LOCALITY_MAX];
    u_char                        url[NGX_HTTP_TRACKER_BASE_MAX];
} ngx_http_tracker_member_t;


/* How far a walk through the store is; all 0 at its begin. */

typedef struct {
    ngx_uint_t                    stripe;
    ngx_uint_t                    bucket;
} ngx_http_tracker_walk_t;


/**
 * ngx_http_tracker_view_census(zone, census):
 * Epoch and age of the zone; how many super peers and workers it has.
 */
void ngx_http_tracker_view_census(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_census_t *census);

/**
 * ngx_http_tracker_view_walk(zone, walk, glances, members, n):
 * Look at the next swarms, at most NGX_HTTP_TRACKER_VIEW_SWARMS, and count
 * their super peers' words in the sets of the ${n} members. Returns how many;
 * the walk is over when its stripe is NGX_HTTP_TRACKER_STRIPES.
 */
ngx_uint_t ngx_http_tracker_view_walk(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_walk_t *walk, ngx_http_tracker_glance_t *glances,
    ngx_http_tracker_member_t *members, ngx_uint_t n);

/**
 * ngx_http_tracker_view_swarm(zone, id, torrent, numwant, sight):
 * Copy a swarm, with up to ${numwant} of its peers.
 *
 * Errors:     NGX_DECLINED: there is none.
 */
ngx_int_t ngx_http_tracker_view_swarm(ngx_http_tracker_zone_t *zone,
    u_char *id, ngx_uint_t torrent, ngx_uint_t numwant,
    ngx_http_tracker_sight_t *sight);

/**
 * ngx_http_tracker_view_members(zone, members, n):
 * Copy up to ${n} super peers, in several sections; ${members} is zeroed.
 */
void ngx_http_tracker_view_members(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_member_t *members, ngx_uint_t n);


#endif /* _NGX_HTTP_TRACKER_VIEW_H_INCLUDED_ */
