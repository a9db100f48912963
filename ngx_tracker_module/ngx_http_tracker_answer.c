
#include "ngx_http_tracker_answer.h"
#include "ngx_http_tracker_role.h"


#define NGX_HTTP_TRACKER_PIECE  4096


static ngx_int_t ngx_http_tracker_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *type, ngx_chain_t *out);
static ngx_int_t ngx_http_tracker_add_header(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);


u_char *
ngx_http_tracker_body_room(ngx_http_tracker_body_t *body, size_t size)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (body->last
        && (size_t) (body->last->buf->end - body->last->buf->last) >= size)
    {
        return body->last->buf->last;
    }

    cl = ngx_alloc_chain_link(body->pool);
    if (cl == NULL) {
        body->failed = 1;
        return NULL;
    }

    /* the first one is often the only one */

    b = ngx_create_temp_buf(body->pool,
                            body->last ? ngx_max(size, NGX_HTTP_TRACKER_PIECE)
                                       : size);
    if (b == NULL) {
        body->failed = 1;
        return NULL;
    }

    cl->buf = b;
    cl->next = NULL;

    if (body->last) {
        body->last->next = cl;

    } else {
        body->first = cl;
    }

    body->last = cl;

    return b->last;
}


u_char *
ngx_http_tracker_put_uint(u_char *p, uint64_t n)
{
    u_char    *end;
    uint64_t   rest;

    for (end = p + 1, rest = n / 10; rest; rest /= 10) {
        end++;
    }

    p = end;

    do {
        *--p = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    return end;
}


u_char *
ngx_http_tracker_put_json(u_char *p, u_char *text, size_t len)
{
    u_char         c;
    static u_char  hex[] = "0123456789abcdef";

    *p++ = '"';

    while (len--) {
        c = *text++;

        if (c < 32 || c == 127) {
            p = ngx_http_tracker_put_lit(p, "\\u00");
            *p++ = hex[c >> 4];
            *p++ = hex[c & 15];
            continue;
        }

        if (c == '"' || c == '\\') {
            *p++ = '\\';
        }

        *p++ = c;
    }

    *p++ = '"';

    return p;
}


/* Made at the first use: an answer has four octets for each of its peers. */

static struct {
    u_char                        octet[256][4];   /* with its dot */
    u_char                        len[256];
    u_char                        pair[100][2];
} ngx_http_tracker_digits;


static void
ngx_http_tracker_digits_make(void)
{
    u_char      *p;
    ngx_uint_t   i;

    for (i = 0; i < 100; i++) {
        ngx_http_tracker_digits.pair[i][0] = (u_char) ('0' + i / 10);
        ngx_http_tracker_digits.pair[i][1] = (u_char) ('0' + i % 10);
    }

    for (i = 0; i < 256; i++) {
        p = ngx_http_tracker_put_uint(ngx_http_tracker_digits.octet[i], i);
        *p++ = '.';
        ngx_http_tracker_digits.len[i] =
                            (u_char) (p - ngx_http_tracker_digits.octet[i]);
    }
}


static u_char *
ngx_http_tracker_put_octet(u_char *p, u_char n)
{
    /* four bytes in one move; the next ones write over the rest */

    ngx_memcpy(p, ngx_http_tracker_digits.octet[n], 4);

    return p + ngx_http_tracker_digits.len[n];
}


static u_char *
ngx_http_tracker_put_port(u_char *p, uint32_t n)
{
    if (n < 1000) {
        return ngx_http_tracker_put_uint(p, n);
    }

    if (n >= 10000) {
        *p++ = (u_char) ('0' + n / 10000);
        n %= 10000;
    }

    ngx_memcpy(p, ngx_http_tracker_digits.pair[n / 100], 2);
    ngx_memcpy(p + 2, ngx_http_tracker_digits.pair[n % 100], 2);

    return p + 4;
}


u_char *
ngx_http_tracker_put_addr(u_char *p, ngx_http_tracker_addr_t *addr,
    in_port_t port)
{
    if (ngx_http_tracker_digits.len[0] == 0) {
        ngx_http_tracker_digits_make();
    }

    if (addr->family == 4) {
        p = ngx_http_tracker_put_octet(p, addr->bytes[0]);
        p = ngx_http_tracker_put_octet(p, addr->bytes[1]);
        p = ngx_http_tracker_put_octet(p, addr->bytes[2]);
        p = ngx_http_tracker_put_octet(p, addr->bytes[3]);
        p[-1] = ':';

    } else {
        *p++ = '[';
#if (NGX_HAVE_INET6)
        p += ngx_inet6_ntop(addr->bytes, p, NGX_INET6_ADDRSTRLEN);
#endif
        *p++ = ']';
        *p++ = ':';
    }

    return ngx_http_tracker_put_port(p, port);
}


u_char *
ngx_http_tracker_put_ip(u_char *p, ngx_http_tracker_addr_t *addr)
{
    if (addr->family == 4) {
        return ngx_http_tracker_put_addr(p, addr, 0) - (sizeof(":0") - 1);
    }

#if (NGX_HAVE_INET6)
    p += ngx_inet6_ntop(addr->bytes, p, NGX_INET6_ADDRSTRLEN);
#endif

    return p;
}


u_char *
ngx_http_tracker_put_digest(u_char *p, u_char *root, ngx_uint_t votes)
{
    if (root == NULL) {
        return p;
    }

    p = ngx_http_tracker_put_lit(p, ",\"digest\":{\"root\":\"");
    p = ngx_hex_dump(p, root, NGX_HTTP_TRACKER_ROOT_LEN);
    p = ngx_http_tracker_put_lit(p, "\",\"votes\":");
    p = ngx_http_tracker_put_uint(p, votes);
    *p++ = '}';

    return p;
}


ngx_int_t
ngx_http_tracker_send_body(ngx_http_request_t *r,
    ngx_http_tracker_body_t *body)
{
    static ngx_str_t  type = ngx_string("application/json");

    return ngx_http_tracker_send_typed(r, &type, body);
}


ngx_int_t
ngx_http_tracker_send_typed(ngx_http_request_t *r, ngx_str_t *type,
    ngx_http_tracker_body_t *body)
{
    if (body->failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_tracker_send(r, NGX_HTTP_OK, type, body->first);
}


ngx_int_t
ngx_http_tracker_send_buf(ngx_http_request_t *r, ngx_buf_t *b)
{
    ngx_chain_t  out;

    static ngx_str_t  type = ngx_string("text/plain");

    out.buf = b;
    out.next = NULL;

    return ngx_http_tracker_send(r, NGX_HTTP_OK, &type, &out);
}


ngx_int_t
ngx_http_tracker_get_only(ngx_http_request_t *r,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_NOT_ALLOWED,
                                       "method", "not GET or HEAD");
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_tracker_send_refusal(ngx_http_request_t *r,
    ngx_http_tracker_refusal_t *refusal)
{
    u_char                       *p;
    ngx_http_tracker_body_t       body;
    ngx_http_tracker_loc_conf_t  *conf;

    static ngx_str_t  type = ngx_string("text/plain");
    static ngx_str_t  allow = ngx_string("Allow");

    conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);

    if (refusal->status == NGX_HTTP_NOT_ALLOWED
        && ngx_http_tracker_add_header(r, &allow, &conf->role->allow)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&body, sizeof(ngx_http_tracker_body_t));
    body.pool = r->pool;

    p = ngx_http_tracker_body_room(&body, refusal->len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_cpymem(p, refusal->text, refusal->len);
    ngx_http_tracker_body_wrote(&body, p);

    return ngx_http_tracker_send(r, refusal->status, &type, body.first);
}


static ngx_int_t
ngx_http_tracker_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_chain_t *out)
{
    off_t         len;
    ngx_int_t     rc;
    ngx_chain_t  *cl;

    static ngx_str_t  name = ngx_string("Cache-Control");
    static ngx_str_t  value = ngx_string("no-store");

    len = 0;

    for (cl = out; cl; cl = cl->next) {
        len += cl->buf->last - cl->buf->pos;

        if (cl->next == NULL) {
            cl->buf->last_buf = (r == r->main);
            cl->buf->last_in_chain = 1;
        }
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;

    if (ngx_http_tracker_add_header(r, &name, &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, out);
}


static ngx_int_t
ngx_http_tracker_add_header(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    /* later versions of nginx have fields more */
    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key = *name;
    h->value = *value;

    return NGX_OK;
}
