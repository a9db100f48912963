/* serve_answer.c - requests of the block server and their answers
 * (docs/protocol.md "Block server"). */
#include <inttypes.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "range.h"
#include "resource.h"
#include "serve_internal.h"
#include "shoal.h"

/* The body of one answer: a piece of a set, or bytes in memory. */
struct body {
    struct pace_waiter waiter; /* first: see serve_pace_ops */
    struct serve *serve;
    struct MHD_Connection *connection;
    struct conn *conn;
    struct serve_set set; /* handle NULL: from memory */
    uint8_t *memory;
    uint64_t off;           /* of the body's first byte */
    struct serve_view view; /* of a body that is sent from where it lies */
    uint64_t len;           /* of such a body */
    uint64_t acked;         /* bytes of the connection, before it */
    struct warming *warming;
};

/* Pieces that are waited for before they are sent. */
struct warming {
    struct aside_job job; /* first */
    struct body *body;
    unsigned n;
    struct iovec pieces[];
};

enum {
    PIECES_MAX = 512, /* of one answer */
    VALUE_BYTES = 80 /* of the connection's memory, for a header or argument */
};

static void
suspend(struct pace_waiter *w)
{
    struct body *b = (struct body *) w;

    stall_pause(&b->conn->stall, true);
    MHD_suspend_connection(b->connection);
}

static void
resume(struct pace_waiter *w)
{
    struct body *b = (struct body *) w;

    stall_pause(&b->conn->stall, false);
    MHD_resume_connection(b->connection);
}

const struct pace_ops serve_pace_ops = { suspend, resume };

static long
copy_out(const struct body *b, uint64_t pos, char *buf, size_t len)
{
    if (b->set.handle == NULL) {
        memcpy(buf, b->memory + pos, len);
        return (long) len;
    }
    return b->serve->ops->read(b->serve->ctx, &b->set, b->off + pos, buf, len);
}

/* Returns 0 only when the connection was suspended: else it would spin. While
 * it is, nobody looks whether its client is still there; what was granted to
 * one who has left is for the next (body_free()). */
static ssize_t
body_read(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct body *b = cls;
    struct serve *s = b->serve;
    size_t n;

    if (b->waiter.grant > 0 && stall_has_left(&b->conn->stall)) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (pace_take(s->pace, &b->waiter, max, &n) != 0) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (n == 0) {
        return 0;
    }
    long got = copy_out(b, pos, buf, n);
    if (got <= 0) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if ((size_t) got < n) {
        pace_return(s->pace, &b->waiter, n - (size_t) got);
    }
    if (b->set.handle != NULL) {
        atomic_fetch_add(&s->bytes, (uint64_t) got);
    }
    return (ssize_t) got;
}

static uint64_t
acked_bytes(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    memset(&info, 0, sizeof(info));
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0
               ? info.tcpi_bytes_acked
               : 0;
}

/* Of a body that was sent from where it lies; of one that was cut off, what
 * the client has of it, give or take the header. */
static uint64_t
sent_bytes(const struct body *b)
{
    if (!b->conn->cut_off) {
        return b->len;
    }
    uint64_t n = acked_bytes(b->view.fd) - b->acked;
    return n < b->len ? n : b->len;
}

static void
body_free(void *cls)
{
    struct body *b = cls;

    if (b->set.view != NULL) {
        atomic_fetch_add(&b->serve->bytes, sent_bytes(b));
    }
    if (b->waiter.grant > 0) {
        pace_return(b->serve->pace, &b->waiter, 0);
    }
    if (b->set.handle != NULL) {
        b->serve->ops->close(b->serve->ctx, &b->set);
        atomic_fetch_sub(&b->serve->active, 1);
    }
    free(b->memory);
    free(b->warming);
    free(b);
}

enum MHD_Result
serve_send(struct serve *s, struct MHD_Connection *c, unsigned status,
           struct MHD_Response *r)
{
    if (r == NULL) {
        return MHD_NO;
    }
    enum MHD_Result ok = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    if (!serve_conn_of(c)->uncounted) {
        atomic_fetch_add(&s->answered[status / 100], 1);
    }
    return ok;
}

