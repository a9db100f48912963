
#include "ngx_http_tracker_torrent.h"
#include "ngx_http_tracker_answer.h"


ngx_int_t
ngx_http_tracker_torrent_begin(ngx_http_request_t *r,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_int_t                     rc;
    ngx_str_t                     passkey;
    ngx_http_tracker_loc_conf_t  *conf;

    rc = ngx_http_tracker_get_only(r, refusal);
    if (rc != NGX_OK) {
        return rc;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);

    if (conf->passkey == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, conf->passkey, &passkey) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (passkey.len == 0 || (passkey.len == 1 && passkey.data[0] == '0')) {
        return ngx_http_tracker_refuse(refusal, NGX_HTTP_FORBIDDEN,
                                       "passkey", "not known");
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_tracker_torrent_fail(ngx_http_request_t *r, ngx_int_t rc,
    ngx_http_tracker_refusal_t *refusal, ngx_http_tracker_stat_e bad,
    ngx_http_tracker_stat_e denied)
{
    size_t                        len;
    ngx_buf_t                    *b;
    ngx_http_tracker_loc_conf_t  *conf;

    if (rc != NGX_DECLINED) {
        return (rc == NGX_ERROR) ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);

    ngx_http_tracker_stat_add(conf->zone,
                              refusal->status == NGX_HTTP_FORBIDDEN ? denied
                                                                    : bad,
                              1);

    if (refusal->status == NGX_HTTP_NOT_ALLOWED) {
        return ngx_http_tracker_send_refusal(r, refusal);
    }

    /* clients look for the reason in an answer that is 200 */

    len = refusal->len - 1;

    b = ngx_create_temp_buf(r->pool, sizeof("d14:failure reason:e")
                                     + NGX_INT64_LEN + len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_http_tracker_put_lit(b->last, "d14:failure reason");
    b->last = ngx_http_tracker_put_uint(b->last, len);
    *b->last++ = ':';
    b->last = ngx_cpymem(b->last, refusal->text, len);
    *b->last++ = 'e';

    return ngx_http_tracker_send_buf(r, b);
}


ngx_int_t
ngx_http_tracker_arg_hash(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    if (value->len != NGX_HTTP_TRACKER_ID_LEN) {
        return ngx_http_tracker_refuse(refusal, 0, NULL, "not 20 bytes");
    }

    return ngx_http_tracker_arg_str(data, offset, value, refusal);
}
