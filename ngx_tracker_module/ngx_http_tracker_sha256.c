
#include "ngx_http_tracker_sha256.h"

#include <openssl/evp.h>


/* One a process: to find the algorithm takes longer than to run it. */
static EVP_MD_CTX *
ngx_http_tracker_sha256_ctx(void)
{
    static EVP_MD_CTX  *ctx;

    if (ctx) {
        return ctx;
    }

    ctx = EVP_MD_CTX_new();

    if (ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        ctx = NULL;
    }

    return ctx;
}


ngx_int_t
ngx_http_tracker_sha256(ngx_str_t *parts, ngx_uint_t n,
    u_char md[NGX_HTTP_TRACKER_SHA256_LEN])
{
    ngx_uint_t   i;
    EVP_MD_CTX  *ctx;

    ctx = ngx_http_tracker_sha256_ctx();

    if (ctx == NULL || EVP_DigestInit_ex(ctx, NULL, NULL) != 1) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) != 1) {
            return NGX_ERROR;
        }
    }

    return EVP_DigestFinal_ex(ctx, md, NULL) == 1 ? NGX_OK : NGX_ERROR;
}
