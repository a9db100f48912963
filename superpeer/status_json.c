/* status_json.c - /status: the state, for people and scripts. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent.h"
#include "cache.h"
#include "clock.h"
#include "describe.h"
#include "prefetch.h"
#include "resource.h"
#include "serve.h"
#include "shoal.h"
#include "status_internal.h"
#include "superpeer.h"
#include "transfer.h"
#include "watch.h"

/* Under a short lock, however many there are. */
static void
add_sets(json_t *root, struct cache *c, const struct status_page *page)
{
    json_t *array = json_array();
    size_t cursor = page->cursor, n;
    struct cache_info *list;

    if (page->sets > 0
        && cache_list_some(c, &cursor, page->sets, &list, &n) == 0) {
        for (size_t i = 0; i < n; i++) {
            json_array_append_new(array, describe_set(&list[i]));
        }
        cache_list_free(list, n);
        if (cursor != 0) {
            json_object_set_new(root, "next", describe_number(cursor));
        }
    }
    json_object_set_new(root, "sets", array);
}

static json_t *
gone_part(const struct cache_stats *s)
{
    json_t *o = json_object();

    for (int i = 0; i < CACHE_GONE_REASONS; i++) {
        json_object_set_new(o, cache_gone_name((enum cache_gone) i),
                            describe_number(s->gone[i]));
    }
    return o;
}

static json_t *
cache_part(struct cache *c)
{
    struct cache_stats s;
    json_t *o = json_object();

    cache_get_stats(c, &s);
    json_object_set_new(o, "size", describe_number(s.size));
    json_object_set_new(o, "used", describe_number(s.used));
    json_object_set_new(o, "sets", describe_number(s.sets));
    json_object_set_new(o, "complete", describe_number(s.complete));
    json_object_set_new(o, "filling", describe_number(s.filling));
    json_object_set_new(o, "evicted",
                        describe_number(s.gone[CACHE_GONE_ROOM]
                                        + s.gone[CACHE_GONE_PROBATION]));
    json_object_set_new(o, "replaced",
                        describe_number(s.gone[CACHE_GONE_REPLACED]));
    json_object_set_new(o, "gone", gone_part(&s));
    json_object_set_new(o, "damaged", describe_number(s.damaged));
    json_object_set_new(o, "queue_bytes", describe_number(s.queue_bytes));
    json_object_set_new(o, "commit_errors", describe_number(s.commit_errors));
    json_object_set_new(o, "map_full", describe_number(s.map_full));
    json_object_set_new(o, "map_bytes", describe_number(s.map_bytes));
    json_object_set_new(o, "file_bytes", describe_number(s.file_bytes));
    return o;
}

static json_t *
serve_part(const struct serve *serve)
{
    struct serve_stats s;
    json_t *o = json_object();

    serve_get_stats(serve, &s);
    json_object_set_new(o, "port", describe_number(serve_port(serve)));
    json_object_set_new(o, "bytes", describe_number(s.bytes));
    json_object_set_new(o, "requests", describe_number(s.requests));
    json_object_set_new(o, "busy", describe_number(s.busy));
    json_object_set_new(o, "denied", describe_number(s.denied));
    json_object_set_new(o, "connections", describe_number(s.connections));
    json_object_set_new(o, "active", describe_number(s.active));
    json_object_set_new(o, "waiting", describe_number(s.waiting));
    return o;
}

static json_t *
refusals_part(const struct prefetch_stats *s)
{
    json_t *array = json_array();
    uint64_t now = clock_ms();

    for (size_t i = 0; i < s->n_refusals; i++) {
        const struct prefetch_refusal *r = &s->refusals[i];
        json_t *o = json_object(), *why = json_string(r->why);

        json_object_set_new(o, "id", describe_id(r->id));
        json_object_set_new(o, "url", describe_url(r->url));
        json_object_set_new(o, "reason", json_string(r->reason));
        json_object_set_new(o, "why",
                            why != NULL ? why : json_string("(not UTF-8)"));
        json_object_set_new(o, "when", describe_number(r->when));
        json_object_set_new(o, "remembered", json_boolean(r->until > now));
        json_object_set_new(o, "repeats", describe_number(r->repeats));
        json_array_append_new(array, o);
    }
    return array;
}

