
/*
 * GET of a tracker_metrics location: Prometheus' text format 0.0.4, rendered
 * from copies.
 */


#include "ngx_http_tracker_metrics.h"


#define NGX_HTTP_TRACKER_SAMPLE  256        /* bytes, without the zone's name */


static ngx_int_t ngx_http_tracker_metrics_label(ngx_pool_t *pool,
    ngx_str_t *name, ngx_str_t *label);
static void ngx_http_tracker_metrics_copy(ngx_http_tracker_metrics_t *m,
    ngx_http_tracker_zone_t *zone);
static void ngx_http_tracker_metrics_one(ngx_http_tracker_metrics_t *m,
    ngx_http_tracker_metric_t *metric);


ngx_int_t
ngx_http_tracker_metrics_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_http_tracker_metric_t    *metric;
    ngx_http_tracker_refusal_t    refusal;
    ngx_http_tracker_metrics_t   *m;
    ngx_http_tracker_loc_conf_t  *conf;

    static ngx_str_t  type = ngx_string("text/plain; version=0.0.4");

    rc = ngx_http_tracker_get_only(r, &refusal);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? ngx_http_tracker_send_refusal(r, &refusal)
                                  : rc;
    }

    m = ngx_pcalloc(r->pool, sizeof(ngx_http_tracker_metrics_t));
    if (m == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_tracker_module);

    m->body.pool = r->pool;

    if (ngx_http_tracker_metrics_label(r->pool, &conf->zone->name, &m->label)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_tracker_metrics_copy(m, conf->zone);

    for (metric = ngx_http_tracker_metric_table; metric->name; metric++) {
        ngx_http_tracker_metrics_one(m, metric);
    }

    return ngx_http_tracker_send_typed(r, &type, &m->body);
}


/* zone="NAME" */
static ngx_int_t
ngx_http_tracker_metrics_label(ngx_pool_t *pool, ngx_str_t *name,
    ngx_str_t *label)
{
    u_char      *p;
    ngx_uint_t   i;

    p = ngx_pnalloc(pool, sizeof("zone=\"\"") + 2 * name->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    label->data = p;
    p = ngx_http_tracker_put_lit(p, "zone=\"");

    for (i = 0; i < name->len; i++) {

        if (ngx_strchr("\\\"\n", name->data[i])) {
            *p++ = '\\';
        }

        *p++ = (name->data[i] == LF) ? 'n' : name->data[i];
    }

    *p++ = '"';
    label->len = p - label->data;

    return NGX_OK;
}


/* One stripe after the other, then the roster: no two locks, no rendering. */
static void
ngx_http_tracker_metrics_copy(ngx_http_tracker_metrics_t *m,
    ngx_http_tracker_zone_t *zone)
{
    size_t                     size, used;
    uint64_t                  *sum, *part;
    ngx_uint_t                 i, k;
    ngx_http_tracker_tally_t   tally;

    ngx_memzero(&tally, sizeof(ngx_http_tracker_tally_t));

    sum = (uint64_t *) &m->tally;
    part = (uint64_t *) &tally;

    for (i = 0; i < NGX_HTTP_TRACKER_STRIPES; i++) {

        ngx_http_tracker_stripe_usage(zone, i, &tally, &size, &used);

        for (k = 0; k < sizeof(tally) / sizeof(uint64_t); k++) {
            sum[k] += part[k];
        }

        m->size += size;
        m->used += used;
        m->fullest = ngx_max(m->fullest, (uint64_t) used * 1000 / size);
    }

    ngx_http_tracker_view_census(zone, &m->census);
    ngx_http_tracker_stat_sums(zone, m->sums);
}


static void
ngx_http_tracker_metrics_one(ngx_http_tracker_metrics_t *m,
    ngx_http_tracker_metric_t *metric)
{
    u_char  *p;

    m->name = metric->name;
    m->suffix = "";
    m->milli = 0;

    p = ngx_http_tracker_body_room(&m->body, 2 * NGX_HTTP_TRACKER_SAMPLE);
    if (p == NULL) {
        return;
    }

    p = ngx_slprintf(p, p + 2 * NGX_HTTP_TRACKER_SAMPLE,
                     "# HELP %s %s.\n# TYPE %s %s\n", metric->name,
                     metric->help, metric->name, metric->type);

    ngx_http_tracker_body_wrote(&m->body, p);

    metric->write(m, metric->arg);
}


void
ngx_http_tracker_metrics_put(ngx_http_tracker_metrics_t *m, uint64_t value,
    const char *fmt, ...)
{
    u_char   *p, *end;
    size_t    room;
    va_list   args;

    room = NGX_HTTP_TRACKER_SAMPLE + m->label.len;

    p = ngx_http_tracker_body_room(&m->body, room);
    if (p == NULL) {
        return;
    }

    end = p + room;

    p = ngx_slprintf(p, end, "%s%s{%V", m->name, m->suffix, &m->label);

    va_start(args, fmt);
    p = ngx_vslprintf(p, end, fmt, args);
    va_end(args);

    if (m->milli) {
        p = ngx_slprintf(p, end, "} %uL.%03uL\n", value / 1000, value % 1000);

    } else {
        p = ngx_slprintf(p, end, "} %uL\n", value);
    }

    ngx_http_tracker_body_wrote(&m->body, p);
}
