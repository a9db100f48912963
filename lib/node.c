/* node.c - asking CDN nodes for size and version: HEAD, the first GET, and a
 * GET of one byte where HEAD does not help (docs/protocol.md "CDN nodes"). */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain_transfer.h"
#include "job.h"
#include "node.h"
#include "patience.h"
#include "shoal.h"
#include "stream.h"
#include "transfer_internal.h"

enum {
    HEAD_MS = 1500,           /* a HEAD may take that long */
    HEAD_ALONE_MS = 500,      /* then a GET goes out beside it */
    HEAD_LATE_MS = 100,       /* after the last block; wget asks no HEAD */
    NOT_NOW_MS = 50,          /* until a connection may be allowed */
    BUSY_TRIES = 4,           /* of a node that says 429 or 503 */
    BUSY_MS = 500,            /* until then, doubled */
    BUSY_MAX_MS = 30000,      /* whatever its Retry-After says */
    WANT_TRIES = 3,           /* of the only node of a wanted file */
    OPEN_TRIES = 5,           /* of the first GET at the only node */
    OPEN_RETRY_MS = 250,      /* then doubled */
    CONNECT_ALONE_MS = 20000, /* to the only node */
    BYTE_MS = 2000,           /* GET bytes=0-0 */
    EARLY_MAX = 64 << 20,     /* bytes kept before the standard is known */
    EARLY_FIRST = 1 << 20,
    EARLY_TURN = 128 << 10 /* then the HEAD's answer is looked at: libcurl
                              reads on as long as there is something */
};

bool
node_unreached(int err)
{
    return err == SHOAL_ENET || err == SHOAL_ECONNECT;
}

void
node_failed(struct source *s, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(s->state, sizeof(s->state), format, args);
    va_end(args);
    explain_failed(s);
    s->node = NODE_FAILED;
    s->error = err;
    source_drop(s);
}

static void
start(struct transfer *t, struct source *s, enum job_kind kind,
      struct http_options *o)
{
    o->url = s->url;
    if (s->node == NODE_NEW) {
        s->node = NODE_PROBING;
        s->probe_ms = clock_ms();
    }
    if (job_start(t, kind, s, o) == NULL) {
        node_failed(s, SHOAL_ENOMEM, "out of memory");
        return;
    }
    s->probes++;
}

static bool
is_only(const struct transfer *t, const struct source *s)
{
    unsigned nodes = 0;

    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *other = t->sources[i];

        nodes += other->kind == SOURCE_CDN && !other->drop
                 && other->mirror == s->mirror;
    }
    return nodes <= 1;
}

/* Short where there are others to turn to, or other files. */
static unsigned
connect_ms(const struct transfer *t, const struct source *s)
{
    return is_only(t, s) && t->o.want == NULL
               ? patience_alone_ms(t, CONNECT_ALONE_MS)
               : 0;
}

void
node_probe(struct transfer *t, struct source *s)
{
    struct http_options o = { .head = true, .total_ms = HEAD_MS };

    start(t, s, JOB_HEAD, &o);
}

void
node_open(struct transfer *t, struct source *s)
{
    char range[48] = "0-";
    struct http_options o = { .range = s->rangeless ? NULL : range,
                              .connect_ms = connect_ms(t, s) };

    if (t->open_end != UINT64_MAX) {
        snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, t->open_from,
                 t->open_end - 1);
    }
    s->opened = true;
    s->retrying = false;
    start(t, s, JOB_OPEN, &o);
}

void
node_ask(struct transfer *t, struct source *s)
{
    t->asked_ms = s->probe_ms = clock_ms();
    s->retry_ms = 0;
    if (t->open_end > 0) {
        node_open(t, s);
    }
    if (s->node != NODE_FAILED) {
        node_probe(t, s);
    }
}

void
node_ask_byte(struct transfer *t, struct source *s)
{
    struct http_options o = { .range = "0-0", .total_ms = BYTE_MS };

    s->asked_byte = true;
    s->retrying = false;
    start(t, s, JOB_FIRST_BYTE, &o);
}

/* A GET that could still tell, or has told, what the HEAD did not. */
static bool
has_get(const struct source *s)
{
    return s->opened || s->asked_byte || s->retrying;
}

/* It is to be left alone for a while: ask_again() goes on then. */
static bool
must_wait(const struct source *s)
{
    return s->retry_ms > clock_ms();
}

/* Its HEAD said nothing, and its first GET was taken back when the download
 * began with another node: it would be waited for in vain. */
static void
ask_forgotten(struct transfer *t, struct source *s)
{
    if (s->asked_byte) {
        node_failed(s, SHOAL_EPROTO, "no size");
    } else {
        node_ask_byte(t, s);
    }
}