static json_t *
kinds_part(const uint64_t bytes[3])
{
    json_t *o = json_object();

    json_object_set_new(o, "cdn", describe_number(bytes[SOURCE_CDN]));
    json_object_set_new(o, "super", describe_number(bytes[SOURCE_SUPER]));
    return o;
}

static void
add_prefetch(json_t *root, struct prefetch *p)
{
    struct prefetch_stats *s = malloc(sizeof(*s));
    json_t *o = json_object();

    if (s == NULL) {
        json_decref(o);
        return;
    }
    prefetch_get_stats(p, s);
    json_object_set_new(o, "running", describe_number(s->running));
    json_object_set_new(o, "queued", describe_number(s->queued));
    json_object_set_new(o, "done", describe_number(s->done));
    json_object_set_new(o, "failed", describe_number(s->failed));
    json_object_set_new(o, "waited",
                        describe_number(s->queued_by[PREFETCH_WAITED]));
    json_object_set_new(o, "displaced", describe_number(s->displaced));
    json_object_set_new(o, "remembered", describe_number(s->remembered));
    json_object_set_new(o, "retries", describe_number(s->retries));
    json_object_set_new(o, "bytes", describe_number(s->bytes));
    json_object_set_new(o, "got", kinds_part(s->got));
    json_object_set_new(o, "wasted", kinds_part(s->wasted));
    json_object_set_new(o, "wrong", kinds_part(s->wrong));
    json_object_set_new(root, "prefetch", o);
    json_object_set_new(root, "refusals", refusals_part(s));
    free(s);
}

static json_t *
one_tracker(const struct agent_status *s)
{
    json_t *o = json_object(), *error = json_string(s->error);

    json_object_set_new(o, "url", describe_url(s->url));
    json_object_set_new(o, "address", json_string(s->address));
    json_object_set_new(o, "connected", json_boolean(s->connected));
    json_object_set_new(o, "same", json_boolean(s->same));
    json_object_set_new(o, "epoch", json_string(s->epoch));
    json_object_set_new(o, "error", error != NULL ? error : json_string("?"));
    json_object_set_new(o, "calls", describe_number(s->calls));
    json_object_set_new(o, "failures", describe_number(s->failures));
    json_object_set_new(o, "prepares", describe_number(s->prepares));
    json_object_set_new(o, "announcements", describe_number(s->announcements));
    json_object_set_new(o, "pending", describe_number(s->pending));
    return o;
}

static json_t *
trackers_part(struct agent *a)
{
    json_t *array = json_array();
    struct agent_status *list;
    size_t n;

    if (agent_list(a, &list, &n) == 0) {
        for (size_t i = 0; i < n; i++) {
            json_array_append_new(array, one_tracker(&list[i]));
        }
        agent_list_free(list, n);
    }
    return array;
}

static void
add_health(json_t *root, struct watch *w)
{
    char why[128];
    bool fault = watch_fault(w, why, sizeof(why));

    json_object_set_new(root, "health", json_string(fault ? why : "ok"));
}

char *
status_json(const struct status_sources *s, const struct status_page *page)
{
    json_t *root = json_object();

    json_object_set_new(root, "name", json_string(s->name));
    json_object_set_new(root, "version", json_string(SUPERPEER_VERSION));
    json_object_set_new(root, "uptime",
                        describe_number((clock_ms() - s->started_ms) / 1000));
    add_health(root, s->watch);
    json_object_set_new(root, "cache", cache_part(s->cache));
    json_object_set_new(root, "serve", serve_part(s->serve));
    add_prefetch(root, s->prefetch);
    json_object_set_new(root, "trackers", trackers_part(s->agent));
    add_sets(root, s->cache, page);
    char *text = json_dumps(root, JSON_INDENT(1));
    json_decref(root);
    return text;
}
