/* fetch.c - blocks: from a source's stream into the store. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blame.h"
#include "claim.h"
#include "explain_transfer.h"
#include "fetch.h"
#include "intake.h"
#include "job.h"
#include "node.h"
#include "patience.h"
#include "recheck.h"
#include "shoal.h"
#include "standard.h"
#include "stream.h"
#include "swarm.h"
#include "transfer_internal.h"
#include "trust.h"
#include "whole.h"

enum {
    BUSY_MS = 50,     /* until a connection may be allowed */
    BACKOFF_MS = 250, /* doubled at each failure in a row */
    BACKOFF_MAX_MS = 10000,
    RETRY_AFTER_MAX_MS = 10000, /* what a server may make us wait */
    RETRY_WANT_MAX_MS = 30000,  /* likewise, where nobody sits and waits */
    CDN_FAILURES = 5,           /* in a row, then the node is given up */
    OTHER_FAILURES = 3,
    IDLE_MS = 20 /* until one without work is looked at again */
};

void
fetch_forget(struct transfer *t, uint32_t block)
{
    size_t len = blockmap_length(&t->map, block);

    if (!blockmap_has(&t->map, block)) {
        return;
    }
    if (t->from[block] != NO_SOURCE) {
        struct source *s = t->sources[t->from[block]];

        s->used -= len;
        s->wasted += len;
    }
    blockmap_clear(&t->map, block);
    t->from[block] = NO_SOURCE;
    memset(t->layer + (size_t) block * DIGEST_LEN, 0, DIGEST_LEN);
    intake_forgotten(t, block);
    if (t->store.ops->drop(t->store.ctx, block) != 0) {
        transfer_fail(t, SHOAL_EVERIFY,
                      "a part that went out already turned out to be wrong");
    }
    if (t->schedule != NULL) {
        schedule_lost(t->schedule, block);
    }
}

/* A peer gave it, and was believed for that super peer's layer. */
static bool
is_under(const struct transfer *t, const struct source *s, uint32_t block)
{
    size_t at = (size_t) block * DIGEST_LEN;

    return s->hashes != NULL && t->from[block] != NO_SOURCE
           && t->sources[t->from[block]]->kind == SOURCE_PEER
           && memcmp(t->layer + at, s->hashes + at, DIGEST_LEN) == 0;
}

void
fetch_disown(struct transfer *t, const struct source *s)
{
    intake_drain(t);
    for (uint32_t i = 0; t->trusted == NULL && i < t->map.count; i++) {
        if (t->from[i] == s->index || is_under(t, s, i)) {
            fetch_forget(t, i);
        }
    }
}

/* Where it is the only node, the user says how often; else it is one of
 * several, and the others go on. */
static bool
may_try_again(struct transfer *t, const struct source *s, int err,
              uint64_t *wait)
{
    bool alone =
        s->kind == SOURCE_CDN && t->o.want == NULL && standard_usable(t) <= 1;
    unsigned most = s->kind == SOURCE_CDN ? CDN_FAILURES : OTHER_FAILURES;

    if (s->kind == SOURCE_PEER && (err == SHOAL_ECONNECT || s->used == 0)) {
        most = 1; /* it is gone, as peers go; or of no use */
    }

    if (alone && patience_given(t)) {
        return patience_try(t, most, wait);
    }
    if (alone && err == SHOAL_ENET) {
        most = HTTP_TRIES;
    } else if (patience_given(t) && t->user.tries != 0 && t->user.tries < most)
    {
        most = t->user.tries;
    }
    if (s->failures >= most) {
        return false;
    }
    t->retries++;
    for (unsigned i = 1; i < s->failures; i++) {
        *wait = *wait * 2 < BACKOFF_MAX_MS ? *wait * 2 : BACKOFF_MAX_MS;
    }
    return true;
}

void
fetch_failed(struct transfer *t, struct source *s, int err, const char *why)
{
    uint64_t wait = BACKOFF_MS;

    if (s->kind == SOURCE_CDN
        && (err == SHOAL_ENOAGREE || err == SHOAL_EPROTO)) {
        if (err == SHOAL_ENOAGREE) {
            fetch_disown(t, s);
        }
        node_failed(s, err, "%s", why);
        return;
    }
    s->failures++;
    bool last = !may_try_again(t, s, err, &wait);
    blame_dead(s, err, last);
    if (last) {
        node_failed(s, err, "%s", why);
        return;
    }
    recheck_failed(s);
    s->retry_ms = clock_ms() + wait;
    explain(t, s, "asked again in %.2f s: %s", (double) wait / 1000, why);
}

/* Is it still of the version that the node was taken for? */
static bool
is_version(const struct transfer *t, const struct source *s,
           const struct answer *a)
{
    const struct answer *earlier = &s->answer;

    if (answer_comparable(earlier, earlier) && !answer_comparable(a, earlier)
        && !trust_covers(t))
    {
        return false; /* it does not show one any more */
    }
    if (t->standard != NULL && s->mirror != t->standard->mirror) {
        return answer_same_version(a, &s->answer);
    }
    return answer_agrees(a, t->resource.size, t->resource.version);
}

