
/*
 * How well a super peer suits an asker, as one number.
 */


#ifndef _NGX_HTTP_TRACKER_RANK_H_INCLUDED_
#define _NGX_HTTP_TRACKER_RANK_H_INCLUDED_


#include "ngx_http_tracker_roster_shm.h"


/* of ranks: who is not to be burdened as long as there are others */

#define ngx_http_tracker_rank_spared(rank)  (((rank) >> 63) == 0)


#define ngx_http_tracker_rank_spare(rank)                                     \
    (rank) &= (uint64_t) -1 >> 1


/**
 * ngx_http_tracker_rank(super, id, place, state):
 * Higher is better: not overloaded, then what it has, then how near it is,
 * then how idle, then a hash of both names.
 */
uint64_t ngx_http_tracker_rank(ngx_http_tracker_super_t *super, u_char *id,
    ngx_http_tracker_place_t *place, ngx_uint_t state);

/**
 * ngx_http_tracker_rank_load(load):
 * How much of what it may or can do a super peer is doing, in percent.
 */
ngx_uint_t ngx_http_tracker_rank_load(ngx_http_tracker_load_t *load);


#endif /* _NGX_HTTP_TRACKER_RANK_H_INCLUDED_ */
