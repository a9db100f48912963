
/*
 * The shared store of swarms: for each resource its text, its peers, and what
 * is known of super peers that hold it. Each function below is one locked
 * section of one stripe.
 */


#ifndef _NGX_HTTP_TRACKER_SWARM_H_INCLUDED_
#define _NGX_HTTP_TRACKER_SWARM_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_peerset.h"


enum {
    NGX_HTTP_TRACKER_HOLDERS_MAX = 64,
    NGX_HTTP_TRACKER_AFTER_MAX = 31,    /* tracker_prepare_after */
    NGX_HTTP_TRACKER_BAD_MAX = 8,       /* reports of a call, of a resource */
    NGX_HTTP_TRACKER_VIEW_MAX = NGX_HTTP_TRACKER_HOLDERS_MAX
                                + NGX_HTTP_TRACKER_CHOSEN_MAX
};


typedef enum {
    NGX_HTTP_TRACKER_NO_EVENT = 0,
    NGX_HTTP_TRACKER_STARTED,
    NGX_HTTP_TRACKER_COMPLETED,
    NGX_HTTP_TRACKER_STOPPED
} ngx_http_tracker_event_e;


typedef enum {
    NGX_HTTP_TRACKER_PREPARING = 1, /* told to prepare, no news yet */
    NGX_HTTP_TRACKER_FILLING,       /* ~id */
    NGX_HTTP_TRACKER_COMPLETE,      /* +id */
    NGX_HTTP_TRACKER_REFUSED,       /* ?id */
    NGX_HTTP_TRACKER_GONE           /* -id: not stored */
} ngx_http_tracker_state_e;


/* What one super peer said of one resource; without padding: is compared. */

typedef struct {
    uint32_t                      super;       /* index in the roster */
    uint32_t                      gen;         /* of the announcement */
    uint32_t                      at;          /* ngx_http_tracker_now() */
    uint8_t                       state:7;
    uint8_t                       plain:1;     /* not all of it by https */
    uint8_t                       rooted;      /* has a root */
    uint8_t                       vote;        /* all bytes from CDN nodes */
    uint8_t                       reason;      /* of a refusal, see lines */
    u_char                        root[NGX_HTTP_TRACKER_ROOT_LEN];
} ngx_http_tracker_said_t;


/* A holder as a report names it. */

typedef struct {
    ngx_http_tracker_addr_t       addr;
    in_port_t                     port;
    uint32_t                      super;       /* when known: who it is */
    uint32_t                      born;
    unsigned                      known:1;     /* a super peer */
    unsigned                      wrong:1;     /* else dead */
    unsigned                      taken:1;     /* holds the resource */
} ngx_http_tracker_bad_t;


/* A super peer's word, copied out, with what the roster knows about it. */

typedef struct {
    ngx_http_tracker_said_t       said;
    uint64_t                      rank;
    uint32_t                      gen;         /* the super peer's own, now */
    unsigned                      valid:1;     /* still this super peer's */
    unsigned                      alive:1;
    unsigned                      avoid:1;
    unsigned                      outvoted:1;  /* not to be listed */
    unsigned                      reported:1;  /* others go before it */
    unsigned                      chosen:1;
    unsigned                      fresh:1;     /* chosen now: tell it */
} ngx_http_tracker_holder_t;


typedef struct {
    ngx_http_tracker_holder_t     holders[NGX_HTTP_TRACKER_VIEW_MAX];
    ngx_uint_t                    nholders;
    ngx_uint_t                    nchosen;
    ngx_uint_t                    nfresh;
    ngx_uint_t                    npending;    /* chosen, not complete yet */
    ngx_uint_t                    nstale;      /* to be freed */
    u_char                       *root;        /* NULL: none to be told */
    ngx_uint_t                    votes;       /* for it */
    ngx_uint_t                    voters;
    unsigned                      split:1;     /* voters, none has its way */
    unsigned                      secure:1;    /* for who wants https */
    ngx_uint_t                    nbad;        /* reported enough */
    ngx_http_tracker_bad_t        bad[NGX_HTTP_TRACKER_BAD_MAX];
} ngx_http_tracker_view_t;


typedef struct ngx_http_tracker_notes_s  ngx_http_tracker_notes_t;


/* The text of a prepare, copied out. */

typedef struct {
    ngx_http_tracker_notes_t     *notes;       /* the store's own */
    int64_t                       size;
    uint16_t                      url_len;
    uint16_t                      version_len;
    uint16_t                      provider_len;
    u_char                        data[NGX_HTTP_TRACKER_URL_MAX + 8
                                       + NGX_HTTP_TRACKER_VERSION_MAX
                                       + NGX_HTTP_TRACKER_PROVIDER_MAX];
} ngx_http_tracker_text_t;


