
#include "ngx_http_tracker_args.h"


#define NGX_HTTP_TRACKER_ARGS_MAX  32


ngx_int_t
ngx_http_tracker_refuse(ngx_http_tracker_refusal_t *refusal,
    ngx_uint_t status, const char *name, const char *why)
{
    u_char  *p;

    refusal->status = status;

    p = ngx_snprintf(refusal->text, NGX_HTTP_TRACKER_TEXT_MAX, "%s%s%s\n",
                     name ? name : "", name ? ": " : "", why);

    refusal->len = p - refusal->text;

    return NGX_DECLINED;
}


/* of a hex digit; 16 and more of another byte */
static ngx_uint_t
ngx_http_tracker_args_digit(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : 16;
}


/* "percent" is the first one. */
static ngx_int_t
ngx_http_tracker_args_decode(ngx_pool_t *pool, u_char *percent,
    ngx_str_t *value)
{
    u_char      *p, *d, *end;
    ngx_uint_t   high, low;

    p = percent;
    end = value->data + value->len;

    d = ngx_pnalloc(pool, value->len);
    if (d == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(d, value->data, p - value->data);
    value->data = d;
    d += value->len - (end - p);

    while (p < end) {

        if (*p != '%') {
            *d++ = *p++;
            continue;
        }

        if (end - p < 3) {
            return NGX_DECLINED;
        }

        high = ngx_http_tracker_args_digit(p[1]);
        low = ngx_http_tracker_args_digit(p[2]);

        if (high > 15 || low > 15) {
            return NGX_DECLINED;
        }

        *d++ = (u_char) (high << 4 | low);
        p += 3;
    }

    value->len = d - value->data;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_tracker_args_control(ngx_str_t *value)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < 32 || value->data[i] == 127) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_tracker_args_take(ngx_http_request_t *r, ngx_http_tracker_arg_t *arg,
    u_char *p, u_char *end, void *data, ngx_http_tracker_refusal_t *refusal)
{
    u_char     *percent;
    ngx_int_t   rc;
    ngx_str_t   value;

    value.data = p;
    value.len = end - p;

    percent = memchr(p, '%', end - p);

    if (percent) {

        /* what is too long needs no decoding */

        if (value.len > 3 * arg->max) {
            rc = NGX_OK;

        } else {
            rc = ngx_http_tracker_args_decode(r->pool, percent, &value);
        }

        if (rc == NGX_DECLINED) {
            return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST,
                                           (char *) arg->name.data,
                                           "badly escaped");
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (value.len > arg->max) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST,
                                       (char *) arg->name.data, "too long");
    }

    if (!(arg->times & NGX_HTTP_TRACKER_ARG_BINARY)
        && ngx_http_tracker_args_control(&value))
    {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST,
                                       (char *) arg->name.data,
                                       "has a control character");
    }

    refusal->len = 0;

    rc = arg->parse(data, arg->offset, &value, refusal);

    if (rc == NGX_DECLINED && refusal->status == 0) {
        u_char  why[NGX_HTTP_TRACKER_TEXT_MAX];

        /* without its line feed */

        ngx_memcpy(why, refusal->text, refusal->len - 1);
        why[refusal->len - 1] = '\0';

        return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST,
                                       (char *) arg->name.data, (char *) why);
    }

    return rc;
}


