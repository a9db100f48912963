
/*
 * The body of POST /control: lines that say what a super peer holds.
 */


#ifndef _NGX_HTTP_TRACKER_LINES_H_INCLUDED_
#define _NGX_HTTP_TRACKER_LINES_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_args.h"
#include "ngx_http_tracker_stat.h"
#include "ngx_http_tracker_swarm.h"


enum {
    NGX_HTTP_TRACKER_LINES_MAX = 8192,
    NGX_HTTP_TRACKER_LINE_MAX = 128     /* "+ID ROOT copy http": 116 */
};


typedef struct {
    ngx_uint_t                    n;           /* lines seen */
    size_t                        carried;
    u_char                        carry[NGX_HTTP_TRACKER_LINE_MAX];
} ngx_http_tracker_lines_t;


typedef void (*ngx_http_tracker_line_pt)(void *data, u_char *id,
    ngx_http_tracker_said_t *said);


/* the reasons of a refusal; said.reason is an index into them */
extern ngx_str_t  ngx_http_tracker_refusal_words[];

/**
 * ngx_http_tracker_lines_feed(lines, p, end, handler, data, refusal):
 * Take the next piece of the body; ${handler} is called for each whole line
 * in it. A line that is cut at the piece's end is kept for the next.
 *
 * Errors:     NGX_DECLINED: ${refusal} names the line.
 */
ngx_int_t ngx_http_tracker_lines_feed(ngx_http_tracker_lines_t *lines,
    u_char *p, u_char *end, ngx_http_tracker_line_pt handler, void *data,
    ngx_http_tracker_refusal_t *refusal);

/**
 * ngx_http_tracker_lines_end(lines, refusal):
 * The body is over. Errors: NGX_DECLINED: in the middle of a line.
 */
ngx_int_t ngx_http_tracker_lines_end(ngx_http_tracker_lines_t *lines,
    ngx_http_tracker_refusal_t *refusal);


#endif /* _NGX_HTTP_TRACKER_LINES_H_INCLUDED_ */
