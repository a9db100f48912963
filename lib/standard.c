/* standard.c - which version of the file counts, and which CDN nodes are
 * taken for it (DESIGN: "One download, step by step"). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "begin.h"
#include "explain_transfer.h"
#include "fetch.h"
#include "mirror.h"
#include "node.h"
#include "patience.h"
#include "published.h"
#include "recheck.h"
#include "revive.h"
#include "search.h"
#include "shoal.h"
#include "standard.h"
#include "transfer_internal.h"
#include "trust.h"

enum {
    DECIDE_MS = 1500, /* then those that answered decide */
    OPEN_MS = 400,    /* a first GET without an answer gets company */
    ALONE_MS = 10000, /* without CDN nodes and without a block: given up */
    ASIDE_MS = 500,   /* a wanted file's node without an answer gets company */
    STUCK_MS = 1000,  /* likewise one that stands still, or has to wait */
    SLOW_MS = 10000,  /* and one that gives next to nothing */
    NODES_MAX = 4,    /* read from at once, unless told otherwise */
    MIRRORS_READ = 8  /* likewise where there are mirrors */
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
    return b == NULL
           || (node_unreached(b->error) && !node_unreached(a->error));
}

/* Of the URL's own nodes, or of its mirrors'. */
static void
count(const struct transfer *t, struct tally *c, bool mirrors)
{
    memset(c, 0, sizeof(*c));
    c->pending = search_pending(t, mirrors);
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind != SOURCE_CDN || (s->mirror != 0) != mirrors) {
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
        const struct source *s = t->sources[i];

        n += s->kind == SOURCE_CDN && s->usable && trust_allows(t, s);
    }
    return n;
}

/*
 * A node that had what is wanted, and may have it again: that the others do
 * not, decides nothing. Where blocks are held, any node may be the one that
 * gave them.
 */
static const struct source *
one_away(const struct transfer *t)
{
    const struct resource *r = t->o.want;

    for (size_t i = 0; r != NULL && i < t->n_sources; i++) {
        const struct source *s = t->sources[i];
        bool passing = node_unreached(s->error) || s->error == SHOAL_EHTTP;

        if (s->kind == SOURCE_CDN && passing
            && (t->o.resuming
                || answer_agrees(&s->answer, r->size, r->version)))
        {
            return s;
        }
    }
    return NULL;
}

static void
fail_all(struct transfer *t, const struct source *failed)
{
    const struct source *away = one_away(t);

    failed = away != NULL ? away : failed;
    if (failed == NULL) {
        transfer_fail(t, SHOAL_ENET, "no CDN node");
        return;
    }
    bool not_it = failed->error == SHOAL_ENOAGREE && published_layer_named(t);

    transfer_fail(t, not_it ? SHOAL_EVERIFY : failed->error, "%s: %s",
                  failed->name, failed->state);
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
/* Nodes whose first GET could be sent now. */
static bool
can_open(const struct source *s, uint64_t now)
{
    return s->kind == SOURCE_CDN && !s->drop && !s->opened && !s->asked_byte
           && !s->by_get && s->node != NODE_REDIRECT && s->node != NODE_FAILED
           && now >= s->retry_ms;
}

/* What is held already makes everything from byte 0 a waste. */
static void
first_get(struct transfer *t, struct source *s)
{
    if (t->o.resuming) {
        node_ask_byte(t, s);
    } else {
        node_open(t, s);
    }
}

static void
keep_open(struct transfer *t)
{
    struct source *next = NULL;
    uint64_t now = clock_ms();

    for (struct job *job = t->jobs; job != NULL; job = job->next) {
        if ((job->kind == JOB_OPEN || job->kind == JOB_FIRST_BYTE)
            && !job->source->drop
            && (job->answered || now - job->start_ms < OPEN_MS))
        {
            return;
        }
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->by_get && !s->drop) {
            return; /* it is over already: a small file */
        }
        if (next == NULL && can_open(s, now)) {
            next = s;
        }
    }
    if (next != NULL) {
        first_get(t, next);
        if (next->probes == 1) {
            node_probe(t, next);
        }
    }
}

