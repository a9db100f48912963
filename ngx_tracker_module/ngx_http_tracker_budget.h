
/*
 * How many bytes the askers of one network may have prepared in an hour: a
 * table of the networks that had something prepared last.
 */


#ifndef _NGX_HTTP_TRACKER_BUDGET_H_INCLUDED_
#define _NGX_HTTP_TRACKER_BUDGET_H_INCLUDED_


#include "ngx_http_tracker_roster_shm.h"


/**
 * ngx_http_tracker_budget_size():
 * Bytes of a zone's table, in shared memory.
 */
size_t ngx_http_tracker_budget_size(void);

/**
 * ngx_http_tracker_budget_spent_locked(roster, addr):
 * What the network of ${addr} (/24, /48) had prepared within its hour, which
 * begins with its first prepare.
 */
uint64_t ngx_http_tracker_budget_spent_locked(
    ngx_http_tracker_roster_t *roster, ngx_http_tracker_addr_t *addr);

/**
 * ngx_http_tracker_budget_spend_locked(roster, addr, bytes):
 * Add to it; the network that began its hour first goes for a new one.
 */
void ngx_http_tracker_budget_spend_locked(ngx_http_tracker_roster_t *roster,
    ngx_http_tracker_addr_t *addr, uint64_t bytes);


#endif /* _NGX_HTTP_TRACKER_BUDGET_H_INCLUDED_ */
