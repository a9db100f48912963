/* serve_have.c - which blocks are held, and what is new of them
 * (docs/protocol.md "Block server", "have"). */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "callers.h"
#include "clock.h"
#include "havelog.h"
#include "serve_internal.h"
#include "shoal.h"

enum {
    WAIT_MAX_MS = 60000,
    APART_MS = 20, /* two answers of one connection; SWARM.md rule 2 */
    CLAIMS_MAX = HAVELOG_EVENTS,
    EVENT_LEN = 4 /* bytes on the wire */
};

/* What a request says, docs/protocol.md. */
struct wish {
    bool follows; /* it has one of the arguments */
    bool same_epoch;
    uint64_t since;
    uint64_t wait_ms;
    uint64_t port; /* where the asker serves blocks; 0: nowhere */
};

struct poll {
    struct hold_waiter waiter; /* first: see serve_hold_ops */
    struct havelog_watcher watcher;
    struct serve *serve;
    struct MHD_Connection *connection;
    struct conn *conn;
    struct serve_set set;
    struct wish wish;
};

/* ---- arguments ---- */

static bool
parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    size_t len = strlen(text);

    if (len == 0 || len > 19 || strspn(text, "0123456789") != len) {
        return false;
    }
    *out = strtoull(text, NULL, 10);
    return *out >= min && *out <= max;
}

static bool
is_hex16(const char *text)
{
    return strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16;
}

static const char *
argument(struct MHD_Connection *c, const char *name)
{
    return MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name);
}

/* NULL, or what is wrong, a line. */
static const char *
parse_asker(struct serve *s, struct MHD_Connection *c, struct wish *out)
{
    const char *port = argument(c, "port"), *client = argument(c, "client");

    if (port != NULL && !parse_number(port, 1, 65535, &out->port)) {
        return "port: not a number from 1 to 65535\n";
    }
    if (client != NULL && !is_hex16(client)) {
        return "client: not 16 hex digits\n";
    }
    if (client == NULL || strcmp(client, s->epoch) == 0) {
        out->port = 0; /* nobody, or we ourselves */
    }
    return NULL;
}

/* Once a connection: who follows asks again and again. The address is the
 * connection's: nobody can name another's. */
static void
introduce(struct serve *s, struct MHD_Connection *c, const struct wish *w)
{
    struct conn *conn = serve_conn_of(c);
    const struct sockaddr *from = serve_address_of(c);

    if (s->callers != NULL && w->port != 0 && from != NULL && !conn->known) {
        conn->known = true;
        callers_put(s->callers, from, (uint16_t) w->port);
    }
}

static const char *
parse_wish(struct serve *s, struct MHD_Connection *c, struct wish *out)
{
    const char *epoch = argument(c, "epoch"), *since = argument(c, "since");
    const char *wait = argument(c, "wait_ms");

    memset(out, 0, sizeof(*out));
    if (epoch != NULL && !is_hex16(epoch)) {
        return "epoch: not 16 hex digits\n";
    }
    if (since != NULL && !parse_number(since, 0, INT64_MAX, &out->since)) {
        return "since: not a number from 0 to 9223372036854775807\n";
    }
    if (wait != NULL && !parse_number(wait, 0, WAIT_MAX_MS, &out->wait_ms)) {
        return "wait_ms: not a number from 0 to 60000\n";
    }
    out->follows = epoch != NULL || since != NULL || wait != NULL;
    out->same_epoch = epoch != NULL && strcmp(epoch, s->epoch) == 0;
    return parse_asker(s, c, out);
}

/* ---- answers ---- */

