/* metrics.c - /metrics: figures for Prometheus, in its text format 0.0.4. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "cache.h"
#include "clock.h"
#include "log.h"
#include "metrics_page.h"
#include "prefetch.h"
#include "serve.h"
#include "status_internal.h"
#include "superpeer.h"
#include "transfer.h"
#include "watch.h"

#define PREFIX "shoal_superpeer_"

/* ---- the cache ---- */

static void
cache_sets(struct metrics_page *p, const struct cache_stats *s)
{
    metrics_begin(p, PREFIX "cache_sets", "gauge",
                  "Files in the cache; incomplete: not being fetched now.");
    metrics_sample(p, "state", "complete", s->complete);
    metrics_sample(p, "state", "filling", s->filling);
    metrics_sample(p, "state", "incomplete",
                   s->sets - s->complete - s->filling);
    metrics_begin(p, PREFIX "cache_gone_sets_total", "counter",
                  "Files that were deleted, by the reason.");
    for (int i = 0; i < CACHE_GONE_REASONS; i++) {
        metrics_sample(p, "reason", cache_gone_name((enum cache_gone) i),
                       s->gone[i]);
    }
}

static void
write_cache(struct metrics_page *p, struct cache *cache)
{
    struct cache_stats s;

    cache_get_stats(cache, &s);
    metrics_one(
        p, PREFIX "cache_size_bytes", "gauge",
        "What the cache may take: cache.size, or what the disk has room for.",
        s.size);
    metrics_one(p, PREFIX "cache_used_bytes", "gauge",
                "What is set aside for files, as if all were complete.",
                s.used);
    metrics_one(p, PREFIX "cache_file_bytes", "gauge",
                "Size of the cache's file.", s.file_bytes);
    metrics_one(p, PREFIX "cache_map_bytes", "gauge",
                "Size of the map that the file may grow to.", s.map_bytes);
    cache_sets(p, &s);
    metrics_one(p, PREFIX "cache_damaged_blocks_total", "counter",
                "Blocks on disk that were not what was written.", s.damaged);
    metrics_one(p, PREFIX "cache_queue_bytes", "gauge",
                "Blocks that are not committed yet.", s.queue_bytes);
    metrics_one(p, PREFIX "cache_syncs_total", "counter",
                "Times that the file was synced.", s.syncs);
    metrics_one(p, PREFIX "cache_commit_errors_total", "counter",
                "Transactions that failed.", s.commit_errors);
    metrics_one(p, PREFIX "cache_map_full_total", "counter",
                "Of these, because no page was free.", s.map_full);
}

/* ---- the block server ---- */

static void
serve_requests(struct metrics_page *p, const struct serve_stats *s)
{
    static const char *const kinds[SERVE_KINDS] = { "blocks", "have", "hashes",
                                                    "other" };

    metrics_begin(p, PREFIX "requests_total", "counter",
                  "Requests to the block server, by what they are for.");
    for (int i = 0; i < SERVE_KINDS; i++) {
        metrics_sample(p, "kind", kinds[i], s->asked[i]);
    }
    metrics_begin(p, PREFIX "answers_total", "counter",
                  "Its answers, by the class of their status.");
    for (int i = 2; i < 6; i++) {
        char class[] = { (char) ('0' + i), 'x', 'x', '\0' };

        metrics_sample(p, "class", class, s->answered[i]);
    }
    metrics_one(p, PREFIX "busy_answers_total", "counter",
                "Answers 503, with Retry-After.", s->busy);
    metrics_one(p, PREFIX "denied_answers_total", "counter",
                "Answers 403: no ticket, or not a good one.", s->denied);
}

static void
serve_connections(struct metrics_page *p, const struct serve_stats *s)
{
    metrics_one(p, PREFIX "connections", "gauge",
                "Connections to the block server.", s->connections);
    metrics_one(p, PREFIX "uploads", "gauge", "Answers with blocks under way.",
                s->active);
    metrics_one(p, PREFIX "waiting", "gauge",
                "Requests that wait for news of blocks.", s->waiting);
    metrics_begin(p, PREFIX "refused_connections_total", "counter",
                  "Connections above a limit: of all, or of one address.");
    metrics_sample(p, "limit", "all", s->refused[SERVE_FULL]);
    metrics_sample(p, "limit", "address", s->refused[SERVE_ADDRESS_FULL]);
    metrics_begin(p, PREFIX "ended_connections_total", "counter",
                  "Connections that a deadline ended.");
    metrics_sample(p, "deadline", "idle", s->ended[SERVE_IDLE]);
    metrics_sample(p, "deadline", "header", s->ended[SERVE_HEADER]);
    metrics_sample(p, "deadline", "min_rate", s->ended[SERVE_MIN_RATE]);
    metrics_one(p, PREFIX "failed_handshakes_total", "counter",
                "Connections that did not get through their TLS handshake.",
                s->handshakes_failed);
}

