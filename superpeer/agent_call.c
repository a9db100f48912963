/* agent_call.c - one call to a tracker: its arguments, and what the answer
 * says. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "agent_internal.h"
#include "call.h"
#include "clock.h"
#include "config.h"
#include "digest.h"
#include "log.h"
#include "news.h"
#include "prefetch.h"
#include "resource.h"
#include "shoal.h"

enum {
    BASE_MAX = 1024,  /* characters of a super peer's URL with its ticket */
    SLACK_MS = 10000, /* after that an answer will not come */
    NEWS_TIMEOUT_MS = 15000
};

/* Totals, of which the tracker takes the difference to the last call: one
 * that is repeated counts nothing twice. */
static void
query_load(struct tracker_link *l, char *out, size_t cap)
{
    struct agent *a = l->agent;
    struct agent_load load;

    memset(&load, 0, sizeof(load));
    a->ops->load(a->ops->ctx, &load);
    pthread_mutex_lock(&a->lock);
    meter_look(&a->meter, clock_ms(), load.sent, load.cpu_us, load.cores);
    uint64_t rate = a->meter.rate;
    unsigned cpu = a->meter.cpu;
    pthread_mutex_unlock(&a->lock);
    snprintf(
        out, cap,
        "&capacity=%" PRIu64 "&free=%" PRIu64 "&active=%u&active_max=%" PRIu64
        "&rate=%" PRIu64 "&rate_max=%" PRIu64 "&cpu=%u&got=%" PRIu64
        ",%" PRIu64 ",%" PRIu64 "&sent=%" PRIu64,
        load.capacity, load.free, load.active, load.active_max, rate,
        load.rate_max, cpu, load.got[0], load.got[1], load.got[2], load.sent);
}

