/* sample.c - nodes that show the same size and validators may hold other
 * bytes all the same. Where nothing else tells right bytes from wrong, each is
 * asked for the same few: the end of the file, where copies that broke off or
 * went on differ, and some from a place that nobody can foretell. What most of
 * them hold is right. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain_transfer.h"
#include "fetch.h"
#include "job.h"
#include "node.h"
#include "sample.h"
#include "shoal.h"
#include "transfer_internal.h"
#include "trust.h"

enum {
    TAIL_MAX = 64 << 10, /* bytes; a block of most files */
    TAIL_MIN = 1 << 10,
    TAIL_SHARE = 256, /* else that part of the file */
    SOME_MAX = 4 << 10,
    SOME_SHARE = 512,
    ANSWER_MS = 3000,
    BUSY_MS = 100,       /* until a connection may be allowed */
    LATE_MS = 500,       /* after the last block */
    WANT_LATE_MS = 2000, /* likewise, where nobody sits and waits */
    COMPARED = 3 /* nodes that a super peer asks; others read from them */
};

static uint64_t
tail(const struct transfer *t)
{
    uint64_t len = t->map.size / TAIL_SHARE;

    len = len > TAIL_MAX ? TAIL_MAX : len < TAIL_MIN ? TAIL_MIN : len;
    return len < t->map.size ? len : t->map.size;
}

/* Where nothing that comes from outside tells it. */
static bool
is_wanted(const struct transfer *t)
{
    bool waived = t->o.settings != NULL && t->o.settings->unverified_peers;

    return t->standard != NULL && t->map.size > 0 && !trust_covers(t)
           && !waived;
}

static bool
is_candidate(const struct transfer *t, const struct source *s)
{
    return trust_origin(s) && s->node == NODE_KNOWN && !s->drop
           && !s->no_ranges && s->mirror == t->standard->mirror
           && answer_same_version(&s->answer, &t->standard->answer);
}

static void
ask(struct transfer *t, struct source *s, unsigned part)
{
    char range[48];
    uint64_t first = part == SAMPLE_TAIL ? t->map.size - tail(t) : t->some_off;
    uint64_t len = part == SAMPLE_TAIL ? tail(t) : t->some_len;
    struct http_options o = { .url = s->url,
                              .range = range,
                              .total_ms = ANSWER_MS };

    snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, first,
             first + len - 1);
    struct job *job = job_start(t, JOB_SAMPLE, s, &o);
    if (job == NULL) {
        s->samples[part].state = SAMPLE_FAILED;
        return;
    }
    job->sample = part;
    job->pos = first;
    job->end = first + len;
    job->body_max = len;
    s->samples[part].state = SAMPLE_ASKED;
}

/* The same for all, once. */
static void
choose(struct transfer *t)
{
    uint64_t rest = t->map.size - tail(t);

    if (t->some_chosen) {
        return;
    }
    t->some_chosen = true;
    t->some_len = t->map.size / SOME_SHARE;
    t->some_len = t->some_len > SOME_MAX ? SOME_MAX : t->some_len;
    t->some_len = t->some_len > TAIL_MIN ? t->some_len : TAIL_MIN;
    t->some_len = t->some_len < rest ? t->some_len : rest;
    if (t->some_len < rest) {
        uint64_t n = ((uint64_t) arc4random() << 32) | arc4random();

        t->some_off = n % (rest - t->some_len + 1);
    }
}

/* A crowd is not to ask for what a root may tell. */
static bool
is_early(const struct transfer *t)
{
    return t->n_trackers > 0 && t->taken.held < t->map.count / 2;
}

static size_t
candidates(const struct transfer *t, struct source *list[SOURCES_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < t->n_sources; i++) {
        if (is_candidate(t, t->sources[i])) {
            list[n++] = t->sources[i];
        }
    }
    return n;
}

static void
ask_if_due(struct transfer *t, struct source *s, enum sample_part part)
{
    const struct sample *x = &s->samples[part];

    if (x->state == SAMPLE_NONE && clock_ms() >= x->again_ms) {
        ask(t, s, part);
    }
}

static void
ask_all(struct transfer *t, struct source *const *list, size_t n)
{
    choose(t);
    for (size_t i = 0; i < n; i++) {
        ask_if_due(t, list[i], SAMPLE_TAIL);
        if (t->some_len > 0) {
            ask_if_due(t, list[i], SAMPLE_SOME);
        }
    }
}

static bool
is_known(const struct source *s)
{
    return s->samples[SAMPLE_TAIL].state == SAMPLE_KNOWN
           || s->samples[SAMPLE_SOME].state == SAMPLE_KNOWN;
}

/* In what both have told. */
static bool
is_same(const struct source *a, const struct source *b)
{
    for (unsigned part = 0; part < SAMPLES; part++) {
        const struct sample *x = &a->samples[part], *y = &b->samples[part];

        if (x->state == SAMPLE_KNOWN && y->state == SAMPLE_KNOWN
            && memcmp(x->hash, y->hash, DIGEST_LEN) != 0)
        {
            return false;
        }
    }
    return true;
}

