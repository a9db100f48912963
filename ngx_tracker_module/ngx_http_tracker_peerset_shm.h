
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

/* the place in its table where a hash would best be */

#define ngx_http_tracker_peerset_home(set, hash)                              \
    ((ngx_uint_t) (((hash) & 0xffffffff) * (set)->size >> 32))


uint64_t ngx_http_tracker_peerset_hash(ngx_http_tracker_px_t *px,
    u_char *addr, uint16_t port);
u_char *ngx_http_tracker_peerset_table(ngx_http_tracker_peerset_t *set,
    uint64_t hash);

/**
 * ngx_http_tracker_peerset_find(set, px, addr, port):
 * That peer, or the free place for it; NULL when its table is full. The set
 * has a table.
 */
ngx_http_tracker_entry_t *ngx_http_tracker_peerset_find(
    ngx_http_tracker_peerset_t *set, ngx_http_tracker_px_t *px, u_char *addr,
    uint16_t port);

/**
 * ngx_http_tracker_peerset_grow(set, px, addr, port, e):
 * The place for one more: ${e}, which was found for it, or one in more room.
 * NULL: there is none.
 */
ngx_http_tracker_entry_t *ngx_http_tracker_peerset_grow(
    ngx_http_tracker_peerset_t *set, ngx_http_tracker_px_t *px, u_char *addr,
    uint16_t port, ngx_http_tracker_entry_t *e);

/**
 * ngx_http_tracker_peerset_fit(alen, n, set), _resize(set, px, n):
 * Set the size and pages of ${set} to the least that holds ${n}; give it
 * such tables.
 *
 * Errors:     NGX_DECLINED: no memory, or nothing to gain; the set is as it
 *             was.
 */
void ngx_http_tracker_peerset_fit(size_t alen, ngx_uint_t n,
    ngx_http_tracker_peerset_t *set);
ngx_int_t ngx_http_tracker_peerset_resize(ngx_http_tracker_peerset_t *set,
    ngx_http_tracker_px_t *px, ngx_uint_t n);


#endif /* _NGX_HTTP_TRACKER_PEERSET_SHM_H_INCLUDED_ */