/* A swarm's peers by number, as BitTorrent counts them. */

typedef struct {
    uint32_t                      complete;
    uint32_t                      incomplete;
    uint32_t                      downloaded;  /* "completed" was said */
    unsigned                      full:1;      /* no room for the asker */
} ngx_http_tracker_counts_t;


/* How a request's choice is to be noted. */

typedef struct {
    uint64_t                      bit;         /* of the worker that waits */
    uint32_t                      until;       /* at most */
    uint32_t                      asker;       /* hash of its address */
    ngx_uint_t                    after;       /* tracker_prepare_after */
    ngx_uint_t                    filling;     /* to fill is an answer */
    ngx_uint_t                    pending;     /* gets who did not answer */
} ngx_http_tracker_commit_t;


/**
 * ngx_http_tracker_swarm_announce(zone, id, peer, event, peers, n, counts):
 * A BitTorrent announce: register ${peer} in the torrent ${id} (made where
 * needed; torrents and resources are apart), or take it off the list when
 * ${event} is NGX_HTTP_TRACKER_STOPPED, and pick up to ${n} others. Returns
 * how many; ${counts} is of after that.
 */
ngx_uint_t ngx_http_tracker_swarm_announce(ngx_http_tracker_zone_t *zone,
    u_char *id, ngx_http_tracker_peer_t *peer, ngx_uint_t event,
    ngx_http_tracker_peer_t *peers, ngx_uint_t n,
    ngx_http_tracker_counts_t *counts);

/**
 * ngx_http_tracker_swarm_scrape(zone, id, counts):
 * Errors:     NGX_DECLINED: no such torrent, ${counts} is all 0.
 */
ngx_int_t ngx_http_tracker_swarm_scrape(ngx_http_tracker_zone_t *zone,
    u_char *id, ngx_http_tracker_counts_t *counts);

/**
 * ngx_http_tracker_swarm_look(zone, res, peer, view, pick):
 * Copy what is known of ${res}'s super peers to ${view}, and peers as ${pick}
 * says, whose n is how many they are then. With a ${peer}, it is registered
 * first, for which the swarm is made where needed.
 *
 * Errors:     NGX_DECLINED: the peer could not be registered, for want of
 *             memory; view and pick are filled all the same.
 */
ngx_int_t ngx_http_tracker_swarm_look(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_peer_t *peer,
    ngx_http_tracker_view_t *view, ngx_http_tracker_pick_t *pick);

/**
 * ngx_http_tracker_swarm_commit(zone, res, view, commit):
 * Note the super peers that ${view} has as fresh, free what it found stale,
 * and count in ${commit}->pending those of the chosen who have not answered
 * yet; when there are any, the worker's bit is set. Who was told by another
 * request meanwhile is fresh no more, nor is anybody when too few have asked.
 *
 * Errors:     NGX_DECLINED: not noted for want of memory; who was not noted is
 *             fresh no more.
 */
ngx_int_t ngx_http_tracker_swarm_commit(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_view_t *view,
    ngx_http_tracker_commit_t *commit);

/**
 * ngx_http_tracker_swarm_report(zone, res, from, bad, n):
 * Note the reports of network ${from} (a hash), as far as they are about who
 * holds the resource or is a peer of it; those are marked as taken.
 */
void ngx_http_tracker_swarm_report(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_resource_t *res, uint32_t from,
    ngx_http_tracker_bad_t *bad, ngx_uint_t n);

/**
 * ngx_http_tracker_swarm_leave(zone, id, peer):
 * Take a peer off the list.
 */
void ngx_http_tracker_swarm_leave(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_peer_t *peer);

/**
 * ngx_http_tracker_swarm_say(zone, id, said, wake, view):
 * Take in what a super peer says of ${id}; ${wake} gets the workers that have
 * requests waiting for it. When the word brought a root that others do not
 * have, ${view} gets them all, else none.
 *
 * Errors:     NGX_DECLINED: not stored for want of memory.
 */
ngx_int_t ngx_http_tracker_swarm_say(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_said_t *said, uint64_t *wake,
    ngx_http_tracker_view_t *view);

/**
 * ngx_http_tracker_swarm_text(zone, id, text, view):
 * Copy the resource's text and super peers.
 *
 * Errors:     NGX_DECLINED: not known, or known without its URL only.
 */
ngx_int_t ngx_http_tracker_swarm_text(ngx_http_tracker_zone_t *zone,
    u_char *id, ngx_http_tracker_text_t *text, ngx_http_tracker_view_t *view);

/**
 * ngx_http_tracker_swarm_key(id):
 * What requests that wait for ${id} are filed under.
 */
uint64_t ngx_http_tracker_swarm_key(u_char *id);


#endif /* _NGX_HTTP_TRACKER_SWARM_H_INCLUDED_ */