enum MHD_Result
serve_say(struct serve *s, struct MHD_Connection *c, unsigned status,
          const char *text, const char *name, const char *value)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        strlen(text), (void *) (uintptr_t) text, MHD_RESPMEM_PERSISTENT);

    if (r != NULL) {
        MHD_add_response_header(r, "Content-Type", "text/plain");
        if (name != NULL) {
            MHD_add_response_header(r, name, value);
        }
    }
    return serve_send(s, c, status, r);
}

enum MHD_Result
serve_say_busy(struct serve *s, struct MHD_Connection *c)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        5, (void *) (uintptr_t) "busy\n", MHD_RESPMEM_PERSISTENT);

    if (r != NULL) {
        MHD_add_response_header(r, "Content-Type", "text/plain");
        MHD_add_response_header(r, "Retry-After", "1");
        MHD_add_response_header(r, "Connection", "close");
    }
    atomic_fetch_add(&s->busy, 1);
    return serve_send(s, c, MHD_HTTP_SERVICE_UNAVAILABLE, r);
}

static enum MHD_Result
say_unsatisfiable(struct serve *s, struct MHD_Connection *c, uint64_t size)
{
    char value[40];

    snprintf(value, sizeof(value), "bytes */%" PRIu64, size);
    return serve_say(s, c, MHD_HTTP_RANGE_NOT_SATISFIABLE,
                     "starts behind the end\n", "Content-Range", value);
}

/* What part of how many bytes an answer gives. */
struct part {
    uint64_t off;
    uint64_t len;
    uint64_t size;
    bool partial; /* 206 */
};

/* How many pieces the connection has memory for: libmicrohttpd closes it when
 * they do not fit. Its read buffer, where further requests may wait already,
 * is half of it, or somewhat more than the request's header. */
static unsigned
room_for_pieces(struct MHD_Connection *c)
{
    size_t used =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
            ->header_size
        + (size_t) (2 * SERVE_MEMORY_STEP);
    int values = MHD_get_connection_values(
        c, MHD_HEADER_KIND | MHD_GET_ARGUMENT_KIND, NULL, NULL);

    if (used < SERVE_MEMORY / 2) {
        used = SERVE_MEMORY / 2;
    }
    used += (size_t) (values + 1) * VALUE_BYTES;
    if (used >= SERVE_MEMORY) {
        return 0;
    }
    size_t n = (SERVE_MEMORY - used) / sizeof(struct iovec);
    return n < PIECES_MAX ? (unsigned) n : PIECES_MAX;
}

static void
warm(struct aside_job *j)
{
    struct warming *w = (struct warming *) j;
    struct serve *s = w->body->serve;

    s->ops->warm(s->ctx, w->pieces, w->n);
}

/* From here on the body may be freed at any time. */
static void
warmed(struct aside_job *j)
{
    struct body *b = ((struct warming *) j)->body;

    stall_pause(&b->conn->stall, false);
    MHD_resume_connection(b->connection);
}

/* What is not in memory is waited for by another thread, so that this one can
 * serve others. Without memory it waits itself. */
static void
note_cold(struct body *b, const struct iovec *pieces, unsigned n)
{
    struct warming *w = malloc(sizeof(*w) + n * sizeof(*pieces));

    if (w != NULL) {
        w->job.run = warm;
        w->job.done = warmed;
        w->body = b;
        w->n = n;
        memcpy(w->pieces, pieces, n * sizeof(*pieces));
    }
    b->warming = w;
}

/* The answer is queued; it begins when the connection is resumed. */
static void
wait_until_warm(struct body *b)
{
    stall_pause(&b->conn->stall, true);
    MHD_suspend_connection(b->connection);
    aside_add(b->serve->aside, &b->warming->job);
}

/* A body that is sent from where it lies, as large as the socket takes it:
 * half the work of copies, and no buffer while a reader stalls. What has to be
 * paced is copied. NULL: it has to be. */