static enum MHD_Result
send_have(struct serve *s, struct MHD_Connection *c, struct MHD_Response *r,
          uint64_t size, uint64_t cursor, const char *what)
{
    char text[24];

    if (r != NULL) {
        MHD_add_response_header(r, "Content-Type", "application/octet-stream");
        MHD_add_response_header(r, "Cache-Control", "no-store");
        MHD_add_response_header(r, "Shoal-Have", what);
        MHD_add_response_header(r, "Shoal-Epoch", s->epoch);
        snprintf(text, sizeof(text), "%" PRIu64, cursor);
        MHD_add_response_header(r, "Shoal-Cursor", text);
        snprintf(text, sizeof(text), "%" PRIu64, size);
        MHD_add_response_header(r, "Shoal-Size", text);
    }
    return serve_send(s, c, 200, r);
}

/* `body` is taken. */
static struct MHD_Response *
response_of(uint8_t *body, size_t len)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE);

    if (r == NULL) {
        free(body);
    }
    return r;
}

static void
put_events(uint8_t *out, const uint32_t *events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t big = htonl(events[i]);

        memcpy(out + i * EVENT_LEN, &big, EVENT_LEN);
    }
}

/* What is being fetched follows the bitmap for those who follow the log: it
 * was said before the cursor that they get. */
static size_t
claims_of(struct serve *s, const struct serve_set *set, uint32_t *out)
{
    struct havelog *log = s->ops->log(s->ctx, set);
    size_t n = 0;

    if (log != NULL) {
        n = havelog_claims(log, out, CLAIMS_MAX);
        s->ops->unlog(s->ctx, set);
    }
    return n;
}

static enum MHD_Result
answer_bitmap(struct serve *s, struct MHD_Connection *c,
              const struct serve_set *set, bool follows)
{
    size_t len = (set->count + 7) / 8, n = 0;
    uint32_t claims[CLAIMS_MAX];
    uint64_t cursor = 0;

    uint8_t *bits = malloc(len + CLAIMS_MAX * EVENT_LEN + 1);
    if (bits == NULL || s->ops->have(s->ctx, set, bits, &cursor) != 0) {
        free(bits);
        return serve_say_busy(s, c);
    }
    if (follows) {
        n = claims_of(s, set, claims);
        put_events(bits + len, claims, n);
    }
    return send_have(s, c, response_of(bits, len + n * EVENT_LEN), set->size,
                     cursor, "bitmap");
}

/* Events, or where they do not tell it all, the bitmap. */
static enum MHD_Result
answer_news(struct serve *s, struct MHD_Connection *c,
            const struct serve_set *set, const struct wish *w)
{
    uint32_t events[HAVELOG_EVENTS];
    int err = SHOAL_ENOTFOUND;
    size_t n = 0;

    struct havelog *log = s->ops->log(s->ctx, set);
    if (log == NULL) {
        return serve_say(s, c, MHD_HTTP_NOT_FOUND, "not held\n", NULL, NULL);
    }
    if (w->same_epoch) {
        err = havelog_since(log, w->since, events, &n);
    }
    uint64_t cursor = log->end;
    s->ops->unlog(s->ctx, set);
    if (err != 0) {
        return answer_bitmap(s, c, set, true);
    }
    uint8_t *body = malloc(HAVELOG_EVENTS * EVENT_LEN);
    if (body == NULL) {
        return serve_say_busy(s, c);
    }
    put_events(body, events, n);
    return send_have(s, c, response_of(body, n * EVENT_LEN), set->size, cursor,
                     "events");
}

/* ---- waiting ---- */

static void
sleep_poll(struct hold_waiter *w)
{
    struct poll *p = (struct poll *) w;

    stall_pause(&p->conn->stall, true);
    MHD_suspend_connection(p->connection);
}

static void
wake_poll(struct hold_waiter *w)
{
    struct poll *p = (struct poll *) w;

    stall_pause(&p->conn->stall, false);
    MHD_resume_connection(p->connection);
}

const struct hold_ops serve_hold_ops = { sleep_poll, wake_poll };

static void
ring(struct havelog_watcher *w)
{
    struct poll *p =
        (struct poll *) ((char *) w - offsetof(struct poll, watcher));

    hold_ring(p->serve->hold, &p->waiter);
}

