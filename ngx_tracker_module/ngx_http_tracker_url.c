
#include "ngx_http_tracker_url.h"


/* where the canonical form is written to; a byte too many makes it full */

typedef struct {
    u_char                       *start;
    u_char                       *p;
    u_char                       *end;
    unsigned                      full:1;
} ngx_http_tracker_writer_t;


static ngx_int_t ngx_http_tracker_url_authority(ngx_http_tracker_url_t *url,
    u_char *p, u_char *end, ngx_http_tracker_writer_t *w);
static ngx_int_t ngx_http_tracker_url_host(u_char *p, u_char *end,
    ngx_http_tracker_writer_t *w);
static ngx_int_t ngx_http_tracker_url_port(ngx_http_tracker_url_t *url,
    u_char *p, u_char *end, ngx_http_tracker_writer_t *w);
static void ngx_http_tracker_url_component(u_char *p, u_char *end,
    ngx_http_tracker_writer_t *w);
static u_char *ngx_http_tracker_url_dots(u_char *p, u_char *end);
static void ngx_http_tracker_url_query(ngx_http_tracker_url_t *url, u_char *p,
    u_char *end, ngx_http_tracker_writer_t *w);
static ngx_uint_t ngx_http_tracker_url_listed(ngx_str_t *names, u_char *p,
    u_char *end);


/* Parameter names; a star at the end stands for anything. */

static ngx_str_t  ngx_http_tracker_signs[] = {
    ngx_string("x-amz-*"), ngx_string("x-goog-*"), ngx_string("signature"),
    ngx_string("expires"), ngx_string("policy"), ngx_string("key-pair-id"),
    ngx_string("sig"), ngx_string("token"), ngx_null_string
};

static ngx_str_t  ngx_http_tracker_counts[] = {
    ngx_string("utm_*"), ngx_string("fbclid"), ngx_string("gclid"),
    ngx_null_string
};


/* What stays as it is: "!" to "~" without %"<>\^`{|} */

static uint32_t  ngx_http_tracker_plain[] = {
    0x00000000, 0xafffffda, 0xafffffff, 0x47fffffe, 0, 0, 0, 0
};


static void
ngx_http_tracker_put(ngx_http_tracker_writer_t *w, u_char c)
{
    if (w->p == w->end) {
        w->full = 1;
        return;
    }

    *w->p++ = c;
}


static void
ngx_http_tracker_put_escaped(ngx_http_tracker_writer_t *w, u_char c)
{
    static u_char  hex[] = "0123456789ABCDEF";

    ngx_http_tracker_put(w, '%');
    ngx_http_tracker_put(w, hex[c >> 4]);
    ngx_http_tracker_put(w, hex[c & 15]);
}


/* Leading bytes that stay as they are, at once; returns what follows. */
static u_char *
ngx_http_tracker_put_plain(ngx_http_tracker_writer_t *w, u_char *p,
    u_char *end)
{
    u_char  *start;

    start = p;

    while (p < end && ngx_http_tracker_plain[*p >> 5] >> (*p & 31) & 1) {
        p++;
    }

    if (p - start > w->end - w->p) {
        w->full = 1;
        return p;
    }

    w->p = ngx_cpymem(w->p, start, p - start);

    return p;
}


static ngx_uint_t
ngx_http_tracker_alnum(u_char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
           || (c >= 'a' && c <= 'z');
}


static u_char *
ngx_http_tracker_url_scheme(ngx_str_t *text, ngx_http_tracker_url_t *url)
{
    u_char  *p;

    p = text->data;

    if (text->len > 8 && ngx_strncasecmp(p, (u_char *) "https://", 8) == 0) {
        url->tls = 1;
        return p + 8;
    }

    if (text->len > 7 && ngx_strncasecmp(p, (u_char *) "http://", 7) == 0) {
        return p + 7;
    }

    return NULL;
}


