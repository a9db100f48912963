/* job.c - requests under way: whose answer goes where, limits, their end. */
#include <stdlib.h>
#include <string.h>

#include "claim.h"
#include "fetch.h"
#include "job.h"
#include "mirror.h"
#include "node.h"
#include "patience.h"
#include "recheck.h"
#include "sample.h"
#include "shoal.h"
#include "stream.h"
#include "swarm.h"
#include "transfer_internal.h"

enum {
    WAIT_MS = 100,     /* at most, until the loop looks again */
    CONNECT_MS = 3000, /* FIELD: dead nodes cost others 30 s */
    SAID_MAX = 16384,  /* bytes of a header that are shown */
    BODY_FIRST = 4096
};

static int
on_headers(void *ctx, const struct answer *a)
{
    struct job *job = ctx;

    if (job->source != NULL && job->source->drop) {
        return SHOAL_ESTOPPED;
    }
    job->answer = *a;
    job->answered = true;
    job->t->no_share = job->t->no_share || a->secret;
    job->moved_ms = clock_ms();
    switch (job->kind) {
    case JOB_OPEN:
    case JOB_PLAIN:
    case JOB_HEAD:
    case JOB_FIRST_BYTE:
        return node_headers(job);
    case JOB_RECHECK:
        return recheck_headers(job);
    case JOB_SAMPLE:
        return sample_headers(job);
    case JOB_DATA:
        return fetch_headers(job);
    default:
        return swarm_headers(job);
    }
}

static int
on_data(void *ctx, const uint8_t *data, size_t len)
{
    struct job *job = ctx;

    if (job->source != NULL && job->source->drop) {
        return SHOAL_ESTOPPED;
    }
    job->moved_ms = clock_ms();
    switch (job->kind) {
    case JOB_OPEN:
    case JOB_PLAIN:
    case JOB_HEAD:
    case JOB_FIRST_BYTE:
        return node_data(job, data, len);
    case JOB_RECHECK:
        return 0;
    case JOB_SAMPLE:
        return sample_data(job, data, len);
    case JOB_DATA:
        return fetch_data(job, data, len);
    default:
        return swarm_data(job, data, len);
    }
}

static void
on_done(void *ctx, int err, const char *why)
{
    struct job *job = ctx;

    job->http = NULL; /* freed by its owner after this */
    switch (job->kind) {
    case JOB_OPEN:
    case JOB_PLAIN:
    case JOB_HEAD:
    case JOB_FIRST_BYTE:
        node_done(job, err, why);
        break;
    case JOB_RECHECK:
        recheck_done(job);
        break;
    case JOB_SAMPLE:
        sample_done(job, err);
        break;
    case JOB_DATA:
        fetch_done(job, err, why);
        break;
    default:
        swarm_done(job, err, why);
        break;
    }
    job_end(job);
}

static const struct http_handler handler = { on_headers, on_data, on_done };

struct job *
job_create(struct transfer *t, enum job_kind kind, struct source *source)
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        return NULL;
    }
    job->t = t;
    job->kind = kind;
    job->source = source;
    job->renewed = source != NULL ? source->renewed : 0;
    job->work = -1;
    job->start_ms = job->moved_ms = clock_ms();
    job->next = t->jobs;
    t->jobs = job;
    return job;
}

static void
job_unlink(struct job *job)
{
    struct job **p = &job->t->jobs;

    while (*p != NULL && *p != job) {
        p = &(*p)->next;
    }
    if (*p == job) {
        *p = job->next;
    }
}

/* Control characters would do something to a terminal. */
static void
keep_line(struct job *job, const char *line, size_t len)
{
    while (len > 0 && strchr("\r\n", line[len - 1]) != NULL) {
        len--;
    }
    if (job->said_len + len + 2 > SAID_MAX) {
        return;
    }
    char *text = realloc(job->said, job->said_len + len + 2);
    if (text == NULL) {
        return;
    }
    job->said = text;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char) line[i];

        text[job->said_len++] = c < 32 || c == 127 ? '?' : line[i];
    }
    text[job->said_len++] = '\n';
    text[job->said_len] = '\0';
}

/* As wget shows them. The whole header at once: others are on their way. */
static void
say_lines(const struct transfer *t, const char *node, char *text)
{
    char *rest = text;

    transfer_say(t, SHOAL_HEADERS, "%s answers:", node);
    while (*rest != '\0') {
        char *end = strchr(rest, '\n');

        *end = '\0';
        transfer_say(t, SHOAL_HEADERS, "  %s", rest);
        rest = end + 1;
    }
}

static void
on_line(void *ctx, const char *line, size_t len)
{
    struct job *job = ctx;
    struct transfer *t = job->t;

    if (len > 2) {
        keep_line(job, line, len);
        return;
    }
    if (job->said_len > 0) {
        say_lines(t, job->source->name, job->said);
    }
    job->said_len = 0;
}

/* The URL's own scheme, host and port alone hear who the user is; cookies go
 * where they belong, but never from https to http. */
