/* serve_body.c - bodies of answers: sent from where they lie in the provider's
 * memory, or copied piece by piece. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "serve_internal.h"
#include "shoal.h"

/* Bytes that are waited for before they are sent. */
struct warming {
    struct aside_job job; /* first */
    struct body *body;
    uint64_t off, len; /* in the set */
};

/* The body of one answer: a piece of a set, or bytes in memory. */
struct body {
    struct pace_waiter waiter; /* first: see serve_pace_ops */
    struct hold_waiter queued;
    struct slots_waiter slot;
    struct serve *serve;
    struct MHD_Connection *connection;
    struct conn *conn;
    struct serve_set set; /* handle NULL: from memory */
    uint8_t *memory;
    uint64_t off, len; /* in the set */
    uint64_t looked;   /* bytes that need not be waited for, as far as was
                               looked */
    struct warming warming;
    struct serve_view view; /* of a body that is sent from where it lies */
};

enum {
    PIECES_MAX = 512,    /* of one answer */
    QUEUE_LOOK_MS = 500, /* until one who waits for a slot looks again */
    LOOK_STEP = 1 << 20, /* bytes of a body that is copied */
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

static void
sleep_queued(struct hold_waiter *w)
{
    suspend(&((struct body *) ((char *) w - offsetof(struct body, queued)))
                 ->waiter);
}

static void
wake_queued(struct hold_waiter *w)
{
    resume(&((struct body *) ((char *) w - offsetof(struct body, queued)))
                ->waiter);
}

const struct hold_ops serve_queue_ops = { sleep_queued, wake_queued };

void
serve_slot_rung(struct slots_waiter *w)
{
    struct body *b =
        (struct body *) ((char *) w - offsetof(struct body, slot));

    hold_ring(b->serve->queue, &b->queued);
}

/* False: it sleeps until it is its turn, or has to look again. */
static int
take_slot(struct body *b, bool *mine)
{
    struct serve *s = b->serve;
    uint64_t now = clock_ms();

    *mine = s->slots == NULL || b->set.handle == NULL
            || slots_take(s->slots, &b->slot,
                          (uint32_t) (b->off / b->set.block_size), now);
    if (*mine) {
        return 0;
    }
    b->queued.earliest_ms = now;
    b->queued.latest_ms = now + QUEUE_LOOK_MS;
    int err = hold_wait(s->queue, &b->queued);
    if (err == 0 && !slots_waits(s->slots, &b->slot)) {
        hold_ring(s->queue, &b->queued); /* it was rung before it slept */
    }
    return err;
}

static long
copy_out(const struct body *b, uint64_t pos, char *buf, size_t len)
{
    if (b->set.handle == NULL) {
        memcpy(buf, b->memory + pos, len);
        return (long) len;
    }
    return b->serve->ops->read(b->serve->ctx, &b->set, b->off + pos, buf, len);
}

static void
warm(struct aside_job *j)
{
    struct warming *w = (struct warming *) j;
    struct serve *s = w->body->serve;

    s->ops->warm(s->ctx, &w->body->set, w->off, w->len);
}

/* From here on the body may be freed at any time. */
static void
warmed(struct aside_job *j)
{
    resume(&((struct warming *) j)->body->waiter);
}

/* What is not in memory is waited for by another thread, so that this one can
 * serve others. */
static void
wait_until_warm(struct body *b, uint64_t pos, uint64_t len)
{
    b->warming = (struct warming){ .job = { .run = warm, .done = warmed },
                                   .body = b,
                                   .off = b->off + pos,
                                   .len = len };
    suspend(&b->waiter);
    aside_add(b->serve->aside, &b->warming.job);
}

static uint64_t
least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Looks at the next piece, not far ahead: of one who reads slowly it may be
 * out of memory again. false: it is waited for. */
static bool
is_warm(struct body *b, uint64_t pos)
{
    struct serve *s = b->serve;
    uint64_t left = b->len - pos;

    if (b->set.handle == NULL || s->aside == NULL || pos < b->looked) {
        return true;
    }
    uint64_t step = least(left, LOOK_STEP);
    b->looked = pos + step;
    if (!s->ops->cold(s->ctx, &b->set, b->off + pos, step)) {
        return true;
    }
    wait_until_warm(b, pos, least(left, SERVE_WARM));
    return false;
}

/* Returns 0 only when the connection was suspended: else it would spin. While
 * it is, nobody looks whether its client is still there; what was granted to
 * one who has left is for the next (body_free()). */
static ssize_t
body_read(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct body *b = cls;
    struct serve *s = b->serve;
    bool mine;
    size_t n;

    if ((b->waiter.grant > 0
         || (s->slots != NULL && slots_waits(s->slots, &b->slot)))
        && stall_has_left(&b->conn->stall))
    {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (take_slot(b, &mine) != 0) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (!mine) {
        return 0;
    }
    if (!is_warm(b, pos)) {
        return 0;
    }
    if (b->looked > pos && max > b->looked - pos) {
        max = (size_t) (b->looked - pos);
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

static void
body_free(void *cls)
{
    struct body *b = cls;

    if (b->set.view != NULL) {
        stall_counted(b->serve->stall, &b->conn->stall, !b->conn->cut_off);
    }
    if (b->waiter.grant > 0) {
        pace_return(b->serve->pace, &b->waiter, 0);
    }
    if (b->serve->slots != NULL) {
        slots_leave(b->serve->slots, &b->slot, clock_ms());
    }
    if (b->set.handle != NULL) {
        b->serve->ops->close(b->serve->ctx, &b->set);
        atomic_fetch_sub(&b->serve->active, 1);
    }
    free(b->memory);
    free(b);
}

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

/* A body that is sent from where it lies, as large as the socket takes it:
 * half the work of copies, and no buffer while a reader stalls. What has to be
 * paced is copied. NULL: it has to be. */
static struct MHD_Response *
create_view(struct MHD_Connection *c, struct body *b,
            const struct serve_part *part)
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
    stall_count(s->stall, &b->conn->stall, part->len);
    b->conn->cut_off = true; /* until it is known to be whole */
    return MHD_create_response_from_iovec((const struct MHD_IoVec *) pieces, n,
                                          body_free, b);
}

static size_t
chunk_of(const struct serve *s)
{
    return s->slots != NULL ? SERVE_CHUNK_SLOT
           : s->tls != NULL ? SERVE_CHUNK_TLS
                            : SERVE_CHUNK;
}

/* Takes over `b`, also when it fails. */
static enum MHD_Result
send_body(struct MHD_Connection *c, struct body *b,
          const struct serve_part *part)
{
    struct serve *s = b->serve;
    char value[80];

    b->off = part->off;
    b->len = part->len;
    struct MHD_Response *r = create_view(c, b, part);
    if (r == NULL && b->set.view == NULL) {
        r = MHD_create_response_from_callback(part->len, chunk_of(s),
                                              body_read, b, body_free);
    }
    if (r == NULL) {
        body_free(b);
        return MHD_NO;
    }
    bool is_cold = b->set.view != NULL && b->view.cold && s->aside != NULL;
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
        wait_until_warm(b, 0, part->len); /* it begins when that is over */
    }
    return ok;
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

/* Who does not say it is served as if it needed but one more. */
static uint32_t
held_by_asker(struct MHD_Connection *c, uint32_t count)
{
    const char *text =
        MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Shoal-Held");
    unsigned long n = text != NULL && *text >= '0' && *text <= '9'
                          ? strtoul(text, NULL, 10)
                          : count;

    return n < count ? (uint32_t) n : count;
}

enum MHD_Result
serve_body_blocks(struct serve *s, struct MHD_Connection *c,
                  struct serve_set *set, const struct serve_part *part)
{
    struct body *b = body_create(s, c);

    if (b == NULL) {
        s->ops->close(s->ctx, set);
        return serve_say_busy(s, c);
    }
    b->set = *set;
    b->slot.held = held_by_asker(c, set->count);
    atomic_fetch_add(&s->active, 1);
    return send_body(c, b, part);
}

enum MHD_Result
serve_body_memory(struct serve *s, struct MHD_Connection *c, uint8_t *memory,
                  const struct serve_part *part)
{
    struct body *b = body_create(s, c);

    if (b == NULL) {
        free(memory);
        return serve_say_busy(s, c);
    }
    b->memory = memory;
    return send_body(c, b, part);
}
