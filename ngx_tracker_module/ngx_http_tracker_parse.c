
#include "ngx_http_tracker_parse.h"


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
