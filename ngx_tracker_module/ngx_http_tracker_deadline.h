
/*
 * When what waits is to be answered at the latest: not before, and as soon
 * after as can be. nginx's own timers count whole milliseconds, twice: a
 * deadline was met one millisecond late on average.
 */


#ifndef _NGX_HTTP_TRACKER_DEADLINE_H_INCLUDED_
#define _NGX_HTTP_TRACKER_DEADLINE_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_compat.h"


typedef struct {
    uint64_t                      at;          /* ns, see compat */
#if (NGX_HTTP_TRACKER_TIMERFD)
    ngx_rbtree_node_t             node;
#else
    ngx_event_t                   timer;
#endif
    unsigned                      set:1;
} ngx_http_tracker_deadline_t;


/* The deadline is over, and not set any more. */
typedef void (*ngx_http_tracker_expired_pt)(ngx_http_tracker_deadline_t *d);


/**
 * ngx_http_tracker_deadline_init_worker(cycle, expired):
 * Errors:     NGX_ERROR, logged.
 */
ngx_int_t ngx_http_tracker_deadline_init_worker(ngx_cycle_t *cycle,
    ngx_http_tracker_expired_pt expired);

/**
 * ngx_http_tracker_deadline_set(d, delay_ms), _unset(d):
 * ${d} is over in ${delay_ms}. To unset what is not set is nothing.
 */
void ngx_http_tracker_deadline_set(ngx_http_tracker_deadline_t *d,
    ngx_msec_t delay_ms);
void ngx_http_tracker_deadline_unset(ngx_http_tracker_deadline_t *d);

/**
 * ngx_http_tracker_deadline_stop():
 * The worker leaves; none is set.
 */
void ngx_http_tracker_deadline_stop(void);


#endif /* _NGX_HTTP_TRACKER_DEADLINE_H_INCLUDED_ */