static void add(char out[QUERY_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
add(char out[QUERY_MAX], const char *format, ...)
{
    size_t len = strlen(out);
    va_list args;

    va_start(args, format);
    vsnprintf(out + len, QUERY_MAX - len, format, args);
    va_end(args);
}

static void
query(struct tracker_link *l, const struct question *q, char out[QUERY_MAX])
{
    struct agent *a = l->agent;

    pthread_mutex_lock(&a->lock);
    snprintf(out, QUERY_MAX, "name=%s&session=%s&seq=%" PRIu64 "&wait_ms=%d",
             a->config->name, a->session, q->seq, q->wait_ms);
    if (!q->unnamed) {
        add(out, "&port=%u%s", (unsigned) a->port,
            a->https ? "&scheme=https" : "");
    }
    if (l->epoch[0] != '\0') {
        add(out, "&epoch=%s&cursor=%" PRIu64, l->epoch, l->cursor);
    }
    if (a->config->locality != NULL) {
        add(out, "&locality=%s", a->config->locality);
    }
    pthread_mutex_unlock(&a->lock);
    if (q->full != NULL) {
        add(out, "&full=%s", q->full);
    }
    if (q->event != NULL) {
        add(out, "&event=%s", q->event);
    }
    query_load(l, out + strlen(out), QUERY_MAX - strlen(out));
}

/* Addresses with user information are none: it would be sent along. */
static bool
is_base(const char *url)
{
    const char *host = strstr(url, "://");

    return (strncmp(url, "http://", 7) == 0
            || strncmp(url, "https://", 8) == 0)
           && strlen(url) < BASE_MAX
           && memchr(host, '@', strcspn(host + 3, "/?#") + 3) == NULL;
}

/* Borrowed from the JSON. */
static void
read_others(json_t *p, struct prefetch_others *out)
{
    const char *root = json_string_value(
        json_object_get(json_object_get(p, "digest"), "root"));
    json_t *item;
    size_t i;

    memset(out, 0, sizeof(*out));
    out->has_root =
        root != NULL && hex_decode(root, out->root, sizeof(out->root)) == 0;
    json_array_foreach(json_object_get(p, "super"), i, item)
    {
        const char *url = json_string_value(item);

        if (url != NULL && is_base(url) && out->n < PREFETCH_OTHERS_MAX) {
            out->urls[out->n++] = url;
        }
    }
}

static void
prepare_one(struct tracker_link *l, json_t *p)
{
    const struct agent_ops *ops = l->agent->ops;
    const char *id = NULL, *url = NULL, *version = "", *provider = "";
    struct prefetch_others others;
    struct resource r;
    json_int_t size = -1;
    uint8_t raw[RESOURCE_ID_LEN];

    if (json_unpack(p, "{s:s, s:s, s:I, s?s, s?s}", "id", &id, "url", &url,
                    "size", &size, "version", &version, "provider", &provider)
            != 0
        || resource_id_parse(id, raw) != 0)
    {
        log_line(LOG_LEVEL_ERROR, NULL,
                 "tracker %s: a prepare that makes no sense", l->name);
        return;
    }
    if (size < 0
        || resource_init(&r, url, (uint64_t) size, provider, version) != 0)
    {
        struct news_item no = { .kind = NEWS_REFUSED, .reason = "failed" };

        log_line(LOG_LEVEL_ERROR, raw,
                 "tracker %s: prepare: url, size or version do not parse",
                 l->name);
        memcpy(no.id, raw, sizeof(no.id));
        agent_tell(l->agent, &no);
        return;
    }
    memcpy(r.id, raw, sizeof(r.id)); /* the tracker's counts */
    read_others(p, &others);
    ops->prepare(ops->ctx, &r, &others);
    resource_fini(&r);
}

static bool
is_epoch(const char *s)
{
    return strlen(s) == 16 && strspn(s, "0123456789abcdefABCDEF") == 16;
}

int
link_parse(struct tracker_link *l, const char *body, size_t len,
           struct reply *out)
{
    const char *epoch = NULL;
    json_int_t cursor = 0;
    json_t *prepare = NULL, *root;
    int lost = 0;

    root = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL
        || json_unpack(root, "{s:s, s:I, s?b, s?o}", "epoch", &epoch, "cursor",
                       &cursor, "lost", &lost, "prepare", &prepare)
               != 0
        || !is_epoch(epoch) || cursor < 0)
    {
        json_decref(root);
        return SHOAL_EPROTO;
    }
    memcpy(out->epoch, epoch, sizeof(out->epoch));
    out->cursor = (uint64_t) cursor;
    out->prepares = json_array_size(prepare);
    if (lost) {
        log_line(LOG_LEVEL_WARN, NULL, "tracker %s: commands were lost",
                 l->name);
    }
    for (size_t i = 0; i < out->prepares; i++) {
        prepare_one(l, json_array_get(prepare, i));
    }
    json_decref(root);
    return 0;
}

/* Logs when it changes: each of the two connections has an error of its own,
 * so that one that works does not hide the other's. */
static void
note_state(struct tracker_link *l, bool poll, const char *error)
{
    char *mine = poll ? l->poll_error : l->news_error;
    const char *other = poll ? l->news_error : l->poll_error;

    pthread_mutex_lock(&l->agent->lock);
    bool was_connected = l->connected;
    bool changed =
        error != NULL && strcmp(mine, error) != 0 && strcmp(other, error) != 0;
    snprintf(mine, AGENT_ERROR_MAX, "%s", error != NULL ? error : "");
    l->connected = l->poll_error[0] == '\0' && l->news_error[0] == '\0';
    if (was_connected && !l->connected) {
        l->down_ms = clock_ms();
    }
    l->calls++;
    l->failures += error != NULL;
    bool back = l->connected && !was_connected;
    pthread_cond_broadcast(&l->agent->changed);
    pthread_mutex_unlock(&l->agent->lock);
    if (atomic_load(&l->stop)) {
        return;
    }
    if (back) {
        log_line(LOG_LEVEL_INFO, NULL, "tracker %s: connected", l->name);
    } else if (changed) {
        log_line(LOG_LEVEL_WARN, NULL, "tracker %s: %s", l->name, error);
    }
}

/* The first line of an answer, for the log. */
static void
note_status(struct tracker_link *l, bool poll,
            const struct call_answer *answer)
{
    char text[AGENT_ERROR_MAX];

    snprintf(text, sizeof(text), "HTTP status %ld: %.*s", answer->status,
             answer->len < 100 ? (int) strcspn(answer->body, "\r\n<") : 0,
             answer->body);
    note_state(l, poll, text);
}

int
link_call(struct tracker_link *l, bool poll, const struct question *question,
          const char *body, struct reply *out)
{
    struct call *call = poll ? l->poll_call : l->news_call;
    struct call_answer answer;
    char text[QUERY_MAX];

    query(l, question, text);
    int err = call_post(call, text, body,
                        poll ? POLL_MS + SLACK_MS : NEWS_TIMEOUT_MS, &answer);
    if (err == SHOAL_ESTOPPED) {
        return err;
    }
    if (err != 0) {
        note_state(l, poll, call_error(call));
        return err;
    }
    if (question->unnamed && answer.status == 400) {
        return SHOAL_EINVAL;
    }
    if (answer.status != 200) {
        note_status(l, poll, &answer);
        return answer.status == 400 || answer.status == 413 ? SHOAL_EINVAL
                                                            : SHOAL_EHTTP;
    }
    err = link_parse(l, answer.body, answer.len, out);
    note_state(l, poll, err == 0 ? NULL : "an answer that makes no sense");
    return err;
}

/* The tracker lost its memory unless it is the first word we have of it or
 * the answer to the beginning of a full announcement. Or it is one that
 * another link speaks to. */
void
link_take_epoch_locked(struct tracker_link *l, const struct reply *r,
                       bool first)
{
    if (strcmp(l->epoch, r->epoch) == 0) {
        return;
    }
    if (!link_claim_locked(l, r->epoch)) {
        l->active = false;
    } else if (!first) {
        log_line(LOG_LEVEL_INFO, NULL, "tracker %s: new epoch", l->name);
        l->want_full = true;
        l->full_at_ms = clock_ms() + agent_jitter_ms(NEW_EPOCH_MS);
    }
    memcpy(l->epoch, r->epoch, sizeof(l->epoch));
    l->cursor = r->cursor;
}
