
/*
 * See ngx_http_tracker_wait.h. Order matters in three places: the waker sets
 * the bucket's bit, then the summary's, then takes "pending"; the owner clears
 * them the other way round; so no wake is lost but by a waker that is killed
 * between taking "pending" and its write, and that one the sweep finds.
 */


#include "ngx_http_tracker_wait.h"

#include <sys/eventfd.h>


enum {
    NGX_HTTP_TRACKER_SLOTS = 256,       /* workers of all generations */
    NGX_HTTP_TRACKER_SLOTS_MIN = 64,    /* eventfds made in any case */
    NGX_HTTP_TRACKER_WORDS = 64,
    NGX_HTTP_TRACKER_BUCKETS = 64 * NGX_HTTP_TRACKER_WORDS,
    NGX_HTTP_TRACKER_BATCH = 64,        /* answers in one turn of the loop */
    NGX_HTTP_TRACKER_SWEEP = 1000       /* ms */
};


typedef struct {
    uint64_t                      pid;
    uint64_t                      pending;
    uint64_t                      summary;
    uint64_t                      dirty[NGX_HTTP_TRACKER_WORDS];
} ngx_http_tracker_slot_t;


typedef struct {
    ngx_http_tracker_slot_t      *slots;       /* shared */
    ngx_int_t                     own;
    ngx_connection_t             *connection;
    ngx_event_t                   sweep;
    ngx_event_t                   fire;
    ngx_http_tracker_sweep_pt     handler;
    void                         *data;
    ngx_queue_t                   firing;
    ngx_queue_t                   buckets[NGX_HTTP_TRACKER_BUCKETS];
} ngx_http_tracker_wait_t;


static ngx_int_t ngx_http_tracker_wait_init_zone(ngx_shm_zone_t *zone,
    void *data);
static ngx_int_t ngx_http_tracker_wait_claim(ngx_log_t *log);
static ngx_int_t ngx_http_tracker_wait_listen(ngx_cycle_t *cycle);
static void ngx_http_tracker_wait_read(ngx_event_t *ev);
static void ngx_http_tracker_wait_sweep(ngx_event_t *ev);
static void ngx_http_tracker_wait_drain(void);
static void ngx_http_tracker_wait_fire(ngx_event_t *ev);
static void ngx_http_tracker_wait_end(void);
static void ngx_http_tracker_wait_timer(ngx_event_t *ev);
static void ngx_http_tracker_wait_arm(ngx_http_tracker_waiter_t *w);
static void ngx_http_tracker_wait_unlink(void *data);
static void ngx_http_tracker_wait_answer(ngx_http_tracker_waiter_t *w,
    ngx_http_tracker_why_e why);
static void ngx_http_tracker_wait_ring(ngx_uint_t slot);


/* inherited by all workers; made once, so that all generations have the same */
static int                      ngx_http_tracker_eventfds[
                                    NGX_HTTP_TRACKER_SLOTS];
static ngx_uint_t               ngx_http_tracker_neventfds;

static ngx_http_tracker_wait_t  ngx_http_tracker_wait;


static uint64_t
ngx_http_tracker_nanoseconds(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;
}


ngx_shm_zone_t *
ngx_http_tracker_wait_zone(ngx_conf_t *cf, void *tag)
{
    size_t           size;
    ngx_str_t        name = ngx_string("tracker slots");
    ngx_shm_zone_t  *zone;

    size = NGX_HTTP_TRACKER_SLOTS * sizeof(ngx_http_tracker_slot_t)
           + 16 * ngx_pagesize;

    zone = ngx_shared_memory_add(cf, &name, size, tag);
    if (zone) {
        zone->init = ngx_http_tracker_wait_init_zone;
    }

    return zone;
}