ngx_int_t
ngx_http_tracker_url(ngx_pool_t *pool, ngx_str_t *text,
    ngx_http_tracker_url_t *url)
{
    u_char                     *p, *end, *path, *query, *start;
    ngx_http_tracker_writer_t   w;

    ngx_memzero(url, sizeof(ngx_http_tracker_url_t));
    ngx_memzero(&w, sizeof(ngx_http_tracker_writer_t));

    p = ngx_http_tracker_url_scheme(text, url);
    if (p == NULL) {
        return NGX_DECLINED;
    }

    end = text->data + text->len;

    w.start = ngx_pnalloc(pool, ngx_min(3 * text->len,
                                        NGX_HTTP_TRACKER_URL_MAX) + 2);
    if (w.start == NULL) {
        return NGX_ERROR;
    }

    w.p = w.start;
    w.end = w.start + ngx_min(3 * text->len, NGX_HTTP_TRACKER_URL_MAX);

    path = ngx_strlchr(p, end, '#');
    end = path ? path : end;

    for (path = p; path < end && *path != '/' && *path != '?'; path++) {
        /* void */
    }

    query = ngx_strlchr(path, end, '?');
    query = query ? query : end;

    if (ngx_http_tracker_url_authority(url, p, path, &w) != NGX_OK) {
        return NGX_DECLINED;
    }

    start = w.p;

    if (path == query) {
        ngx_http_tracker_put(&w, '/');
    }

    ngx_http_tracker_url_component(path, query, &w);

    if (!w.full) {
        w.p = ngx_http_tracker_url_dots(start, w.p);
    }

    if (query + 1 < end) {
        ngx_http_tracker_url_query(url, query + 1, end, &w);
    }

    url->canonical.data = w.start;
    url->canonical.len = w.p - w.start;

    return w.full ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_http_tracker_url_authority(ngx_http_tracker_url_t *url, u_char *p,
    u_char *end, ngx_http_tracker_writer_t *w)
{
    u_char  *colon;

    colon = p;

    if (p < end && *p == '[') {
        colon = ngx_strlchr(p, end, ']');
        if (colon == NULL) {
            return NGX_DECLINED;
        }
    }

    colon = ngx_strlchr(colon, end, ':');
    colon = colon ? colon : end;

    if (ngx_http_tracker_url_host(p, colon, w) != NGX_OK) {
        return NGX_DECLINED;
    }

    url->host.data = w->start;
    url->host.len = w->p - w->start;

    return ngx_http_tracker_url_port(url, colon, end, w);
}


static ngx_int_t
ngx_http_tracker_url_host(u_char *p, u_char *end, ngx_http_tracker_writer_t *w)
{
    u_char      c;
    ngx_uint_t  literal;

    if (p == end) {
        return NGX_DECLINED;
    }

    literal = (*p == '[');

    if (literal) {
        if (end - p < 4 || end[-1] != ']') {
            return NGX_DECLINED;
        }

        ngx_http_tracker_put(w, *p++);
        end--;
    }

    while (p < end) {
        c = ngx_tolower(*p);
        p++;

        if (literal) {
            if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')
                && c != ':' && c != '.')
            {
                return NGX_DECLINED;
            }

        } else if (!ngx_http_tracker_alnum(c) && c != '-' && c != '.'
                   && c != '_')
        {
            return NGX_DECLINED;
        }

        ngx_http_tracker_put(w, c);
    }

    if (literal) {
        ngx_http_tracker_put(w, ']');
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_url_port(ngx_http_tracker_url_t *url, u_char *p, u_char *end,
    ngx_http_tracker_writer_t *w)
{
    u_char      *d, text[NGX_INT_T_LEN + 1];
    ngx_uint_t   port, standard;

    standard = url->tls ? 443 : 80;
    port = 0;

    if (end - p < 2) {
        url->port = (in_port_t) standard;
        return NGX_OK;
    }

    for (p++; p < end; p++) {

        if (*p < '0' || *p > '9') {
            return NGX_DECLINED;
        }

        port = port * 10 + (*p - '0');

        if (port > 65535) {
            return NGX_DECLINED;
        }
    }

    if (port == 0) {
        return NGX_DECLINED;
    }

    url->port = (in_port_t) port;

    if (port != standard) {
        end = ngx_sprintf(text, ":%ui", port);

        for (d = text; d < end; d++) {
            ngx_http_tracker_put(w, *d);
        }
    }

    return NGX_OK;
}


/* Path or query in one percent-encoding. */
static void
ngx_http_tracker_url_component(u_char *p, u_char *end,
    ngx_http_tracker_writer_t *w)
{
    u_char     c;
    ngx_int_t  value;

    for ( ;; ) {
        p = ngx_http_tracker_put_plain(w, p, end);

        if (p == end) {
            return;
        }

        c = *p++;

        value = (c != '%' || end - p < 2) ? NGX_ERROR : ngx_hextoi(p, 2);

        if (value == NGX_ERROR) {
            ngx_http_tracker_put_escaped(w, c);
            continue;
        }

        c = (u_char) value;
        p += 2;

        if (ngx_http_tracker_alnum(c)
            || c == '-' || c == '.' || c == '_' || c == '~')
        {
            ngx_http_tracker_put(w, c);

        } else {
            ngx_http_tracker_put_escaped(w, c);
        }
    }
}


/* RFC 3986, 5.2.4, in place; returns the new end. */
static u_char *
ngx_http_tracker_url_dots(u_char *p, u_char *end)
{
    size_t   len;
    u_char  *start, *out, *next;

    start = p;
    out = p;

    while (p < end) {

        next = ngx_strlchr(p + 1, end, '/');
        next = next ? next : end;
        len = next - p;

        if (len == 2 && p[1] == '.') {

            if (next == end) {
                *out++ = '/';
            }

        } else if (len == 3 && p[1] == '.' && p[2] == '.') {

            while (out > start && *--out != '/') {
                /* void */
            }

            if (next == end) {
                *out++ = '/';
            }

        } else {
            ngx_memmove(out, p, len);
            out += len;
        }

        p = next;
    }

    return out;
}


static void
ngx_http_tracker_url_query(ngx_http_tracker_url_t *url, u_char *p, u_char *end,
    ngx_http_tracker_writer_t *w)
{
    u_char  *next, *start, *begin, lead;

    begin = w->p;
    lead = '?';

    for ( /* void */ ; p <= end; p = next + 1) {

        next = ngx_strlchr(p, end, '&');
        next = next ? next : end;

        start = w->p;

        ngx_http_tracker_put(w, lead);
        ngx_http_tracker_url_component(p, next, w);

        if (ngx_http_tracker_url_listed(ngx_http_tracker_counts, start + 1,
                                        w->p))
        {
            w->p = start;
            continue;
        }

        url->signing |= ngx_http_tracker_url_listed(ngx_http_tracker_signs,
                                                    start + 1, w->p);
        lead = '&';
    }

    /* nothing is left but an empty query */

    if (w->p == begin + 1) {
        w->p = begin;
    }
}


/* Is p the NAME=VALUE of one of these names? */
static ngx_uint_t
ngx_http_tracker_url_listed(ngx_str_t *names, u_char *p, u_char *end)
{
    size_t   len;
    u_char  *eq;

    if (p >= end) {
        return 0;
    }

    eq = ngx_strlchr(p, end, '=');
    eq = eq ? eq : end;

    for ( /* void */ ; names->len; names++) {

        len = names->len;

        if (names->data[len - 1] == '*') {
            len--;

            if ((size_t) (eq - p) < len) {
                continue;
            }

        } else if ((size_t) (eq - p) != len) {
            continue;
        }

        if (ngx_strncasecmp(p, names->data, len) == 0) {
            return 1;
        }
    }

    return 0;
}