static void
probe_others(struct transfer *t)
{
    struct tally c;

    count(t, &c, false);
    while (c.fresh != NULL && c.probed < PROBE_NODES) {
        node_probe(t, c.fresh);
        count(t, &c, false);
    }
}

static unsigned
wanted_nodes(const struct transfer *t)
{
    if (t->o.nodes != 0) {
        return t->o.nodes;
    }
    if (t->o.want != NULL) {
        return 1;
    }
    return t->n_mirrors + 1 > NODES_MAX ? MIRRORS_READ : NODES_MAX;
}

/* What is known of the standard's nodes. */
struct group {
    bool ranges;           /* one serves them, or none is needed */
    bool waiting;          /* a first GET has yet to tell */
    struct source *closed; /* one whose first GET can be sent */
    struct source *plain;  /* one that serves without ranges */
};

static void
look_at(const struct transfer *t, struct source *s, struct group *g)
{
    uint64_t now = clock_ms();
    const struct job *job = standard_open_job(t, s);
    bool asked = s->opened || s->asked_byte;

    g->ranges = g->ranges || s->ranges;
    if (s->by_get) {
        g->plain = s->no_ranges ? s : g->plain;
    } else if (!asked && now >= s->retry_ms) {
        g->closed = s;
    } else if (s->probes > 0 && (job == NULL || now - job->start_ms < OPEN_MS))
    {
        g->waiting = true;
    }
}

static void
find_version(struct transfer *t, const struct tally *c, size_t standard,
             char version[RESOURCE_VERSION_MAX + 1])
{
    const char *wish =
        t->o.settings != NULL ? t->o.settings->version_id : NULL;

    if (wish == NULL) {
        origin_version(c->answers, c->n, standard, version);
        return;
    }
    origin_version_by(c->answers[standard], wish, version);
    if (version[0] == '\0' && strcmp(wish, "none") != 0) {
        transfer_say(t, SHOAL_WARNING, "version-id: the origin tells no %s",
                     strcmp(wish, "etag") == 0 ? "strong ETag"
                                               : "Last-Modified");
    }
}

/* Then it is not the file that is wanted, but tells where that is. */
static bool
is_metalink(struct transfer *t, const struct source *s)
{
    if (t->o.metalinks && s->answer.metalink) {
        transfer_fail(t, TRANSFER_METALINK, "%s: a Metalink", t->shown);
        return true;
    }
    return false;
}

/*
 * Does one of the standard's nodes serve ranges? If it is not known, one is
 * asked. If none does, the file comes as one plain stream.
 */
static void
settle(struct transfer *t, const struct tally *c, size_t standard)
{
    struct source *s = c->sources[standard];
    struct group g = { .ranges = answer_size(&s->answer) == 0 };
    char version[RESOURCE_VERSION_MAX + 1];

    if (is_metalink(t, s)) {
        return;
    }
    for (size_t i = 0; i < c->n; i++) {
        if (answer_same_version(&s->answer, &c->sources[i]->answer)) {
            look_at(t, c->sources[i], &g);
        }
    }
    if (g.ranges) {
        find_version(t, c, standard, version);
        t->standard = s;
        begin_blocks(t, t->o.url, answer_size(&s->answer), version);
    } else if (!g.waiting && g.closed != NULL) {
        first_get(t, g.closed);
    } else if (!g.waiting && g.plain != NULL) {
        begin_plain(t, g.plain);
    }
}

/* Enough of them have answered, or they had their time. */
static bool
has_decided(const struct tally *c, bool waited)
{
    return c->n > 0
           && (c->pending == 0 || waited
               || origin_majority(c->answers, c->n, c->pending));
}

/*
 * Nothing came of the URL itself, or it takes its time: its mirrors decide,
 * and since the version is theirs, no tracker hears of the file.
 */
