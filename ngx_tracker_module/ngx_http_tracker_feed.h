
/*
 * The body of POST /control, as it comes in: streamed to lines, so much in one
 * turn of the event loop that other requests need not wait for it.
 */


#ifndef _NGX_HTTP_TRACKER_FEED_H_INCLUDED_
#define _NGX_HTTP_TRACKER_FEED_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_lines.h"


typedef struct {
    ngx_http_request_t           *request;
    ngx_event_t                   event;       /* goes on */
    ngx_http_client_body_handler_pt  handler;
    ngx_http_tracker_lines_t      lines;
    ngx_http_tracker_line_pt      line;
    void                         *data;        /* for line() */
    ngx_http_tracker_refusal_t    refusal;
} ngx_http_tracker_feed_t;


/**
 * ngx_http_tracker_feed(r, feed):
 * Begin to read the body, with handler, line and data of a zeroed ${feed}. The
 * handler is called whenever ngx_http_tracker_feed_read() is to be.
 *
 * Ownership:  ${feed} is in the request's pool.
 * Errors:     a status for the content handler to return; else NGX_DONE, and
 *             the request has to be finalized once more than otherwise.
 */
ngx_int_t ngx_http_tracker_feed(ngx_http_request_t *r,
    ngx_http_tracker_feed_t *feed);

/**
 * ngx_http_tracker_feed_read(feed):
 * Take what has come, or some of it; line() is called for each line. NGX_OK:
 * the body is over; NGX_AGAIN: the handler will be called again.
 *
 * Errors:     NGX_DECLINED: ${feed}->refusal is set; else a status.
 */
ngx_int_t ngx_http_tracker_feed_read(ngx_http_tracker_feed_t *feed);


#endif /* _NGX_HTTP_TRACKER_FEED_H_INCLUDED_ */
