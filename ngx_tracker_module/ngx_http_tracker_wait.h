
/*
 * Requests that wait, and are woken from any worker (slots). Waiters are
 * private to the worker that holds the connection. A wake is a hint: the owner
 * looks again before it answers. Knows nothing of what is waited for.
 */


#ifndef _NGX_HTTP_TRACKER_WAIT_H_INCLUDED_
#define _NGX_HTTP_TRACKER_WAIT_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_deadline.h"
#include "ngx_http_tracker_slots.h"


typedef enum {
    NGX_HTTP_TRACKER_READY = 0,     /* what it waited for has happened */
    NGX_HTTP_TRACKER_DEADLINE,      /* its time is over */
    NGX_HTTP_TRACKER_EXITING        /* the worker is about to leave */
} ngx_http_tracker_why_e;


typedef struct ngx_http_tracker_waiter_s  ngx_http_tracker_waiter_t;

typedef ngx_uint_t (*ngx_http_tracker_ready_pt)(ngx_http_tracker_waiter_t *w);
typedef ngx_int_t (*ngx_http_tracker_answer_pt)(ngx_http_tracker_waiter_t *w,
    ngx_http_tracker_why_e why);
typedef ngx_uint_t (*ngx_http_tracker_sweep_pt)(void *data);


struct ngx_http_tracker_waiter_s {
    ngx_queue_t                   queue;
    ngx_http_request_t           *request;
    ngx_http_tracker_deadline_t   deadline;
    uint64_t                      key;

    /* is it time to answer? else marks the worker for the next wake */
    ngx_http_tracker_ready_pt     ready;

    /* sends the answer; its result finalizes the request */
    ngx_http_tracker_answer_pt    answer;

    /* undoes what parking stands for elsewhere; may be NULL; runs once */
    void                        (*leave)(ngx_http_tracker_waiter_t *w);

    unsigned                      parked:1;
};


/**
 * ngx_http_tracker_wait_init_worker(cycle, zone, sweep, data):
 * Take a slot and listen. ${sweep} is called once a second; when it says 1,
 * all that is parked here is looked at again.
 *
 * Errors:     NGX_ERROR, logged. A worker for which no slot is left goes on,
 *             and answers everything at once.
 */
ngx_int_t ngx_http_tracker_wait_init_worker(ngx_cycle_t *cycle,
    ngx_shm_zone_t *zone, ngx_http_tracker_sweep_pt sweep, void *data);

/**
 * ngx_http_tracker_wait_park(w, delay_ms, spare):
 * Park ${w}, whose request, key and callbacks are set, for ${delay_ms} at
 * most; never answered as DEADLINE before. ${spare}: parking is refused when
 * less than 1/${spare} of the worker's connections are free.
 *
 * Ownership:  ${w} is in the request's pool; a request that ends in any other
 *             way takes its waiter along. The caller keeps the reference that
 *             r->main->count stands for.
 * Errors:     NGX_DECLINED: answer now. NGX_HTTP_CLIENT_CLOSED_REQUEST: the
 *             client has left already.
 */
ngx_int_t ngx_http_tracker_wait_park(ngx_http_tracker_waiter_t *w,
    ngx_msec_t delay_ms, ngx_uint_t spare);


#endif /* _NGX_HTTP_TRACKER_WAIT_H_INCLUDED_ */
