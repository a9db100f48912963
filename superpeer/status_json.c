/* status_json.c - /status: the state, for people and scripts. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent.h"
#include "cache.h"
#include "clock.h"
#include "digest.h"
#include "log.h"
#include "prefetch.h"
#include "resource.h"
#include "serve.h"
#include "shoal.h"
#include "status_internal.h"
#include "superpeer.h"
#include "transfer.h"
#include "watch.h"

static json_t *
number(uint64_t n)
{
    return json_integer((json_int_t) n);
}

/* URLs are bytes; JSON is UTF-8. Without their queries, which hold tokens. */
static json_t *
text_of_url(const char *url)
{
    char plain[LOG_URL_MAX];

    json_t *s = json_string(log_url(url, plain));
    return s != NULL ? s : json_string("(not UTF-8)");
}

static json_t *
text_of_id(const uint8_t id[20])
{
    char hex[RESOURCE_ID_HEX];

    resource_id_hex(id, hex);
    return json_string(hex);
}

static json_t *
one_set(const struct cache_info *i)
{
    char root[DIGEST_HEX];
    json_t *o = json_object();

    json_object_set_new(o, "id", text_of_id(i->id));
    json_object_set_new(o, "url", text_of_url(i->url));
    json_object_set_new(o, "size", number(i->size));
    json_object_set_new(o, "version", json_string(i->version));
    json_object_set_new(o, "blocks", number(i->blocks));
    json_object_set_new(o, "held", number(i->held));
    json_object_set_new(o, "state",
                        json_string(i->complete  ? "complete"
                                    : i->filling ? "filling"
                                                 : "incomplete"));
    if (i->complete && i->blocks > 0) {
        hex_encode(i->root, DIGEST_LEN, root);
        json_object_set_new(o, "root", json_string(root));
    }
    json_object_set_new(o, "copy", json_boolean(i->copy));
    json_object_set_new(o, "last_use", number(i->last_use));
    return o;
}

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
            json_array_append_new(array, one_set(&list[i]));
        }
        cache_list_free(list, n);
        if (cursor != 0) {
            json_object_set_new(root, "next", number(cursor));
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
                            number(s->gone[i]));
    }
    return o;
}

static json_t *
cache_part(struct cache *c)
{
    struct cache_stats s;
    json_t *o = json_object();

    cache_get_stats(c, &s);
    json_object_set_new(o, "size", number(s.size));
    json_object_set_new(o, "used", number(s.used));
    json_object_set_new(o, "sets", number(s.sets));
    json_object_set_new(o, "complete", number(s.complete));
    json_object_set_new(o, "filling", number(s.filling));
    json_object_set_new(
        o, "evicted",
        number(s.gone[CACHE_GONE_ROOM] + s.gone[CACHE_GONE_PROBATION]));
    json_object_set_new(o, "replaced", number(s.gone[CACHE_GONE_REPLACED]));
    json_object_set_new(o, "gone", gone_part(&s));
    json_object_set_new(o, "damaged", number(s.damaged));
    json_object_set_new(o, "queue_bytes", number(s.queue_bytes));
    json_object_set_new(o, "commit_errors", number(s.commit_errors));
    json_object_set_new(o, "map_full", number(s.map_full));
    json_object_set_new(o, "map_bytes", number(s.map_bytes));
    json_object_set_new(o, "file_bytes", number(s.file_bytes));
    return o;
}

static json_t *
serve_part(const struct serve *serve)
{
    struct serve_stats s;
    json_t *o = json_object();

    serve_get_stats(serve, &s);
    json_object_set_new(o, "port", number(serve_port(serve)));
    json_object_set_new(o, "bytes", number(s.bytes));
    json_object_set_new(o, "requests", number(s.requests));
    json_object_set_new(o, "busy", number(s.busy));
    json_object_set_new(o, "denied", number(s.denied));
    json_object_set_new(o, "connections", number(s.connections));
    json_object_set_new(o, "active", number(s.active));
    json_object_set_new(o, "waiting", number(s.waiting));
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

        json_object_set_new(o, "id", text_of_id(r->id));
        json_object_set_new(o, "url", text_of_url(r->url));
        json_object_set_new(o, "reason", json_string(r->reason));
        json_object_set_new(o, "why",
                            why != NULL ? why : json_string("(not UTF-8)"));
        json_object_set_new(o, "when", number(r->when));
        json_object_set_new(o, "remembered", json_boolean(r->until > now));
        json_object_set_new(o, "repeats", number(r->repeats));
        json_array_append_new(array, o);
    }
    return array;
}

static json_t *
kinds_part(const uint64_t bytes[3])
{
    json_t *o = json_object();

    json_object_set_new(o, "cdn", number(bytes[SOURCE_CDN]));
    json_object_set_new(o, "super", number(bytes[SOURCE_SUPER]));
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
    json_object_set_new(o, "running", number(s->running));
    json_object_set_new(o, "queued", number(s->queued));
    json_object_set_new(o, "done", number(s->done));
    json_object_set_new(o, "failed", number(s->failed));
    json_object_set_new(o, "waited", number(s->queued_by[PREFETCH_WAITED]));
    json_object_set_new(o, "displaced", number(s->displaced));
    json_object_set_new(o, "remembered", number(s->remembered));
    json_object_set_new(o, "retries", number(s->retries));
    json_object_set_new(o, "bytes", number(s->bytes));
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

    json_object_set_new(o, "url", text_of_url(s->url));
    json_object_set_new(o, "address", json_string(s->address));
    json_object_set_new(o, "connected", json_boolean(s->connected));
    json_object_set_new(o, "same", json_boolean(s->same));
    json_object_set_new(o, "epoch", json_string(s->epoch));
    json_object_set_new(o, "error", error != NULL ? error : json_string("?"));
    json_object_set_new(o, "calls", number(s->calls));
    json_object_set_new(o, "failures", number(s->failures));
    json_object_set_new(o, "prepares", number(s->prepares));
    json_object_set_new(o, "announcements", number(s->announcements));
    json_object_set_new(o, "pending", number(s->pending));
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
                        number((clock_ms() - s->started_ms) / 1000));
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
