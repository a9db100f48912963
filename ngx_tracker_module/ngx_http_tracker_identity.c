
#include "ngx_http_tracker_identity.h"
#include "ngx_http_tracker_answer.h"
#include "ngx_http_tracker_sha256.h"


ngx_uint_t
ngx_http_tracker_version_valid(ngx_str_t *version)
{
    size_t   len;
    u_char  *p;

    p = version->data;
    len = version->len;

    if (len == 0 || (len >= 5 && ngx_memcmp(p, "text:", 5) == 0)) {
        return 1;
    }

    if (len >= 6 && ngx_memcmp(p, "etag:\"", 6) == 0) {
        return len >= 7 && p[len - 1] == '"';
    }

    if (len <= 6 || ngx_memcmp(p, "mtime:", 6) != 0) {
        return 0;
    }

    for (p += 6; p < version->data + len; p++) {
        if (*p < '0' || *p > '9') {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_http_tracker_identify(ngx_str_t *canonical,
    ngx_http_tracker_resource_t *res)
{
    u_char     *p, md[NGX_HTTP_TRACKER_SHA256_LEN];
    u_char      text[NGX_HTTP_TRACKER_URL_MAX
                     + NGX_HTTP_TRACKER_VERSION_MAX
                     + NGX_HTTP_TRACKER_PROVIDER_MAX
                     + NGX_INT64_LEN + sizeof("shoal1") + 4];
    ngx_str_t   part;

    p = ngx_http_tracker_put_lit(text, "shoal1\n");
    p = ngx_cpymem(p, res->provider.data, res->provider.len);
    *p++ = '\n';
    p = ngx_cpymem(p, canonical->data, canonical->len);
    *p++ = '\n';
    p = ngx_http_tracker_put_uint(p, (uint64_t) res->size);
    *p++ = '\n';
    p = ngx_cpymem(p, res->version.data, res->version.len);
    *p++ = '\n';

    part.data = text;
    part.len = p - text;

    if (ngx_http_tracker_sha256(&part, 1, md) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(res->id, md, NGX_HTTP_TRACKER_ID_LEN);

    return NGX_OK;
}


ngx_http_tracker_origin_t *
ngx_http_tracker_origin_find(ngx_array_t *origins, ngx_http_tracker_url_t *url)
{
    u_char                     *p;
    ngx_uint_t                  i;
    ngx_http_tracker_origin_t  *origin;

    origin = origins->elts;

    for (i = 0; i < origins->nelts; i++) {

        if (origin[i].port && origin[i].port != url->port) {
            continue;
        }

        if (origin[i].host.len > url->host.len
            || (!origin[i].wildcard && origin[i].host.len != url->host.len))
        {
            continue;
        }

        /* "*.example.com" is kept as ".example.com" */

        p = url->host.data + url->host.len - origin[i].host.len;

        if (ngx_memcmp(p, origin[i].host.data, origin[i].host.len) == 0
            && (!origin[i].wildcard || p > url->host.data))
        {
            return &origin[i];
        }
    }

    return NULL;
}
