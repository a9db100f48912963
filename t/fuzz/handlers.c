
/*
 * Whole handlers: what they answer is caught on its way out. An input is one
 * request a line: the letter of a location ("tracker_fuzz_as"), a digit for
 * the address that it comes from, and its arguments.
 */


#include "fuzz.h"


enum {
    FUZZ_REQUESTS = 32,                 /* of an input */
    FUZZ_NESTED = 8
};


typedef struct {
    ngx_uint_t                    headers;     /* sent */
    u_char                       *p;
    u_char                       *end;
} fuzz_answer_t;


static ngx_http_conf_ctx_t  *fuzz_locations[256];
static fuzz_answer_t         fuzz_answer;


char *
fuzz_as(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    fuzz_locations[value[1].data[0]] = ngx_pcalloc(cf->pool,
                                                 sizeof(ngx_http_conf_ctx_t));
    if (fuzz_locations[value[1].data[0]] == NULL) {
        return NGX_CONF_ERROR;
    }

    *fuzz_locations[value[1].data[0]] = *(ngx_http_conf_ctx_t *) cf->ctx;

    return NGX_CONF_OK;
}


static ngx_int_t
fuzz_header_filter(ngx_http_request_t *r)
{
    fuzz_answer.headers++;
    r->header_sent = 1;

    return NGX_OK;
}


static ngx_int_t
fuzz_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    size_t       len;
    u_char      *p;
    ngx_chain_t  *cl;

    for (cl = in, len = 0; cl; cl = cl->next) {
        len += cl->buf->last - cl->buf->pos;
        fuzz_check(cl->buf->last <= cl->buf->end);
        fuzz_check(cl->next || cl->buf->last_buf);
    }

    fuzz_check(fuzz_answer.p == NULL);

    p = ngx_pnalloc(r->pool, len);
    fuzz_check(p);

    fuzz_answer.p = p;

    for (cl = in; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    fuzz_answer.end = p;

    return NGX_OK;
}


void
fuzz_catch_answers(void)
{
    ngx_http_top_header_filter = fuzz_header_filter;
    ngx_http_top_body_filter = fuzz_body_filter;
}


/* One value of bencoding; returns its end, or NULL where that is none. */
static u_char *
fuzz_bencoded(u_char *p, u_char *end, ngx_uint_t depth)
{
    size_t   len;
    u_char  *digits, kind;

    if (p >= end || depth > FUZZ_NESTED) {
        return NULL;
    }

    kind = *p;

    if (kind == 'd' || kind == 'l') {

        for (p++; p && p < end && *p != 'e'; /* void */ ) {

            if (kind == 'd') {

                if (*p < '0' || *p > '9') {
                    return NULL;
                }

                p = fuzz_bencoded(p, end, depth + 1);
            }

            p = p ? fuzz_bencoded(p, end, depth + 1) : NULL;
        }

        return (p && p < end) ? p + 1 : NULL;
    }

    digits = p + (kind == 'i');

    for (len = 0, p = digits; p < end && *p >= '0' && *p <= '9'; p++) {
        len = len * 10 + (*p - '0');
    }

    if (p == end || p == digits || *p++ != (kind == 'i' ? 'e' : ':')) {
        return NULL;
    }

    if (kind == 'i') {
        return p;
    }

    return (len <= (size_t) (end - p)) ? p + len : NULL;
}


/* Strings are closed, brackets match; not a whole reader of JSON. */
static ngx_uint_t
fuzz_is_json(u_char *p, u_char *end)
{
    size_t      depth;
    u_char      open[FUZZ_NESTED];
    ngx_uint_t  quoted;

    for (depth = 0, quoted = 0; p < end; p++) {

        if (*p < 32 && !(*p == LF && !quoted)) {
            return 0;
        }

        if (quoted) {
            p += (*p == '\\');
            quoted = (p < end && *p != '"');
            continue;
        }

        quoted = (*p == '"');

        if (*p == '{' || *p == '[') {
            if (depth == FUZZ_NESTED) {
                return 0;
            }

            open[depth++] = *p;
        }

        if (*p == '}' || *p == ']') {
            if (depth-- == 0 || open[depth] != *p - 2) {
                return 0;
            }
        }
    }

    return depth == 0 && !quoted;
}


/* Its type says what it has to be. */
static void
fuzz_answered(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_str_t  *type;
    ngx_uint_t  status;

    type = &r->headers_out.content_type;
    status = r->headers_out.status;

    fuzz_check(rc == NGX_OK && fuzz_answer.headers == 1);
    fuzz_check(r->headers_out.content_length_n
               == fuzz_answer.end - fuzz_answer.p);

    if (type->len == 16 && ngx_memcmp(type->data, "application/json", 16) == 0)
    {
        fuzz_check(status == NGX_HTTP_OK);
        fuzz_check(fuzz_is_json(fuzz_answer.p, fuzz_answer.end));
        return;
    }

    if (status == NGX_HTTP_OK && fuzz_answer.p < fuzz_answer.end
        && *fuzz_answer.p == 'd')
    {
        fuzz_check(fuzz_bencoded(fuzz_answer.p, fuzz_answer.end, 0)
                   == fuzz_answer.end);
        return;
    }

    fuzz_check(type->len >= 10
               && ngx_memcmp(type->data, "text/plain", 10) == 0);
    fuzz_check(fuzz_answer.p < fuzz_answer.end
               && fuzz_answer.end[-1] == LF);
}


/* The state of a whole zone is answered later, by a timer: not for here. */
static ngx_uint_t
fuzz_answers_later(u_char letter, u_char *p, u_char *end)
{
    if (letter != 't') {
        return 0;
    }

    if (end - p > 3 && ngx_memcmp(p, "id=", 3) == 0) {
        return p[3] == '&';
    }

    return end - p < 5 || ngx_memcmp(p, "size=", 5) != 0;
}


static void
fuzz_request(ngx_http_request_t *r, u_char *p, u_char *end)
{
    ngx_http_conf_ctx_t        *ctx;
    struct sockaddr_in         *sin;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_core_main_conf_t  *cmcf;

    if (end - p < 2 || fuzz_locations[*p] == NULL
        || fuzz_answers_later(*p, p + 2, end))
    {
        return;
    }

    ctx = fuzz_locations[*p];

    r->main_conf = ctx->main_conf;
    r->srv_conf = ctx->srv_conf;
    r->loc_conf = ctx->loc_conf;

    sin = (struct sockaddr_in *) r->connection->sockaddr;
    sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK + p[1] % 32);

    p += 2;

    r->args.data = fuzz_copy(r, p, end - p);
    r->args.len = end - p;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    r->variables = ngx_pcalloc(r->pool, cmcf->variables.nelts
                                        * sizeof(ngx_http_variable_value_t));
    fuzz_check(r->variables);

    fuzz_check(ngx_list_init(&r->headers_out.headers, r->pool, 8,
                             sizeof(ngx_table_elt_t))
               == NGX_OK);

    ngx_memzero(&fuzz_answer, sizeof(fuzz_answer_t));

    fuzz_answered(r, clcf->handler(r));
}


void
fuzz_handlers(ngx_http_request_t *r, u_char *p, size_t len)
{
    u_char              *lf, *end;
    ngx_uint_t           n;
    ngx_http_request_t   one;

    end = p + len;

    for (n = 0; p < end && n < FUZZ_REQUESTS; n++, p = lf + 1) {

        lf = ngx_strlchr(p, end, LF);
        lf = lf ? lf : end;

        one = *r;
        one.main = &one;

        fuzz_request(&one, p, lf);
    }
}