static void
ask_mirrors(struct transfer *t, const struct tally *own, bool waited)
{
    bool gone = own->pending == 0 && own->fresh == NULL;
    struct tally c;

    count(t, &c, true);
    if ((gone || waited) && has_decided(&c, waited)) {
        t->o.unshared = true;
        settle(t, &c, origin_standard(c.answers, c.n));
    } else if (gone && !mirror_awaited(t) && c.n == 0 && !patience_round(t)) {
        fail_all(t, own->failed != NULL ? own->failed : c.failed);
    }
}

/* What comes from outside, and later than this, decides alone. */
static bool
decides_outside(const struct transfer *t)
{
    return t->o.checksum != NULL || t->o.pieces != NULL
           || published_layer_named(t) || published_sum_wanted(t)
           || t->o.size != 0;
}

/* Some HEADs lie: where one counts, a GET of one byte decides. */
static bool
ask_by_get(struct transfer *t, const struct tally *c)
{
    bool any = false;

    for (size_t i = 0; i < c->n; i++) {
        struct source *s = c->sources[i];

        if (!s->by_get && !s->opened && !s->asked_byte && s->probes == 0) {
            node_ask_byte(t, s);
        }
        any = any || (!s->by_get && s->probes > 0);
    }
    return any;
}

static void
settle_most(struct transfer *t, const struct tally *c)
{
    size_t standard = origin_standard(c->answers, c->n);

    if (!origin_tied(c->answers, c->n, standard) || decides_outside(t)) {
        settle(t, c, standard);
    } else if (c->pending == 0 && !ask_by_get(t, c)) {
        transfer_fail(t, SHOAL_ENOAGREE,
                      "CDN nodes hold versions of which none is held by most, "
                      "nor is newer");
    }
}

static void
find_standard(struct transfer *t)
{
    struct tally c;

    probe_others(t);
    keep_open(t);
    count(t, &c, false);
    bool waited = clock_ms() - t->start_ms > DECIDE_MS;

    if (has_decided(&c, waited)) {
        settle_most(t, &c);
    } else if (c.n == 0 && c.sizeless != NULL) {
        if ((c.pending == 0 || waited) && !is_metalink(t, c.sizeless)) {
            begin_plain(t, c.sizeless);
        }
    } else if (c.n == 0) {
        ask_mirrors(t, &c, waited);
    }
}

/* What no node agrees with is refused; the words name the last one. */
static void
fail_want(struct transfer *t, const struct tally *c)
{
    for (size_t i = 0; one_away(t) == NULL && i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->error == SHOAL_ENOAGREE) {
            transfer_fail(t, SHOAL_ENOAGREE, "no node agrees: %s: %s", s->name,
                          s->state);
            return;
        }
    }
    fail_all(t, c->failed);
}

/* Those that were busy, or broke off, in their turn. */
static void
ask_again(struct transfer *t)
{
    uint64_t now = clock_ms();

    for (size_t i = 0; t->o.want != NULL && i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->node == NODE_PROBING && s->probes == 0
            && s->retry_ms != 0 && now >= s->retry_ms)
        {
            node_ask(t, s);
        }
    }
}

/* No node waits for an answer, or it does so for too long. */
static bool
may_ask_another(const struct transfer *t, const struct tally *c)
{
    return c->fresh != NULL
           && (c->pending == 0
               || (t->o.want != NULL && clock_ms() - t->asked_ms >= ASIDE_MS));
}

static struct source *
first_usable(const struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->usable && trust_allows(t, s)) {
            return s;
        }
    }
    return NULL;
}

/* One node after the other, until one agrees with what is wanted. */
static void
find_agreeing(struct transfer *t)
{
    const struct resource *r = t->o.want;
    struct tally c;

    count(t, &c, false);
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
    t->standard = first_usable(t);
    if (t->standard != NULL) {
        begin_blocks(t, r->url, r->size, r->version);
        return;
    }
    ask_again(t);
    count(t, &c, false);
    if (may_ask_another(t, &c)) {
        node_ask(t, c.fresh);
    } else if (c.pending + c.busy + c.n == 0 && c.fresh == NULL) {
        fail_want(t, &c);
    }
}

