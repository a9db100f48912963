
/*
 * The super peers: one table in a shared zone of its own. A super peer is
 * known elsewhere by its index and by the generation of its announcements;
 * an entry of an older generation than it stands by is void.
 */


#ifndef _NGX_HTTP_TRACKER_ROSTER_H_INCLUDED_
#define _NGX_HTTP_TRACKER_ROSTER_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_place.h"
#include "ngx_http_tracker_swarm.h"


enum {
    NGX_HTTP_TRACKER_RING = 64,         /* commands kept for a super peer */
    NGX_HTTP_TRACKER_SESSION_LEN = 16,
    NGX_HTTP_TRACKER_LISTED_MAX = 8     /* super peers in one answer */
};


typedef enum {
    NGX_HTTP_TRACKER_FULL_NONE = 0,
    NGX_HTTP_TRACKER_FULL_FIRST,
    NGX_HTTP_TRACKER_FULL_MORE,
    NGX_HTTP_TRACKER_FULL_LAST
} ngx_http_tracker_full_e;


/* What a super peer has to do; all ones: not said in this call. */

typedef struct {
    uint64_t                      capacity;    /* of its cache, bytes */
    uint64_t                      free;
    uint64_t                      active;      /* uploads */
    uint64_t                      active_max;  /* 0: no limit */
    uint64_t                      rate;        /* bytes a second, up */
    uint64_t                      rate_max;    /* 0: no limit */
    uint64_t                      cpu;         /* % of all cores */
} ngx_http_tracker_load_t;


/* Bytes by source since its start, in this order; all ones: not said. */

enum {
    NGX_HTTP_TRACKER_GOT_SUPER = 0,
    NGX_HTTP_TRACKER_GOT_PEER,
    NGX_HTTP_TRACKER_GOT_CDN,
    NGX_HTTP_TRACKER_SENT,
    NGX_HTTP_TRACKER_BYTES
};


/* Who is to be chosen. */

typedef struct {
    ngx_uint_t                    n;
    uint64_t                      budget;      /* bytes an hour; 0: any */
} ngx_http_tracker_wish_t;


/* What a call says about its super peer; the strings are borrowed. */

typedef struct {
    ngx_str_t                     name;
    ngx_str_t                     session;
    ngx_str_t                     locality;
    ngx_str_t                     url;         /* empty: as before */
    ngx_http_tracker_addr_t       addr;
    ngx_http_tracker_addr_t       url_addr;    /* none: by name */
    in_port_t                     url_port;
    uint64_t                      seq;
    uint64_t                      epoch;       /* 0: none given */
    uint64_t                      cursor;
    ngx_http_tracker_load_t       load;
    uint64_t                      bytes[NGX_HTTP_TRACKER_BYTES];
    ngx_http_tracker_full_e       full;
    unsigned                      poll:1;
    unsigned                      stopped:1;   /* its agent ends */
} ngx_http_tracker_call_t;


/* What the roster says to a call. */

typedef struct {
    uint32_t                      super;
    uint32_t                      gen;
    uint64_t                      serial;      /* of the poll */
    uint64_t                      epoch;
    uint64_t                      head;        /* when the call began */
    uint64_t                      wake;        /* workers with an older poll */
    uint64_t                      bytes[NGX_HTTP_TRACKER_BYTES];   /* new */
    unsigned                      take:1;      /* its lines are new */
    unsigned                      replaced:1;  /* of another session */
    unsigned                      stopped:1;   /* the super peer, just now */
} ngx_http_tracker_turn_t;


typedef struct {
    uint64_t                      epoch;
    uint64_t                      cursor;
    ngx_uint_t                    n;
    unsigned                      lost:1;
    u_char                        ids[NGX_HTTP_TRACKER_RING]
                                     [NGX_HTTP_TRACKER_ID_LEN];
} ngx_http_tracker_commands_t;


/* Who is to be woken after the lock. */

typedef struct {
    ngx_uint_t                    n;
    uint64_t                      mask[NGX_HTTP_TRACKER_CHOSEN_MAX];
    uint64_t                      key[NGX_HTTP_TRACKER_CHOSEN_MAX];
} ngx_http_tracker_wakes_t;


typedef struct {
    ngx_http_tracker_holder_t    *holder;
    ngx_uint_t                    len;
    u_char                        url[NGX_HTTP_TRACKER_SUPER_MAX];
} ngx_http_tracker_listed_t;


/**
 * ngx_http_tracker_roster_add(cf, zone, tag):
 * Add the roster's shared zone to the configuration.
 *
 * Errors:     NGX_ERROR, logged.
 */
ngx_int_t ngx_http_tracker_roster_add(ngx_conf_t *cf,
    ngx_http_tracker_zone_t *zone, void *tag);

/**
 * ngx_http_tracker_roster_forget(zone):
 * Begin a new epoch: super peers will announce all they hold.
 */
void ngx_http_tracker_roster_forget(ngx_http_tracker_zone_t *zone);

/**
 * ngx_http_tracker_roster_renew(zone, made):
 * The same, unless the stripes that are marked ${made} are those of this epoch
 * already.
 */
void ngx_http_tracker_roster_renew(ngx_http_tracker_zone_t *zone,
    uint64_t made);