static void
step(struct transfer *t, struct source *s)
{
    if (s->probes > 0) {
        if (!has_get(s) && clock_ms() - s->probe_ms >= HEAD_ALONE_MS) {
            node_ask_byte(t, s);
        }
    } else if (s->retry_ms == 0 && !s->retrying) {
        ask_forgotten(t, s);
    }
}

void
node_step(struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->node == NODE_PROBING && !must_wait(s))
        {
            step(t, s);
        }
    }
}

static void
fail_status(struct source *s, const struct answer *a)
{
    unsigned status = a->status;

    switch (status) {
    case 404:
    case 410:
        node_failed(s, SHOAL_ENOTFOUND, "HTTP %u", status);
        break;
    case 401:
    case 407:
        node_failed(s, SHOAL_EAUTH, "HTTP %u", status);
        break;
    default:
        node_failed(s, SHOAL_EHTTP, "HTTP %u", status);
        s->passing = patience_status(status);
        s->invited = a->retry_after > 0;
        break;
    }
}

/* What the user, or a Metalink, says of it decides alone. */
static int
check_size(const struct transfer *t, struct source *s)
{
    uint64_t size = answer_size(&s->answer);

    if (t->o.size == 0 || size == ORIGIN_UNKNOWN || size == t->o.size) {
        return 0;
    }
    node_failed(s, SHOAL_ENOAGREE, "other size: %" PRIu64, size);
    return SHOAL_ENOAGREE;
}

/* Some digests stand in a HEAD's 200 alone, not in a GET's 206. */
static void
keep_digest(struct source *s, const struct answer *head)
{
    if (head->status == 200 && head->digest.len > s->answer.digest.len
        && answer_unchanged(head, &s->answer))
    {
        s->answer.digest = head->digest;
    }
}

bool
node_head_awaited(const struct transfer *t)
{
    if (t->sum.len > 0 || t->trusted != NULL || t->standard == NULL
        || clock_ms() - t->progress_ms > HEAD_LATE_MS)
    {
        return false;
    }
    for (const struct job *job = t->jobs; job != NULL; job = job->next) {
        if (job->kind == JOB_HEAD && job->source == t->standard) {
            return true;
        }
    }
    return false;
}

/* A HEAD's answer counts while no GET has told otherwise; against the size
 * that the user, or a Metalink, says only a GET's does. */
static void
take_head(struct transfer *t, struct source *s, const struct answer *a)
{
    if (s->by_get) {
        keep_digest(s, a);
        if (s == t->standard && t->sum.len == 0 && t->phase == PHASE_RUN
            && !(t->ordered && t->released))
        {
            t->sum = s->answer.digest;
        }
        return;
    }
    bool other = t->o.size != 0 && answer_size(a) != t->o.size;
    if (a->status != 200 || answer_size(a) == ORIGIN_UNKNOWN || other) {
        if (!has_get(s) && !must_wait(s)) {
            node_ask_byte(t, s);
        }
        return;
    }
    s->answer = *a;
    s->node = NODE_KNOWN;
    explain_known(s, "HEAD");
}

/* Some servers say so to a request with Range that they serve without. */
static bool
dislikes_ranges(unsigned status)
{
    return status == 400 || status == 403 || status == 416 || status == 501;
}

/* The only node: asked again where it says when, or the user how often; as by
 * wget, an error is one else. */
static bool
waits_alone(struct transfer *t, struct source *s, const struct answer *a)
{
    uint64_t wait, asked = patience_retry_after(t, a);

    if (!patience_status(a->status) || !is_only(t, s)
        || (asked == 0 && !patience_given(t))
        || !patience_try(t, BUSY_TRIES + 1, &wait))
    {
        return false;
    }
    s->retry_ms = clock_ms() + (wait > asked ? wait : asked);
    s->opened = s->asked_byte = false;
    s->retrying = true;
    source_state(s, "HTTP %u, asked again later", a->status);
    return true;
}

/* A node that has too much to do is asked again later. */
static bool
is_busy(struct transfer *t, struct source *s, const struct answer *a)
{
    if (t->o.want == NULL) {
        return waits_alone(t, s, a);
    }
    if ((a->status != 429 && a->status != 503) || s->failures >= BUSY_TRIES) {
        return false;
    }
    uint64_t wait = a->retry_after != 0 ? (uint64_t) a->retry_after * 1000
                                        : (uint64_t) BUSY_MS << s->failures;
    s->retry_ms = clock_ms() + (wait < BUSY_MAX_MS ? wait : BUSY_MAX_MS);
    s->failures++;
    s->opened = s->asked_byte = false;
    t->retries++;
    source_state(s, "HTTP %u, asked again later", a->status);
    return true;
}