/* Nothing but asking whether it is there. */
static void
look_only(struct transfer *t)
{
    struct tally c;

    count(t, &c, false);
    if (c.n > 0 || c.sizeless != NULL) {
        t->standard = c.n > 0 ? c.sources[0] : c.sizeless;
        t->plain_size = answer_size(&t->standard->answer);
        t->phase = PHASE_DONE;
    } else if (c.pending == 0 && c.fresh != NULL) {
        node_probe(t, c.fresh);
    } else if (c.pending == 0 && !patience_round(t)) {
        fail_all(t, c.failed);
    }
}

void
standard_step(struct transfer *t)
{
    if (t->user.spider) {
        look_only(t);
    } else if (t->o.want != NULL) {
        find_agreeing(t);
    } else {
        find_standard(t);
    }
}

static bool
offers_missing(const struct transfer *t, const struct source *s)
{
    for (uint32_t i = 0; i < t->map.count; i++) {
        if (!blockmap_has(&t->map, i)
            && schedule_has(t->schedule, s->scheduled, i)) {
            return true;
        }
    }
    return false;
}

/* Is there hope without CDN nodes? */
static bool
others_can_give(const struct transfer *t)
{
    if (t->n_suspects > 0 || clock_ms() - t->progress_ms > ALONE_MS) {
        return false; /* only they can decide; or the others give nothing */
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->refused && clock_ms() < s->renew_ms) {
            return true;
        }
        if (s->kind != SOURCE_CDN && s->usable && s->scheduled >= 0
            && trust_allows(t, s) && (!s->complete || offers_missing(t, s)))
        {
            return true;
        }
    }
    return false;
}

static bool
is_stuck(const struct transfer *t, const struct source *s, uint64_t now)
{
    if (s->retry_ms > now + STUCK_MS
        || (s->slow_ms != 0 && now - s->slow_ms > SLOW_MS))
    {
        return true;
    }
    for (const struct job *job = t->jobs; job != NULL; job = job->next) {
        if (job->kind == JOB_DATA && job->source == s && job->resume_ms == 0
            && now - job->moved_ms > STUCK_MS)
        {
            return true;
        }
    }
    return false;
}

/* Nodes that give something now. */
static unsigned
ready_nodes(const struct transfer *t)
{
    uint64_t now = clock_ms();
    unsigned n = 0;

    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        n += s->kind == SOURCE_CDN && s->usable && trust_allows(t, s)
             && (t->o.want == NULL || !is_stuck(t, s, now));
    }
    return n;
}

static void
judge_late(struct transfer *t, struct source *s)
{
    if (s->kind != SOURCE_CDN || s->node != NODE_KNOWN || s->judged
        || s->probes > 0 || ready_nodes(t) >= wanted_nodes(t))
    {
        return;
    }
    begin_judge(t, s, &t->resource);
    if (s->usable) {
        begin_enlist(t, s);
    }
}

static void
nobody_left(struct transfer *t, const struct tally *c)
{
    struct tally mirrors;

    if ((t->trusted_given || t->doubted) && revive_others(t)) {
        return; /* what the user gave decides which version it is */
    }
    if (recheck_begin_anew(t)) {
        return;
    }
    if (!t->trusted_given && !trust_has_sum(t) && revive_mirrors(t)) {
        return;
    }
    count(t, &mirrors, true);
    fail_all(t, c->failed != NULL ? c->failed : mirrors.failed);
}

void
standard_more(struct transfer *t)
{
    struct tally c;

    if (standard_usable(t) > 0) {
        revive_due(t);
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        judge_late(t, t->sources[i]);
    }
    ask_again(t);
    count(t, &c, false);
    unsigned usable = standard_usable(t);

    if (usable < 2) {
        trust_alone(t);
    }
    if (ready_nodes(t) < wanted_nodes(t) && may_ask_another(t, &c)) {
        t->asked_ms = clock_ms();
        node_probe(t, c.fresh);
    } else if (usable == 0 && c.pending + c.busy == 0 && c.fresh == NULL
               && !mirror_awaited(t) && !others_can_give(t))
    {
        nobody_left(t, &c);
    }
}
