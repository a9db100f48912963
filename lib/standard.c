/* standard.c - which version of the file counts, and which CDN nodes are
 * taken for it (DESIGN: "One download, step by step"). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shoal.h"
#include "transfer_internal.h"

enum {
    DECIDE_MS = 1500, /* then those that answered decide */
    OPEN_MS = 1000,   /* a first GET without an answer gets company */
    NODES_MAX = 4     /* read from at once, unless told otherwise */
};

struct tally {
    const struct answer *answers[SOURCES_MAX];
    struct source *sources[SOURCES_MAX];
    size_t n;
    size_t pending; /* nodes that may still answer */
    size_t probed;
    size_t busy;           /* nodes with a probe under way */
    struct source *fresh;  /* a node that was not asked yet */
    struct source *failed; /* one that failed, the most telling */
    struct source *sizeless;
};

/* An HTTP status tells a user more than a broken connection does. */
static bool
more_telling(const struct source *a, const struct source *b)
{
    return b == NULL || (b->error == SHOAL_ENET && a->error != SHOAL_ENET);
}

static void
count(const struct transfer *t, struct tally *c)
{
    memset(c, 0, sizeof(*c));
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind != SOURCE_CDN) {
            continue;
        }
        c->probed += s->node != NODE_NEW && s->node != NODE_REDIRECT;
        c->busy += s->probes > 0;
        if (s->node == NODE_NEW && c->fresh == NULL) {
            c->fresh = s;
        } else if (s->node == NODE_PROBING
                   || (s->node == NODE_REDIRECT && !s->followed))
        {
            c->pending++;
        } else if (s->node == NODE_FAILED && more_telling(s, c->failed)) {
            c->failed = s;
        } else if (s->node == NODE_KNOWN
                   && answer_size(&s->answer) == ORIGIN_UNKNOWN) {
            c->sizeless = s;
        } else if (s->node == NODE_KNOWN) {
            c->sources[c->n] = s;
            c->answers[c->n++] = &s->answer;
        }
    }
}

unsigned
standard_usable(const struct transfer *t)
{
    unsigned n = 0;

    for (size_t i = 0; i < t->n_sources; i++) {
        n += t->sources[i]->kind == SOURCE_CDN && t->sources[i]->usable;
    }
    return n;
}

static void
fail_all(struct transfer *t, const struct source *failed)
{
    if (failed == NULL) {
        transfer_fail(t, SHOAL_ENET, "%s: no CDN node", t->o.url);
        return;
    }
    transfer_fail(t, failed->error, "%s: %s", failed->name, failed->state);
}

struct job *
standard_open_job(const struct transfer *t, const struct source *s)
{
    for (struct job *job = t->jobs; job != NULL; job = job->next) {
        if (job->kind == JOB_OPEN && (s == NULL || job->source == s)) {
            return job;
        }
    }
    return NULL;
}

/*
 * One first GET is under way from the first moment; a second one when the
 * first fails or tells nothing for a while.
 */
static void
keep_open(struct transfer *t)
{
    struct source *next = NULL;
    uint64_t now = clock_ms();

    for (struct job *job = t->jobs; job != NULL; job = job->next) {
        if (job->kind == JOB_OPEN && !job->source->drop
            && (job->answered || now - job->start_ms < OPEN_MS))
        {
            return;
        }
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];
        bool asked = s->opened || s->by_get;

        if (s->kind != SOURCE_CDN || s->drop || s->node == NODE_REDIRECT
            || s->node == NODE_FAILED)
        {
            continue;
        }
        if (s->opened && s->node == NODE_KNOWN) {
            return; /* it is over already: a small file */
        }
        next = next == NULL && !asked ? s : next;
    }
    if (next != NULL) {
        node_open(t, next);
        if (next->probes == 1) {
            node_probe(t, next);
        }
    }
}

static void
probe_others(struct transfer *t)
{
    struct tally c;

    count(t, &c);
    while (c.fresh != NULL && c.probed < PROBE_NODES) {
        node_probe(t, c.fresh);
        count(t, &c);
    }
}

static unsigned
wanted_nodes(const struct transfer *t)
{
    if (t->o.nodes != 0) {
        return t->o.nodes;
    }
    return t->o.want != NULL ? 1 : NODES_MAX;
}

/*
 * The standard's nodes: does one of them serve ranges? If it is not known,
 * one is asked. If none does, the file comes as one plain stream.
 */
