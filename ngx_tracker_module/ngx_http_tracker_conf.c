
#include "ngx_http_tracker_conf.h"
#include "ngx_http_tracker_args.h"
#include "ngx_http_tracker_caller.h"
#include "ngx_http_tracker_identity.h"
#include "ngx_http_tracker_peerset.h"
#include "ngx_http_tracker_roster.h"
#include "ngx_http_tracker_stripe.h"
#include "ngx_http_tracker_ticket.h"
#include "ngx_http_tracker_wait.h"


/* a stripe needs a few pages of each size */
#define NGX_HTTP_TRACKER_ZONE_MIN  (NGX_HTTP_TRACKER_STRIPES * 16 * 4096)


static char *ngx_http_tracker_conf_pattern(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_tracker_origin_t *origin);
static ssize_t ngx_http_tracker_conf_size(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *name);
static char *ngx_http_tracker_conf_dot(ngx_conf_t *cf, ngx_str_t *host);
static char *ngx_http_tracker_conf_preset(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_tracker_preset_t *preset);
static char *ngx_http_tracker_conf_base(ngx_conf_t *cf, ngx_str_t *text,
    ngx_str_t *base);


ngx_http_tracker_zone_t *
ngx_http_tracker_conf_named(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                      i;
    ngx_http_tracker_zone_t        *zone, **zones, **slot;
    ngx_http_tracker_main_conf_t   *tmcf;

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_tracker_module);

    zones = tmcf->zones.elts;

    for (i = 0; i < tmcf->zones.nelts; i++) {
        if (zones[i]->name.len == name->len
            && ngx_memcmp(zones[i]->name.data, name->data, name->len) == 0)
        {
            return zones[i];
        }
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_tracker_zone_t));
    slot = ngx_array_push(&tmcf->zones);

    if (zone == NULL || slot == NULL
        || ngx_array_init(&zone->origins, cf->pool, 4,
                          sizeof(ngx_http_tracker_origin_t))
           != NGX_OK
        || ngx_array_init(&zone->presets, cf->pool, 4,
                          sizeof(ngx_http_tracker_preset_t))
           != NGX_OK)
    {
        return NULL;
    }

    zone->name = *name;
    zone->file = cf->conf_file->file.name;
    zone->line = cf->conf_file->line;

    *slot = zone;

    return zone;
}


/* NAME:SIZE */
static ssize_t
ngx_http_tracker_conf_size(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *name)
{
    u_char     *p;
    ssize_t     size;
    ngx_str_t   text;

    p = (u_char *) ngx_strchr(value->data, ':');

    if (p == NULL || p == value->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone \"%V\", it must be NAME:SIZE",
                           value);
        return NGX_ERROR;
    }

    name->data = value->data;
    name->len = p - value->data;

    text.data = p + 1;
    text.len = value->data + value->len - text.data;

    size = ngx_parse_size(&text);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size in zone \"%V\"", value);
        return NGX_ERROR;
    }

    if (size < NGX_HTTP_TRACKER_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, it must have at "
                           "least 1m", value);
        return NGX_ERROR;
    }

    return size;
}


