
#include "ngx_http_tracker_wait.h"
#include "ngx_http_tracker_compat.h"


enum {
    NGX_HTTP_TRACKER_BATCH = 64,        /* answers in one turn of the loop */
    NGX_HTTP_TRACKER_SWEEP = 1000       /* ms */
};


typedef struct {
    ngx_event_t                   sweep;
    ngx_event_t                   fire;
    ngx_http_tracker_sweep_pt     handler;
    void                         *data;
    ngx_queue_t                   firing;
    ngx_queue_t                   buckets[NGX_HTTP_TRACKER_BUCKETS];
} ngx_http_tracker_wait_t;


static ngx_int_t ngx_http_tracker_wait_listen(ngx_cycle_t *cycle,
    ngx_socket_t fd);
static void ngx_http_tracker_wait_read(ngx_event_t *ev);
static void ngx_http_tracker_wait_sweep(ngx_event_t *ev);
static void ngx_http_tracker_wait_drain(void);
static void ngx_http_tracker_wait_fire(ngx_event_t *ev);
static void ngx_http_tracker_wait_end(ngx_event_t *ev);
static void ngx_http_tracker_wait_expired(ngx_http_tracker_deadline_t *d);
static void ngx_http_tracker_wait_unlink(void *data);
static void ngx_http_tracker_wait_answer(ngx_http_tracker_waiter_t *w,
    ngx_http_tracker_why_e why);


static ngx_http_tracker_wait_t  ngx_http_tracker_wait;


ngx_int_t
ngx_http_tracker_wait_init_worker(ngx_cycle_t *cycle, ngx_shm_zone_t *zone,
    ngx_http_tracker_sweep_pt sweep, void *data)
{
    ngx_int_t                 fd;
    ngx_uint_t                i;
    ngx_http_tracker_wait_t  *wt = &ngx_http_tracker_wait;

    ngx_memzero(wt, sizeof(ngx_http_tracker_wait_t));

    wt->handler = sweep;
    wt->data = data;

    ngx_queue_init(&wt->firing);

    for (i = 0; i < NGX_HTTP_TRACKER_BUCKETS; i++) {
        ngx_queue_init(&wt->buckets[i]);
    }

    fd = ngx_http_tracker_slots_claim(zone, cycle->log);

    if (fd == -1) {
        return NGX_OK;
    }

    if (ngx_http_tracker_deadline_init_worker(cycle,
                                              ngx_http_tracker_wait_expired)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_tracker_wait_listen(cycle, (ngx_socket_t) fd);
}


static ngx_int_t
ngx_http_tracker_wait_listen(ngx_cycle_t *cycle, ngx_socket_t fd)
{
    ngx_connection_t         *c;
    ngx_http_tracker_wait_t  *wt = &ngx_http_tracker_wait;

    c = ngx_get_connection(fd, cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    /*
     * "idle" has ngx_close_idle_connections() call the handler when the
     * worker is told to leave; "channel" spares the connection from the
     * check for sockets left open.
     */

    c->idle = 1;
    c->read->channel = 1;
    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->read->handler = ngx_http_tracker_wait_read;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_CLEAR_EVENT) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_tracker_slots_listen(c->read);

    wt->fire.handler = ngx_http_tracker_wait_fire;
    wt->fire.log = cycle->log;

    wt->sweep.handler = ngx_http_tracker_wait_sweep;
    wt->sweep.log = cycle->log;
    wt->sweep.data = c;
    wt->sweep.cancelable = 1;

    ngx_add_timer(&wt->sweep, NGX_HTTP_TRACKER_SWEEP);

    return NGX_OK;
}


ngx_int_t
ngx_http_tracker_wait_park(ngx_http_tracker_waiter_t *w, ngx_msec_t delay_ms,
    ngx_uint_t spare)
{
    ngx_connection_t         *c;
    ngx_http_cleanup_t       *cln;
    ngx_http_request_t       *r;
    ngx_http_tracker_wait_t  *wt = &ngx_http_tracker_wait;

    r = w->request;
    c = r->connection;

    /* a FIN that came with the request is not reported again */

    if (c->read->pending_eof) {
        return NGX_HTTP_CLIENT_CLOSED_REQUEST;
    }

    if (r != r->main || ngx_http_tracker_slots_own() == -1
        || ngx_exiting || ngx_terminate
        || ngx_cycle->free_connection_n < ngx_cycle->connection_n / spare)
    {
        return NGX_DECLINED;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_DECLINED;
    }

    cln->handler = ngx_http_tracker_wait_unlink;
    cln->data = w;

    ngx_queue_insert_tail(&wt->buckets[w->key % NGX_HTTP_TRACKER_BUCKETS],
                          &w->queue);
    w->parked = 1;

    ngx_http_tracker_deadline_set(&w->deadline, delay_ms);

    r->write_event_handler = ngx_http_request_empty_handler;

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    return NGX_OK;
}


static void
ngx_http_tracker_wait_expired(ngx_http_tracker_deadline_t *d)
{
    ngx_http_tracker_waiter_t  *w;

    w = (ngx_http_tracker_waiter_t *)
            ((u_char *) d - offsetof(ngx_http_tracker_waiter_t, deadline));

    ngx_http_tracker_wait_answer(w, NGX_HTTP_TRACKER_DEADLINE);
}


static void
ngx_http_tracker_wait_unlink(void *data)
{
    ngx_http_tracker_waiter_t  *w = data;

    if (!w->parked) {
        return;
    }

    w->parked = 0;

    ngx_queue_remove(&w->queue);

    ngx_http_tracker_deadline_unset(&w->deadline);

    if (w->leave) {
        w->leave(w);
    }
}


static void
ngx_http_tracker_wait_answer(ngx_http_tracker_waiter_t *w,
    ngx_http_tracker_why_e why)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = w->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_tracker_wait_unlink(w);

    ngx_http_finalize_request(r, w->answer(w, why));

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_tracker_wait_read(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    if (c->close) {
        c->close = 0;
        c->idle = 0;
        ngx_http_tracker_wait_end(ev);
        return;
    }

    if (ngx_http_tracker_bell_silence(c->fd) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, ngx_errno,
                      "tracker: read() from a worker failed");
    }

    ngx_http_tracker_wait_drain();
}