/**
 * ngx_http_tracker_roster_floor(zone, gens):
 * For each entry the generation below which what was said is void, also of
 * those that nobody has (again); ${gens} has room for roster_max(). Returns
 * how many there are.
 */
ngx_uint_t ngx_http_tracker_roster_floor(ngx_http_tracker_zone_t *zone,
    uint32_t *gens);

/**
 * ngx_http_tracker_roster_mention(zone):
 * Is it this worker's turn to log that memory is out? Once a minute, for one
 * of them.
 */
ngx_uint_t ngx_http_tracker_roster_mention(ngx_http_tracker_zone_t *zone);

/**
 * ngx_http_tracker_roster_begin(zone, call, turn):
 * A super peer calls: find it or make its entry, take what it says of itself,
 * and open a full announcement.
 *
 * Errors:     NGX_BUSY: no entry left. NGX_DECLINED: it has no URL and told
 *             none.
 */
ngx_int_t ngx_http_tracker_roster_begin(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn);

/**
 * ngx_http_tracker_roster_end(zone, call, turn):
 * All lines of the call are taken; closes a full announcement.
 */
void ngx_http_tracker_roster_end(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn);

/**
 * ngx_http_tracker_roster_wait(zone, call, turn, bit):
 * Has the poll something to answer: commands, or a newer poll of its session?
 * If not, it is noted as waiting, with the ${bit} of its worker.
 */
ngx_uint_t ngx_http_tracker_roster_wait(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn,
    uint64_t bit);

/**
 * ngx_http_tracker_roster_unwait(zone, turn):
 * The poll waits no more; its super peer has the grace of a few seconds.
 */
void ngx_http_tracker_roster_unwait(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_turn_t *turn);

/**
 * ngx_http_tracker_roster_commands(zone, call, turn, commands):
 * Copy the commands after the call's cursor; none when the poll was overtaken.
 */
void ngx_http_tracker_roster_commands(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_call_t *call, ngx_http_tracker_turn_t *turn,
    ngx_http_tracker_commands_t *commands);

/**
 * ngx_http_tracker_roster_judge(zone, id, place, view):
 * Tell of each holder in ${view} whether it is valid and alive, and how well
 * it suits an asker at ${place}; and what the voters among them say.
 */
void ngx_http_tracker_roster_judge(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_place_t *place, ngx_http_tracker_view_t *view);

/**
 * ngx_http_tracker_roster_choose(zone, res, place, wish, view):
 * Judge ${view} and choose super peers for the asker, as many as wished. Those
 * of them that do not know of ${res} yet, and that the budget of the asker's
 * network allows, are added to the view as fresh. Where voters disagree, it is
 * one that is to fetch the file once more.
 */
void ngx_http_tracker_roster_choose(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_place_t *place,
    ngx_http_tracker_wish_t *wish, ngx_http_tracker_view_t *view);

/**
 * ngx_http_tracker_roster_tell(zone, res, payer, view, wakes):
 * Queue a command for those that ${view} has as fresh, for the budget of
 * ${payer}'s network (NULL: of nobody's). The swarm has to know of them by
 * then: a poll that is under way may take the command at once, and one that
 * the swarm does not know of is void.
 */
void ngx_http_tracker_roster_tell(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_addr_t *payer,
    ngx_http_tracker_view_t *view, ngx_http_tracker_wakes_t *wakes);

/**
 * ngx_http_tracker_vote(view):
 * What the valid, living voters in a judged ${view} say: the root of more than
 * half of them, or that they are split; and whose root is not that one.
 */
void ngx_http_tracker_vote(ngx_http_tracker_view_t *view);

/**
 * ngx_http_tracker_roster_match(zone, bad, n):
 * Find out which of the ${n} addresses in ${bad} are super peers: their URL's,
 * or that of their calls with the URL's port.
 */
void ngx_http_tracker_roster_match(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_bad_t *bad, ngx_uint_t n);

/**
 * ngx_http_tracker_roster_list(zone, listed, n):
 * Copy the URLs of the ${n} holders in ${listed}; of those that are gone
 * since they were judged, an empty one.
 */
void ngx_http_tracker_roster_list(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_listed_t *listed, ngx_uint_t n);

/**
 * ngx_http_tracker_roster_name(zone, super, name):
 * Copy a super peer's name to ${name}; returns its length.
 */
size_t ngx_http_tracker_roster_name(ngx_http_tracker_zone_t *zone,
    uint32_t super, u_char *name);

/**
 * ngx_http_tracker_roster_sweep(zone, was):
 * Once a second: ends polls of workers that died. Returns 1 when a super peer
 * that was alive is not any more; ${was} (roster_max() bytes) is what the
 * caller keeps from one call to the next.
 */
ngx_uint_t ngx_http_tracker_roster_sweep(ngx_http_tracker_zone_t *zone,
    u_char *was);
ngx_uint_t ngx_http_tracker_roster_max(ngx_http_tracker_zone_t *zone);

uint64_t ngx_http_tracker_roster_key(uint32_t super);


#endif /* _NGX_HTTP_TRACKER_ROSTER_H_INCLUDED_ */
