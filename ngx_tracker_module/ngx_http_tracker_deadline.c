
#include "ngx_http_tracker_deadline.h"


#if (NGX_HTTP_TRACKER_TIMERFD)


/* expired in one turn of the loop, so that nobody else waits for all of them */
#define NGX_HTTP_TRACKER_DEADLINES  64


typedef struct {
    ngx_rbtree_t                  tree;        /* by "at" */
    ngx_rbtree_node_t             sentinel;
    uint64_t                      armed;       /* for when; 0: for nothing */
    ngx_connection_t             *connection;
    ngx_http_tracker_expired_pt   expired;
} ngx_http_tracker_deadlines_t;


static ngx_http_tracker_deadlines_t  ngx_http_tracker_deadlines;


static void
ngx_http_tracker_deadline_arm(uint64_t at)
{
    struct itimerspec              its;
    ngx_http_tracker_deadlines_t  *ds = &ngx_http_tracker_deadlines;

    ngx_memzero(&its, sizeof(struct itimerspec));

    its.it_value.tv_sec = (time_t) (at / 1000000000);
    its.it_value.tv_nsec = (long) (at % 1000000000);

    if (timerfd_settime(ds->connection->fd, TFD_TIMER_ABSTIME, &its, NULL)
        == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "tracker: timerfd_settime() failed");
        return;
    }

    ds->armed = at;
}


static void
ngx_http_tracker_deadline_handler(ngx_event_t *ev)
{
    uint64_t                       n, now;
    ngx_uint_t                     i;
    ngx_rbtree_node_t             *node;
    ngx_http_tracker_deadline_t   *d;
    ngx_http_tracker_deadlines_t  *ds = &ngx_http_tracker_deadlines;

    if (read(ds->connection->fd, &n, sizeof(n)) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_log_error(NGX_LOG_ALERT, ev->log, ngx_errno,
                      "tracker: read() from timerfd failed");
    }

    ds->armed = 0;
    now = ngx_http_tracker_nanoseconds();

    for (i = 0; ds->tree.root != ds->tree.sentinel; i++) {

        node = ngx_rbtree_min(ds->tree.root, ds->tree.sentinel);

        if (node->key > now) {
            ngx_http_tracker_deadline_arm(node->key);
            return;
        }

        if (i == NGX_HTTP_TRACKER_DEADLINES) {
            ngx_post_event(ev, &ngx_posted_next_events);
            return;
        }

        d = (ngx_http_tracker_deadline_t *)
                ((u_char *) node - offsetof(ngx_http_tracker_deadline_t, node));

        ngx_http_tracker_deadline_unset(d);

        ds->expired(d);
    }
}


ngx_int_t
ngx_http_tracker_deadline_init_worker(ngx_cycle_t *cycle,
    ngx_http_tracker_expired_pt expired)
{
    int                            fd;
    ngx_connection_t              *c;
    ngx_http_tracker_deadlines_t  *ds = &ngx_http_tracker_deadlines;

    ngx_memzero(ds, sizeof(ngx_http_tracker_deadlines_t));

    ngx_rbtree_init(&ds->tree, &ds->sentinel, ngx_rbtree_insert_value);
    ds->expired = expired;

    fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK|TFD_CLOEXEC);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "tracker: timerfd_create() failed");
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, cycle->log);
    if (c == NULL) {
        (void) close(fd);
        return NGX_ERROR;
    }

    ds->connection = c;

    /* spares it from the check for sockets left open */
    c->read->channel = 1;

    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->read->handler = ngx_http_tracker_deadline_handler;

    return ngx_add_event(c->read, NGX_READ_EVENT, NGX_CLEAR_EVENT);
}


void
ngx_http_tracker_deadline_set(ngx_http_tracker_deadline_t *d,
    ngx_msec_t delay_ms)
{
    ngx_http_tracker_deadlines_t  *ds = &ngx_http_tracker_deadlines;

    d->at = ngx_http_tracker_nanoseconds() + (uint64_t) delay_ms * 1000000;
    d->set = 1;

    d->node.key = d->at;
    ngx_rbtree_insert(&ds->tree, &d->node);

    if (ds->armed == 0 || d->at < ds->armed) {
        ngx_http_tracker_deadline_arm(d->at);
    }
}


/* The clock may go off for nothing then, which is cheaper than to set it. */
void
ngx_http_tracker_deadline_unset(ngx_http_tracker_deadline_t *d)
{
    if (d->set) {
        d->set = 0;
        ngx_rbtree_delete(&ngx_http_tracker_deadlines.tree, &d->node);
    }
}


void
ngx_http_tracker_deadline_stop(void)
{
    ngx_event_t  *ev;

    ev = ngx_http_tracker_deadlines.connection->read;

    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }

    (void) ngx_del_event(ev, NGX_READ_EVENT, 0);
}


#else


static ngx_http_tracker_expired_pt  ngx_http_tracker_expired;


/* nginx counts from its cached clock: up to the end of the millisecond. */
static void
ngx_http_tracker_deadline_arm(ngx_http_tracker_deadline_t *d)
{
    ngx_msec_int_t  ms;

    ms = (ngx_msec_int_t) ((d->at + 999999) / 1000000 - ngx_current_msec);

    ngx_add_timer(&d->timer, (ngx_msec_t) ngx_max(ms, 1));
}


static void
ngx_http_tracker_deadline_handler(ngx_event_t *ev)
{
    ngx_http_tracker_deadline_t  *d;

    d = ev->data;

    if (ngx_http_tracker_nanoseconds() < d->at) {
        ngx_http_tracker_deadline_arm(d);
        return;
    }

    d->set = 0;

    ngx_http_tracker_expired(d);
}


ngx_int_t
ngx_http_tracker_deadline_init_worker(ngx_cycle_t *cycle,
    ngx_http_tracker_expired_pt expired)
{
    ngx_http_tracker_expired = expired;

    return NGX_OK;
}


void
ngx_http_tracker_deadline_set(ngx_http_tracker_deadline_t *d,
    ngx_msec_t delay_ms)
{
    ngx_memzero(&d->timer, sizeof(ngx_event_t));

    d->timer.handler = ngx_http_tracker_deadline_handler;
    d->timer.data = d;
    d->timer.log = ngx_cycle->log;

    d->at = ngx_http_tracker_nanoseconds() + (uint64_t) delay_ms * 1000000;
    d->set = 1;

    ngx_http_tracker_deadline_arm(d);
}


void
ngx_http_tracker_deadline_unset(ngx_http_tracker_deadline_t *d)
{
    if (d->set) {
        d->set = 0;
        ngx_del_timer(&d->timer);
    }
}


void
ngx_http_tracker_deadline_stop(void)
{
    /* nothing is set, so there is nothing to stop */
}


#endif