char *
ngx_http_tracker_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ssize_t                        size;
    ngx_str_t                     *value, name;
    ngx_http_tracker_zone_t       *zone;
    ngx_http_tracker_main_conf_t  *tmcf = conf;

    value = cf->args->elts;

    size = ngx_http_tracker_conf_size(cf, &value[1], &name);
    if (size == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    zone = ngx_http_tracker_conf_named(cf, &name);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (zone->size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is declared twice", &name);
        return NGX_CONF_ERROR;
    }

    zone->size = size;

    if (tmcf->slots == NULL) {
        tmcf->slots = ngx_http_tracker_slots_zone(cf, cmd->post);
        if (tmcf->slots == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_tracker_stripe_add(cf, zone, cmd->post) != NGX_OK
        || ngx_http_tracker_roster_add(cf, zone, cmd->post) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_tracker_conf_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                  *value;
    ngx_uint_t                  i, n, signing;
    ngx_http_tracker_zone_t    *zone;
    ngx_http_tracker_origin_t  *origin;

    value = cf->args->elts;
    n = cf->args->nelts;

    zone = ngx_http_tracker_conf_named(cf, &value[1]);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    signing = (ngx_strcmp(value[n - 1].data, "signed") == 0);
    n -= signing;

    if (n < 3) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no host in \"tracker_origin\"");
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < n; i++) {

        origin = ngx_array_push(&zone->origins);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(origin, sizeof(ngx_http_tracker_origin_t));
        origin->signing = signing;

        if (ngx_http_tracker_conf_pattern(cf, &value[i], origin)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* [*.]HOST[:PORT]: what a URL may have there, and the star. */
static char *
ngx_http_tracker_conf_pattern(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_tracker_origin_t *origin)
{
    u_char                  *p;
    ngx_int_t                rc;
    ngx_str_t                host, probe;
    ngx_http_tracker_url_t   url;

    host = *text;

    if (host.len > 2 && host.data[0] == '*' && host.data[1] == '.') {
        origin->wildcard = 1;
        host.data += 2;
        host.len -= 2;
    }

    probe.data = ngx_pnalloc(cf->pool, host.len + sizeof("http:///"));
    if (probe.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_sprintf(probe.data, "http://%V/", &host);
    probe.len = p - probe.data;

    rc = ngx_http_tracker_url(cf->pool, &probe, &url);

    if (rc == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if (rc != NGX_OK || strpbrk((char *) host.data, "/?#")
        || (origin->wildcard && url.host.data[0] == '['))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid origin \"%V\", it must be HOST[:PORT] "
                           "or *.DOMAIN[:PORT]", text);
        return NGX_CONF_ERROR;
    }

    p = host.data + host.len - 1;

    while (p > host.data && *p >= '0' && *p <= '9') {
        p--;
    }

    origin->port = (*p == ':') ? url.port : 0;

    origin->host = url.host;

    return origin->wildcard ? ngx_http_tracker_conf_dot(cf, &origin->host)
                            : NGX_CONF_OK;
}


/* A wildcard is compared from its dot on. */
static char *
ngx_http_tracker_conf_dot(ngx_conf_t *cf, ngx_str_t *host)
{
    u_char  *p;

    p = ngx_pnalloc(cf->pool, host->len + 1);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    p[0] = '.';
    ngx_memcpy(p + 1, host->data, host->len);

    host->data = p;
    host->len++;

    return NGX_CONF_OK;
}


char *
ngx_http_tracker_conf_superpeer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_http_tracker_zone_t    *zone;
    ngx_http_tracker_preset_t  *preset;

    value = cf->args->elts;

    zone = ngx_http_tracker_conf_named(cf, &value[1]);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (!ngx_http_tracker_caller_name_valid(&value[2])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name of a super peer \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_tracker_caller_preset(&zone->presets, &value[2])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "super peer \"%V\" is preset twice", &value[2]);
        return NGX_CONF_ERROR;
    }

    preset = ngx_array_push(&zone->presets);
    if (preset == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(preset, sizeof(ngx_http_tracker_preset_t));
    preset->name = value[2];

    for (i = 3; i < cf->args->nelts; i++) {
        if (ngx_http_tracker_conf_preset(cf, &value[i], preset)
            != NGX_CONF_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_tracker_conf_preset(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_tracker_preset_t *preset)
{
    ngx_str_t  text;

    if (ngx_strncmp(value->data, "locality=", 9) == 0) {
        preset->locality.data = value->data + 9;
        preset->locality.len = value->len - 9;

        if (preset->locality.len
            && ngx_http_tracker_caller_locality_valid(&preset->locality))
        {
            return NGX_CONF_OK;
        }

    } else if (ngx_strncmp(value->data, "url=", 4) == 0) {
        text.data = value->data + 4;
        text.len = value->len - 4;

        return ngx_http_tracker_conf_base(cf, &text, &preset->url);
    }

    return NGX_CONF_ERROR;
}


/* http[s]://HOST[:PORT][/][?QUERY], kept without the slash. */
static char *
ngx_http_tracker_conf_base(ngx_conf_t *cf, ngx_str_t *text, ngx_str_t *base)
{
    u_char                  *p, *path;
    ngx_http_tracker_url_t   url;

    if (ngx_http_tracker_url(cf->pool, text, &url) != NGX_OK
        || ngx_strlchr(text->data, text->data + text->len, '#'))
    {
        return NGX_CONF_ERROR;
    }

    path = ngx_strlchr(url.canonical.data,
                       url.canonical.data + url.canonical.len, '/');

    p = path + 1;

    if (p < url.canonical.data + url.canonical.len && *p != '?') {
        return NGX_CONF_ERROR;
    }

    base->data = ngx_pnalloc(cf->pool, url.canonical.len + 8);
    if (base->data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_sprintf(base->data, "%s%*s%*s",
                    url.tls ? "https://" : "http://",
                    (size_t) (path - url.canonical.data), url.canonical.data,
                    url.canonical.data + url.canonical.len - path - 1,
                    path + 1);

    base->len = p - base->data;

    return base->len <= NGX_HTTP_TRACKER_BASE_MAX ? NGX_CONF_OK
                                                  : NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_tracker_conf_check(ngx_conf_t *cf)
{
    ngx_uint_t                      i;
    ngx_http_tracker_zone_t       **zones, *zone;
    ngx_http_tracker_main_conf_t   *tmcf;

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_tracker_module);

    zones = tmcf->zones.elts;

    for (i = 0; i < tmcf->zones.nelts; i++) {
        zone = zones[i];

        if (zone->size == 0) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown tracker zone \"%V\", no \"tracker_zone\" "
                          "declares it in %V:%ui",
                          &zone->name, &zone->file, zone->line);
            return NGX_ERROR;
        }

        if (zone->peers && zone->origins.nelts == 0) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "no \"tracker_origin\" for zone \"%V\", which "
                          "\"tracker_peers\" names in %V:%ui",
                          &zone->name, &zone->peers_file, zone->peers_line);
            return NGX_ERROR;
        }

        if (ngx_http_tracker_ticket_check(cf, zone) != NGX_OK) {
            return NGX_ERROR;
        }

        zone->shift = ngx_http_tracker_peerset_shift(zone->ttl);
    }

    return NGX_OK;
}
