
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


/* Decoded, as long as it may be, and of the bytes that it may have. */
static ngx_int_t
ngx_http_tracker_args_value(ngx_http_request_t *r,
    ngx_http_tracker_arg_t *arg, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    u_char      *percent;
    ngx_int_t    rc;
    const char  *why;

    why = NULL;
    percent = memchr(value->data, '%', value->len);

    /* what is too long needs no decoding */

    if (percent && value->len <= 3 * arg->max) {

        rc = ngx_http_tracker_args_decode(r->pool, percent, value);

        if (rc == NGX_DECLINED) {
            why = "badly escaped";

        } else if (rc != NGX_OK) {
            return rc;
        }
    }

    if (why == NULL && value->len > arg->max) {
        why = "too long";
    }

    if (why == NULL && !(arg->times & NGX_HTTP_TRACKER_ARG_BINARY)
        && ngx_http_tracker_args_control(value))
    {
        why = "has a control character";
    }

    if (why == NULL) {
        return NGX_OK;
    }

    return ngx_http_tracker_refuse(refusal, NGX_HTTP_BAD_REQUEST,
                                   (char *) arg->name.data, why);
}


static ngx_int_t
ngx_http_tracker_args_take(ngx_http_request_t *r, ngx_http_tracker_arg_t *arg,
    u_char *p, u_char *end, void *data, ngx_http_tracker_refusal_t *refusal)
{
    u_char     why[NGX_HTTP_TRACKER_TEXT_MAX];
    ngx_int_t  rc;
    ngx_str_t  value;

    value.data = p;
    value.len = end - p;

    rc = ngx_http_tracker_args_value(r, arg, &value, refusal);
    if (rc != NGX_OK) {
        return rc;
    }

    refusal->len = 0;

    rc = arg->parse(data, arg->offset, &value, refusal);

    if (rc == NGX_DECLINED && refusal->status == 0) {

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