static void
write_serve(struct metrics_page *p, const struct serve *serve)
{
    struct serve_stats s;

    serve_get_stats(serve, &s);
    metrics_one(p, PREFIX "sent_bytes_total", "counter",
                "Bytes of blocks that were sent.", s.bytes);
    serve_requests(p, &s);
    serve_connections(p, &s);
}

/* ---- prefetch ---- */

static void
prefetch_bytes(struct metrics_page *p, const struct prefetch_stats *s)
{
    metrics_begin(p, PREFIX "got_bytes_total", "counter",
                  "Bytes that were fetched, by the kind of source.");
    metrics_sample(p, "source", "cdn", s->got[SOURCE_CDN]);
    metrics_sample(p, "source", "super", s->got[SOURCE_SUPER]);
    metrics_begin(p, PREFIX "wasted_bytes_total", "counter",
                  "Of these, bytes that were thrown away.");
    metrics_sample(p, "source", "cdn", s->wasted[SOURCE_CDN]);
    metrics_sample(p, "source", "super", s->wasted[SOURCE_SUPER]);
    metrics_begin(p, PREFIX "wrong_blocks_total", "counter",
                  "Blocks that were fetched and failed their check.");
    metrics_sample(p, "source", "cdn", s->wrong[SOURCE_CDN]);
    metrics_sample(p, "source", "super", s->wrong[SOURCE_SUPER]);
}

static void
prefetch_jobs(struct metrics_page *p, const struct prefetch_stats *s)
{
    metrics_one(p, PREFIX "prefetch_running", "gauge",
                "Files that are fetched now.", s->running);
    metrics_begin(p, PREFIX "prefetch_queued", "gauge",
                  "Files that wait; waited: somebody waits for them.");
    metrics_sample(p, "priority", "waited", s->queued_by[PREFETCH_WAITED]);
    metrics_sample(p, "priority", "background",
                   s->queued_by[PREFETCH_BACKGROUND]);
    metrics_begin(p, PREFIX "prefetches_total", "counter",
                  "Files whose fetching ended.");
    metrics_sample(p, "result", "complete", s->done);
    metrics_sample(p, "result", "failed", s->failed);
    metrics_begin(p, PREFIX "probes_total", "counter",
                  "What CDN nodes said when they were asked for a file.");
    for (int i = 0; i < PREFETCH_PROBES; i++) {
        metrics_sample(p, "result", prefetch_probes[i], s->probes[i]);
    }
    metrics_begin(p, PREFIX "refusals_total", "counter",
                  "Commands that were refused, by the reason.");
    for (int i = 0; i < PREFETCH_REASONS; i++) {
        metrics_sample(p, "reason", prefetch_reasons[i], s->refused[i]);
    }
}

static void
prefetch_counts(struct metrics_page *p, const struct prefetch_stats *s)
{
    metrics_one(p, PREFIX "remembered_refusals_total", "counter",
                "Of these, refused from memory.", s->remembered);
    metrics_one(p, PREFIX "displaced_prefetches_total", "counter",
                "Files whose fetching gave way to others.", s->displaced);
    metrics_one(p, PREFIX "retries_total", "counter",
                "Requests to sources that were made again.", s->retries);
    metrics_begin(p, PREFIX "dns_total", "counter",
                  "Names of CDN nodes that were looked up.");
    metrics_sample(p, "result", "asked", s->dns_lookups);
    metrics_sample(p, "result", "cached", s->dns_cached);
    metrics_sample(p, "result", "failed", s->dns_failed);
}

