
#include "fuzz.h"
#include "ngx_http_tracker_answer.h"
#include "ngx_http_tracker_call.h"
#include "ngx_http_tracker_identity.h"
#include "ngx_http_tracker_lines.h"
#include "ngx_http_tracker_query.h"
#include "ngx_http_tracker_url.h"
#include "resource.h"


static void fuzz_query(ngx_http_request_t *r, u_char *p, size_t len);
static void fuzz_call(ngx_http_request_t *r, u_char *p, size_t len);
static void fuzz_lines(ngx_http_request_t *r, u_char *p, size_t len);
static void fuzz_url(ngx_http_request_t *r, u_char *p, size_t len);
static void fuzz_canary(ngx_http_request_t *r, u_char *p, size_t len);


fuzz_target_t  fuzz_targets[] = {
    { 'q', fuzz_query },       /* GET /peers: arguments, LF, Shoal-URLs */
    { 'c', fuzz_call },        /* POST /control: arguments */
    { 'l', fuzz_lines },       /* its body: a byte for the cuts, lines */
    { 'u', fuzz_url },         /* a URL */
    { 'h', fuzz_handlers },    /* whole requests, one a line */
    { '!', fuzz_canary },      /* "!canary": a byte too many */
    { 0, NULL }
};


static char *
fuzz_text(ngx_http_request_t *r, ngx_str_t *value)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, value->len + 1);
    fuzz_check(p);

    ngx_memcpy(p, value->data, value->len);
    p[value->len] = '\0';

    return (char *) p;
}


static ngx_uint_t
fuzz_controls(ngx_str_t *value)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < 32 || value->data[i] == 127) {
            return 1;
        }
    }

    return 0;
}


/* It fits into the room that answers make for it. */
static void
fuzz_json(ngx_http_request_t *r, ngx_str_t *value)
{
    u_char  *p, *end;

    p = ngx_pnalloc(r->pool, ngx_http_tracker_json_len(value->len));
    fuzz_check(p);

    end = ngx_http_tracker_put_json(p, value->data, value->len);
    fuzz_check(end >= p + value->len + 2);
}


/* What the tracker computed is what the library computes. */
static void
fuzz_identity(ngx_http_request_t *r, ngx_http_tracker_resource_t *res)
{
    struct resource  lib;

    fuzz_check(resource_init(&lib, fuzz_text(r, &res->url), res->size,
                             fuzz_text(r, &res->provider),
                             fuzz_text(r, &res->version))
               == 0);
    fuzz_check(ngx_memcmp(lib.id, res->id, NGX_HTTP_TRACKER_ID_LEN) == 0);

    resource_fini(&lib);
}


static void
fuzz_headers(ngx_http_request_t *r, u_char *p, u_char *end)
{
    u_char           *lf;
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    for (n = 0; p < end && n < 8; n++, p = lf + 1) {

        lf = ngx_strlchr(p, end, LF);
        lf = lf ? lf : end;

        h = ngx_list_push(&r->headers_in.headers);
        fuzz_check(h);

        ngx_memzero(h, sizeof(ngx_table_elt_t));
        ngx_str_set(&h->key, "Shoal-URL");
        h->lowcase_key = (u_char *) "shoal-url";
        h->value.data = fuzz_copy(r, p, lf - p);
        h->value.len = lf - p;
    }
}


static void
fuzz_query(ngx_http_request_t *r, u_char *p, size_t len)
{
    u_char                       *lf;
    ngx_int_t                     rc;
    ngx_http_tracker_query_t      q;
    ngx_http_tracker_refusal_t    refusal;
    ngx_http_tracker_resource_t   res;

    lf = ngx_strlchr(p, p + len, LF);
    lf = lf ? lf : p + len;

    r->args.data = fuzz_copy(r, p, lf - p);
    r->args.len = lf - p;

    fuzz_headers(r, lf + 1, p + len);

    ngx_memzero(&res, sizeof(ngx_http_tracker_resource_t));

    rc = ngx_http_tracker_query(r, &fuzz_zone->origins, &q, &res, &refusal);

    if (rc == NGX_DECLINED) {
        fuzz_refusal(&refusal);
        return;
    }

    fuzz_check(rc == NGX_OK);
    fuzz_check(res.size >= 0 && q.left <= q.size && q.numwant <= 200);
    fuzz_check(q.event <= NGX_HTTP_TRACKER_STOPPED);
    fuzz_check(!fuzz_controls(&res.url) && !fuzz_controls(&res.version)
               && !fuzz_controls(&res.provider));
    fuzz_check(res.version.len <= NGX_HTTP_TRACKER_VERSION_MAX
               && res.provider.len <= NGX_HTTP_TRACKER_PROVIDER_MAX);

    fuzz_json(r, &res.url);
    fuzz_json(r, &res.version);
    fuzz_json(r, &res.provider);
    fuzz_identity(r, &res);
}