static struct MHD_Response *
create_view(struct MHD_Connection *c, struct body *b, const struct part *part)
{
    struct iovec pieces[PIECES_MAX];
    struct serve *s = b->serve;

    if (b->set.handle == NULL || s->ops->map == NULL || b->conn->head
        || pace_is_limited(s->pace)
        || MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Cookie") != NULL)
    {
        return NULL;
    }
    b->view.fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)
                     ->connect_fd;
    b->view.pieces = pieces;
    b->view.max = room_for_pieces(c);
    unsigned n = s->ops->map(s->ctx, &b->set, &b->view, part->off, part->len);
    b->view.pieces = NULL;
    if (n == 0) {
        return NULL;
    }
    if (b->view.cold && s->aside != NULL) {
        note_cold(b, pieces, n);
    }
    b->len = part->len;
    b->acked = acked_bytes(b->view.fd);
    b->conn->cut_off = true; /* until it is known to be whole */
    return MHD_create_response_from_iovec((const struct MHD_IoVec *) pieces, n,
                                          body_free, b);
}

/* Takes over `b`, also when it fails. */
static enum MHD_Result
send_body(struct MHD_Connection *c, struct body *b, const struct part *part)
{
    struct serve *s = b->serve;
    char value[80];

    struct MHD_Response *r = create_view(c, b, part);
    if (r == NULL && b->set.view == NULL) {
        r = MHD_create_response_from_callback(
            part->len, s->tls != NULL ? SERVE_CHUNK_TLS : SERVE_CHUNK,
            body_read, b, body_free);
    }
    if (r == NULL) {
        body_free(b);
        return MHD_NO;
    }
    bool is_cold = b->warming != NULL;
    MHD_add_response_header(r, "Content-Type", "application/octet-stream");
    MHD_add_response_header(r, "Accept-Ranges", "bytes");
    if (part->partial) {
        snprintf(value, sizeof(value),
                 "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, part->off,
                 part->off + part->len - 1, part->size);
        MHD_add_response_header(r, "Content-Range", value);
    }
    enum MHD_Result ok =
        serve_send(s, c, part->partial ? MHD_HTTP_PARTIAL_CONTENT : 200, r);
    if (ok == MHD_YES && is_cold) {
        wait_until_warm(b);
    }
    return ok;
}

struct range_field {
    const char *value;
    bool twice;
};

static enum MHD_Result
/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd's parameters */
find_range(void *cls, enum MHD_ValueKind kind, const char *name,
           size_t name_len, const char *value, size_t len)
{
    struct range_field *f = cls;

    (void) kind;
    (void) name_len;
    (void) len;
    if (strcasecmp(name, "Range") == 0) {
        f->twice = f->value != NULL;
        f->value = value;
    }
    return f->twice ? MHD_NO : MHD_YES;
}

/* NULL where there is none, or more than one. */
static const char *
range_header(struct MHD_Connection *c)
{
    struct range_field f = { NULL, false };

    MHD_get_connection_values_n(c, MHD_HEADER_KIND, find_range, &f);
    return f.twice ? NULL : f.value;
}

static struct body *
body_create(struct serve *s, struct MHD_Connection *c)
{
    struct body *b = calloc(1, sizeof(*b));

    if (b != NULL) {
        b->serve = s;
        b->connection = c;
        b->conn = serve_conn_of(c);
    }
    return b;
}

static enum MHD_Result
answer_blocks(struct serve *s, struct MHD_Connection *c, struct serve_set *set)
{
    struct part part = { 0, set->size, set->size, false };

    int err = range_parse(range_header(c), set->size, &part.off, &part.len);
    if (err == SHOAL_EINVAL) {
        s->ops->close(s->ctx, set);
        return say_unsatisfiable(s, c, set->size);
    }
    part.partial = err == 0;
    uint64_t held = s->ops->held(s->ctx, set, part.off, part.len);
    if (part.partial ? held == 0 : held < part.len) {
        s->ops->close(s->ctx, set);
        return serve_say(s, c, MHD_HTTP_NOT_FOUND, "not held\n", NULL, NULL);
    }
    part.len = held;
    struct body *b = body_create(s, c);
    if (b == NULL) {
        s->ops->close(s->ctx, set);
        return serve_say_busy(s, c);
    }
    b->set = *set;
    b->off = part.off;
    atomic_fetch_add(&s->active, 1);
    return send_body(c, b, &part);
}

