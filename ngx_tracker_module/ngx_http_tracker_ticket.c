
#include "ngx_http_tracker_ticket.h"
#include "ngx_http_tracker_answer.h"
#include "ngx_http_tracker_conf.h"
#include "ngx_http_tracker_file.h"
#include "ngx_http_tracker_parse.h"
#include "ngx_http_tracker_sha256.h"


enum {
    /* bytes: of a key, of its HMAC in a ticket */
    NGX_HTTP_TRACKER_KEY_MIN = 16,
    NGX_HTTP_TRACKER_KEY_MAX = NGX_HTTP_TRACKER_SHA256_BLOCK,
    NGX_HTTP_TRACKER_MAC_LEN = 16,

    NGX_HTTP_TRACKER_KEYS_MAX = 16,

    NGX_HTTP_TRACKER_TICKET_TIME = 3600,                /* s */
    NGX_HTTP_TRACKER_TICKET_TIME_MAX = 366 * 86400      /* s */
};


struct ngx_http_tracker_key_s {
    ngx_str_t                     file;        /* of the configuration */
    ngx_uint_t                    line;
    time_t                        time;        /* a ticket lasts at least */

    /* the first key of the list, as HMAC mixes it in (RFC 2104) */
    u_char                        inner[NGX_HTTP_TRACKER_SHA256_BLOCK];
    u_char                        outer[NGX_HTTP_TRACKER_SHA256_BLOCK];
};


static ngx_int_t ngx_http_tracker_ticket_load(ngx_conf_t *cf,
    ngx_str_t *file, ngx_http_tracker_key_t *key);
static ngx_int_t ngx_http_tracker_ticket_parse(ngx_conf_t *cf,
    ngx_str_t *file, ngx_str_t *text, ngx_http_tracker_key_t *key);
static ngx_int_t ngx_http_tracker_ticket_key(ngx_str_t *line,
    ngx_http_tracker_key_t *key);
static size_t ngx_http_tracker_ticket_make(ngx_http_tracker_key_t *key,
    u_char *id, u_char *ticket);