static unsigned
votes(struct source *const *list, size_t n, const struct source *of)
{
    unsigned count = 0;

    for (size_t i = 0; i < n; i++) {
        count += is_known(list[i]) && is_same(list[i], of);
    }
    return count;
}

static void
leave(struct transfer *t, struct source *s, unsigned most, unsigned of)
{
    s->banned = true;
    node_failed(s, SHOAL_ENOAGREE,
                "other bytes than %u of %u nodes under the same validators",
                most, of);
    fetch_disown(t, s);
}

/* Another node may decide it. */
static bool
ask_another(struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind != SOURCE_CDN || s->mirror != t->standard->mirror) {
            continue;
        }
        if (s->node == NODE_NEW) {
            node_probe(t, s);
        }
        if (s->node == NODE_PROBING) {
            return true;
        }
    }
    return false;
}

static void
decide(struct transfer *t, struct source *const *list, size_t n)
{
    const struct source *best = NULL;
    unsigned most = 0, known = 0;
    bool tied = false;

    for (size_t i = 0; i < n; i++) {
        unsigned v = is_known(list[i]) ? votes(list, n, list[i]) : 0;

        known += v > 0;
        if (v > most) {
            most = v;
            best = list[i];
            tied = false;
        } else if (v > 0 && v == most && !is_same(list[i], best)) {
            tied = true;
        }
    }
    if (best == NULL || most == known || (tied && ask_another(t))) {
        return;
    }
    if (tied) {
        transfer_fail(t, SHOAL_ENOAGREE,
                      "nodes hold other bytes under the same size and "
                      "validators, and nothing decides");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_known(list[i])) {
            continue;
        }
        if (!is_same(list[i], best)) {
            leave(t, list[i], most, known);
        } else if (t->standard->drop) {
            t->standard = list[i];
        }
    }
}

static bool
is_asked(const struct source *s)
{
    return s->samples[SAMPLE_TAIL].state == SAMPLE_ASKED
           || s->samples[SAMPLE_SOME].state == SAMPLE_ASKED;
}

static bool
any_asked(const struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        if (is_asked(t->sources[i]) && !t->sources[i]->drop) {
            return true;
        }
    }
    return false;
}

/* A client has asked enough of them for their version. */
static void
probe_more(struct transfer *t)
{
    unsigned n = 0;

    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        n += s->kind == SOURCE_CDN && !s->drop && s->node != NODE_NEW;
    }
    for (size_t i = 0; n < COMPARED && i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->node == NODE_NEW && !s->drop) {
            node_probe(t, s);
            n++;
        }
    }
}

void
sample_step(struct transfer *t)
{
    struct source *list[SOURCES_MAX];

    if (!is_wanted(t) || is_early(t)) {
        return;
    }
    if (t->o.want != NULL) {
        probe_more(t);
    }
    size_t n = candidates(t, list);
    if (n < 2) {
        return;
    }
    ask_all(t, list, n);
    if (t->sampled && !any_asked(t)) {
        t->sampled = false;
        decide(t, list, n);
    }
}

static bool
any_probing(const struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->node == NODE_PROBING && !s->drop) {
            return true;
        }
    }
    return false;
}

bool
sample_awaited(const struct transfer *t)
{
    uint64_t late = t->o.want != NULL ? WANT_LATE_MS : LATE_MS;

    return is_wanted(t) && clock_ms() - t->progress_ms < late
           && (any_asked(t) || (t->o.want != NULL && any_probing(t)));
}

int
sample_headers(const struct job *job)
{
    const struct answer *a = &job->answer;

    return a->status == 206 && !a->coded && a->has_range
                   && a->first == job->pos && a->last == job->end - 1
                   && a->range_total == job->t->map.size
                   && answer_unchanged(a, &job->source->answer)
               ? 0
               : SHOAL_EPROTO;
}

int
sample_data(struct job *job, const uint8_t *data, size_t len)
{
    job_took(job, len);
    return job_keep(job, data, len);
}

void
sample_done(struct job *job, int err)
{
    struct source *s = job->source;
    struct sample *x = &s->samples[job->sample];

    s->wasted += job->len;
    if (err == SHOAL_EBUSY) {
        x->state = SAMPLE_NONE;
        x->again_ms = clock_ms() + BUSY_MS;
        return;
    }
    x->state = SAMPLE_FAILED;
    if (err == 0 && job->len == job->body_max) {
        x->state = digest_block(job->buf, job->len, job->len,
                                BLOCKMAP_BLOCK_MIN, x->hash)
                           == 0
                       ? SAMPLE_KNOWN
                       : SAMPLE_FAILED;
    }
    job->t->sampled = true;
}
