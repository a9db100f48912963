#include "transfer.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "begin.h"
#include "callers.h"
#include "disagree.h"
#include "document.h"
#include "explain_transfer.h"
#include "fetch.h"
#include "intake.h"
#include "job.h"
#include "mirror.h"
#include "neighbours.h"
#include "node.h"
#include "pieces.h"
#include "published.h"
#include "recheck.h"
#include "revive.h"
#include "sample.h"
#include "search.h"
#include "shoal.h"
#include "standard.h"
#include "stream.h"
#include "swarm.h"
#include "transfer_internal.h"
#include "trust.h"
#include "url.h"
#include "whole.h"

enum {
    TICK_MS = 100 /* rates, deadlines, progress */
};

void
transfer_fail(struct transfer *t, int err, const char *format, ...)
{
    size_t len = 0;
    va_list args;

    if (t->error != 0) {
        return;
    }
    t->error = err;
    if (t->o.want == NULL) { /* the super peer says it in each line */
        len = (size_t) snprintf(t->why, sizeof(t->why), "%s: ", t->shown);
    }
    va_start(args, format);
    vsnprintf(t->why + len, sizeof(t->why) - len, format, args);
    va_end(args);
    if (err == SHOAL_ENOAGREE || err == SHOAL_EVERIFY) {
        disagree_list(t, t->why, sizeof(t->why));
    }
    explain(t, NULL, "ends: %s", t->why + len);
}

static void
wake(void *ctx)
{
    http_wake(ctx);
}

void
transfer_say(const struct transfer *t, enum shoal_level level,
             const char *format, ...)
{
    char text[1024];
    va_list args;

    if (t->o.ops->message == NULL) {
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    t->o.ops->message(t->o.ctx, level, text);
}

struct lookup *
transfer_lookup(struct transfer *t, const char *url)
{
    struct lookup_options o = { .url = url,
                                .resolve = t->o.resolve,
                                .family = t->user.family,
                                .hook = t->o.lookup,
                                .wake = wake,
                                .ctx = t->http };

    return lookup_start(&o);
}

struct source *
source_add(struct transfer *t, enum source_kind kind, const char *url)
{
    if (t->n_sources == SOURCES_MAX) {
        return NULL;
    }
    struct source *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    s->url = strdup(url);
    if (s->url == NULL) {
        free(s);
        return NULL;
    }
    s->t = t;
    s->kind = kind;
    s->scheduled = -1;
    s->index = (int) t->n_sources;
    answer_reset(&s->answer);
    t->sources[t->n_sources++] = s;
    return s;
}

void
source_state(struct source *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(s->state, sizeof(s->state), format, args);
    va_end(args);
}

/* Only marked: this may be called by one of its own jobs' callbacks. */
void
source_drop(struct source *s)
{
    s->usable = false;
    s->drop = true;
}

static void
sweep(struct transfer *t)
{
    struct job *next;

    for (struct job *job = t->jobs; job != NULL; job = next) {
        next = job->next;
        if (job->source != NULL && job->source->drop) {
            job_end(job);
        }
    }
    for (size_t i = 0; t->schedule != NULL && i < t->n_sources; i++) {
        if (t->sources[i]->drop && t->sources[i]->scheduled >= 0) {
            schedule_drop(t->schedule, t->sources[i]->scheduled);
        }
    }
}

static void
source_free(struct source *s)
{
    followed_fini(&s->its);
    free(s->hashes);
    free(s->early);
    lookup_free(s->lookup);
    free(s->url);
    free(s);
}

/* The URL's name and password go before others, as wget does it; they stand
 * nowhere else from here on. */
static int
take_user(struct transfer *t)
{
    const struct http_settings *given = t->o.http;

    if (given != NULL) {
        t->user = *given;
    } else {
        http_settings_init(&t->user);
    }
    int err = SHOAL_EINVAL; /* refused when the search starts, or by a guard */
    if (t->o.guard == NULL) {
        err = url_take_user(t->o.url, &t->url, &t->url_user, &t->url_password);
    }
    if (err == SHOAL_ENOMEM) {
        return err;
    }
    if (err == 0) {
        t->o.url = t->url;
    }
    if (t->url_user != NULL) {
        t->user.user = t->url_user;
        t->user.password = t->url_password;
    }
    url_shown(t->o.url, t->shown, sizeof(t->shown));
    t->no_share = http_settings_secret(&t->user);
    throttle_init(&t->throttle, t->user.rate, clock_us());
    return 0;
}

static int
copy_pieces(struct transfer *t, const struct pieces *from)
{
    struct pieces copy = *from;

    if (from->n == 0) {
        return 0;
    }
    copy.hashes = malloc(from->n * from->hash_len);
    if (copy.hashes == NULL) {
        return SHOAL_ENOMEM;
    }
    memcpy(copy.hashes, from->hashes, from->n * from->hash_len);
    pieces_set(t, &copy);
    free(copy.hashes); /* unless it was taken */
    return 0;
}

struct transfer *
transfer_create(const struct transfer_options *options)
{
    struct transfer *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return NULL;
    }
    t->o = *options;
    if (take_user(t) != 0) {
        transfer_free(t);
        return NULL;
    }
    published_size(t);
    t->plain_size = ORIGIN_UNKNOWN;
    t->room_end = UINT64_MAX;
    t->sources = calloc(SOURCES_MAX, sizeof(struct source *));
    if (options->limits != NULL) {
        const struct transfer_limits *l = options->limits;

        t->sockets = (struct http_sockets){ l->open, l->close, l->ctx };
    }
    t->http = http_create(options->limits != NULL ? &t->sockets : NULL);
    if (t->sources == NULL || t->http == NULL
        || (t->user.cookies != NULL
            && http_load_cookies(t->http, t->user.cookies) != 0))
    {
        transfer_free(t);
        return NULL;
    }
    if (options->callers != NULL) {
        callers_wake(options->callers, wake, t->http);
    }
    if (options->checksum != NULL) {
        t->sum = *options->checksum;
    }
    if (options->pieces != NULL && copy_pieces(t, options->pieces) != 0) {
        transfer_free(t);
        return NULL;
    }
    return t;
}

