
/*
 * The page of metrics, for the two files that write it: metrics (the page),
 * metric (what is on it).
 */


#ifndef _NGX_HTTP_TRACKER_METRICS_H_INCLUDED_
#define _NGX_HTTP_TRACKER_METRICS_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_answer.h"
#include "ngx_http_tracker_stat.h"
#include "ngx_http_tracker_stripe.h"
#include "ngx_http_tracker_view.h"


/* Copies of all that is shown. */

typedef struct {
    ngx_http_tracker_body_t       body;
    ngx_str_t                     label;       /* zone="NAME" */
    const char                   *name;        /* of the metric */
    const char                   *suffix;      /* of its name */
    ngx_uint_t                    milli;       /* values are in 1/1000 */

    uint64_t                      sums[NGX_HTTP_TRACKER_STATS_MAX];
    ngx_http_tracker_tally_t      tally;
    uint64_t                      size;
    uint64_t                      used;
    uint64_t                      fullest;     /* in 1/1000 */
    ngx_http_tracker_census_t     census;
} ngx_http_tracker_metrics_t;


typedef struct {
    const char                   *name;
    const char                   *type;
    const char                   *help;
    void                        (*write)(ngx_http_tracker_metrics_t *m,
                                    ngx_uint_t arg);
    ngx_uint_t                    arg;
} ngx_http_tracker_metric_t;


/* ends with one without a name */
extern ngx_http_tracker_metric_t  ngx_http_tracker_metric_table[];

/**
 * ngx_http_tracker_metrics_put(m, value, fmt, ...):
 * Write one sample of the metric; ${fmt} makes the labels behind the zone's.
 */
void ngx_http_tracker_metrics_put(ngx_http_tracker_metrics_t *m,
    uint64_t value, const char *fmt, ...);


#endif /* _NGX_HTTP_TRACKER_METRICS_H_INCLUDED_ */
