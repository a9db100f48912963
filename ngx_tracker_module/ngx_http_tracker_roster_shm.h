
/*
 * The roster's shared memory, for the files that work on it: roster (calls),
 * poll (waiting), choose (selection).
 */


#ifndef _NGX_HTTP_TRACKER_ROSTER_SHM_H_INCLUDED_
#define _NGX_HTTP_TRACKER_ROSTER_SHM_H_INCLUDED_


#include "ngx_http_tracker_roster.h"


enum {
    NGX_HTTP_TRACKER_GRACE = 5000       /* ms without a poll */
};


typedef struct {
    uint32_t                      hash;        /* of the name */
    uint32_t                      born;        /* generation of the entry */
    uint32_t                      gen;         /* of what it announces now */
    uint32_t                      min_gen;     /* older ones are void */
    uint32_t                      used;
    uint32_t                      announcing;
    uint32_t                      stopped;     /* its session has ended */
    uint32_t                      unused;
    uint64_t                      seq;         /* highest taken */
    uint64_t                      serial;      /* of its latest poll */
    uint64_t                      mask;        /* workers with a poll */
    uint64_t                      head;        /* number of the last command */
    uint64_t                      sent;
    uint64_t                      acked;
    uint64_t                      seen;        /* ms */
    int64_t                       slot;        /* -1: no poll is parked */
    uint64_t                      pid;
    ngx_http_tracker_load_t       said;
    uint64_t                      bytes[NGX_HTTP_TRACKER_BYTES];
    ngx_http_tracker_addr_t       addr;        /* that calls come from */
    ngx_http_tracker_addr_t       url_addr;    /* none: by name */
    in_port_t                     url_port;
    uint8_t                       load;        /* %, rank_load() */
    uint8_t                       name_len;
    uint8_t                       locality_len;
    uint16_t                      url_len;
    u_char                        session[NGX_HTTP_TRACKER_SESSION_LEN];
    u_char                        name[NGX_HTTP_TRACKER_NAME_MAX];
    u_char                        locality[NGX_HTTP_TRACKER_LOCALITY_MAX];
    u_char                        url[NGX_HTTP_TRACKER_BASE_MAX];
    u_char                        ring[NGX_HTTP_TRACKER_RING]
                                      [NGX_HTTP_TRACKER_ID_LEN];
} ngx_http_tracker_super_t;


typedef struct ngx_http_tracker_budget_s  ngx_http_tracker_budget_t;


typedef struct {
    uint64_t                      busy;
    uint64_t                      epoch;
    uint64_t                      made;        /* of its stripes */
    uint64_t                     *stats;       /* see stat */
    ngx_http_tracker_budget_t    *budgets;
    uint64_t                      started;     /* s since 1970 */
    uint64_t                      mentioned;   /* that memory is out: when */
    uint32_t                      gen;         /* the last one given out */
    uint32_t                      n;           /* entries ever used */
    uint32_t                      max;
    uint32_t                      unused;
    ngx_http_tracker_super_t      supers[1];
} ngx_http_tracker_roster_t;


ngx_http_tracker_roster_t *ngx_http_tracker_roster_lock(
    ngx_http_tracker_zone_t *zone);
void ngx_http_tracker_roster_unlock(ngx_http_tracker_zone_t *zone);

/**
 * ngx_http_tracker_roster_super_locked(roster, turn):
 * The entry that a call began with; NULL when somebody else has it by now.
 */
ngx_http_tracker_super_t *ngx_http_tracker_roster_super_locked(
    ngx_http_tracker_roster_t *roster, ngx_http_tracker_turn_t *turn);

/**
 * ngx_http_tracker_roster_alive(super):
 * Is its poll parked, or was it seen within the grace, and did it not say that
 * it stops? Only reads words that
 * are written whole, so it may be asked without the lock as a hint.
 */
ngx_uint_t ngx_http_tracker_roster_alive(ngx_http_tracker_super_t *super);


#endif /* _NGX_HTTP_TRACKER_ROSTER_SHM_H_INCLUDED_ */