static enum MHD_Result
answer_hashes(struct serve *s, struct MHD_Connection *c,
              const struct serve_set *set)
{
    struct part part = { .size = (uint64_t) set->count * DIGEST_LEN };

    part.len = part.size;
    int err = range_parse(range_header(c), part.size, &part.off, &part.len);
    if (err == SHOAL_EINVAL) {
        return say_unsatisfiable(s, c, part.size);
    }
    part.partial = err == 0;
    struct body *b = body_create(s, c);
    uint8_t *layer = malloc(part.size + 1);
    if (b == NULL || layer == NULL || s->ops->hashes(s->ctx, set, layer) != 0)
    {
        free(layer);
        free(b);
        return serve_say_busy(s, c);
    }
    memmove(layer, layer + part.off, part.len);
    b->memory = layer;
    return send_body(c, b, &part);
}

/* /blocks/ID, /blocks/ID/have, /blocks/ID/hashes; all else is another page. */
static enum serve_kind
parse_path(const char *path, uint8_t id[RESOURCE_ID_LEN])
{
    char hex[RESOURCE_ID_HEX];

    if (strncmp(path, "/blocks/", 8) != 0 || strlen(path) < 8 + 40) {
        return SERVE_OTHER;
    }
    memcpy(hex, path + 8, 40);
    hex[40] = '\0';
    if (resource_id_parse(hex, id) != 0) {
        return SERVE_OTHER;
    }
    path += 8 + 40;
    if (*path == '\0') {
        return SERVE_BLOCKS;
    }
    if (strcmp(path, "/have") == 0) {
        return SERVE_HAVE;
    }
    return strcmp(path, "/hashes") == 0 ? SERVE_HASHES : SERVE_OTHER;
}

/* NULL: it may have blocks of that id; else why not. */
static const char *
refusal(struct serve *s, struct MHD_Connection *c,
        const uint8_t id[RESOURCE_ID_LEN])
{
    return ticket_gate_check(
        s->gate, id,
        MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "t"));
}

enum MHD_Result
serve_answer(struct serve *s, struct MHD_Connection *c, const char *url,
             struct poll **poll)
{
    uint8_t id[RESOURCE_ID_LEN];
    struct serve_set set;

    enum serve_kind kind = parse_path(url, id);
    if (!serve_conn_of(c)->uncounted) {
        atomic_fetch_add(&s->asked[kind], 1);
    }
    if (kind == SERVE_OTHER) {
        return serve_say(s, c, MHD_HTTP_NOT_FOUND, "no such page\n", NULL,
                         NULL);
    }
    const char *why = refusal(s, c, id);
    if (why != NULL) {
        atomic_fetch_add(&s->denied, 1);
        return serve_say(s, c, MHD_HTTP_FORBIDDEN, why, NULL, NULL);
    }
    memset(&set, 0, sizeof(set));
    int err = s->ops->open(s->ctx, id, serve_address_of(c), &set);
    if (err == SHOAL_ENOTFOUND) {
        return serve_say(s, c, MHD_HTTP_NOT_FOUND, "not held\n", NULL, NULL);
    }
    if (err != 0) {
        return serve_say_busy(s, c);
    }
    if (kind == SERVE_BLOCKS) {
        return answer_blocks(s, c, &set); /* takes the set */
    }
    if (kind == SERVE_HAVE) {
        return serve_have(s, c, &set, poll); /* so does this */
    }
    enum MHD_Result result = answer_hashes(s, c, &set);
    s->ops->close(s->ctx, &set);
    return result;
}