static bool
has_news_locked(const struct wish *w, const struct havelog *log)
{
    return log == NULL || !w->same_epoch || w->since < log->first
           || w->since != log->end;
}

static bool
has_news(struct serve *s, const struct serve_set *set, const struct wish *w)
{
    struct havelog *log = s->ops->log(s->ctx, set);
    bool news = has_news_locked(w, log);

    if (log != NULL) {
        s->ops->unlog(s->ctx, set);
    }
    return news;
}

/* It sleeps before it watches: what rings it finds it asleep. */
static int
poll_wait(struct poll *p)
{
    struct serve *s = p->serve;

    int err = hold_wait(s->hold, &p->waiter);
    if (err != 0) {
        return err;
    }
    struct havelog *log = s->ops->log(s->ctx, &p->set);
    bool news = has_news_locked(&p->wish, log);
    if (!news) {
        havelog_watch(log, &p->watcher);
    }
    if (log != NULL) {
        s->ops->unlog(s->ctx, &p->set);
    }
    if (news) {
        hold_ring(s->hold, &p->waiter);
    }
    return 0;
}

static struct poll *
poll_create(struct serve *s, struct MHD_Connection *c,
            const struct serve_set *set, const struct wish *w)
{
    struct poll *p = calloc(1, sizeof(*p));

    if (p != NULL) {
        p->serve = s;
        p->connection = c;
        p->conn = serve_conn_of(c);
        p->set = *set;
        p->wish = *w;
        p->watcher.ring = ring;
        p->waiter.earliest_ms = p->conn->told_ms + APART_MS;
        p->waiter.latest_ms = clock_ms() + w->wait_ms + 1; /* not less */
    }
    return p;
}

void
serve_poll_free(struct poll *p)
{
    struct serve *s = p->serve;

    /* A set that is gone has rung: then there is nothing to undo. */
    struct havelog *log = s->ops->log(s->ctx, &p->set);
    if (log != NULL) {
        havelog_unwatch(log, &p->watcher);
        s->ops->unlog(s->ctx, &p->set);
    }
    s->ops->close(s->ctx, &p->set);
    free(p);
}

enum MHD_Result
serve_poll_answer(struct poll *p)
{
    p->conn->told_ms = clock_ms();
    return answer_news(p->serve, p->connection, &p->set, &p->wish);
}

static enum MHD_Result
follow(struct serve *s, struct MHD_Connection *c, struct serve_set *set,
       const struct wish *w, struct poll **poll)
{
    struct conn *conn = serve_conn_of(c);
    uint64_t now = clock_ms();

    if (w->wait_ms == 0
        || (now >= conn->told_ms + APART_MS && has_news(s, set, w)))
    {
        enum MHD_Result result = answer_news(s, c, set, w);

        conn->told_ms = now;
        s->ops->close(s->ctx, set);
        return result;
    }
    if (s->ops->idle != NULL) {
        s->ops->idle(s->ctx, set);
    }
    struct poll *p = poll_create(s, c, set, w);
    if (p == NULL || poll_wait(p) != 0) {
        free(p);
        s->ops->close(s->ctx, set);
        return serve_say_busy(s, c);
    }
    *poll = p;
    return MHD_YES;
}

enum MHD_Result
serve_have(struct serve *s, struct MHD_Connection *c, struct serve_set *set,
           struct poll **poll)
{
    enum MHD_Result result;
    struct wish w;

    const char *fault = parse_wish(s, c, &w);
    if (fault == NULL && w.follows) {
        introduce(s, c, &w);
        return follow(s, c, set, &w, poll);
    }
    if (fault != NULL) {
        result = serve_say(s, c, MHD_HTTP_BAD_REQUEST, fault, NULL, NULL);
    } else {
        result = answer_bitmap(s, c, set, false);
    }
    s->ops->close(s->ctx, set);
    return result;
}