ngx_int_t
ngx_http_tracker_args(ngx_http_request_t *r, ngx_http_tracker_arg_t *table,
    void *data, ngx_http_tracker_refusal_t *refusal)
{
    u_char                  *p, *end, *next, *eq;
    ngx_int_t                rc;
    ngx_uint_t               times, given[NGX_HTTP_TRACKER_ARGS_MAX];
    ngx_http_tracker_arg_t  *arg;

    ngx_memzero(given, sizeof(given));
    ngx_memzero(refusal, offsetof(ngx_http_tracker_refusal_t, text));

    end = r->args.data + r->args.len;

    for (p = r->args.data; p < end; p = next + 1) {

        next = memchr(p, '&', end - p);
        if (next == NULL) {
            next = end;
        }

        eq = memchr(p, '=', next - p);
        if (eq == NULL) {
            eq = next;
        }

        for (arg = table; arg->name.len; arg++) {
            if (arg->name.len == (size_t) (eq - p)
                && ngx_memcmp(arg->name.data, p, arg->name.len) == 0)
            {
                break;
            }
        }

        if (arg->name.len == 0) {
            continue;
        }

        times = arg->times & ~NGX_HTTP_TRACKER_ARG_BINARY;

        if (++given[arg - table] > times) {
            return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST,
                                           (char *) arg->name.data,
                                           times == 1 ? "given twice"
                                                      : "given too often");
        }

        rc = ngx_http_tracker_args_take(r, arg, eq < next ? eq + 1 : next,
                                        next, data, refusal);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_tracker_arg_str(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    *(ngx_str_t *) ((u_char *) data + offset) = *value;

    return NGX_OK;
}


/* Length of the UTF-8 sequence at p; 0 when it is none. */
static size_t
ngx_http_tracker_utf8(u_char *p, u_char *end)
{
    size_t  i, len;
    u_char  c, low, high;

    c = *p;

    if (c < 0x80) {
        return 1;
    }

    if (c < 0xc2 || c > 0xf4) {
        return 0;
    }

    len = (c < 0xe0) ? 2 : (c < 0xf0) ? 3 : 4;

    if ((size_t) (end - p) < len) {
        return 0;
    }

    /* not longer than need be, no surrogates, nothing above U+10FFFF */

    low = (c == 0xe0) ? 0xa0 : (c == 0xf0) ? 0x90 : 0x80;
    high = (c == 0xed) ? 0x9f : (c == 0xf4) ? 0x8f : 0xbf;

    for (i = 1; i < len; i++) {

        if (p[i] < low || p[i] > high) {
            return 0;
        }

        low = 0x80;
        high = 0xbf;
    }

    return len;
}


ngx_int_t
ngx_http_tracker_arg_text(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    size_t   n;
    u_char  *p, *end;

    end = value->data + value->len;

    for (p = value->data; p < end; p += n) {

        n = ngx_http_tracker_utf8(p, end);

        if (n == 0) {
            return ngx_http_tracker_refuse(refusal, 0, NULL, "not UTF-8");
        }
    }

    return ngx_http_tracker_arg_str(data, offset, value, refusal);
}


ngx_int_t
ngx_http_tracker_arg_uint64(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    uint64_t  *n = (uint64_t *) ((u_char *) data + offset);

    if (ngx_http_tracker_number(value->data, value->len,
                                NGX_HTTP_TRACKER_INT64_MAX, n)
        != NGX_OK)
    {
        return ngx_http_tracker_refuse(refusal, 0, NULL,
                         "not a number from 0 to 9223372036854775807");
    }

    return NGX_OK;
}


/* SUPER,PEER,CDN: three numbers. */
ngx_int_t
ngx_http_tracker_arg_bytes(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    u_char      *p, *end, *next;
    uint64_t    *bytes = (uint64_t *) ((u_char *) data + offset);
    ngx_uint_t   n;

    end = value->data + value->len;

    for (p = value->data, n = 0; n < 3; p = next + 1, n++) {

        next = ngx_strlchr(p, end, ',');

        if (n == 2 && next == NULL) {
            next = end;
        }

        if (next == NULL
            || ngx_http_tracker_number(p, next - p, NGX_HTTP_TRACKER_INT64_MAX,
                                       &bytes[n])
               != NGX_OK)
        {
            break;
        }
    }

    if (n == 3 && p == end + 1) {
        return NGX_OK;
    }

    return ngx_http_tracker_refuse(refusal, 0, NULL,
                                   "not SUPER,PEER,CDN in bytes");
}


ngx_int_t
ngx_http_tracker_arg_port(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    uint64_t    n;
    in_port_t  *port = (in_port_t *) ((u_char *) data + offset);

    if (ngx_http_tracker_number(value->data, value->len, 65535, &n) != NGX_OK
        || n == 0)
    {
        return ngx_http_tracker_refuse(refusal, 0, NULL,
                                       "not a number from 1 to 65535");
    }

    *port = (in_port_t) n;

    return NGX_OK;
}


ngx_int_t
ngx_http_tracker_number(u_char *p, size_t len, uint64_t max, uint64_t *n)
{
    uint64_t  value, digit;

    if (len == 0) {
        return NGX_ERROR;
    }

    for (value = 0; len--; p++) {

        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        digit = *p - '0';

        if (value > (max - digit) / 10) {
            return NGX_ERROR;
        }

        value = value * 10 + digit;
    }

    *n = value;

    return NGX_OK;
}


ngx_int_t
ngx_http_tracker_hex(u_char *p, u_char *out, size_t n)
{
    ngx_int_t  value;

    while (n--) {
        value = ngx_hextoi(p, 2);
        if (value == NGX_ERROR) {
            return NGX_ERROR;
        }

        *out++ = (u_char) value;
        p += 2;
    }

    return NGX_OK;
}


#if (NGX_HAVE_INET6)

/* An IPv4 address that is mapped into IPv6 is IPv4. */
static void
ngx_http_tracker_addr6(u_char *p, ngx_http_tracker_addr_t *addr)
{
    if (IN6_IS_ADDR_V4MAPPED((struct in6_addr *) p)) {
        addr->family = 4;
        ngx_memcpy(addr->bytes, p + 12, 4);
        return;
    }

    addr->family = 6;
    ngx_memcpy(addr->bytes, p, 16);
}

#endif


ngx_int_t
ngx_http_tracker_host(u_char *p, u_char *end, ngx_http_tracker_addr_t *addr,
    in_port_t *port)
{
    u_char     *last;
    uint64_t    n;
    in_addr_t   inaddr;
#if (NGX_HAVE_INET6)
    struct in6_addr  in6;
#endif

    ngx_memzero(addr, sizeof(ngx_http_tracker_addr_t));
    *port = 0;

    last = ngx_strlchr(p, end, (p < end && *p == '[') ? ']' : ':');

    if (p < end && *p == '[') {

        if (last == NULL) {
            return NGX_ERROR;
        }

#if (NGX_HAVE_INET6)
        if (ngx_inet6_addr(p + 1, last - p - 1, in6.s6_addr) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_tracker_addr6(in6.s6_addr, addr);
        last++;
#else
        return NGX_ERROR;
#endif

    } else {

        last = last ? last : end;

        inaddr = ngx_inet_addr(p, last - p);
        if (inaddr == INADDR_NONE) {
            return NGX_ERROR;
        }

        addr->family = 4;
        ngx_memcpy(addr->bytes, &inaddr, 4);
    }

    if (last == end) {
        return NGX_OK;
    }

    if (*last != ':'
        || ngx_http_tracker_number(last + 1, end - last - 1, 65535, &n)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    *port = (in_port_t) n;

    return NGX_OK;
}


void
ngx_http_tracker_addr(struct sockaddr *sockaddr, ngx_http_tracker_addr_t *addr)
{
    ngx_memzero(addr, sizeof(ngx_http_tracker_addr_t));

    switch (sockaddr->sa_family) {

    case AF_INET:
        addr->family = 4;
        ngx_memcpy(addr->bytes,
                   &((struct sockaddr_in *) sockaddr)->sin_addr, 4);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        ngx_http_tracker_addr6(
                     ((struct sockaddr_in6 *) sockaddr)->sin6_addr.s6_addr,
                     addr);
        break;
#endif
    }
}