static void
fuzz_call(ngx_http_request_t *r, u_char *p, size_t len)
{
    ngx_int_t                     rc;
    ngx_msec_t                    wait;
    ngx_http_tracker_call_t       call;
    ngx_http_tracker_refusal_t    refusal;
    ngx_http_tracker_loc_conf_t   conf;

    ngx_memzero(&conf, sizeof(ngx_http_tracker_loc_conf_t));
    conf.zone = fuzz_zone;
    conf.self_register = 1;

    r->args.data = p;
    r->args.len = len;

    rc = ngx_http_tracker_call(r, &conf, &call, &wait, &refusal);

    if (rc == NGX_DECLINED) {
        fuzz_refusal(&refusal);
        return;
    }

    fuzz_check(rc == NGX_OK);
    fuzz_check(call.name.len && call.name.len <= NGX_HTTP_TRACKER_NAME_MAX);
    fuzz_check(call.locality.len <= NGX_HTTP_TRACKER_LOCALITY_MAX);
    fuzz_check(!fuzz_controls(&call.name) && !fuzz_controls(&call.locality));
    fuzz_check(call.session.len == NGX_HTTP_TRACKER_SESSION_LEN);
    fuzz_check(call.seq > 0 && wait <= 60000);
    fuzz_check(call.url.len <= NGX_HTTP_TRACKER_BASE_MAX);
    fuzz_check(!fuzz_controls(&call.url));
}


/* What came out of a body, in whatever pieces it came. */

typedef struct {
    ngx_uint_t                    n;
    uint32_t                      hash;
    ngx_int_t                     rc;
    ngx_http_tracker_refusal_t    refusal;
} fuzz_said_t;


static void
fuzz_line(void *data, u_char *id, ngx_http_tracker_said_t *said)
{
    fuzz_said_t  *all = data;

    all->n++;
    all->hash = ngx_murmur_hash2(id, NGX_HTTP_TRACKER_ID_LEN)
                ^ ngx_murmur_hash2((u_char *) said,
                                   sizeof(ngx_http_tracker_said_t))
                ^ (all->hash << 5 | all->hash >> 27);
}


/* Pieces of 1 to step bytes. */
static void
fuzz_feed(ngx_http_request_t *r, u_char *p, size_t len, size_t step,
    fuzz_said_t *all)
{
    size_t                     n;
    u_char                    *end, *piece;
    ngx_http_tracker_lines_t   lines;

    ngx_memzero(&lines, sizeof(ngx_http_tracker_lines_t));
    ngx_memzero(all, sizeof(fuzz_said_t));

    for (end = p + len; p < end; p += n) {

        n = (step > 1) ? 1 + (*p * 31 + (end - p)) % step : 1;
        n = (step == 0) ? len : ngx_min(n, (size_t) (end - p));

        piece = fuzz_copy(r, p, n);

        all->rc = ngx_http_tracker_lines_feed(&lines, piece, piece + n,
                                              fuzz_line, all, &all->refusal);
        if (all->rc != NGX_OK) {
            break;
        }
    }

    if (all->rc == NGX_OK) {
        all->rc = ngx_http_tracker_lines_end(&lines, &all->refusal);
    }

    if (all->rc != NGX_OK) {
        fuzz_check(all->rc == NGX_DECLINED);
        fuzz_refusal(&all->refusal);
    }
}