static void
settle(struct transfer *t, const struct tally *c, size_t standard)
{
    struct source *s = c->sources[standard], *opened = NULL, *closed = NULL;
    char version[RESOURCE_VERSION_MAX + 1];
    bool ranges = answer_size(&s->answer) == 0, waiting = false;

    for (size_t i = 0; i < c->n; i++) {
        struct source *other = c->sources[i];

        if (!answer_same_version(&s->answer, &other->answer)) {
            continue;
        }
        ranges = ranges || other->ranges;
        if (other->opened) {
            opened = other;
            waiting =
                waiting
                || (!other->by_get && standard_open_job(t, other) != NULL);
        } else if (!other->by_get) {
            closed = other;
        }
    }
    if (ranges) {
        origin_version(c->answers, c->n, standard, version);
        t->standard = s;
        begin_blocks(t, t->o.url, answer_size(&s->answer), version);
    } else if (waiting) {
        return; /* a first GET has yet to tell */
    } else if (closed != NULL) {
        node_open(t, closed);
    } else if (opened != NULL) {
        begin_plain(t, opened);
    } else {
        fail_all(t, s);
    }
}

static void
find_standard(struct transfer *t)
{
    struct tally c;

    probe_others(t);
    keep_open(t);
    count(t, &c);
    bool waited = clock_ms() - t->start_ms > DECIDE_MS;

    if (c.n == 0) {
        if (c.sizeless != NULL && (c.pending == 0 || waited)) {
            begin_plain(t, c.sizeless);
        } else if (c.pending == 0 && c.fresh == NULL) {
            fail_all(t, c.failed);
        }
        return;
    }
    if (c.pending == 0 || waited || origin_majority(c.answers, c.n, c.pending))
    {
        settle(t, &c, origin_standard(c.answers, c.n));
    }
}

/* What no node agrees with is refused; the words name the last one. */
static void
fail_want(struct transfer *t, const struct tally *c)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->error == SHOAL_ENOAGREE) {
            transfer_fail(t, SHOAL_ENOAGREE, "no node agrees: %s: %s", s->name,
                          s->state);
            return;
        }
    }
    fail_all(t, c->failed);
}

/* One node after the other, until one agrees with what is wanted. */
static void
find_agreeing(struct transfer *t)
{
    const struct resource *r = t->o.want;
    struct tally c;

    count(t, &c);
    for (size_t i = 0; i < c.n; i++) {
        if (!c.sources[i]->judged) {
            begin_judge(t, c.sources[i], r);
        }
    }
    if (c.sizeless != NULL && c.sizeless->by_get) {
        begin_judge(t, c.sizeless, r);
    }
    if (t->error != 0) {
        return;
    }
    if (standard_usable(t) > 0) {
        begin_blocks(t, r->url, r->size, r->version);
        return;
    }
    count(t, &c);
    if (c.pending > 0 || c.n > 0) {
        return;
    }
    if (c.fresh != NULL) {
        node_probe(t, c.fresh);
    } else {
        fail_want(t, &c);
    }
}

void
standard_step(struct transfer *t)
{
    if (t->o.want != NULL) {
        find_agreeing(t);
    } else {
        find_standard(t);
    }
}

static bool
others_can_give(const struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->kind != SOURCE_CDN && s->usable && trust_allows(t, s)) {
            return true;
        }
    }
    return false;
}

static void
judge_late(struct transfer *t, struct source *s)
{
    if (s->kind != SOURCE_CDN || s->node != NODE_KNOWN || s->judged
        || s->probes > 0 || standard_usable(t) >= wanted_nodes(t))
    {
        return;
    }
    begin_judge(t, s, &t->resource);
    if (s->usable) {
        begin_enlist(t, s);
    }
}

void
standard_more(struct transfer *t)
{
    struct tally c;

    for (size_t i = 0; i < t->n_sources; i++) {
        judge_late(t, t->sources[i]);
    }
    count(t, &c);
    unsigned usable = standard_usable(t);
    bool stuck = t->n_suspects > 0 || !others_can_give(t);
    unsigned enough = t->o.want != NULL ? wanted_nodes(t) : 1;

    if (usable < enough && c.pending == 0 && c.fresh != NULL) {
        node_probe(t, c.fresh);
    } else if (usable == 0 && c.pending + c.busy == 0 && c.fresh == NULL
               && stuck) {
        fail_all(t, c.failed);
    }
}

bool
standard_others(struct transfer *t)
{
    bool any = false;

    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];
        bool other = s->kind == SOURCE_CDN && s->error == SHOAL_ENOAGREE
                     && s->ranges && t->o.want == NULL;

        s->wasted += s->used;
        s->used = 0;
        s->scheduled = -1;
        if (other) {
            s->node = NODE_KNOWN;
            s->error = 0;
            s->judged = s->drop = false;
            s->state[0] = '\0';
            any = true;
        } else if (s->node != NODE_FAILED) {
            node_failed(s, SHOAL_EVERIFY, "has another checksum");
        }
    }
    if (any) {
        begin_forget(t);
    }
    return any;
}