void
transfer_free(struct transfer *t)
{
    if (t == NULL) {
        return;
    }
    if (t->o.callers != NULL) {
        callers_wake(t->o.callers, NULL, NULL);
    }
    job_end_all(t);
    intake_close(t);
    search_end(t);
    mirror_free(t);
    for (size_t i = 0; i < t->n_sources; i++) {
        source_free(t->sources[i]);
    }
    for (size_t i = 0; i < t->n_trackers; i++) {
        free(t->trackers[i].url);
        lookup_free(t->trackers[i].lookup);
    }
    schedule_free(t->schedule);
    blockmap_fini(&t->map);
    resource_fini(&t->resource);
    free(t->sources);
    free(t->from);
    free(t->layer);
    free(t->trusted);
    free(t->suspects);
    if (t->plain_sum != NULL) {
        checksum_finish(t->plain_sum, &t->sum);
    }
    neighbours_free(t->neighbours);
    free(t->url);
    free(t->url_user);
    free(t->url_password);
    document_forget(t);
    free(t->pieces.hashes);
    http_free(t->http); /* after the last lookup, which could wake it */
    free(t);
}

static void
tick(struct transfer *t)
{
    uint64_t now = clock_ms(), elapsed = now - t->tick_ms;

    if (t->o.stop != NULL && *t->o.stop) {
        transfer_fail(t, SHOAL_ESTOPPED, "stopped");
    }
    if (elapsed < TICK_MS) {
        return;
    }
    t->tick_ms = now;
    fetch_tick(t);
    if (t->phase == PHASE_PLAIN) {
        begin_again(t);
    } else if (t->phase == PHASE_RUN) {
        recheck_soon(t);
    }
    if (t->o.ops->progress != NULL) {
        t->o.ops->progress(t->o.ctx);
    }
}

/* Everything is held: is it right? */
static void
finish(struct transfer *t)
{
    int err = trust_finish(t);

    if (err == 0 && recheck_passed(t)) {
        t->phase = PHASE_DONE;
        explain(t, NULL, "whole, and checked");
    } else if (err == 0) {
        return;
    } else if (err == SHOAL_EVERIFY) {
        transfer_fail(t, err, "the file does not have the checksum");
    } else if (err != SHOAL_ENOTFOUND) {
        transfer_fail(t, err, "checking: %s", shoal_strerror(err));
    }
}