/* Is the part what the first GET, or that of one byte, asked for? */
static bool
is_right_part(const struct job *job)
{
    const struct transfer *t = job->t;
    const struct answer *a = &job->answer;
    bool open = job->kind == JOB_OPEN;
    uint64_t first = open ? t->open_from : 0;

    if (!a->has_range || a->first != first || answer_size(a) == ORIGIN_UNKNOWN
        || a->last >= a->range_total)
    {
        return false;
    }
    if (!open || t->open_end == UINT64_MAX
        || (t->o.want != NULL && a->range_total != t->o.want->size))
    {
        return true; /* all of it, or of another version */
    }
    return a->last == t->open_end - 1 || a->last == a->range_total - 1;
}

/* Of a wanted file it tells another size, or is no good. */
static bool
is_telling_416(const struct transfer *t, const struct answer *a)
{
    return a->status == 416
           && (t->o.want != NULL ? a->range_total != ORIGIN_UNKNOWN
                                 : a->range_total == 0);
}

/* A GET's answer decides. Not 0: its body is of no use. */
static int
take_get(struct job *job)
{
    struct source *s = job->source;
    struct transfer *t = job->t;
    const struct answer *a = &job->answer;
    bool unsatisfied = is_telling_416(t, a);

    if (dislikes_ranges(a->status) && !unsatisfied && s->opened
        && !s->rangeless && t->o.want == NULL)
    {
        s->rangeless = true; /* once more, without a Range */
        s->opened = false;
        return SHOAL_ESTOPPED;
    }
    if (is_busy(t, s, a)) {
        return SHOAL_ESTOPPED;
    }
    if (a->status != 200 && a->status != 206 && !unsatisfied) {
        fail_status(s, a);
        return SHOAL_EHTTP;
    }
    if (a->status == 206 && !is_right_part(job)) {
        node_failed(s, SHOAL_EPROTO, "bad Content-Range");
        return SHOAL_EPROTO;
    }
    const struct answer head = s->answer;
    bool has_head = s->node == NODE_KNOWN;

    s->answer = *a;
    if (has_head) {
        keep_digest(s, &head);
    }
    s->by_get = true;
    s->seen_ms = clock_ms();
    s->ranges = a->status == 206;
    s->no_ranges = a->status == 200 || (unsatisfied && a->range_total > 0);
    s->node = NODE_KNOWN;
    explain_known(s, "GET");
    return check_size(t, s);
}

int
node_headers(struct job *job)
{
    struct source *s = job->source;
    const struct answer *a = &job->answer;

    if (s->round_trip_ms == 0) {
        s->round_trip_ms = a->round_trip_ms;
    }
    if (s->node == NODE_FAILED || s->node == NODE_REDIRECT) {
        return SHOAL_ESTOPPED;
    }
    if (answer_is_redirect(a)) {
        s->answer = *a;
        s->node = NODE_REDIRECT;
        return SHOAL_ESTOPPED;
    }
    if (job->kind == JOB_HEAD) {
        return 0; /* taken when it is over: a GET may start then */
    }
    if (job->kind == JOB_FIRST_BYTE && s->by_get) {
        return SHOAL_ESTOPPED;
    }
    int err = take_get(job);
    if (err == 0 && job->kind == JOB_FIRST_BYTE && a->status == 200) {
        err = SHOAL_ESTOPPED; /* the whole file would come */
    }
    return err;
}

static int
keep_early(struct source *s, const uint8_t *data, size_t len)
{
    if (s->early_len + len > s->early_cap) {
        size_t cap = s->early_cap != 0 ? 2 * s->early_cap : EARLY_FIRST;
        uint8_t *buf = realloc(s->early, cap);

        if (buf == NULL) {
            return SHOAL_ENOMEM;
        }
        s->early = buf;
        s->early_cap = cap;
    }
    memcpy(s->early + s->early_len, data, len);
    s->early_len += len;
    return 0;
}

int
node_write_plain(struct transfer *t, const uint8_t *data, size_t len)
{
    int err = t->o.ops->write_plain(t->o.ctx, data, len);

    if (err != 0) {
        transfer_fail(t, err, "writing: %s", shoal_strerror(err));
    }
    t->plain_got += len;
    if (t->plain_sum != NULL) {
        checksum_update(t->plain_sum, data, len);
    }
    return err;
}

