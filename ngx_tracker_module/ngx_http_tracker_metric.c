
/*
 * The metrics: each has its line in docs/operations.md.
 */


#include "ngx_http_tracker_lines.h"
#include "ngx_http_tracker_metrics.h"
#include "ngx_http_tracker_trace.h"


static void ngx_http_tracker_metrics_requests(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);
static void ngx_http_tracker_metrics_answers(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);
static void ngx_http_tracker_metrics_waits(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);
static void ngx_http_tracker_metrics_parked(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);
static void ngx_http_tracker_metrics_swarms(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);
static void ngx_http_tracker_metrics_peers(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);
static void ngx_http_tracker_metrics_ratio(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);
static void ngx_http_tracker_metrics_refused(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);
static void ngx_http_tracker_metrics_got(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);
static void ngx_http_tracker_metrics_reports(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);
static void ngx_http_tracker_metrics_announces(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);
static void ngx_http_tracker_metrics_failures(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);
static void ngx_http_tracker_metrics_supers(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);
static void ngx_http_tracker_metrics_info(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);
static void ngx_http_tracker_metrics_sum(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);
static void ngx_http_tracker_metrics_field(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg);


#define ngx_http_tracker_metric_sum(name, help, stat)                         \
    { "shoal_tracker_" name "_total", "counter", help,                        \
      ngx_http_tracker_metrics_sum, stat }

#define ngx_http_tracker_metric_field(name, type, help, field)                \
    { "shoal_tracker_" name, type, help, ngx_http_tracker_metrics_field,      \
      offsetof(ngx_http_tracker_metrics_t, field) }

