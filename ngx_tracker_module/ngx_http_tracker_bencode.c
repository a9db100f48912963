
#include "ngx_http_tracker_bencode.h"
#include "ngx_http_tracker_answer.h"


static u_char *
ngx_http_tracker_bencode_family(u_char *p, ngx_uint_t family,
    ngx_http_tracker_peer_t *peers, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {

        if (peers[i].addr.family != family) {
            continue;
        }

        p = ngx_cpymem(p, peers[i].addr.bytes, family == 4 ? 4 : 16);
        *p++ = (u_char) (peers[i].port >> 8);
        *p++ = (u_char) peers[i].port;
    }

    return p;
}


u_char *
ngx_http_tracker_bencode_compact(u_char *p, ngx_http_tracker_peer_t *peers,
    ngx_uint_t n)
{
    ngx_uint_t  i, six;

    for (i = 0, six = 0; i < n; i++) {
        six += (peers[i].addr.family == 6);
    }

    p = ngx_http_tracker_put_uint(p, (n - six) * (4 + 2));
    *p++ = ':';
    p = ngx_http_tracker_bencode_family(p, 4, peers, n);

    if (six) {
        p = ngx_http_tracker_put_lit(p, "6:peers6");
        p = ngx_http_tracker_put_uint(p, six * (16 + 2));
        *p++ = ':';
        p = ngx_http_tracker_bencode_family(p, 6, peers, n);
    }

    return p;
}


u_char *
ngx_http_tracker_bencode_dicts(u_char *p, ngx_http_tracker_peer_t *peers,
    ngx_uint_t n)
{
    u_char      *end, text[NGX_SOCKADDR_STRLEN];
    size_t       len;
    ngx_uint_t   i;

    *p++ = 'l';

    for (i = 0; i < n; i++) {

        end = ngx_http_tracker_put_ip(text, &peers[i].addr);
        len = end - text;

        p = ngx_http_tracker_put_lit(p, "d2:ip");
        p = ngx_http_tracker_put_uint(p, len);
        *p++ = ':';
        p = ngx_cpymem(p, text, len);
        p = ngx_http_tracker_put_lit(p, "4:porti");
        p = ngx_http_tracker_put_uint(p, peers[i].port);
        p = ngx_http_tracker_put_lit(p, "ee");
    }

    *p++ = 'e';

    return p;
}