static ngx_int_t
ngx_http_tracker_wait_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    zone->data = zone;

    if (data || zone->shm.exists) {
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    shpool->data = ngx_slab_calloc(shpool, NGX_HTTP_TRACKER_SLOTS
                                           * sizeof(ngx_http_tracker_slot_t));

    return shpool->data ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_tracker_wait_init_module(ngx_cycle_t *cycle)
{
    int               fd;
    ngx_uint_t        n;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    n = ngx_max(4 * (ngx_uint_t) ccf->worker_processes,
                NGX_HTTP_TRACKER_SLOTS_MIN);
    n = ngx_min(n, NGX_HTTP_TRACKER_SLOTS);

    while (ngx_http_tracker_neventfds < n) {

        fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

        if (fd == -1) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                          "tracker: eventfd() failed");
            return NGX_ERROR;
        }

        ngx_http_tracker_eventfds[ngx_http_tracker_neventfds++] = fd;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_tracker_wait_init_worker(ngx_cycle_t *cycle, ngx_shm_zone_t *zone,
    ngx_http_tracker_sweep_pt sweep, void *data)
{
    ngx_uint_t                i;
    ngx_slab_pool_t          *shpool;
    ngx_http_tracker_wait_t  *wt = &ngx_http_tracker_wait;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_memzero(wt, sizeof(ngx_http_tracker_wait_t));

    wt->slots = shpool->data;
    wt->handler = sweep;
    wt->data = data;

    ngx_queue_init(&wt->firing);

    for (i = 0; i < NGX_HTTP_TRACKER_BUCKETS; i++) {
        ngx_queue_init(&wt->buckets[i]);
    }

    wt->own = ngx_http_tracker_wait_claim(cycle->log);

    if (wt->own == -1) {
        return NGX_OK;
    }

    return ngx_http_tracker_wait_listen(cycle);
}


static ngx_int_t
ngx_http_tracker_wait_claim(ngx_log_t *log)
{
    uint64_t                  pid;
    ngx_int_t                 i;
    ngx_uint_t                w;
    ngx_http_tracker_slot_t  *slot;

    for (i = 0; i < (ngx_int_t) ngx_http_tracker_neventfds; i++) {

        slot = &ngx_http_tracker_wait.slots[i];
        pid = __atomic_load_n(&slot->pid, __ATOMIC_SEQ_CST);

        if (pid && (kill((ngx_pid_t) pid, 0) == 0 || ngx_errno != NGX_ESRCH)) {
            continue;
        }

        if (!__atomic_compare_exchange_n(&slot->pid, &pid,
                                         (uint64_t) ngx_pid, 0,
                                         __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        {
            continue;
        }

        for (w = 0; w < NGX_HTTP_TRACKER_WORDS; w++) {
            __atomic_store_n(&slot->dirty[w], 0, __ATOMIC_SEQ_CST);
        }

        __atomic_store_n(&slot->summary, 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&slot->pending, 0, __ATOMIC_SEQ_CST);

        return i;
    }

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "tracker: no slot left for this worker, "
                  "it answers without delay");
    return -1;
}


static ngx_int_t
ngx_http_tracker_wait_listen(ngx_cycle_t *cycle)
{
    ngx_connection_t         *c;
    ngx_http_tracker_wait_t  *wt = &ngx_http_tracker_wait;

    c = ngx_get_connection(ngx_http_tracker_eventfds[wt->own], cycle->log);
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

    wt->connection = c;

    wt->fire.handler = ngx_http_tracker_wait_fire;
    wt->fire.log = cycle->log;

    wt->sweep.handler = ngx_http_tracker_wait_sweep;
    wt->sweep.log = cycle->log;
    wt->sweep.data = c;
    wt->sweep.cancelable = 1;

    ngx_add_timer(&wt->sweep, NGX_HTTP_TRACKER_SWEEP);

    return NGX_OK;
}


void
ngx_http_tracker_wait_exit_worker(void)
{
    uint64_t                  pid;
    ngx_http_tracker_wait_t  *wt = &ngx_http_tracker_wait;

    if (wt->slots == NULL || wt->own == -1) {
        return;
    }

    pid = ngx_pid;

    (void) __atomic_compare_exchange_n(&wt->slots[wt->own].pid, &pid, 0, 0,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    wt->own = -1;
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

    if (r != r->main || wt->own == -1 || ngx_exiting || ngx_terminate
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

    w->timer.handler = ngx_http_tracker_wait_timer;
    w->timer.data = w;
    w->timer.log = c->log;

    w->deadline = ngx_http_tracker_nanoseconds()
                  + (uint64_t) delay_ms * 1000000;

    ngx_queue_insert_tail(&wt->buckets[w->key % NGX_HTTP_TRACKER_BUCKETS],
                          &w->queue);
    w->parked = 1;

    ngx_http_tracker_wait_arm(w);

    r->write_event_handler = ngx_http_request_empty_handler;

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    return NGX_OK;
}


/* Never early: nginx counts from its cached clock, so count up to the end. */
static void
ngx_http_tracker_wait_arm(ngx_http_tracker_waiter_t *w)
{
    ngx_msec_int_t  ms;

#if (NGX_HAVE_CLOCK_MONOTONIC)
    ms = (ngx_msec_int_t) ((w->deadline + 999999) / 1000000
                           - ngx_current_msec);
#else
    ms = (ngx_msec_int_t) (w->deadline - ngx_http_tracker_nanoseconds()
                           + 999999) / 1000000;
#endif

    ngx_add_timer(&w->timer, (ngx_msec_t) ngx_max(ms, 1));
}


static void
ngx_http_tracker_wait_timer(ngx_event_t *ev)
{
    ngx_http_tracker_waiter_t  *w;

    w = ev->data;

    if (ngx_http_tracker_nanoseconds() < w->deadline) {
        ngx_http_tracker_wait_arm(w);
        return;
    }

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

    if (w->timer.timer_set) {
        ngx_del_timer(&w->timer);
    }

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
    uint64_t           n;
    ngx_connection_t  *c;

    c = ev->data;

    if (c->close) {
        c->close = 0;
        c->idle = 0;
        ngx_http_tracker_wait_end();
        return;
    }

    if (read(c->fd, &n, sizeof(n)) == -1 && ngx_errno != NGX_EAGAIN) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, ngx_errno,
                      "tracker: read() from eventfd failed");
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
    uint64_t                  summary, dirty;
    ngx_uint_t                word;
    ngx_queue_t              *bucket;
    ngx_http_tracker_slot_t  *slot;
    ngx_http_tracker_wait_t  *wt = &ngx_http_tracker_wait;

    slot = &wt->slots[wt->own];

    __atomic_store_n(&slot->pending, 0, __ATOMIC_SEQ_CST);

    summary = __atomic_exchange_n(&slot->summary, 0, __ATOMIC_SEQ_CST);

    for ( /* void */ ; summary; summary &= summary - 1) {

        word = __builtin_ctzll(summary);
        dirty = __atomic_exchange_n(&slot->dirty[word], 0, __ATOMIC_SEQ_CST);

        for ( /* void */ ; dirty; dirty &= dirty - 1) {

            bucket = &wt->buckets[word * 64 + __builtin_ctzll(dirty)];

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


/* The worker leaves: everything parked is answered. */
static void
ngx_http_tracker_wait_end(void)
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
}


uint64_t
ngx_http_tracker_wait_bit(void)
{
    if (ngx_http_tracker_wait.own == -1) {
        return 0;
    }

    return (uint64_t) 1 << (ngx_http_tracker_wait.own % 64);
}


void
ngx_http_tracker_wait_wake(uint64_t mask, uint64_t key)
{
    uint64_t                  bucket;
    ngx_uint_t                i;
    ngx_http_tracker_slot_t  *slot;

    bucket = key % NGX_HTTP_TRACKER_BUCKETS;

    for ( /* void */ ; mask; mask &= mask - 1) {

        for (i = __builtin_ctzll(mask); i < NGX_HTTP_TRACKER_SLOTS; i += 64) {

            slot = &ngx_http_tracker_wait.slots[i];

            if (__atomic_load_n(&slot->pid, __ATOMIC_RELAXED) == 0) {
                continue;
            }

            __atomic_fetch_or(&slot->dirty[bucket / 64],
                              (uint64_t) 1 << (bucket % 64), __ATOMIC_SEQ_CST);
            __atomic_fetch_or(&slot->summary, (uint64_t) 1 << (bucket / 64),
                              __ATOMIC_SEQ_CST);

            ngx_http_tracker_wait_ring(i);
        }
    }
}


void
ngx_http_tracker_wait_wake_all(void)
{
    ngx_uint_t                i, word;
    ngx_http_tracker_slot_t  *slot;

    for (i = 0; i < NGX_HTTP_TRACKER_SLOTS; i++) {

        slot = &ngx_http_tracker_wait.slots[i];

        if (__atomic_load_n(&slot->pid, __ATOMIC_RELAXED) == 0) {
            continue;
        }

        for (word = 0; word < NGX_HTTP_TRACKER_WORDS; word++) {
            __atomic_store_n(&slot->dirty[word], (uint64_t) -1,
                             __ATOMIC_SEQ_CST);
        }

        __atomic_store_n(&slot->summary, (uint64_t) -1, __ATOMIC_SEQ_CST);

        ngx_http_tracker_wait_ring(i);
    }
}


static void
ngx_http_tracker_wait_ring(ngx_uint_t slot)
{
    ssize_t                   n;
    uint64_t                  one = 1;
    ngx_http_tracker_wait_t  *wt = &ngx_http_tracker_wait;

    if (__atomic_exchange_n(&wt->slots[slot].pending, 1, __ATOMIC_SEQ_CST)) {
        return;
    }

    if ((ngx_int_t) slot == wt->own) {
        ngx_post_event(wt->connection->read, &ngx_posted_events);
        return;
    }

    /* a worker of an older generation may lack the newest eventfds */

    if (slot < ngx_http_tracker_neventfds) {
        n = write(ngx_http_tracker_eventfds[slot], &one, sizeof(one));

        if (n == -1 && ngx_errno != NGX_EAGAIN) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                          "tracker: write() to eventfd failed");
        }
    }
}


ngx_int_t
ngx_http_tracker_wait_own(void)
{
    return ngx_http_tracker_wait.own;
}


ngx_uint_t
ngx_http_tracker_wait_lives(ngx_int_t slot, ngx_pid_t pid)
{
    uint64_t  owner;

    if (slot < 0 || slot >= NGX_HTTP_TRACKER_SLOTS) {
        return 0;
    }

    owner = __atomic_load_n(&ngx_http_tracker_wait.slots[slot].pid,
                            __ATOMIC_SEQ_CST);

    return owner == (uint64_t) pid;
}