int
node_data(struct job *job, const uint8_t *data, size_t len)
{
    struct transfer *t = job->t;
    struct source *s = job->source;

    if (job->kind == JOB_PLAIN) {
        s->used += len;
        job_took(job, len);
        int err = node_write_plain(t, data, len);
        stream_pause(job);
        return err;
    }
    if (job->kind != JOB_OPEN || job->answer.status == 416) {
        return 0;
    }
    if (s->early_len + len > EARLY_MAX) {
        job->paused = true;
        return HTTP_PAUSE;
    }
    if (s->early_len - s->early_seen >= EARLY_TURN) {
        s->early_seen = s->early_len;
        job->resume_ms = clock_ms();
        return HTTP_PAUSE;
    }
    job_took(job, len);
    return keep_early(s, data, len);
}

/* A stream without ranges begins anew, as wget's does. */
static bool
restart_plain(struct transfer *t, struct source *s, int err)
{
    uint64_t wait;

    if (t->ordered && t->plain_got > 0) {
        return false; /* what went out cannot come again */
    }
    if (err != SHOAL_ENET || !patience_try(t, OPEN_TRIES + 1, &wait)) {
        return false;
    }
    s->wasted += s->used;
    s->used = 0;
    s->opened = false;
    s->retry_ms = clock_ms() + wait;
    t->plain_got = 0;
    return true;
}

void
node_end_plain(struct transfer *t, struct source *s, int err, const char *why)
{
    bool right = true;

    if (t->plain_sum != NULL) {
        right = checksum_finish(t->plain_sum, &t->sum);
        t->plain_sum = NULL;
    }
    if (err == 0 && t->plain_size != ORIGIN_UNKNOWN
        && t->plain_got != t->plain_size)
    {
        err = SHOAL_ENET;
        why = "connection closed early";
    }
    if (err == 0 && !right) {
        transfer_fail(t, SHOAL_EVERIFY, "the file does not have the checksum");
    } else if (err == 0) {
        t->plain_whole = true;
    } else if (!restart_plain(t, s, err)) {
        transfer_fail(t, err, "%s: %s", s->name, why);
    }
}

/* The first GET at the only node is tried again, as wget does. */
static bool
try_again(struct transfer *t, struct source *s, int err)
{
    uint64_t wait = 0;
    bool broke =
        err == SHOAL_ENET || (err == SHOAL_ECONNECT && t->o.want != NULL);

    if (!s->opened && (s->rangeless || s->retrying || must_wait(s))) {
        return true; /* without a Range, or later */
    }
    if (!broke || !is_only(t, s)) {
        return false;
    }
    if (t->o.want != NULL && s->failures < WANT_TRIES) {
        wait = (uint64_t) OPEN_RETRY_MS << s->failures;
        t->retries++;
    } else if (t->o.want != NULL || !patience_try(t, OPEN_TRIES + 1, &wait)) {
        return false;
    }
    s->retry_ms = clock_ms() + wait;
    s->failures++;
    s->opened = false;
    s->retrying = t->o.want == NULL;
    return true;
}

static void
head_done(struct job *job, int err, const char *why)
{
    struct source *s = job->source;

    s->headless = err != 0 || job->answer.status != 200;
    if (err == 0) {
        take_head(job->t, s, &job->answer);
    } else if (!has_get(s) && !must_wait(s)) {
        node_ask_byte(job->t, s);
    }
    if (s->node == NODE_PROBING && s->probes == 1 && !must_wait(s)
        && !s->retrying) {
        node_failed(s, err != 0 ? err : SHOAL_EPROTO, "%s",
                    err != 0 ? why : "no size");
    }
}

/* As many connections as are allowed. The HEAD is no loss beside a GET. */
static void
not_now(struct job *job)
{
    struct source *s = job->source;

    if (job->kind == JOB_OPEN) {
        s->opened = false;
    } else if (job->kind == JOB_FIRST_BYTE) {
        s->asked_byte = false;
    }
    if (job->kind != JOB_HEAD || s->probes == 1) {
        s->retry_ms = clock_ms() + NOT_NOW_MS;
    }
}

void
node_done(struct job *job, int err, const char *why)
{
    struct source *s = job->source;
    bool open = job->kind == JOB_OPEN;

    if (job->kind == JOB_PLAIN) {
        node_end_plain(job->t, s, err, why);
        return;
    }
    if (s->node == NODE_FAILED || s->node == NODE_REDIRECT || s->drop) {
        return;
    }
    if (err == SHOAL_EBUSY) {
        not_now(job);
        return;
    }
    if (job->kind == JOB_HEAD) {
        head_done(job, err, why);
        return;
    }
    if (err == 0 || s->by_get) {
        s->early_broke = s->early_broke || (open && err != 0);
        return;
    }
    if ((open && !try_again(job->t, s, err))
        || (!open && s->asked_byte && s->probes == 1))
    {
        node_failed(s, err, "%s", why);
    }
}
