
/*
 * How a set of peers lies in shared memory, for the files that work on it:
 * peerset (table), pick (choice).
 */


#ifndef _NGX_HTTP_TRACKER_PEERSET_SHM_H_INCLUDED_
#define _NGX_HTTP_TRACKER_PEERSET_SHM_H_INCLUDED_


#include "ngx_http_tracker_peerset.h"


/* as long as its address: 8 bytes with IPv4, 20 with IPv6 */

typedef struct {
    uint16_t                      port;        /* 0: free */
    uint16_t                      meta;        /* seen:7 have:2 near:6 */
    u_char                        addr[16];
} ngx_http_tracker_entry_t;


enum {
    NGX_HTTP_TRACKER_SEEN_MASK = 0x7f,
    NGX_HTTP_TRACKER_HAVE_SHIFT = 7,
    NGX_HTTP_TRACKER_NEAR_SHIFT = 9
};


#define ngx_http_tracker_entry_size(alen)                                     \
    (offsetof(ngx_http_tracker_entry_t, addr) + (alen))

#define ngx_http_tracker_entry(table, alen, i)                                \
    ((ngx_http_tracker_entry_t *)                                             \
     ((table) + (size_t) (i) * ngx_http_tracker_entry_size(alen)))

#define ngx_http_tracker_entry_have(e)                                        \
    ((e)->meta >> NGX_HTTP_TRACKER_HAVE_SHIFT & 3)

#define ngx_http_tracker_entry_near(e)                                        \
    ((e)->meta >> NGX_HTTP_TRACKER_NEAR_SHIFT)

#define ngx_http_tracker_entry_complete(e)                                    \
    (ngx_http_tracker_entry_have(e) == NGX_HTTP_TRACKER_HAVE_ALL)

/* in ticks; the clock of the worker that wrote it may be ahead by one */

#define ngx_http_tracker_entry_age(e, tick)                                   \
    ((((tick) + 1 - (e)->meta) & NGX_HTTP_TRACKER_SEEN_MASK) > 0              \
     ? (((tick) - (e)->meta) & NGX_HTTP_TRACKER_SEEN_MASK) : 0)

/* its age plus 1 is 0 for one ahead, so that one is not gone */

#define ngx_http_tracker_entry_gone(e, px)                                    \
    ((((px)->tick + 1 - (e)->meta) & NGX_HTTP_TRACKER_SEEN_MASK)              \
     > (px)->ttl + 1)

#define ngx_http_tracker_set_places(set)                                      \
    ((ngx_uint_t) (set)->size * ((set)->pages ? (set)->pages : 1))

/* one of the tables */

#define ngx_http_tracker_set_table(set, page)                                 \
    ((set)->pages ? ((u_char **) (set)->slots)[page] : (set)->slots)


#endif /* _NGX_HTTP_TRACKER_PEERSET_SHM_H_INCLUDED_ */
