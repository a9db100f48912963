
#include "ngx_http_tracker_query.h"
#include "ngx_http_tracker_answer.h"
#include "ngx_http_tracker_identity.h"
#include "ngx_http_tracker_list.h"


enum {
    NGX_HTTP_TRACKER_NUMWANT = 50,
    NGX_HTTP_TRACKER_SMALL = 64         /* longest of the small arguments */
};


static ngx_int_t ngx_http_tracker_query_header(ngx_http_request_t *r,
    ngx_http_tracker_query_t *q, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_query_resource(ngx_http_request_t *r,
    ngx_array_t *origins, ngx_http_tracker_query_t *q,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_event(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_numwant(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_version(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);
static ngx_int_t ngx_http_tracker_arg_bad(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);


static ngx_http_tracker_arg_t  ngx_http_tracker_query_args[] = {

    { ngx_string("url"), NGX_HTTP_TRACKER_URL_MAX, 1,
      ngx_http_tracker_arg_str,
      offsetof(ngx_http_tracker_query_t, url) },

    { ngx_string("size"), NGX_HTTP_TRACKER_SMALL, 1,
      ngx_http_tracker_arg_uint64,
      offsetof(ngx_http_tracker_query_t, size) },

    { ngx_string("version"), NGX_HTTP_TRACKER_VERSION_MAX, 1,
      ngx_http_tracker_arg_version,
      offsetof(ngx_http_tracker_query_t, version) },

    { ngx_string("provider"), NGX_HTTP_TRACKER_PROVIDER_MAX, 1,
      ngx_http_tracker_arg_text,
      offsetof(ngx_http_tracker_query_t, provider) },

    { ngx_string("port"), NGX_HTTP_TRACKER_SMALL, 1,
      ngx_http_tracker_arg_port,
      offsetof(ngx_http_tracker_query_t, port) },

    { ngx_string("left"), NGX_HTTP_TRACKER_SMALL, 1,
      ngx_http_tracker_arg_uint64,
      offsetof(ngx_http_tracker_query_t, left) },

    { ngx_string("event"), NGX_HTTP_TRACKER_SMALL, 1,
      ngx_http_tracker_arg_event,
      offsetof(ngx_http_tracker_query_t, event) },

    { ngx_string("numwant"), NGX_HTTP_TRACKER_SMALL, 1,
      ngx_http_tracker_arg_numwant,
      offsetof(ngx_http_tracker_query_t, numwant) },

    { ngx_string("bad"), NGX_HTTP_TRACKER_SMALL, NGX_HTTP_TRACKER_BAD_MAX,
      ngx_http_tracker_arg_bad, 0 },

    { ngx_string("got"), NGX_HTTP_TRACKER_SMALL, 1,
      ngx_http_tracker_arg_bytes,
      offsetof(ngx_http_tracker_query_t, got) },

    ngx_http_tracker_arg_null
};


ngx_int_t
ngx_http_tracker_query(ngx_http_request_t *r, ngx_array_t *origins,
    ngx_http_tracker_query_t *q, ngx_http_tracker_resource_t *res,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_int_t  rc;

    ngx_memzero(q, offsetof(ngx_http_tracker_query_t, bad));

    ngx_str_set(&q->version, "");
    ngx_str_set(&q->provider, "");

    q->size = (uint64_t) -1;
    q->left = (uint64_t) -1;
    q->numwant = NGX_HTTP_TRACKER_NUMWANT;

    rc = ngx_http_tracker_args(r, ngx_http_tracker_query_args, q, refusal);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_tracker_query_header(r, q, refusal);
    if (rc != NGX_OK) {
        return rc;
    }

    if (q->url.data == NULL) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST,
                                       "url", "missing");
    }

    if (q->size == (uint64_t) -1) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST,
                                       "size", "missing");
    }

    if (q->left == (uint64_t) -1) {
        q->left = q->size;
    }

    if (q->left > q->size) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST,
                                       "left", "more than size");
    }

    return ngx_http_tracker_query_resource(r, origins, q, res, refusal);
}


/* The URL may come in a header, so that logs hold no token. */
static ngx_int_t
ngx_http_tracker_query_header(ngx_http_request_t *r,
    ngx_http_tracker_query_t *q, ngx_http_tracker_refusal_t *refusal)
{
    u_char            *c;
    ngx_uint_t         i;
    ngx_list_part_t   *part;
    ngx_table_elt_t   *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NGX_OK;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len != sizeof("shoal-url") - 1
            || ngx_memcmp(h[i].lowcase_key, "shoal-url", h[i].key.len) != 0)
        {
            continue;
        }

        if (q->url.data) {
            return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST,
                                           "url", "given twice");
        }

        if (h[i].value.len > NGX_HTTP_TRACKER_URL_MAX) {
            return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST,
                                           "url", "too long");
        }

        for (c = h[i].value.data; c < h[i].value.data + h[i].value.len; c++) {
            if (*c < 32 || *c == 127) {
                return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST,
                                               "url",
                                               "has a control character");
            }
        }

        q->url = h[i].value;
    }
}