static void
fuzz_lines(ngx_http_request_t *r, u_char *p, size_t len)
{
    size_t       step[2];
    ngx_uint_t   i;
    fuzz_said_t  whole, cut;

    if (len == 0) {
        return;
    }

    fuzz_feed(r, p + 1, len - 1, 0, &whole);

    step[0] = 1;
    step[1] = 2 + *p;

    for (i = 0; i < 2; i++) {
        fuzz_feed(r, p + 1, len - 1, step[i], &cut);

        fuzz_check(cut.n == whole.n && cut.hash == whole.hash);
        fuzz_check(cut.rc == whole.rc);
        fuzz_check(whole.rc == NGX_OK
                   || (cut.refusal.len == whole.refusal.len
                       && ngx_memcmp(cut.refusal.text, whole.refusal.text,
                                     whole.refusal.len) == 0));
    }
}


/* With its scheme again. */
static void
fuzz_scheme(ngx_http_request_t *r, ngx_http_tracker_url_t *url,
    ngx_str_t *canonical, ngx_str_t *text)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, canonical->len + 8);
    fuzz_check(p);

    text->data = p;
    p = url->tls ? ngx_http_tracker_put_lit(p, "https://")
                 : ngx_http_tracker_put_lit(p, "http://");
    p = ngx_cpymem(p, canonical->data, canonical->len);
    text->len = p - text->data;

    /* to its length, not the room for it */
    text->data = fuzz_copy(r, text->data, text->len);
}


static void
fuzz_same(ngx_http_request_t *r, ngx_str_t *text, ngx_http_tracker_url_t *url)
{
    ngx_http_tracker_url_t  again;

    fuzz_check(ngx_http_tracker_url(r->pool, text, &again) == NGX_OK);
    fuzz_check(again.canonical.len == url->canonical.len
               && ngx_memcmp(again.canonical.data, url->canonical.data,
                             url->canonical.len) == 0);
    fuzz_check(again.port == url->port && again.tls == url->tls
               && again.signing == url->signing
               && again.host.len == url->host.len);
}


/*
 * The one form is a fixed point, and the library's, but for the parameters
 * that only count: those the library leaves.
 */
static void
fuzz_url(ngx_http_request_t *r, u_char *p, size_t len)
{
    int                      lib;
    char                     form[NGX_HTTP_TRACKER_URL_MAX + 1];
    ngx_int_t                rc;
    ngx_str_t                text, canonical;
    ngx_http_tracker_url_t   url;

    text.data = p;
    text.len = ngx_min(len, NGX_HTTP_TRACKER_URL_MAX);
    text.data = fuzz_copy(r, p, text.len);

    rc = ngx_http_tracker_url(r->pool, &text, &url);

    /* arguments and headers with such bytes are refused before */

    if (fuzz_controls(&text)) {
        return;
    }

    lib = resource_normalise(fuzz_text(r, &text), form, sizeof(form));

    if (rc != NGX_OK) {
        fuzz_check(rc == NGX_DECLINED && lib != 0);
        return;
    }

    fuzz_check(url.canonical.len <= NGX_HTTP_TRACKER_URL_MAX);
    fuzz_check(url.host.len > 0 && url.port > 0);
    fuzz_check(!fuzz_controls(&url.canonical));

    (void) ngx_http_tracker_origin_find(&fuzz_zone->origins, &url);

    fuzz_scheme(r, &url, &url.canonical, &text);

    if (text.len <= NGX_HTTP_TRACKER_URL_MAX) {
        fuzz_same(r, &text, &url);
    }

    if (lib != 0) {

        /* too long with what only counts */

        fuzz_check(len > NGX_HTTP_TRACKER_URL_MAX / 3);
        return;
    }

    canonical.data = (u_char *) form;
    canonical.len = ngx_strlen(form);

    fuzz_scheme(r, &url, &canonical, &text);

    if (text.len <= NGX_HTTP_TRACKER_URL_MAX) {
        fuzz_same(r, &text, &url);
    }
}


/* Whether all this would find something: a test's only, who else guesses it. */
static void
fuzz_canary(ngx_http_request_t *r, u_char *p, size_t len)
{
    volatile u_char  c;

    if (len == 6 && ngx_memcmp(p, "canary", 6) == 0) {
        c = p[len];
        (void) c;
    }
}