/* The header of a block request: is it what was asked for? */
static int
check_answer(struct job *job)
{
    const struct answer *a = &job->answer;
    struct source *s = job->source;
    struct transfer *t = job->t;
    bool cdn = s->kind == SOURCE_CDN;

    if (a->status == 404 || a->status == 410) {
        return SHOAL_ENOTFOUND;
    }
    if (cdn && answer_size(a) != ORIGIN_UNKNOWN
        && (answer_size(a) != t->map.size || !answer_unchanged(a, &s->answer)))
    {
        s->changed = true;
        return SHOAL_ENOAGREE; /* also in a 200, or the size in a 416 */
    }
    if (a->status != 206 && a->status != 200) {
        return SHOAL_EHTTP;
    }
    if (a->status == 200 || a->coded || !a->has_range || a->first != job->pos
        || (cdn ? a->last != job->end - 1 : a->last > job->end - 1))
    {
        return SHOAL_EPROTO;
    }
    if (a->range_total != t->map.size) {
        return SHOAL_EPROTO;
    }
    if (cdn && !is_version(t, s, a)) {
        return SHOAL_ENOAGREE;
    }
    if (cdn && t->o.want != NULL && a->no_share) {
        transfer_fail(t, SHOAL_EPRIVATE, "%s: private", s->name);
        return SHOAL_EPRIVATE;
    }
    job->end = a->last + 1;
    t->answers += cdn;
    s->seen_ms = clock_ms();
    return 0;
}

int
fetch_headers(struct job *job)
{
    return check_answer(job);
}

/* Nothing is left to do for a stream that goes on. */
static bool
is_useless(const struct job *job)
{
    struct schedule *s = job->t->schedule;
    struct schedule_range left = schedule_left(s, job->work);
    uint64_t size = job->t->map.block_size;

    return left.next >= left.end && job->pos < job->end
           && !schedule_read_on(s, job->work,
                                (uint32_t) ((job->end + size - 1) / size));
}

/* Is there still work for the stream behind its last whole block? */
static int
go_on(struct job *job)
{
    if (job->source->drop || job->t->error != 0) {
        return SHOAL_ESTOPPED;
    }
    if (is_useless(job)) {
        job->cut = true;
        return SHOAL_ESTOPPED;
    }
    return 0;
}

static bool
has_buffer(struct job *job)
{
    if (job->buf == NULL) {
        job->buf = intake_buffer(job->t);
    }
    if (job->buf == NULL) {
        transfer_fail(job->t, SHOAL_ENOMEM, "out of memory");
    }
    return job->buf != NULL;
}

int
fetch_data(struct job *job, const uint8_t *data, size_t len)
{
    struct transfer *t = job->t;

    schedule_got(t->schedule, job->work, len, job->moved_ms);
    job_took(job, len);
    while (len > 0) {
        if (job->pos >= job->end) {
            return SHOAL_EPROTO;
        }
        uint32_t block = (uint32_t) (job->pos / t->map.block_size);
        size_t whole = blockmap_length(&t->map, block);
        if (!has_buffer(job)) {
            return SHOAL_ENOMEM;
        }
        size_t n = whole - job->len < len ? whole - job->len : len;

        memcpy(job->buf + job->len, data, n);
        job->len += n;
        job->pos += n;
        data += n;
        len -= n;
        if (job->len < whole) {
            continue;
        }
        int err = intake_block(job, block);
        job->len = 0;
        schedule_advance(t->schedule, job->work, job->moved_ms);
        if (err == 0) {
            err = go_on(job);
        }
        if (err != 0) {
            return err;
        }
    }
    stream_pause(job);
    return 0;
}

static const char *
words(const struct job *job, int err, const char *why)
{
    static const char *const other = "size or version changed";

    if (err == SHOAL_ENOAGREE) {
        return other;
    }
    if (err == SHOAL_EPROTO && job->answered) {
        return job->answer.status == 200 ? "no ranges"
                                         : "answer is not what was asked";
    }
    return why;
}

void
fetch_done(struct job *job, int err, const char *why)
{
    struct source *s = job->source;
    char text[32];

    if (err != 0 || s->kind == SOURCE_CDN) {
        intake_drain(job->t); /* what it gave counts before its end does */
    }
    if (job->cut || s->drop) {
        return;
    }
    if (err == 0) {
        if (job->pos < job->end) {
            fetch_failed(job->t, s, SHOAL_ENET, "closed early");
        }
        return;
    }
    if (err == SHOAL_EBUSY) {
        s->retry_ms = clock_ms() + BUSY_MS;
        return;
    }
    if (err == SHOAL_ENOTFOUND && s->kind != SOURCE_CDN) {
        swarm_lost(job->t, s); /* news, not a fault */
        s->retry_ms = clock_ms() + BACKOFF_MS;
        return;
    }
    if (s->kind == SOURCE_SUPER && job->answered && job->answer.status == 403)
    {
        swarm_refused(job);
        return;
    }
    if (job->answered && (err == SHOAL_EHTTP || err == SHOAL_ENOTFOUND)) {
        snprintf(text, sizeof(text), "HTTP %u", job->answer.status);
        why = text;
    }
    fetch_failed(job->t, s, err, words(job, err, why));
    if (job->answered && job->answer.retry_after > 0 && !s->drop) {
        unsigned wait = job->answer.retry_after * 1000;
        unsigned most =
            job->t->o.want != NULL ? RETRY_WANT_MAX_MS : RETRY_AFTER_MAX_MS;

        wait = wait < most ? wait : most;
        s->retry_ms = clock_ms() + wait;
        source_state(s, "%s, asked again later", why);
    }
}