static void
ngx_http_tracker_wait_sweep(ngx_event_t *ev)
{
    ngx_uint_t                i;
    ngx_http_tracker_wait_t  *wt = &ngx_http_tracker_wait;

    if (wt->handler(wt->data)) {
        for (i = 0; i < NGX_HTTP_TRACKER_BUCKETS; i++) {
            if (!ngx_queue_empty(&wt->buckets[i])) {
                ngx_queue_add(&wt->firing, &wt->buckets[i]);
                ngx_queue_init(&wt->buckets[i]);
            }
        }
    }

    ngx_http_tracker_wait_drain();

    ngx_add_timer(ev, NGX_HTTP_TRACKER_SWEEP);
}


static void
ngx_http_tracker_wait_drain(void)
{
    uint64_t                  words, bits, dirty[NGX_HTTP_TRACKER_WORDS];
    ngx_uint_t                word;
    ngx_queue_t              *bucket;
    ngx_http_tracker_wait_t  *wt = &ngx_http_tracker_wait;

    words = ngx_http_tracker_slots_take(dirty);

    for ( /* void */ ; words; words &= words - 1) {

        word = __builtin_ctzll(words);

        for (bits = dirty[word]; bits; bits &= bits - 1) {

            bucket = &wt->buckets[word * 64 + __builtin_ctzll(bits)];

            if (!ngx_queue_empty(bucket)) {
                ngx_queue_add(&wt->firing, bucket);
                ngx_queue_init(bucket);
            }
        }
    }

    if (!ngx_queue_empty(&wt->firing) && !wt->fire.posted) {
        ngx_post_event(&wt->fire, &ngx_posted_events);
    }
}


/*
 * Looks again at those who were woken, so many a turn that nobody else has to
 * wait for all of them. Answering one may take others away (HTTP/2), so the
 * head of the queue is read anew each time.
 */
static void
ngx_http_tracker_wait_fire(ngx_event_t *ev)
{
    ngx_uint_t                  n;
    ngx_queue_t                *q;
    ngx_http_tracker_waiter_t  *w;
    ngx_http_tracker_wait_t    *wt = &ngx_http_tracker_wait;

    for (n = 0; n < NGX_HTTP_TRACKER_BATCH; n++) {

        if (ngx_queue_empty(&wt->firing)) {
            return;
        }

        q = ngx_queue_head(&wt->firing);
        w = ngx_queue_data(q, ngx_http_tracker_waiter_t, queue);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&wt->buckets[w->key % NGX_HTTP_TRACKER_BUCKETS],
                              q);

        if (w->ready(w)) {
            ngx_http_tracker_wait_answer(w, NGX_HTTP_TRACKER_READY);
        }
    }

    if (!ngx_queue_empty(&wt->firing)) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


/*
 * The worker leaves: everything parked is answered. It may take long to finish
 * other requests; its slot and bell are another worker's from now on.
 */
static void
ngx_http_tracker_wait_end(ngx_event_t *ev)
{
    ngx_uint_t                  i;
    ngx_queue_t                *queue;
    ngx_http_tracker_waiter_t  *w;
    ngx_http_tracker_wait_t    *wt = &ngx_http_tracker_wait;

    for (i = 0; i <= NGX_HTTP_TRACKER_BUCKETS; i++) {

        queue = (i == 0) ? &wt->firing : &wt->buckets[i - 1];

        while (!ngx_queue_empty(queue)) {
            w = ngx_queue_data(ngx_queue_head(queue),
                               ngx_http_tracker_waiter_t, queue);

            ngx_http_tracker_wait_answer(w, NGX_HTTP_TRACKER_EXITING);
        }
    }

    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }

    (void) ngx_del_event(ev, NGX_READ_EVENT, 0);

    ngx_http_tracker_deadline_stop();

    if (wt->sweep.timer_set) {
        ngx_del_timer(&wt->sweep);
    }

    ngx_http_tracker_slots_release();
}