#define ngx_http_tracker_metric(name, type, help, write, arg)                 \
    { "shoal_tracker_" name, type, help, ngx_http_tracker_metrics_##write, arg }


ngx_http_tracker_metric_t  ngx_http_tracker_metric_table[] = {

    ngx_http_tracker_metric("info", "gauge",
                            "The tracker's version; always 1", info, 0),
    ngx_http_tracker_metric_field("start_time_seconds", "gauge",
                                  "When the zone was made, since the epoch",
                                  census.started),
    ngx_http_tracker_metric_field("workers", "gauge",
                                  "Worker processes that have a slot",
                                  census.workers),

    ngx_http_tracker_metric("requests_total", "counter",
                            "Requests by kind and status code", requests,
                            NGX_HTTP_TRACKER_STAT_REQUESTS),
    ngx_http_tracker_metric("answers_total", "counter",
                            "Peer-list requests and polls by why they were "
                            "answered", answers,
                            NGX_HTTP_TRACKER_STAT_ANSWERS),
    ngx_http_tracker_metric("wait_seconds", "histogram",
                            "How long parked requests waited", waits,
                            NGX_HTTP_TRACKER_STAT_WAITS),
    ngx_http_tracker_metric("parked", "gauge", "Requests parked now", parked,
                            0),

    ngx_http_tracker_metric("swarms", "gauge", "Swarms stored", swarms, 0),
    ngx_http_tracker_metric("peers", "gauge", "Peers registered", peers,
                            0),
    ngx_http_tracker_metric_field("refused_peers_total", "counter",
                                  "Registrations refused for want of memory",
                                  tally.refused),
    ngx_http_tracker_metric_field("expired_peers_total", "counter",
                                  "Peers dropped that were not seen again",
                                  tally.gone),
    ngx_http_tracker_metric_field("expired_swarms_total", "counter",
                                  "Swarms dropped that nobody asked for",
                                  tally.expired),
    ngx_http_tracker_metric_field("evicted_swarms_total", "counter",
                                  "Swarms dropped for want of memory",
                                  tally.evicted),

    ngx_http_tracker_metric_field("zone_size_bytes", "gauge",
                                  "Memory for swarms, all stripes", size),
    ngx_http_tracker_metric_field("zone_used_bytes", "gauge",
                                  "Of it, in use", used),
    ngx_http_tracker_metric("fullest_stripe_ratio", "gauge",
                            "Used part of the stripe that is fullest", ratio,
                            0),
    ngx_http_tracker_metric_sum("stripe_resets",
                                "Stripes begun anew since a worker died in "
                                "them", NGX_HTTP_TRACKER_STAT_RESETS),

    ngx_http_tracker_metric("super_peers", "gauge", "Super peers", supers,
                            0),
    ngx_http_tracker_metric_sum("prepares_sent",
                                "Super peers told to prepare a resource",
                                NGX_HTTP_TRACKER_STAT_SENT),
    ngx_http_tracker_metric_sum("prepares_ready",
                                "Of those told, who said ready",
                                NGX_HTTP_TRACKER_STAT_READY),
    ngx_http_tracker_metric("prepares_refused_total", "counter",
                            "Of those told, who refused", refused,
                            NGX_HTTP_TRACKER_STAT_REFUSED),
    ngx_http_tracker_metric_sum("prepares_expired",
                                "Of those told, who said nothing in time",
                                NGX_HTTP_TRACKER_STAT_EXPIRED),
    ngx_http_tracker_metric_sum("conflicts",
                                "Roots told that others contradict",
                                NGX_HTTP_TRACKER_STAT_CONFLICTS),

    ngx_http_tracker_metric("reports_total", "counter",
                            "Reports of holders by clients, by kind", reports,
                            NGX_HTTP_TRACKER_STAT_REPORTS_DEAD),

    ngx_http_tracker_metric("announces_total", "counter",
                            "Announces taken, by event", announces,
                            NGX_HTTP_TRACKER_STAT_ANNOUNCES),
    ngx_http_tracker_metric_sum("scrapes", "Scrapes answered",
                                NGX_HTTP_TRACKER_STAT_SCRAPES),
    ngx_http_tracker_metric("failures_total", "counter",
                            "Announces and scrapes that failed, by reason",
                            failures, 0),

    ngx_http_tracker_metric("clients_got_bytes_total", "counter",
                            "Bytes that clients say they took, by source",
                            got, NGX_HTTP_TRACKER_STAT_GOT_SUPER),
    ngx_http_tracker_metric("super_peers_got_bytes_total", "counter",
                            "Bytes that super peers say they took, by source",
                            got, NGX_HTTP_TRACKER_STAT_BYTES),
    ngx_http_tracker_metric_sum("super_peers_sent_bytes",
                                "Bytes that super peers say they sent",
                                NGX_HTTP_TRACKER_STAT_BYTES_SENT),

    { NULL, NULL, NULL, NULL, 0 }
};


static void
ngx_http_tracker_metrics_info(ngx_http_tracker_metrics_t *m, ngx_uint_t arg)
{
    ngx_http_tracker_metrics_put(m, 1, ",version=\"%s\",nginx=\"%s\"",
                                 NGX_HTTP_TRACKER_VERSION, NGINX_VERSION);
}


static void
ngx_http_tracker_metrics_sum(ngx_http_tracker_metrics_t *m, ngx_uint_t stat)
{
    ngx_http_tracker_metrics_put(m, m->sums[stat], "");
}


static void
ngx_http_tracker_metrics_field(ngx_http_tracker_metrics_t *m,
    ngx_uint_t offset)
{
    ngx_http_tracker_metrics_put(m, *(uint64_t *) ((u_char *) m + offset), "");
}


static void
ngx_http_tracker_metrics_requests(ngx_http_tracker_metrics_t *m,
    ngx_uint_t stat)
{
    u_char      code[NGX_INT64_LEN];
    ngx_uint_t  kind, i;

    for (kind = 0; kind < NGX_HTTP_TRACKER_KINDS_MAX; kind++) {

        for (i = 0; i < NGX_HTTP_TRACKER_CODES; i++) {

            *ngx_sprintf(code, "%ui", ngx_http_tracker_stat_codes[i]) = '\0';

            ngx_http_tracker_metrics_put(m,
                              m->sums[stat + kind * NGX_HTTP_TRACKER_CODES + i],
                              ",kind=\"%V\",code=\"%s\"",
                              &ngx_http_tracker_trace_kinds[kind],
                              ngx_http_tracker_stat_codes[i] ? (char *) code
                                                             : "other");
        }
    }
}


static void
ngx_http_tracker_metrics_answers(ngx_http_tracker_metrics_t *m,
    ngx_uint_t stat)
{
    ngx_uint_t  kind, i;

    for (kind = 0; kind < NGX_HTTP_TRACKER_KIND_PARKED_MAX; kind++) {

        for (i = 0; i < NGX_HTTP_TRACKER_REASONS_MAX; i++) {

            ngx_http_tracker_metrics_put(m,
                        m->sums[stat + kind * NGX_HTTP_TRACKER_REASONS_MAX + i],
                        ",kind=\"%V\",reason=\"%V\"",
                        &ngx_http_tracker_trace_kinds[kind],
                        &ngx_http_tracker_trace_reasons[i]);
        }
    }
}


/* Buckets are cumulative. */
static void
ngx_http_tracker_metrics_waits(ngx_http_tracker_metrics_t *m, ngx_uint_t stat)
{
    uint64_t    count, *sums;
    ngx_str_t  *name;
    ngx_uint_t  kind, i, ms;

    for (kind = 0; kind < NGX_HTTP_TRACKER_KIND_PARKED_MAX; kind++) {

        name = &ngx_http_tracker_trace_kinds[kind];
        sums = &m->sums[stat + kind * (NGX_HTTP_TRACKER_BOUNDS + 2)];
        count = 0;

        m->suffix = "_bucket";

        for (i = 0; i < NGX_HTTP_TRACKER_BOUNDS; i++) {
            count += sums[i];
            ms = ngx_http_tracker_stat_bounds[i];

            ngx_http_tracker_metrics_put(m, count,
                                         ",kind=\"%V\",le=\"%ui.%03ui\"",
                                         name, ms / 1000, ms % 1000);
        }

        count += sums[i];

        ngx_http_tracker_metrics_put(m, count, ",kind=\"%V\",le=\"+Inf\"",
                                     name);
        m->suffix = "_count";
        ngx_http_tracker_metrics_put(m, count, ",kind=\"%V\"", name);

        m->suffix = "_sum";
        m->milli = 1;
        ngx_http_tracker_metrics_put(m, sums[i + 1], ",kind=\"%V\"", name);
        m->milli = 0;
    }
}


static void
ngx_http_tracker_metrics_parked(ngx_http_tracker_metrics_t *m, ngx_uint_t arg)
{
    ngx_http_tracker_metrics_put(m, m->sums[NGX_HTTP_TRACKER_STAT_PARKED],
                                 ",kind=\"peers\"");
    ngx_http_tracker_metrics_put(m, m->sums[NGX_HTTP_TRACKER_STAT_POLLS],
                                 ",kind=\"poll\"");
}


static void
ngx_http_tracker_metrics_swarms(ngx_http_tracker_metrics_t *m, ngx_uint_t arg)
{
    ngx_http_tracker_metrics_put(m, m->tally.resources,
                                 ",type=\"resource\"");
    ngx_http_tracker_metrics_put(m, m->tally.torrents, ",type=\"torrent\"");
}


static void
ngx_http_tracker_metrics_peers(ngx_http_tracker_metrics_t *m, ngx_uint_t arg)
{
    ngx_uint_t  i;

    for (i = 0; i < 2; i++) {
        ngx_http_tracker_metrics_put(m, m->tally.complete[i],
                                 ",family=\"ipv%d\",state=\"complete\"",
                                 i ? 6 : 4);
        ngx_http_tracker_metrics_put(m,
                                 m->tally.peers[i] - m->tally.complete[i],
                                 ",family=\"ipv%d\",state=\"incomplete\"",
                                 i ? 6 : 4);
    }
}


static void
ngx_http_tracker_metrics_ratio(ngx_http_tracker_metrics_t *m, ngx_uint_t arg)
{
    m->milli = 1;
    ngx_http_tracker_metrics_put(m, m->fullest, "");
}


static void
ngx_http_tracker_metrics_refused(ngx_http_tracker_metrics_t *m,
    ngx_uint_t stat)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_TRACKER_REFUSAL_WORDS; i++) {
        ngx_http_tracker_metrics_put(m, m->sums[stat + i],
                                     ",reason=\"%V\"",
                                     &ngx_http_tracker_refusal_words[i]);
    }
}


