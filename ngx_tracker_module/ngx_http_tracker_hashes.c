
#include "ngx_http_tracker_hashes.h"
#include "ngx_http_tracker_args.h"


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
static ngx_int_t ngx_http_tracker_hashes_read(ngx_conf_t *cf, ngx_fd_t fd,
    ngx_str_t *name, ngx_str_t *text);
static ngx_int_t ngx_http_tracker_hashes_parse(ngx_conf_t *cf,
    ngx_http_tracker_hashes_t *hashes, ngx_str_t *text);
static ngx_int_t ngx_http_tracker_hashes_line(u_char *p, u_char *end,
    u_char *id);
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
    ngx_fd_t   fd;
    ngx_int_t  rc;
    ngx_str_t  text;

    fd = ngx_open_file(hashes->file.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &hashes->file);
        return NGX_ERROR;
    }

    ngx_str_null(&text);

    rc = ngx_http_tracker_hashes_read(cf, fd, &hashes->file, &text);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &hashes->file);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_tracker_hashes_parse(cf, hashes, &text);
    }

    if (text.data) {
        ngx_free(text.data);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_tracker_hashes_index(cf, hashes);
}


/* Into memory that the caller frees. */
static ngx_int_t
ngx_http_tracker_hashes_read(ngx_conf_t *cf, ngx_fd_t fd, ngx_str_t *name,
    ngx_str_t *text)
{
    size_t           size;
    ssize_t          n;
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    if (!ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" is not a file", name);
        return NGX_ERROR;
    }

    size = (size_t) ngx_file_size(&fi);

    text->data = ngx_alloc(size + 1, cf->log);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    while (text->len < size) {

        n = ngx_read_fd(fd, text->data + text->len, size - text->len);

        if (n == -1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               ngx_read_fd_n " \"%V\" failed", name);
            return NGX_ERROR;
        }

        if (n == 0) {
            break;
        }

        text->len += n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_hashes_parse(ngx_conf_t *cf,
    ngx_http_tracker_hashes_t *hashes, ngx_str_t *text)
{
    u_char      *p, *end, *next, *id;
    ngx_int_t    rc;
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
    lines = 1;

    for (p = text->data; p < end; p = next + 1, lines++) {

        next = ngx_strlchr(p, end, LF);
        next = next ? next : end;

        rc = ngx_http_tracker_hashes_line(p, next, id);

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid info-hash in %V:%ui, it must have "
                               "40 or 64 hex digits", &hashes->file, lines);
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            id += NGX_HTTP_TRACKER_ID_LEN;
        }
    }

    hashes->n = (id - hashes->ids) / NGX_HTTP_TRACKER_ID_LEN;

    return NGX_OK;
}


/*
 * NGX_DECLINED: there is none. Of a hash of BitTorrent v2 trackers see the
 * first 20 bytes.
 */
static ngx_int_t
ngx_http_tracker_hashes_line(u_char *p, u_char *end, u_char *id)
{
    u_char  *c, rest[NGX_HTTP_TRACKER_ROOT_LEN - NGX_HTTP_TRACKER_ID_LEN];

    c = ngx_strlchr(p, end, '#');
    end = c ? c : end;

    while (p < end && (*p == ' ' || *p == '\t' || *p == CR)) {
        p++;
    }

    while (p < end
           && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == CR))
    {
        end--;
    }

    if (p == end) {
        return NGX_DECLINED;
    }

    if (end - p == 2 * NGX_HTTP_TRACKER_ROOT_LEN) {
        end = p + 2 * NGX_HTTP_TRACKER_ID_LEN;

        if (ngx_http_tracker_hex(end, rest, sizeof(rest)) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (end - p != 2 * NGX_HTTP_TRACKER_ID_LEN) {
        return NGX_ERROR;
    }

    return ngx_http_tracker_hex(p, id, NGX_HTTP_TRACKER_ID_LEN);
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
