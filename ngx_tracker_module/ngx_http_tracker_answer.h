
/*
 * Answers: a body that is written piece by piece, JSON, and sending it.
 */


#ifndef _NGX_HTTP_TRACKER_ANSWER_H_INCLUDED_
#define _NGX_HTTP_TRACKER_ANSWER_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_args.h"


typedef struct {
    ngx_pool_t                   *pool;
    ngx_chain_t                  *first;
    ngx_chain_t                  *last;
    unsigned                      failed:1;    /* no memory */
} ngx_http_tracker_body_t;


/* room for a string as JSON, with its quotes */
#define ngx_http_tracker_json_len(len)  (6 * (len) + 2)


/**
 * ngx_http_tracker_body_room(body, size):
 * Where the next ${size} bytes may be written, after which the caller calls
 * body_wrote() with the end of what it wrote. NULL when memory is out, which
 * send_body() turns into a 500.
 */
u_char *ngx_http_tracker_body_room(ngx_http_tracker_body_t *body, size_t size);
#define ngx_http_tracker_body_wrote(body, end)                                \
    ((body)->last->buf->last = (end))

/* These write at p and return the new end. */

u_char *ngx_http_tracker_put_uint(u_char *p, uint64_t n);
/* the text is UTF-8 (readers refuse a document with anything else) */
u_char *ngx_http_tracker_put_json(u_char *p, u_char *text, size_t len);
/* with port (and IPv6 in brackets); both write up to 3 bytes beyond the end */
u_char *ngx_http_tracker_put_addr(u_char *p, ngx_http_tracker_addr_t *addr,
    in_port_t port);
u_char *ngx_http_tracker_put_ip(u_char *p, ngx_http_tracker_addr_t *addr);
/* with a comma before it; nothing where the root is NULL */
u_char *ngx_http_tracker_put_digest(u_char *p, u_char *root,
    ngx_uint_t votes);

#define ngx_http_tracker_put_lit(p, literal)                                  \
    ngx_cpymem(p, literal, sizeof(literal) - 1)

/**
 * ngx_http_tracker_send_body(r, body):
 * Send it as 200 application/json. Returns what to finalize the request with.
 */
ngx_int_t ngx_http_tracker_send_body(ngx_http_request_t *r,
    ngx_http_tracker_body_t *body);

/**
 * ngx_http_tracker_send_buf(r, b):
 * Send one buffer as 200 text/plain. Returns what to finalize the request
 * with.
 */
ngx_int_t ngx_http_tracker_send_buf(ngx_http_request_t *r, ngx_buf_t *b);

/**
 * ngx_http_tracker_send_typed(r, type, body):
 * The same as ${type}.
 */
ngx_int_t ngx_http_tracker_send_typed(ngx_http_request_t *r, ngx_str_t *type,
    ngx_http_tracker_body_t *body);

/**
 * ngx_http_tracker_get_only(r, refusal):
 * A handler of GET and HEAD begins: a body is thrown away.
 *
 * Errors:     NGX_DECLINED: ${refusal} is set; others as of
 *             ngx_http_discard_request_body().
 */
ngx_int_t ngx_http_tracker_get_only(ngx_http_request_t *r,
    ngx_http_tracker_refusal_t *refusal);

/**
 * ngx_http_tracker_send_refusal(r, refusal):
 * Send its line as text. Returns what to finalize the request with.
 */
ngx_int_t ngx_http_tracker_send_refusal(ngx_http_request_t *r,
    ngx_http_tracker_refusal_t *refusal);


#endif /* _NGX_HTTP_TRACKER_ANSWER_H_INCLUDED_ */
