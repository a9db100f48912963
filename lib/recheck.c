/* recheck.c - a file that is rewritten in place while it is read shows that
 * afterwards alone: where nothing else tells right bytes from wrong, the nodes
 * that gave some are asked whether it is still the same version, shortly
 * before all is there, or when they fail. One that shows another one has its
 * bytes thrown away; when none is left, the download begins anew, and a last
 * time without those that did it again. */
#include "recheck.h"
#include "begin.h"
#include "explain_transfer.h"
#include "fetch.h"
#include "job.h"
#include "node.h"
#include "revive.h"
#include "shoal.h"
#include "transfer_internal.h"
#include "trust.h"

enum {
    LONG_MS = 1000, /* what it gave since its last answer began in less is
                       not made slower by a round trip */
    SOON_MS = 800,  /* before the end, so that it waits for nobody */
    ANSWER_MS = 1500,
    ANEW_MAX = 2 /* the second time for nodes that contradict themselves */
};

/* For how long it has been read from since it last showed its version. */
static uint64_t
unseen_ms(const struct source *s)
{
    const struct transfer *t = s->t;
    uint64_t last =
        t->phase == PHASE_PLAIN ? clock_ms() : t->begin_ms + s->last_ms;

    return last > s->seen_ms ? last - s->seen_ms : 0;
}

static bool
is_due(const struct source *s, uint64_t ms)
{
    return trust_origin(s) && s->used > 0 && !s->drop && unseen_ms(s) >= ms;
}

static bool
is_asked(const struct source *s)
{
    for (const struct job *job = s->t->jobs; job != NULL; job = job->next) {
        if (job->kind == JOB_RECHECK && job->source == s) {
            return true;
        }
    }
    return false;
}

bool
recheck_awaited(const struct transfer *t)
{
    for (size_t i = 0; t->rechecked && i < t->n_sources; i++) {
        if (is_due(t->sources[i], LONG_MS) && is_asked(t->sources[i])) {
            return true;
        }
    }
    return false;
}

static void
ask(struct transfer *t, struct source *s, bool head)
{
    struct http_options o = { .url = s->url,
                              .head = head,
                              .range = head ? NULL : "0-0",
                              .total_ms = ANSWER_MS };
    struct job *job = job_start(t, JOB_RECHECK, s, &o);

    if (job != NULL) {
        job->by_head = head;
    }
    s->recheck_ms = clock_ms();
}

/* One that has not answered since is not asked again. */
static void
ask_if_due(struct transfer *t, struct source *s, uint64_t ms)
{
    uint64_t last = t->begin_ms + s->last_ms;
    bool told = s->recheck_ms == 0 || last >= s->recheck_ms + LONG_MS;

    if (is_due(s, ms) && (told || t->phase == PHASE_PLAIN) && !is_asked(s)) {
        ask(t, s, !s->headless);
    }
}

bool
recheck_passed(struct transfer *t)
{
    if (t->rechecked) {
        return true;
    }
    t->rechecked = true;
    for (size_t i = 0; !trust_covers(t) && i < t->n_sources; i++) {
        ask_if_due(t, t->sources[i], LONG_MS);
    }
    return !recheck_awaited(t);
}

void
recheck_soon(struct transfer *t)
{
    double rate = 0, left = (double) (t->map.count - t->map.held);

    for (size_t i = 0; i < t->n_sources; i++) {
        rate += t->sources[i]->active > 0 ? t->sources[i]->rate : 0;
    }
    if (t->rechecked || trust_covers(t)
        || left * (double) t->map.block_size * 1000 > rate * SOON_MS)
    {
        return;
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        ask_if_due(t, t->sources[i], LONG_MS - SOON_MS);
    }
}

void
recheck_failed(struct source *s)
{
    if (!s->t->rechecked && !trust_covers(s->t)) {
        ask_if_due(s->t, s, LONG_MS);
    }
}

int
recheck_headers(const struct job *job)
{
    return job->by_head ? 0 : SHOAL_ESTOPPED; /* all of the file may come */
}

static void
note_change(struct source *s)
{
    struct transfer *t = s->t;

    s->changed = true;
    t->rechecked = false;
    if (t->phase == PHASE_RUN) {
        fetch_disown(t, s);
    }
    node_failed(s, SHOAL_ENOAGREE, "the file changed while it was read");
}

void
recheck_done(struct job *job)
{
    struct source *s = job->source;
    const struct answer *a = &job->answer;
    bool told = job->answered && (a->status == 200 || a->status == 206)
                && answer_size(a) != ORIGIN_UNKNOWN;

    if (s->drop) {
        return;
    }
    if (told && answer_unchanged(a, &s->answer)
        && (answer_comparable(a, &s->answer)
            || !answer_comparable(&s->answer, &s->answer)))
    {
        s->seen_ms = job->start_ms > s->seen_ms ? job->start_ms : s->seen_ms;
        return;
    }
    if (job->by_head && job->answered) {
        ask(job->t, s, false); /* some heads lie */
    } else if (told && !answer_unchanged(a, &s->answer)) {
        note_change(s);
    }
}

/* The file may have been replaced, but not under one node twice in a row: that
 * one contradicts itself, and is left to those who do not. */
static bool
leave_fickle(struct transfer *t)
{
    bool others = false;

    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        s->banned = s->banned || (s->changed && s->changes > 0);
        others = others || (s->kind == SOURCE_CDN && !s->banned);
    }
    return others;
}

bool
recheck_begin_anew(struct transfer *t)
{
    bool changed = false;

    for (size_t i = 0; i < t->n_sources; i++) {
        changed = changed || t->sources[i]->changed;
    }
    if (!changed || t->anew == ANEW_MAX || t->o.want != NULL
        || !leave_fickle(t)) {
        return false;
    }
    if (t->ordered && t->released) {
        transfer_fail(t, SHOAL_EVERIFY,
                      "changed while it was fetched, and a part went out "
                      "already");
        return true;
    }
    t->anew++;
    explain(t, NULL, "the file changed: all is fetched anew");
    transfer_say(t, SHOAL_WARNING,
                 "%s: changed while it was fetched, begun anew", t->shown);
    begin_forget(t);
    for (size_t i = 0; i < t->n_sources; i++) {
        t->sources[i]->changes += t->sources[i]->changed;
        revive_unknown(t->sources[i]);
    }
    t->plain_size = ORIGIN_UNKNOWN;
    t->plain_got = 0;
    t->plain_whole = t->rechecked = false;
    t->start_ms = clock_ms();
    return true;
}