char *
ngx_http_tracker_ticket_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                *value, text;
    ngx_http_tracker_key_t   *key;
    ngx_http_tracker_zone_t  *zone;

    value = cf->args->elts;

    zone = ngx_http_tracker_conf_named(cf, &value[1]);
    key = ngx_pcalloc(cf->pool, sizeof(ngx_http_tracker_key_t));

    if (zone == NULL || key == NULL) {
        return NGX_CONF_ERROR;
    }

    if (zone->key) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" has a ticket key already", &value[1]);
        return NGX_CONF_ERROR;
    }

    zone->key = key;

    key->file = cf->conf_file->file.name;
    key->line = cf->conf_file->line;
    key->time = NGX_HTTP_TRACKER_TICKET_TIME;

    if (cf->args->nelts == 4) {
        text.data = value[3].data + 5;
        text.len = value[3].len - 5;

        key->time = (ngx_strncmp(value[3].data, "time=", 5) == 0)
                    ? ngx_parse_time(&text, 1) : NGX_ERROR;

        if (key->time < 1 || key->time > NGX_HTTP_TRACKER_TICKET_TIME_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", it must be "
                               "time=TIME, 1s to 366d", &value[3]);
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_conf_full_name(cf->cycle, &value[2], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_tracker_ticket_load(cf, &value[2], key) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_tracker_ticket_load(ngx_conf_t *cf, ngx_str_t *file,
    ngx_http_tracker_key_t *key)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    if (ngx_http_tracker_file_read(cf, file, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_tracker_ticket_parse(cf, file, &text, key);

    ngx_explicit_memzero(text.data, text.len);
    ngx_free(text.data);

    return rc;
}


/* The others are those that super peers still take, or take already. */
static ngx_int_t
ngx_http_tracker_ticket_parse(ngx_conf_t *cf, ngx_str_t *file,
    ngx_str_t *text, ngx_http_tracker_key_t *key)
{
    ngx_str_t                rest, line;
    ngx_uint_t               n, lines;
    ngx_http_tracker_key_t   other;

    rest = *text;
    n = 0;

    for (lines = 1;
         ngx_http_tracker_file_line(&rest, &line) == NGX_OK;
         lines++)
    {
        if (line.len == 0) {
            continue;
        }

        if (ngx_http_tracker_ticket_key(&line, n ? &other : key) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid ticket key in %V:%ui, it must have "
                               "32 to 128 hex digits", file, lines);
            return NGX_ERROR;
        }

        if (++n > NGX_HTTP_TRACKER_KEYS_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "too many ticket keys in %V:%ui, super peers "
                               "take 16", file, lines);
            return NGX_ERROR;
        }
    }

    if (n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no ticket key in \"%V\"", file);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_ticket_key(ngx_str_t *line, ngx_http_tracker_key_t *key)
{
    u_char      bytes[NGX_HTTP_TRACKER_KEY_MAX];
    ngx_uint_t  i;

    if (line->len % 2
        || line->len < 2 * NGX_HTTP_TRACKER_KEY_MIN
        || line->len > 2 * NGX_HTTP_TRACKER_KEY_MAX)
    {
        return NGX_ERROR;
    }

    ngx_memzero(bytes, sizeof(bytes));

    if (ngx_http_tracker_hex(line->data, bytes, line->len / 2) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < sizeof(bytes); i++) {
        key->inner[i] = bytes[i] ^ 0x36;
        key->outer[i] = bytes[i] ^ 0x5c;
    }

    ngx_explicit_memzero(bytes, sizeof(bytes));

    return NGX_OK;
}


ngx_int_t
ngx_http_tracker_ticket_check(ngx_conf_t *cf, ngx_http_tracker_zone_t *zone)
{
    if (zone->key && zone->key->time < 2 * zone->interval) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "tickets of zone \"%V\" expire before clients ask "
                      "again: \"time\" must be at least twice "
                      "\"tracker_interval\", which is %Ts, in %V:%ui",
                      &zone->name, zone->interval,
                      &zone->key->file, zone->key->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_tracker_ticket_add(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_listed_t *listed, ngx_uint_t n)
{
    u_char      *p, *end, ticket[NGX_HTTP_TRACKER_TICKET_MAX];
    size_t       len;
    ngx_uint_t   i;

    if (zone->key == NULL || n == 0) {
        return;
    }

    len = ngx_http_tracker_ticket_make(zone->key, id, ticket);

    for (i = 0; i < n; i++) {

        if (len == 0 || listed[i].len == 0) {
            listed[i].len = 0;
            continue;
        }

        end = listed[i].url + listed[i].len;

        p = end;
        *p++ = ngx_strlchr(listed[i].url, end, '?') ? '&' : '?';
        *p++ = 't';
        *p++ = '=';
        p = ngx_cpymem(p, ticket, len);

        listed[i].len = p - listed[i].url;
    }
}


/* Returns its length, 0 when libcrypto failed. */
static size_t
ngx_http_tracker_ticket_make(ngx_http_tracker_key_t *key, u_char *id,
    u_char *ticket)
{
    time_t      step, expires;
    u_char     *p, *digits, md[NGX_HTTP_TRACKER_SHA256_LEN];
    u_char      text[128];
    ngx_str_t   parts[2];

    /* in steps, so that a URL stays the same for a while */

    step = ngx_max(key->time / 4, 1);
    expires = (ngx_time() / step + 1) * step + key->time;

    p = ngx_http_tracker_put_lit(text, "shoal-ticket1\n");
    p = ngx_hex_dump(p, id, NGX_HTTP_TRACKER_ID_LEN);
    *p++ = '\n';
    digits = p;
    p = ngx_http_tracker_put_uint(p, (uint64_t) expires);
    *p++ = '\n';

    parts[0].data = key->inner;
    parts[0].len = sizeof(key->inner);
    parts[1].data = text;
    parts[1].len = p - text;

    if (ngx_http_tracker_sha256(parts, 2, md) != NGX_OK) {
        return 0;
    }

    parts[0].data = key->outer;
    parts[0].len = sizeof(key->outer);
    parts[1].data = md;
    parts[1].len = sizeof(md);

    if (ngx_http_tracker_sha256(parts, 2, md) != NGX_OK) {
        return 0;
    }

    p[-1] = '.';

    p = ngx_cpymem(ticket, digits, p - digits);
    p = ngx_hex_dump(p, md, NGX_HTTP_TRACKER_MAC_LEN);

    return p - ticket;
}