static void
ngx_http_tracker_metrics_got(ngx_http_tracker_metrics_t *m, ngx_uint_t stat)
{
    ngx_uint_t  i;

    static const char  *sources[] = { "super", "peer", "cdn" };

    for (i = 0; i < 3; i++) {
        ngx_http_tracker_metrics_put(m, m->sums[stat + i],
                                     ",source=\"%s\"", sources[i]);
    }
}


static void
ngx_http_tracker_metrics_supers(ngx_http_tracker_metrics_t *m, ngx_uint_t arg)
{
    ngx_http_tracker_metrics_put(m, m->census.alive, ",state=\"alive\"");
    ngx_http_tracker_metrics_put(m, m->census.known - m->census.alive,
                                 ",state=\"away\"");
}


static void
ngx_http_tracker_metrics_reports(ngx_http_tracker_metrics_t *m,
    ngx_uint_t stat)
{
    ngx_http_tracker_metrics_put(m, m->sums[stat], ",kind=\"dead\"");
    ngx_http_tracker_metrics_put(m, m->sums[stat + 1], ",kind=\"wrong\"");
}


static void
ngx_http_tracker_metrics_announces(ngx_http_tracker_metrics_t *m,
    ngx_uint_t stat)
{
    ngx_uint_t  i;

    static const char  *events[] = {
        "none", "started", "completed", "stopped"
    };

    for (i = 0; i < 4; i++) {
        ngx_http_tracker_metrics_put(m, m->sums[stat + i],
                                     ",event=\"%s\"", events[i]);
    }
}


static void
ngx_http_tracker_metrics_failures(ngx_http_tracker_metrics_t *m,
    ngx_uint_t arg)
{
    ngx_http_tracker_metrics_put(m,
                             m->sums[NGX_HTTP_TRACKER_STAT_ANNOUNCES_BAD],
                             ",kind=\"announce\",reason=\"bad\"");
    ngx_http_tracker_metrics_put(m,
                             m->sums[NGX_HTTP_TRACKER_STAT_ANNOUNCES_DENIED],
                             ",kind=\"announce\",reason=\"denied\"");
    ngx_http_tracker_metrics_put(m,
                             m->sums[NGX_HTTP_TRACKER_STAT_SCRAPES_BAD],
                             ",kind=\"scrape\",reason=\"bad\"");
    ngx_http_tracker_metrics_put(m,
                             m->sums[NGX_HTTP_TRACKER_STAT_SCRAPES_DENIED],
                             ",kind=\"scrape\",reason=\"denied\"");
}