static void
set_user(struct transfer *t, const struct source *s,
         struct http_options *options)
{
    bool down = s != NULL && s->was_secure && !url_is_secure(options->url);

    options->settings = &t->user;
    options->credentials = !down && url_same_origin(t->o.url, options->url);
    options->cookies = !down && url_cookie_port(t->o.url, options->url);
    if (s != NULL && s->mirror != 0 && !down) {
        mirror_login(t, s->mirror, options);
    }
    if (s != NULL && t->user.server_response) {
        options->line = on_line;
    }
}

struct job *
job_start(struct transfer *t, enum job_kind kind, struct source *source,
          struct http_options *options)
{
    const struct transfer_guard *guard = t->o.guard;
    bool cdn = source != NULL && source->kind == SOURCE_CDN;
    struct job *job = job_create(t, kind, source);

    if (job == NULL) {
        return NULL;
    }
    options->ca = t->o.ca;
    options->more_ca = t->user.ca;
    options->chunk = throttle_chunk(&t->throttle);
    if (cdn || kind == JOB_DOCUMENT) {
        set_user(t, source, options);
    }
    if (cdn && options->connect_ms == 0) {
        options->connect_ms = patience_connect_ms(t, CONNECT_MS);
    }
    options->bind_address = t->o.bind_address;
    options->handler = &handler;
    options->ctx = job;
    options->no_proxy = guard != NULL || !cdn || t->user.no_proxy;
    if (guard != NULL) {
        options->guard = guard->addr;
        options->guard_ctx = guard->ctx;
    }
    options->counted = cdn;
    options->once = cdn && t->o.limits != NULL
                    && (kind == JOB_HEAD || kind == JOB_FIRST_BYTE);
    if (source != NULL && source->pinned) {
        options->addr = &source->addr;
    }
    if (http_start(t->http, options, &job->http) != 0) {
        job_unlink(job);
        free(job);
        return NULL;
    }
    return job;
}

void
job_end(struct job *job)
{
    struct transfer *t = job->t;

    if (job->http != NULL) {
        http_cancel(job->http);
    }
    claim_end(job);
    if (job->work >= 0) {
        job->source->active--;
        job->source->wasted += job->len;
        struct schedule_range left = schedule_left(t->schedule, job->work);

        schedule_end(t->schedule, job->work);
        if (left.next < left.end) {
            fetch_freed(t);
        }
    }
    if (job->kind == JOB_HEAD || job->kind == JOB_FIRST_BYTE
        || job->kind == JOB_OPEN)
    {
        job->source->probes--;
    }
    job_unlink(job);
    free(job->buf);
    free(job->said);
    free(job);
}

/* The user's limit counts all sources; the others' CDN nodes. */
static unsigned
limit(const struct job *job, size_t len)
{
    const struct transfer_limits *l = job->t->o.limits;
    bool cdn = job->source->kind == SOURCE_CDN;
    unsigned wait =
        l != NULL && cdn ? l->took(l->ctx, job->source->url, len) : 0;
    unsigned own = throttle_take(&job->t->throttle, len, clock_us());

    return own > wait ? own : wait;
}

void
job_took(struct job *job, size_t len)
{
    unsigned wait = limit(job, len);

    if (wait > 0 && job->http != NULL) {
        job->resume_ms = clock_ms() + wait;
        job->source->limited_ms = job->resume_ms;
        http_pause(job->http);
    }
}

static void
resume(struct job *job, uint64_t now)
{
    job->resume_ms = 0;
    job->moved_ms = now;
    if (job->work >= 0) {
        schedule_got(job->t->schedule, job->work, 0, now);
    }
    http_resume(job->http);
}

int
job_resume_due(struct transfer *t)
{
    uint64_t now = clock_ms(), next = now + WAIT_MS;

    for (struct job *job = t->jobs; job != NULL; job = job->next) {
        if (job->resume_ms == 0) {
            continue;
        }
        if (now >= job->resume_ms && stream_waits(job)) {
            job->resume_ms = now + WAIT_MS;
        }
        if (now >= job->resume_ms && job->http != NULL) {
            resume(job, now);
            return 0; /* its callbacks may have ended others */
        }
        next = job->resume_ms < next ? job->resume_ms : next;
    }
    return (int) (next - now);
}

void
job_end_all(struct transfer *t)
{
    struct job *next;

    for (struct job *job = t->jobs; job != NULL; job = next) {
        next = job->next;
        job_end(job);
    }
}

int
job_keep(struct job *job, const uint8_t *data, size_t len)
{
    if (len > job->body_max - job->len) {
        return SHOAL_EPROTO;
    }
    if (job->len + len > job->cap) {
        size_t cap = job->cap != 0 ? job->cap : BODY_FIRST;

        while (cap < job->len + len) {
            cap *= 2;
        }
        uint8_t *buf = realloc(job->buf, cap);
        if (buf == NULL) {
            return SHOAL_ENOMEM;
        }
        job->buf = buf;
        job->cap = cap;
    }
    memcpy(job->buf + job->len, data, len);
    job->len += len;
    return 0;
}
