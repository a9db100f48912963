
/*
 * Query arguments: taken apart and decoded once, by a table of those that a
 * request may have.
 */


#ifndef _NGX_HTTP_TRACKER_ARGS_H_INCLUDED_
#define _NGX_HTTP_TRACKER_ARGS_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_parse.h"


enum {
    NGX_HTTP_TRACKER_TEXT_MAX = 128,    /* of a message */

    /* beside "times": any byte may be in it */
    NGX_HTTP_TRACKER_ARG_BINARY = 0x10000
};


/* Why a request is refused: status and the line that says so. */

typedef struct {
    ngx_uint_t                    status;
    size_t                        len;
    u_char                        text[NGX_HTTP_TRACKER_TEXT_MAX];
} ngx_http_tracker_refusal_t;


typedef ngx_int_t (*ngx_http_tracker_arg_pt)(void *data, ngx_uint_t arg,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);

typedef struct {
    ngx_str_t                     name;
    size_t                        max;         /* bytes, decoded */
    ngx_uint_t                    times;       /* how often it may be given */
    ngx_http_tracker_arg_pt       parse;
    size_t                        offset;      /* in data, for parse */
} ngx_http_tracker_arg_t;


#define ngx_http_tracker_arg_null  { ngx_null_string, 0, 0, NULL, 0 }


/**
 * ngx_http_tracker_args(r, table, data, refusal):
 * Find the arguments of ${table} in r->args, decode them and call their
 * parse(). Others are passed over.
 *
 * Ownership:  values are in the request's pool.
 * Errors:     NGX_DECLINED: ${refusal} is set; NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_tracker_args(ngx_http_request_t *r,
    ngx_http_tracker_arg_t *table, void *data,
    ngx_http_tracker_refusal_t *refusal);

/**
 * ngx_http_tracker_refuse(refusal, status, name, why):
 * Set the refusal to "name: why"; returns NGX_DECLINED. ${name} may be NULL.
 */
ngx_int_t ngx_http_tracker_refuse(ngx_http_tracker_refusal_t *refusal,
    ngx_uint_t status, const char *name, const char *why);

/* parse() functions: what they write at data + offset is in their names */

ngx_int_t ngx_http_tracker_arg_str(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
ngx_int_t ngx_http_tracker_arg_text(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
ngx_int_t ngx_http_tracker_arg_uint64(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
ngx_int_t ngx_http_tracker_arg_bytes(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
ngx_int_t ngx_http_tracker_arg_port(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);


#endif /* _NGX_HTTP_TRACKER_ARGS_H_INCLUDED_ */