static ngx_int_t
ngx_http_tracker_query_resource(ngx_http_request_t *r, ngx_array_t *origins,
    ngx_http_tracker_query_t *q, ngx_http_tracker_resource_t *res,
    ngx_http_tracker_refusal_t *refusal)
{
    u_char                       *p;
    ngx_int_t                     rc;
    ngx_http_tracker_url_t        url;
    ngx_http_tracker_origin_t    *origin;

    rc = ngx_http_tracker_url(r->pool, &q->url, &url);

    if (rc == NGX_DECLINED) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST, "url",
                                   "not an http or https URL to be shared");
    }

    if (rc != NGX_OK) {
        return rc;
    }

    origin = ngx_http_tracker_origin_find(origins, &url);

    if (origin == NULL) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_FORBIDDEN, "url",
                                       "host not served by this tracker");
    }

    if (url.signing && !origin->signing) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_FORBIDDEN, "url",
                                       "signed URLs are not shared");
    }

    res->size = (int64_t) q->size;
    res->version = q->version;
    res->provider = q->provider;

    res->url.data = ngx_pnalloc(r->pool, url.canonical.len + 8);
    if (res->url.data == NULL) {
        return NGX_ERROR;
    }

    p = url.tls ? ngx_http_tracker_put_lit(res->url.data, "https://")
                : ngx_http_tracker_put_lit(res->url.data, "http://");
    p = ngx_cpymem(p, url.canonical.data, url.canonical.len);

    res->url.len = p - res->url.data;

    /* super peers take no longer one than this tracker does */

    if (res->url.len > NGX_HTTP_TRACKER_URL_MAX) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST, "url",
                                       "too long");
    }

    return ngx_http_tracker_identify(&url.canonical, res);
}


static ngx_int_t
ngx_http_tracker_arg_event(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_uint_t                 i;
    ngx_http_tracker_query_t  *q = data;

    static ngx_str_t  names[] = {
        ngx_string(""), ngx_string("started"), ngx_string("completed"),
        ngx_string("stopped")
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (value->len == names[i].len
            && ngx_memcmp(value->data, names[i].data, value->len) == 0)
        {
            q->event = i;
            return NGX_OK;
        }
    }

    return ngx_http_tracker_refuse(refusal, 0, NULL,
                                   "not started, completed or stopped");
}


static ngx_int_t
ngx_http_tracker_arg_numwant(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_http_tracker_query_t  *q = data;

    if (ngx_http_tracker_number(value->data, value->len,
                                NGX_HTTP_TRACKER_NUMWANT_MAX, &q->numwant)
        != NGX_OK)
    {
        return ngx_http_tracker_refuse(refusal, 0, NULL,
                                       "not a number from 0 to 200");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_arg_version(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    if (!ngx_http_tracker_version_valid(value)) {
        return ngx_http_tracker_refuse(refusal, 0, NULL,
                             "not etag:\"...\", mtime:SECONDS or text:...");
    }

    return ngx_http_tracker_arg_text(data, offset, value, refusal);
}


/* KIND,ADDR:PORT; at most as often as there is room. */
static ngx_int_t
ngx_http_tracker_arg_bad(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    u_char                    *p;
    ngx_http_tracker_bad_t    *bad;
    ngx_http_tracker_query_t  *q = data;

    bad = &q->bad[q->nbad];
    ngx_memzero(bad, sizeof(ngx_http_tracker_bad_t));

    p = value->data;

    if (value->len > 5 && ngx_memcmp(p, "dead,", 5) == 0) {
        p += 5;

    } else if (value->len > 6 && ngx_memcmp(p, "wrong,", 6) == 0) {
        p += 6;
        bad->wrong = 1;

    } else {
        p = NULL;
    }

    if (p == NULL
        || ngx_http_tracker_host(p, value->data + value->len, &bad->addr,
                                 &bad->port)
           != NGX_OK
        || bad->port == 0)
    {
        return ngx_http_tracker_refuse(refusal, 0, NULL,
                                     "not dead,ADDR:PORT or wrong,ADDR:PORT");
    }

    q->nbad++;

    return NGX_OK;
}
