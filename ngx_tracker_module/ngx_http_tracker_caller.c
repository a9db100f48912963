
#include "ngx_http_tracker_caller.h"
#include "ngx_http_tracker_answer.h"


ngx_int_t
ngx_http_tracker_caller_proved(ngx_http_request_t *r,
    ngx_http_tracker_loc_conf_t *conf, ngx_str_t *name,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_str_t  proved;

    if (ngx_http_complex_value(r, conf->control_name, &proved) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ngx_http_tracker_caller_name_valid(&proved)) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_FORBIDDEN, "name",
                                       proved.len ? "the connection proved "
                                       "one that no super peer can have"
                                       : "the connection proved none");
    }

    if (name->len == 0) {
        *name = proved;
        return NGX_OK;
    }

    if (name->len != proved.len
        || ngx_memcmp(name->data, proved.data, name->len) != 0)
    {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_FORBIDDEN, "name",
                                       "the connection proved another one");
    }

    return NGX_OK;
}


/* The port of a preset's URL; its address, when it has one. */
static void
ngx_http_tracker_caller_where(ngx_http_tracker_call_t *call)
{
    u_char      *p, *end, *query, *colon;
    uint64_t     port;
    ngx_uint_t   tls;

    tls = (call->url.data[4] == 's');

    p = call->url.data + (tls ? sizeof("https://") : sizeof("http://")) - 1;
    end = call->url.data + call->url.len;

    query = ngx_strlchr(p, end, '?');
    end = query ? query : end;

    if (ngx_http_tracker_host(p, end, &call->url_addr, &call->url_port)
        != NGX_OK)
    {
        ngx_memzero(&call->url_addr, sizeof(ngx_http_tracker_addr_t));
        call->url_port = 0;

        colon = ngx_strlchr(p, end, ':');

        if (colon
            && ngx_http_tracker_number(colon + 1, end - colon - 1, 65535,
                                       &port)
               == NGX_OK)
        {
            call->url_port = (in_port_t) port;
        }
    }

    if (call->url_port == 0) {
        call->url_port = tls ? 443 : 80;
    }
}


ngx_int_t
ngx_http_tracker_caller_url(ngx_http_request_t *r,
    ngx_http_tracker_loc_conf_t *conf, ngx_http_tracker_call_args_t *a,
    ngx_http_tracker_refusal_t *refusal)
{
    u_char                     *p;
    ngx_http_tracker_preset_t  *preset;

    ngx_http_tracker_addr(r->connection->sockaddr, &a->call.addr);

    preset = ngx_http_tracker_caller_preset(&conf->zone->presets,
                                          &a->call.name);
    if (preset) {

        if (preset->locality.len) {
            a->call.locality = preset->locality;
        }

        if (preset->url.len) {
            a->call.url = preset->url;
            ngx_http_tracker_caller_where(&a->call);
            return NGX_OK;
        }

    } else if (!conf->self_register) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_FORBIDDEN, "name",
                                       "not a super peer of this tracker");
    }

    if (a->port == 0 || a->call.addr.family == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, sizeof("https://[]:65535")
                             + NGX_INET6_ADDRSTRLEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    a->call.url.data = p;

    p = a->tls ? ngx_http_tracker_put_lit(p, "https://")
               : ngx_http_tracker_put_lit(p, "http://");
    p = ngx_http_tracker_put_addr(p, &a->call.addr, a->port);

    a->call.url.len = p - a->call.url.data;
    a->call.url_addr = a->call.addr;
    a->call.url_port = a->port;

    return NGX_OK;
}


ngx_http_tracker_preset_t *
ngx_http_tracker_caller_preset(ngx_array_t *presets, ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_http_tracker_preset_t  *preset;

    preset = presets->elts;

    for (i = 0; i < presets->nelts; i++) {
        if (preset[i].name.len == name->len
            && ngx_memcmp(preset[i].name.data, name->data, name->len) == 0)
        {
            return &preset[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_tracker_caller_name_valid(ngx_str_t *name)
{
    u_char      c;
    ngx_uint_t  i;

    if (name->len == 0 || name->len > NGX_HTTP_TRACKER_NAME_MAX) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z')
            && !(c >= 'A' && c <= 'Z') && c != '.' && c != '_' && c != '-')
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_http_tracker_caller_locality_valid(ngx_str_t *locality)
{
    ngx_uint_t  i;

    for (i = 0; i < locality->len; i++) {
        if (locality->data[i] <= ' ' || locality->data[i] > '~') {
            return 0;
        }
    }

    return locality->len <= NGX_HTTP_TRACKER_LOCALITY_MAX;
}
