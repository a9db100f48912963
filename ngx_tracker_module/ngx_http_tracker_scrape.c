
/*
 * BitTorrent's scrape: BEP 48.
 */


#include "ngx_http_tracker_answer.h"
#include "ngx_http_tracker_hashes.h"
#include "ngx_http_tracker_swarm.h"
#include "ngx_http_tracker_torrent.h"


enum {
    NGX_HTTP_TRACKER_SCRAPE_MAX = 100,      /* torrents in one request */

    /* keys and the hash, and three numbers of 32 bits */
    NGX_HTTP_TRACKER_SCRAPE_ENTRY = 128,
    NGX_HTTP_TRACKER_SCRAPE_REST = 128
};


typedef struct {
    ngx_uint_t                    n;
    u_char                        ids[NGX_HTTP_TRACKER_SCRAPE_MAX]
                                     [NGX_HTTP_TRACKER_ID_LEN];
} ngx_http_tracker_scrape_t;


static void ngx_http_tracker_scrape_sort(ngx_http_tracker_scrape_t *s);
static ngx_int_t ngx_http_tracker_scrape_send(ngx_http_request_t *r,
    ngx_http_tracker_scrape_t *s);
static u_char *ngx_http_tracker_scrape_entry(u_char *p, u_char *id,
    ngx_http_tracker_counts_t *counts);
static ngx_int_t ngx_http_tracker_arg_hashes(void *data, ngx_uint_t offset,
    ngx_str_t *value, ngx_http_tracker_refusal_t *refusal);


static ngx_http_tracker_arg_t  ngx_http_tracker_scrape_args[] = {

    { ngx_string("info_hash"), NGX_HTTP_TRACKER_ID_LEN,
      NGX_HTTP_TRACKER_SCRAPE_MAX|NGX_HTTP_TRACKER_ARG_BINARY,
      ngx_http_tracker_arg_hashes, 0 },

    ngx_http_tracker_arg_null
};


ngx_int_t
ngx_http_tracker_scrape_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_http_tracker_scrape_t     s;
    ngx_http_tracker_refusal_t    refusal;
    ngx_http_tracker_loc_conf_t  *conf;

    s.n = 0;

    rc = ngx_http_tracker_torrent_begin(r, &refusal);

    if (rc == NGX_OK) {
        rc = ngx_http_tracker_args(r, ngx_http_tracker_scrape_args, &s,
                                   &refusal);
    }

    if (rc == NGX_OK && s.n == 0) {
        rc = ngx_http_tracker_refuse(&refusal, NGX_HTTP_BAD_REQUEST,
                                     "info_hash", "missing");
    }

    if (rc != NGX_OK) {
        return ngx_http_tracker_torrent_fail(r, rc, &refusal,
                                         NGX_HTTP_TRACKER_STAT_SCRAPES_BAD,
                                         NGX_HTTP_TRACKER_STAT_SCRAPES_DENIED);
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);

    ngx_http_tracker_stat_add(conf->zone, NGX_HTTP_TRACKER_STAT_SCRAPES, 1);

    ngx_http_tracker_scrape_sort(&s);

    return ngx_http_tracker_scrape_send(r, &s);
}


static int ngx_libc_cdecl
ngx_http_tracker_scrape_cmp(const void *one, const void *two)
{
    return ngx_memcmp(one, two, NGX_HTTP_TRACKER_ID_LEN);
}


/* Keys of a dictionary are in order, each once. */
static void
ngx_http_tracker_scrape_sort(ngx_http_tracker_scrape_t *s)
{
    ngx_uint_t  i, n;

    if (s->n == 1) {
        return;
    }

    ngx_qsort(s->ids, s->n, NGX_HTTP_TRACKER_ID_LEN,
              ngx_http_tracker_scrape_cmp);

    for (i = 1, n = 1; i < s->n; i++) {

        if (ngx_memcmp(s->ids[n - 1], s->ids[i], NGX_HTTP_TRACKER_ID_LEN)
            == 0)
        {
            continue;
        }

        if (i != n) {
            ngx_memcpy(s->ids[n], s->ids[i], NGX_HTTP_TRACKER_ID_LEN);
        }

        n++;
    }

    s->n = n;
}


static ngx_int_t
ngx_http_tracker_scrape_send(ngx_http_request_t *r,
    ngx_http_tracker_scrape_t *s)
{
    u_char                       *p;
    ngx_buf_t                    *b;
    ngx_uint_t                    i;
    ngx_http_tracker_counts_t     counts;
    ngx_http_tracker_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);

    b = ngx_create_temp_buf(r->pool, s->n * NGX_HTTP_TRACKER_SCRAPE_ENTRY
                                     + NGX_HTTP_TRACKER_SCRAPE_REST);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_http_tracker_put_lit(b->last, "d5:filesd");

    for (i = 0; i < s->n; i++) {

        if (conf->hashes
            && !ngx_http_tracker_hashes_find(conf->hashes, s->ids[i]))
        {
            continue;
        }

        /* one that nobody is in is there with zeros */

        (void) ngx_http_tracker_swarm_scrape(conf->zone, s->ids[i], &counts);

        p = ngx_http_tracker_scrape_entry(p, s->ids[i], &counts);
    }

    p = ngx_http_tracker_put_lit(p, "e5:flagsd20:min_request_intervali");
    p = ngx_http_tracker_put_uint(p, conf->interval);
    p = ngx_http_tracker_put_lit(p, "eee");

    b->last = p;

    return ngx_http_tracker_send_buf(r, b);
}


static u_char *
ngx_http_tracker_scrape_entry(u_char *p, u_char *id,
    ngx_http_tracker_counts_t *counts)
{
    p = ngx_http_tracker_put_lit(p, "20:");
    p = ngx_cpymem(p, id, NGX_HTTP_TRACKER_ID_LEN);
    p = ngx_http_tracker_put_lit(p, "d8:completei");
    p = ngx_http_tracker_put_uint(p, counts->complete);
    p = ngx_http_tracker_put_lit(p, "e10:downloadedi");
    p = ngx_http_tracker_put_uint(p, counts->downloaded);
    p = ngx_http_tracker_put_lit(p, "e10:incompletei");
    p = ngx_http_tracker_put_uint(p, counts->incomplete);

    return ngx_http_tracker_put_lit(p, "ee");
}


static ngx_int_t
ngx_http_tracker_arg_hashes(void *data, ngx_uint_t offset, ngx_str_t *value,
    ngx_http_tracker_refusal_t *refusal)
{
    ngx_int_t                   rc;
    ngx_str_t                   hash;
    ngx_http_tracker_scrape_t  *s = data;

    rc = ngx_http_tracker_arg_hash(&hash, 0, value, refusal);

    if (rc == NGX_OK) {
        ngx_memcpy(s->ids[s->n++], hash.data, NGX_HTTP_TRACKER_ID_LEN);
    }

    return rc;
}