static void
end_plain(struct transfer *t)
{
    if (recheck_awaited(t)) {
        return;
    }
    if (t->standard->changed) {
        if (!recheck_begin_anew(t)) {
            transfer_fail(t, SHOAL_ENOAGREE, "%s: %s", t->standard->name,
                          t->standard->state);
        }
    } else if (recheck_passed(t)) {
        t->phase = PHASE_DONE;
    }
}

static void
run_blocks(struct transfer *t)
{
    stream_step(t);
    if (t->error != 0 || recheck_awaited(t)) {
        return;
    }
    if (t->other_version) {
        t->other_version = false;
        if (!revive_others(t)) {
            transfer_fail(t, SHOAL_EVERIFY,
                          "no node has the version that was asked for");
        }
        return;
    }
    standard_more(t);
    if (t->error == 0 && t->phase == PHASE_RUN) {
        sample_step(t);
    }
    if (t->error != 0 || t->phase != PHASE_RUN) {
        return;
    }
    if (blockmap_complete(&t->map) && !document_awaited(t)
        && !node_head_awaited(t) && !sample_awaited(t) && !whole_mixed(t))
    {
        finish(t);
    }
    if (t->phase == PHASE_RUN && !recheck_awaited(t)) {
        swarm_tick(t);
        fetch_dispatch(t);
    }
}

static bool
is_over(const struct transfer *t)
{
    return t->error != 0 || t->phase == PHASE_DONE;
}

static void
wait_for_news(struct transfer *t, unsigned timeout_ms)
{
    unsigned due = fetch_due_ms(t, (unsigned) job_resume_due(t));
    unsigned settle = (unsigned) intake_settle(t);

    due = due < settle ? due : settle;
    if (http_poll(t->http, (int) (due < timeout_ms ? due : timeout_ms)) != 0) {
        transfer_fail(t, SHOAL_ENOMEM, "out of memory");
    }
}

/* One turn: what is due, what can be decided, then wait for news. */
static void
turn(struct transfer *t, unsigned timeout_ms)
{
    tick(t);
    if (blockmap_complete(&t->taken)) {
        intake_drain(t); /* there is nothing else to wait for */
    }
    intake_settle(t);
    sweep(t);
    search_step(t);
    if (t->phase == PHASE_PROBE || t->phase == PHASE_RUN) {
        mirror_step(t);
    }
    node_step(t);
    if (t->phase == PHASE_PROBE) {
        standard_step(t);
    }
    if (t->error == 0 && t->phase == PHASE_RUN) {
        run_blocks(t);
    } else if (t->phase == PHASE_PLAIN) {
        stream_step(t);
        if (t->error == 0 && t->plain_whole) {
            end_plain(t);
        }
    }
    if (!is_over(t)) {
        wait_for_news(t, timeout_ms);
    }
}

static void
add_mirrors(struct transfer *t)
{
    const char *const *url = t->o.mirrors;

    for (; url != NULL && *url != NULL; url++) {
        int err = mirror_add(t, *url);

        if (err != 0) {
            transfer_fail(t, err, "mirror %.*s: %s", (int) strcspn(*url, "?#"),
                          *url, shoal_strerror(err));
        }
    }
}

static void
start(struct transfer *t)
{
    t->begun = true;
    t->begin_ms = t->start_ms = t->tick_ms = clock_ms();
    begin_choose_open(t);
    add_mirrors(t);
    search_start(t, t->o.url, NULL, 0);
}

int
transfer_step(struct transfer *t, unsigned timeout_ms)
{
    if (!t->begun) {
        start(t);
    }
    if (!is_over(t)) {
        turn(t, timeout_ms);
    }
    if (!is_over(t)) {
        return SHOAL_EAGAIN;
    }
    if (!t->ended) {
        t->ended = true;
        explain_end(t);
        job_end_all(t);
        intake_drain(t);
        if (t->o.ops->progress != NULL) {
            t->o.ops->progress(t->o.ctx);
        }
    }
    return t->error;
}

int
transfer_run(struct transfer *t)
{
    int err;

    do {
        err = transfer_step(t, UINT_MAX);
    } while (err == SHOAL_EAGAIN);
    return err;
}

void
transfer_seed(struct transfer *t, unsigned timeout_ms)
{
    if (!t->seeding) {
        t->seeding = true;
        ask_seed(t);
    }
    ask_tick(t);
    http_poll(t->http, (int) timeout_ms);
}

int
transfer_leave(struct transfer *t, unsigned timeout_ms)
{
    return ask_leave(t, timeout_ms);
}
