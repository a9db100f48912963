
#include "ngx_http_tracker_hashes.h"
#include "ngx_http_tracker_file.h"
#include "ngx_http_tracker_parse.h"


/* where to begin is found by the first two bytes */
#define NGX_HTTP_TRACKER_HASHES_HEADS  65536


struct ngx_http_tracker_hashes_s {
    ngx_str_t                     file;
    ngx_uint_t                    n;
    u_char                       *ids;         /* sorted */

    /* those that begin with bytes H: from heads[H] up to heads[H + 1] */
    uint32_t                     *heads;
};


static ngx_int_t ngx_http_tracker_hashes_load(ngx_conf_t *cf,
    ngx_http_tracker_hashes_t *hashes);
static ngx_int_t ngx_http_tracker_hashes_parse(ngx_conf_t *cf,
    ngx_http_tracker_hashes_t *hashes, ngx_str_t *text);
static ngx_int_t ngx_http_tracker_hashes_line(ngx_str_t *line, u_char *id);
static ngx_int_t ngx_http_tracker_hashes_index(ngx_conf_t *cf,
    ngx_http_tracker_hashes_t *hashes);


static ngx_uint_t
ngx_http_tracker_hashes_head(u_char *id)
{
    return (ngx_uint_t) id[0] << 8 | id[1];
}


ngx_uint_t
ngx_http_tracker_hashes_find(ngx_http_tracker_hashes_t *hashes, u_char *id)
{
    ngx_int_t   rc;
    ngx_uint_t  low, high, mid, head;

    head = ngx_http_tracker_hashes_head(id);

    low = hashes->heads[head];
    high = hashes->heads[head + 1];

    while (low < high) {

        mid = low + (high - low) / 2;

        rc = ngx_memcmp(id, hashes->ids + mid * NGX_HTTP_TRACKER_ID_LEN,
                        NGX_HTTP_TRACKER_ID_LEN);
        if (rc == 0) {
            return 1;
        }

        if (rc < 0) {
            high = mid;

        } else {
            low = mid + 1;
        }
    }

    return 0;
}


char *
ngx_http_tracker_hashes_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_tracker_hashes_t     *hashes, **known;
    ngx_http_tracker_loc_conf_t   *tlcf = conf;
    ngx_http_tracker_main_conf_t  *tmcf;

    if (tlcf->hashes != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        tlcf->hashes = NULL;
        return NGX_CONF_OK;
    }

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_tracker_module);

    known = tmcf->hashes.elts;

    for (i = 0; i < tmcf->hashes.nelts; i++) {
        if (known[i]->file.len == value[1].len
            && ngx_memcmp(known[i]->file.data, value[1].data, value[1].len)
               == 0)
        {
            tlcf->hashes = known[i];
            return NGX_CONF_OK;
        }
    }

    hashes = ngx_pcalloc(cf->pool, sizeof(ngx_http_tracker_hashes_t));
    known = ngx_array_push(&tmcf->hashes);

    if (hashes == NULL || known == NULL) {
        return NGX_CONF_ERROR;
    }

    *known = hashes;
    tlcf->hashes = hashes;

    hashes->file = value[1];

    return ngx_http_tracker_hashes_load(cf, hashes) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_tracker_hashes_load(ngx_conf_t *cf,
    ngx_http_tracker_hashes_t *hashes)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    if (ngx_http_tracker_file_read(cf, &hashes->file, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_tracker_hashes_parse(cf, hashes, &text);

    ngx_free(text.data);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_tracker_hashes_index(cf, hashes);
}


static ngx_int_t
ngx_http_tracker_hashes_parse(ngx_conf_t *cf,
    ngx_http_tracker_hashes_t *hashes, ngx_str_t *text)
{
    u_char      *p, *end, *id;
    ngx_str_t    rest, line;
    ngx_uint_t   lines;

    end = text->data + text->len;

    for (p = text->data, lines = 1; p < end; p++) {
        lines += (*p == LF);
    }

    hashes->ids = ngx_palloc(cf->pool, lines * NGX_HTTP_TRACKER_ID_LEN);
    if (hashes->ids == NULL) {
        return NGX_ERROR;
    }

    id = hashes->ids;
    rest = *text;

    for (lines = 1;
         ngx_http_tracker_file_line(&rest, &line) == NGX_OK;
         lines++)
    {
        if (line.len == 0) {
            continue;
        }

        if (ngx_http_tracker_hashes_line(&line, id) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid info-hash in %V:%ui, it must have "
                               "40 or 64 hex digits", &hashes->file, lines);
            return NGX_ERROR;
        }

        id += NGX_HTTP_TRACKER_ID_LEN;
    }

    hashes->n = (id - hashes->ids) / NGX_HTTP_TRACKER_ID_LEN;

    return NGX_OK;
}


/* Of a hash of BitTorrent v2 trackers see the first 20 bytes. */
static ngx_int_t
ngx_http_tracker_hashes_line(ngx_str_t *line, u_char *id)
{
    u_char  rest[NGX_HTTP_TRACKER_ROOT_LEN - NGX_HTTP_TRACKER_ID_LEN];

    if (line->len == 2 * NGX_HTTP_TRACKER_ROOT_LEN) {

        if (ngx_http_tracker_hex(line->data + 2 * NGX_HTTP_TRACKER_ID_LEN,
                                 rest, sizeof(rest))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else if (line->len != 2 * NGX_HTTP_TRACKER_ID_LEN) {
        return NGX_ERROR;
    }

    return ngx_http_tracker_hex(line->data, id, NGX_HTTP_TRACKER_ID_LEN);
}


static int ngx_libc_cdecl
ngx_http_tracker_hashes_cmp(const void *one, const void *two)
{
    return ngx_memcmp(one, two, NGX_HTTP_TRACKER_ID_LEN);
}


static ngx_int_t
ngx_http_tracker_hashes_index(ngx_conf_t *cf,
    ngx_http_tracker_hashes_t *hashes)
{
    u_char      *id;
    ngx_uint_t   i;

    hashes->heads = ngx_pcalloc(cf->pool, (NGX_HTTP_TRACKER_HASHES_HEADS + 1)
                                          * sizeof(uint32_t));
    if (hashes->heads == NULL) {
        return NGX_ERROR;
    }

    ngx_qsort(hashes->ids, hashes->n, NGX_HTTP_TRACKER_ID_LEN,
              ngx_http_tracker_hashes_cmp);

    /* how many have each head, then where each begins */

    for (i = 0, id = hashes->ids; i < hashes->n; i++) {
        hashes->heads[ngx_http_tracker_hashes_head(id) + 1]++;
        id += NGX_HTTP_TRACKER_ID_LEN;
    }

    for (i = 0; i < NGX_HTTP_TRACKER_HASHES_HEADS; i++) {
        hashes->heads[i + 1] += hashes->heads[i];
    }

    return NGX_OK;
}
