#include "status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <microhttpd.h>

#include "agent.h"
#include "cache.h"
#include "clock.h"
#include "config.h"
#include "digest.h"
#include "listen.h"
#include "log.h"
#include "prefetch.h"
#include "resource.h"
#include "serve.h"
#include "shoal.h"
#include "transfer.h"
#include "watch.h"

enum {
    CONNECTIONS_MAX = 32,
    MEMORY_LIMIT = 8192, /* bytes a connection */
    TIMEOUT_S = 10
};

struct status {
    struct MHD_Daemon *daemon;
    struct status_sources sources;
};

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

static json_t *
all_sets(struct cache *c)
{
    json_t *array = json_array();
    struct cache_info *list;
    size_t n;

    if (cache_list(c, &list, &n) == 0) {
        for (size_t i = 0; i < n; i++) {
            json_array_append_new(array, one_set(&list[i]));
        }
        cache_list_free(list, n);
    }
    return array;
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
    json_object_set_new(
        o, "evicted",
        number(s.gone[CACHE_GONE_ROOM] + s.gone[CACHE_GONE_PROBATION]));
    json_object_set_new(o, "replaced", number(s.gone[CACHE_GONE_REPLACED]));
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
    json_object_set_new(o, "connections", number(s.connections));
    json_object_set_new(o, "active", number(s.active));
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

static bool
any_tracker(struct agent *a)
{
    struct agent_status *list;
    bool any = false;
    size_t n;

    if (agent_list(a, &list, &n) == 0) {
        for (size_t i = 0; i < n; i++) {
            any = any || list[i].connected;
        }
        agent_list_free(list, n);
    }
    return any;
}

static char *
print_status(const struct status_sources *s)
{
    json_t *root = json_object();

    json_object_set_new(root, "name", json_string(s->name));
    json_object_set_new(root, "cache", cache_part(s->cache));
    json_object_set_new(root, "serve", serve_part(s->serve));
    add_prefetch(root, s->prefetch);
    json_object_set_new(root, "trackers", trackers_part(s->agent));
    json_object_set_new(root, "sets", all_sets(s->cache));
    char *text = json_dumps(root, JSON_INDENT(1));
    json_decref(root);
    return text;
}

static enum MHD_Result
send_text(struct MHD_Connection *c, unsigned status, const char *type,
          const char *text, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        strlen(text), (void *) (uintptr_t) text, mode);

    if (r == NULL) {
        return MHD_NO;
    }
    MHD_add_response_header(r, "Content-Type", type);
    MHD_add_response_header(r, "Cache-Control", "no-store");
    enum MHD_Result ok = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return ok;
}

/* Not well: what a restart, or the operator, would help against. Trackers that
 * are away count only where they are asked for. */
static bool
is_well(struct status *s, struct MHD_Connection *c, char *why, size_t cap)
{
    const char *trackers =
        MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "trackers");

    if (watch_fault(s->sources.watch, why, cap)) {
        return false;
    }
    if (trackers != NULL && !any_tracker(s->sources.agent)) {
        snprintf(why, cap, "no tracker can be reached");
        return false;
    }
    return true;
}

static enum MHD_Result
answer_health(struct status *s, struct MHD_Connection *c)
{
    char why[128], text[160];

    if (is_well(s, c, why, sizeof(why))) {
        return send_text(c, 200, "text/plain", "ok\n", MHD_RESPMEM_PERSISTENT);
    }
    snprintf(text, sizeof(text), "%s\n", why);
    return send_text(c, 503, "text/plain", text, MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result
answer(struct status *s, struct MHD_Connection *c, const char *url)
{
    if (strcmp(url, "/healthz") == 0) {
        return answer_health(s, c);
    }
    if (strcmp(url, "/status") == 0) {
        char *text = print_status(&s->sources);

        return text == NULL ? MHD_NO
                            : send_text(c, 200, "application/json", text,
                                        MHD_RESPMEM_MUST_FREE);
    }
    return send_text(c, 404, "text/plain", "no such page\n",
                     MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result
/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd's parameters */
handle(void *cls, struct MHD_Connection *c, const char *url,
       const char *method, const char *version, const char *upload_data,
       size_t *upload_data_size, void **context)
{
    static char seen;

    (void) version;
    (void) upload_data;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return send_text(c, 405, "text/plain", "GET and HEAD only\n",
                         MHD_RESPMEM_PERSISTENT);
    }
    if (*context == NULL) {
        *context = &seen;
        return MHD_YES;
    }
    if (*upload_data_size != 0) {
        *upload_data_size = 0;
        return MHD_YES;
    }
    return answer(cls, c, url);
}

int
status_start(const struct config_address *address,
             const struct status_sources *sources, struct status **out,
             char *why, size_t cap)
{
    struct status *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        snprintf(why, cap, "out of memory");
        return SHOAL_ENOMEM;
    }
    s->sources = *sources;
    int fd = listen_open(address->host, address->port, why, cap);
    if (fd < 0) {
        free(s);
        return SHOAL_ENET;
    }
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, handle, s,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t) MEMORY_LIMIT, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned) CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned) TIMEOUT_S, MHD_OPTION_END);
    if (s->daemon == NULL) {
        snprintf(why, cap, "cannot start the status listener: %s",
                 strerror(errno));
        free(s);
        return SHOAL_ENET;
    }
    *out = s;
    return 0;
}

void
status_stop(struct status *s)
{
    if (s == NULL) {
        return;
    }
    MHD_stop_daemon(s->daemon);
    free(s);
}
