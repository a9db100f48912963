
#include "ngx_http_tracker_feed.h"


enum {
    /* bytes: 147 lines with a root, or 390 of the shortest */
    NGX_HTTP_TRACKER_FEED_TURN = 16384,

    /* ms; never over: a worker that is to end waits for what has a timer */
    NGX_HTTP_TRACKER_FEED_GUARD = 1000
};


static void ngx_http_tracker_feed_more(ngx_event_t *ev);
static void ngx_http_tracker_feed_cleanup(void *data);
static ngx_int_t ngx_http_tracker_feed_bufs(ngx_http_tracker_feed_t *feed,
    size_t *left);


ngx_int_t
ngx_http_tracker_feed(ngx_http_request_t *r, ngx_http_tracker_feed_t *feed)
{
    ngx_int_t            rc;
    ngx_http_cleanup_t  *cln;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    feed->request = r;
    feed->event.data = r->connection;
    feed->event.handler = ngx_http_tracker_feed_more;
    feed->event.log = r->connection->log;

    cln->handler = ngx_http_tracker_feed_cleanup;
    cln->data = feed;

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r, feed->handler);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


static void
ngx_http_tracker_feed_cleanup(void *data)
{
    ngx_http_tracker_feed_t  *feed = data;

    if (feed->event.timer_set) {
        ngx_del_timer(&feed->event);
    }

    if (feed->event.posted) {
        ngx_delete_posted_event(&feed->event);
    }
}


static void
ngx_http_tracker_feed_more(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_tracker_feed_t  *feed;

    feed = (ngx_http_tracker_feed_t *)
               ((u_char *) ev - offsetof(ngx_http_tracker_feed_t, event));
    r = feed->request;
    c = r->connection;

    ngx_http_tracker_feed_cleanup(feed);

    ngx_http_set_log_request(c->log, r);

    feed->handler(r);

    ngx_http_run_posted_requests(c);
}


/* The rest in the next turn; who leaves meanwhile is found by the next read. */
static ngx_int_t
ngx_http_tracker_feed_pause(ngx_http_tracker_feed_t *feed)
{
    feed->request->read_event_handler = ngx_http_block_reading;

    ngx_post_event(&feed->event, &ngx_posted_next_events);
    ngx_add_timer(&feed->event, NGX_HTTP_TRACKER_FEED_GUARD);

    return NGX_AGAIN;
}


ngx_int_t
ngx_http_tracker_feed_read(ngx_http_tracker_feed_t *feed)
{
    size_t               left;
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = feed->request;
    left = NGX_HTTP_TRACKER_FEED_TURN;

    for ( ;; ) {

        rc = ngx_http_tracker_feed_bufs(feed, &left);

        if (rc == NGX_AGAIN) {
            return ngx_http_tracker_feed_pause(feed);
        }

        if (rc != NGX_OK) {
            return rc;
        }

        r->request_body->bufs = NULL;

        if (!r->reading_body) {
            return ngx_http_tracker_lines_end(&feed->lines, &feed->refusal);
        }

        if (left == 0) {
            return ngx_http_tracker_feed_pause(feed);
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            return rc;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            r->read_event_handler = feed->handler;
            return NGX_AGAIN;
        }
    }
}


/* Of what has been read; NGX_AGAIN when it is more than is left. */
static ngx_int_t
ngx_http_tracker_feed_bufs(ngx_http_tracker_feed_t *feed, size_t *left)
{
    size_t        n;
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    for (cl = feed->request->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        n = ngx_min((size_t) (b->last - b->pos), *left);

        rc = ngx_http_tracker_lines_feed(&feed->lines, b->pos, b->pos + n,
                                         feed->line, feed->data,
                                         &feed->refusal);
        b->pos += n;
        *left -= n;

        if (rc != NGX_OK) {
            return rc;
        }

        if (b->pos < b->last) {
            return NGX_AGAIN;
        }
    }

    return NGX_OK;
}