static void
start_data(struct transfer *t, struct source *s, int work,
           struct schedule_range range)
{
    uint64_t first = blockmap_offset(&t->map, range.next);
    uint64_t end = blockmap_offset(&t->map, range.end - 1)
                   + blockmap_length(&t->map, range.end - 1);
    char text[48], held[32];
    const char *const headers[] = { held, NULL };
    char *url = s->kind == SOURCE_CDN ? strdup(s->url) : swarm_url(t, s, "");
    struct http_options o = { .url = url,
                              .range = text,
                              .headers =
                                  s->kind == SOURCE_PEER ? headers : NULL };
    struct job *job = NULL;

    snprintf(text, sizeof(text), "%" PRIu64 "-%" PRIu64, first, end - 1);
    snprintf(held, sizeof(held), "Shoal-Held: %u", (unsigned) t->map.held);
    if (url != NULL) {
        job = job_start(t, JOB_DATA, s, &o);
    }
    free(url);
    if (job == NULL) {
        schedule_end(t->schedule, work);
        node_failed(s, SHOAL_ENOMEM, "out of memory");
        return;
    }
    job->work = work;
    job->pos = first;
    job->end = end;
    claim_begin(job);
    if (s->active++ == 0) {
        s->active_ms = clock_ms();
    }
}

static void
give_work(struct transfer *t, struct source *s, uint64_t now)
{
    while (s->usable && s->scheduled >= 0 && now >= s->retry_ms
           && now >= s->idle_ms && trust_allows(t, s))
    {
        struct schedule_range range;
        int work = s->kind == SOURCE_CDN && whole_wanted(t, s)
                       ? whole_take(t, s, &range)
                       : schedule_take(t->schedule, s->scheduled, now, &range);

        if (work < 0) {
            s->idle_ms = work == SHOAL_EBUSY ? 0 : now + IDLE_MS;
            return;
        }
        start_data(t, s, work, range);
    }
}

static void
dispatch_kind(struct transfer *t, enum source_kind kind)
{
    uint64_t now = clock_ms();

    for (size_t i = 0; i < t->n_sources; i++) {
        if (t->sources[i]->kind == kind) {
            give_work(t, t->sources[i], now);
        }
    }
}

/* What the schedule took from requests at CDN nodes is theirs no more: others
 * hear of it, and where nothing is left they end. */
static void
trim(struct transfer *t)
{
    struct job *next;

    for (struct job *job = t->jobs; job != NULL; job = next) {
        next = job->next;
        if (job->kind != JOB_DATA || job->work < 0
            || job->source->kind != SOURCE_CDN) {
            continue;
        }
        if (is_useless(job)) {
            job_end(job);
        } else {
            claim_trim(job);
        }
    }
}

void
fetch_freed(struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        t->sources[i]->idle_ms = 0;
    }
}

unsigned
fetch_due_ms(const struct transfer *t, unsigned most)
{
    uint64_t now = clock_ms(), due = now + most;

    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];
        uint64_t next = s->idle_ms > s->retry_ms ? s->idle_ms : s->retry_ms;

        if (s->usable && s->scheduled >= 0 && next > now && next < due) {
            due = next;
        }
    }
    return (unsigned) (due - now);
}

void
fetch_dispatch(struct transfer *t)
{
    dispatch_kind(t, SOURCE_SUPER);
    dispatch_kind(t, SOURCE_PEER);
    dispatch_kind(t, SOURCE_CDN);
    trim(t);
}

void
fetch_adopt(struct transfer *t, struct source *s, struct job *job)
{
    bool live = job != NULL;

    if (!live) {
        job = job_create(t, JOB_DATA, s);
    } else {
        job->kind = JOB_DATA;
        s->probes--;
    }
    if (job == NULL) {
        return;
    }
    job->pos = t->open_from;
    job->end = t->open_end < t->map.size ? t->open_end : t->map.size;
    uint64_t block = t->map.block_size;
    int work = schedule_begin_at(
        t->schedule, s->scheduled, (uint32_t) (job->pos / block),
        (uint32_t) ((job->end + block - 1) / block), clock_ms());
    if (work < 0) {
        job_end(job);
        return;
    }
    job->work = work;
    claim_begin(job);
    if (s->active++ == 0) {
        s->active_ms = clock_ms();
    }
    job->moved_ms = clock_ms();
    t->answers++;
    int err = fetch_data(job, s->early, s->early_len);
    if (err != 0 || !live) {
        job_end(job);
    } else if (job->paused) {
        job->paused = false;
        http_resume(job->http);
    }
}