static void
prefetch_seconds(struct metrics_page *p, const struct prefetch_stats *s)
{
    metrics_begin(
        p, PREFIX "prefetch_seconds", "histogram",
        "From the beginning of a file's fetching until it was complete; "
        "size: its upper bound in MiB.");
    for (int i = 0; i < PREFETCH_SIZES; i++) {
        char size[24] = "any";

        if (prefetch_sizes[i] != UINT64_MAX) {
            snprintf(size, sizeof(size), "%" PRIu64, prefetch_sizes[i] >> 20);
        }
        metrics_histogram(p, size, &s->times[i]);
    }
}

static void
write_prefetch(struct metrics_page *p, struct prefetch *prefetch)
{
    struct prefetch_stats *s = malloc(sizeof(*s));

    if (s == NULL) {
        return;
    }
    prefetch_get_stats(prefetch, s);
    prefetch_bytes(p, s);
    prefetch_jobs(p, s);
    prefetch_counts(p, s);
    prefetch_seconds(p, s);
    free(s);
}

/* ---- trackers ---- */

static uint64_t
is_connected(const struct agent_status *s)
{
    return s->connected;
}

static uint64_t
calls_of(const struct agent_status *s)
{
    return s->calls;
}

static uint64_t
failures_of(const struct agent_status *s)
{
    return s->failures;
}

static uint64_t
prepares_of(const struct agent_status *s)
{
    return s->prepares;
}

static uint64_t
announcements_of(const struct agent_status *s)
{
    return s->announcements;
}

static uint64_t
pending_of(const struct agent_status *s)
{
    return s->pending;
}

static const struct {
    const char *name, *type, *help;
    uint64_t (*value)(const struct agent_status *s);
} tracker_metrics[] = {
    { PREFIX "tracker_connected", "gauge",
      "Whether its last calls were answered.", is_connected },
    { PREFIX "tracker_calls_total", "counter", "Calls to it.", calls_of },
    { PREFIX "tracker_failed_calls_total", "counter",
      "Of these, those without an answer that could be used.", failures_of },
    { PREFIX "tracker_prepares_total", "counter",
      "Commands to prepare a file.", prepares_of },
    { PREFIX "tracker_announcements_total", "counter",
      "Full announcements that it took.", announcements_of },
    { PREFIX "tracker_pending_news", "gauge",
      "Files whose news it has not heard yet.", pending_of },
};

enum {
    TRACKER_METRICS = sizeof(tracker_metrics) / sizeof(tracker_metrics[0])
};

static void
write_trackers(struct metrics_page *p, struct agent *agent)
{
    struct agent_status *list;
    size_t n;

    if (agent_list(agent, &list, &n) != 0) {
        return;
    }
    for (int m = 0; m < TRACKER_METRICS && n > 0; m++) {
        metrics_begin(p, tracker_metrics[m].name, tracker_metrics[m].type,
                      tracker_metrics[m].help);
        for (size_t i = 0; i < n; i++) {
            char url[LOG_URL_MAX], plain[2 * LOG_URL_MAX];

            metrics_escape(log_url(list[i].url, url), plain, sizeof(plain));
            fprintf(p->f, "%s{tracker=\"%s\",address=\"%s\"} %" PRIu64 "\n",
                    p->name, plain, list[i].address,
                    tracker_metrics[m].value(&list[i]));
        }
    }
    agent_list_free(list, n);
}

static void
write_self(struct metrics_page *p, const struct status_sources *s)
{
    char name[128], why[128];

    metrics_escape(s->name, name, sizeof(name));
    metrics_begin(p, PREFIX "info", "gauge", "Always 1.");
    fprintf(p->f, "%s{name=\"%s\",version=\"%s\"} 1\n", p->name, name,
            SUPERPEER_VERSION);
    metrics_one(p, PREFIX "uptime_seconds", "gauge", "Since it was ready.",
                (clock_ms() - s->started_ms) / 1000);
    metrics_one(p, PREFIX "healthy", "gauge", "What /healthz says.",
                !watch_fault(s->watch, why, sizeof(why)));
}

char *
status_metrics(const struct status_sources *s)
{
    struct metrics_page p = { NULL, NULL };
    char *text = NULL;
    size_t len = 0;

    p.f = open_memstream(&text, &len);
    if (p.f == NULL) {
        return NULL;
    }
    write_self(&p, s);
    write_cache(&p, s->cache);
    write_serve(&p, s->serve);
    write_prefetch(&p, s->prefetch);
    write_trackers(&p, s->agent);
    metrics_process(&p);
    if (fclose(p.f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
