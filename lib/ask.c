/* ask.c - asking the trackers who has the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "blame.h"
#include "explain_transfer.h"
#include "intake.h"
#include "job.h"
#include "node.h"
#include "peers.h"
#include "shoal.h"
#include "swarm.h"
#include "tracker.h"
#include "transfer_internal.h"
#include "trust.h"

enum {
    AWAIT_MS = 1000,    /* a crowd may turn up: the tracker tells, or peers */
    AWAIT_RANGES = 16,  /* that are short meanwhile, at the CDN */
    AWAIT_FIRST = 2,    /* where the tracker knows of nobody yet */
    AWAIT_TRACKER = 15, /* from afar, tenths of a round trip */
    AWAIT_PEERS = 25,   /* likewise, for peers that were named */
    FAR_MS = 10,
    TRACKER_MS = 20000, /* an answer may be held that long */
    LEAVE_MS = 200,     /* for taking us off the list at the end, at most */
    LEAVE_SHARE = 50,   /* and one part in that many of what it all took */
    LEAVE_TURNS = 3, /* in which a request is sent, if that can be at once */
    RETRY_MS = 2000, /* a tracker that failed; doubled each time */
    RETRY_MAX_MS = 60000,
    REFUSED_MS = 300000, /* one that does not want us */
    SOON_MS = 2000       /* between two requests at least, whatever happens */
};

/* So long a crowd may take to turn up: a tracker is as far as the first node,
 * and so is a peer. Who is near may be waited for longer, as short ranges cost
 * nothing there. */
static uint64_t
await_until(const struct transfer *t, unsigned tenths)
{
    unsigned ms = t->standard != NULL ? t->standard->round_trip_ms : 0;

    return clock_ms() + (ms < FAR_MS ? AWAIT_MS : ms * tenths / 10);
}

static bool
add_tracker(struct transfer *t, const char *url)
{
    for (size_t i = 0; i < t->n_trackers; i++) {
        if (strcmp(t->trackers[i].url, url) == 0) {
            return true;
        }
    }
    if (t->n_trackers == TRACKERS_MAX) {
        return false;
    }
    char *copy = strdup(url);
    if (copy == NULL) {
        return false;
    }
    struct tracker_state *tr = &t->trackers[t->n_trackers++];
    tr->url = copy;
    url_shown(url, tr->shown, sizeof(tr->shown));
    return true;
}

/*
 * One of its addresses, as soon as they are known; after a failure the next
 * one. LOOKUP_PENDING; SHOAL_ENET, SHOAL_EINVAL.
 */
static int
locate(struct transfer *t, struct tracker_state *tr, struct node_addr *addr)
{
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    size_t n = 0;

    if (tr->lookup == NULL) {
        tr->lookup = transfer_lookup(t, tr->url);
        if (tr->lookup == NULL) {
            return SHOAL_EINVAL;
        }
    }
    int err = lookup_result(tr->lookup, addrs, &n, NULL);
    if (err == 0) {
        *addr = addrs[tr->failures % n];
    } else if (err != LOOKUP_PENDING) {
        lookup_free(tr->lookup);
        tr->lookup = NULL;
    }
    return err;
}

static void
back_off(struct tracker_state *tr, const char *why)
{
    uint64_t wait = RETRY_MS;

    for (unsigned i = 0; i < tr->failures && wait < RETRY_MAX_MS; i++) {
        wait *= 2;
    }
    tr->failures++;
    snprintf(tr->state, sizeof(tr->state), "%s", why);
    tr->ask_ms = clock_ms() + wait;
}

/*
 * What was taken since it was told last, by kind of source. What is thrown
 * away later was told all the same: it is not told twice when it comes again.
 */
static void
count_bytes(const struct transfer *t, struct tracker_state *tr,
            uint64_t got[3])
{
    uint64_t sums[3] = { 0 };

    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        sums[s->kind == SOURCE_SUPER  ? 0
             : s->kind == SOURCE_PEER ? 1
                                      : 2] += s->used;
    }
    for (size_t i = 0; i < 3; i++) {
        got[i] = sums[i] > tr->told[i] ? sums[i] - tr->told[i] : 0;
    }
}

static struct job *
start_request(struct transfer *t, const struct tracker_state *tr,
              const struct tracker_ask *ask, const struct node_addr *addr,
              unsigned total_ms)
{
    char *url = tracker_url(tr->url, ask), *line = NULL;
    int err = tracker_header(ask, &line);
    const char *headers[] = { line, NULL };
    struct http_options o = {
        .url = url, .addr = addr, .headers = headers, .total_ms = total_ms
    };
    struct job *job = NULL;

    if (url != NULL && err == 0) {
        job = job_start(t, JOB_TRACKER, NULL, &o);
    }
    free(url);
    free(line);
    return job;
}

static void
ask_tracker(struct transfer *t, unsigned index, const char *event,
            unsigned total_ms)
{
    struct tracker_state *tr = &t->trackers[index];
    struct node_addr addr;
    struct tracker_ask ask = { .resource = &t->resource,
                               .left = t->map.size - transfer_held(t),
                               .port = t->o.port,
                               .event = event };

    int err = locate(t, tr, &addr);
    if (err == LOOKUP_PENDING) {
        return;
    }
    if (err != 0) {
        back_off(tr, err == SHOAL_EINVAL ? "not an http(s) URL"
                                         : "cannot resolve its host");
        explain_tracker(t, tr, "not asked: %s", tr->state);
        return;
    }
    count_bytes(t, tr, ask.got);
    blame_collect(t, index, &ask);
    struct job *job = start_request(t, tr, &ask, &addr, total_ms);
    if (job == NULL) {
        blame_done(t, index, false);
        tr->ask_ms = clock_ms() + REFUSED_MS;
        return;
    }
    job->body_max = TRACKER_ANSWER_MAX;
    job->tracker = index;
    for (size_t i = 0; i < 3; i++) {
        tr->told[i] += ask.got[i];
        tr->under[i] = ask.got[i];
    }
    tr->asked = true;
    tr->asked_ms = clock_ms();
    explain_tracker(t, tr, "asked%s%s", event != NULL ? ": " : "",
                    event != NULL ? event : "");
    tr->registered = t->o.port != 0;
}

static void
tracker_failed(struct tracker_state *tr, const struct job *job,
               const char *why)
{
    bool refused = job->answered && job->answer.status != 200;
    char text[32];

    if (refused) {
        snprintf(text, sizeof(text), "HTTP %u", job->answer.status);
    }
    back_off(tr, refused ? text : why);
    if (refused && job->answer.status < 500) {
        tr->ask_ms = clock_ms() + REFUSED_MS;
    }
}

size_t
ask_bare_len(const char *url)
{
    const char *last = strrchr(url, '&');

    last = last != NULL ? last : strchr(url, '?');
    return last != NULL && strncmp(last + 1, "t=", 2) == 0
               ? (size_t) (last - url)
               : strlen(url);
}

static bool
is_same(const char *a, const char *b)
{
    size_t len = ask_bare_len(a);

    return len == ask_bare_len(b) && strncmp(a, b, len) == 0;
}

static struct source *
find_source(struct transfer *t, enum source_kind kind, const char *url)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind == kind && is_same(s->url, url)) {
            return s;
        }
    }
    return NULL;
}

void
ask_take(struct transfer *t, enum source_kind kind, const char *url,
         bool complete)
{
    struct source *s = find_source(t, kind, url);

    if (s == NULL) {
        if (intake_need_hashes(t) != 0) {
            return;
        }
        s = source_add(t, kind, url);
        if (s == NULL) {
            return;
        }
        const char *name = strstr(url, "://");
        name = name != NULL ? name + 3 : url;
        snprintf(s->name, sizeof(s->name), "%.*s", (int) strcspn(name, "/?"),
                 name);
        explain(t, s, "named, as a %s%s",
                kind == SOURCE_SUPER ? "super peer" : "peer",
                complete ? " that has all" : "");
        s->scheduled = schedule_add(t->schedule, kind);
        bool ready =
            s->scheduled >= 0 && followed_init(&s->its, t->map.size) == 0;
        s->lookup = ready ? transfer_lookup(t, url) : NULL;
        if (s->lookup == NULL) {
            node_failed(s, SHOAL_EINVAL, "bad URL");
            return;
        }
    } else if (s->drop || (!swarm_renew(s, url) && complete == s->complete)) {
        return;
    }
    if (complete) {
        s->complete = true;
    }
    swarm_refresh(t, s);
}

static void
take_answer(struct transfer *t, struct tracker_state *tr,
            const struct tracker_answer *a)
{
    if (!t->has_id) {
        memcpy(t->id, a->id, sizeof(t->id));
        t->has_id = true;
        if (t->o.ops->identified != NULL) {
            t->o.ops->identified(t->o.ctx, t->id);
        }
    } else if (memcmp(t->id, a->id, sizeof(t->id)) != 0) {
        snprintf(tr->state, sizeof(tr->state), "gives another id");
        return;
    }
    if (t->o.port != 0 && intake_need_hashes(t) != 0) {
        return; /* others may come from now on */
    }
    if (a->has_root) {
        trust_tracker_root(t, a->root, a->votes);
    }
    if (!tr->answered) {
        schedule_seniors(t->schedule, (uint32_t) a->n_peers);
        schedule_await(t->schedule, await_until(t, AWAIT_PEERS),
                       a->n_peers > 0 ? AWAIT_RANGES : AWAIT_FIRST);
    }
    for (size_t i = 0; i < a->n_super; i++) {
        ask_take(t, SOURCE_SUPER, a->super[i].url, a->super[i].ready);
    }
    for (size_t i = 0; i < a->n_peers; i++) {
        peers_offer(t, a->peers[i].addr, a->peers[i].complete);
    }
}

void
ask_done(struct job *job, int err, const char *why)
{
    struct transfer *t = job->t;
    struct tracker_state *tr = &t->trackers[job->tracker];
    char words[sizeof(tr->state)];

    tr->asked = false;
    if (t->phase != PHASE_RUN && t->phase != PHASE_DONE) {
        return;
    }
    struct tracker_answer *a = malloc(sizeof(*a));
    if (a == NULL) {
        err = SHOAL_ENOMEM;
    }
    if (err == 0 && job->answer.status == 200) {
        err = tracker_parse((const char *) job->buf, job->len, a, words,
                            sizeof(words));
        why = words;
    } else if (err == 0) {
        err = SHOAL_EHTTP;
    }
    blame_done(t, job->tracker, err == 0);
    if (err != 0) {
        for (size_t i = 0; i < 3; i++) {
            tr->told[i] -= tr->under[i];
        }
        tracker_failed(tr, job, why);
        explain_tracker(t, tr, "no answer: %s", tr->state);
    } else {
        tr->failures = 0;
        tr->state[0] = '\0';
        tr->ask_ms = clock_ms() + a->interval * 1000;
        explain_tracker(t, tr,
                        "answers after %.2f s: %zu super peers, %zu peers%s",
                        (double) (clock_ms() - tr->asked_ms) / 1000,
                        a->n_super, a->n_peers, a->has_root ? ", a root" : "");
        if (t->phase == PHASE_RUN) {
            take_answer(t, tr, a);
        }
        tr->answered = true;
    }
    free(a);
}

void
ask_start(struct transfer *t)
{
    const char *const *list = t->o.trackers;

    while (list != NULL && *list != NULL) {
        add_tracker(t, *list++);
    }
    if (t->standard != NULL && t->standard->answer.tracker[0] != '\0') {
        add_tracker(t, t->standard->answer.tracker);
    }
    if (t->n_trackers > 0) {
        schedule_await(t->schedule, await_until(t, AWAIT_TRACKER),
                       AWAIT_RANGES);
    }
}

static const char *
next_event(const struct transfer *t, struct tracker_state *tr)
{
    if (tr->ask_ms == 0) {
        return "started";
    }
    if (t->phase == PHASE_DONE && !tr->completed) {
        tr->completed = true;
        return "completed";
    }
    return NULL;
}

void
ask_tick(struct transfer *t)
{
    uint64_t now = clock_ms();

    for (unsigned i = 0; !t->no_share && i < t->n_trackers; i++) {
        struct tracker_state *tr = &t->trackers[i];

        if (!tr->asked && now >= tr->ask_ms) {
            ask_tracker(t, i, next_event(t, tr), TRACKER_MS);
        }
    }
}

void
ask_soon(struct transfer *t)
{
    for (unsigned i = 0; i < t->n_trackers; i++) {
        struct tracker_state *tr = &t->trackers[i];
        uint64_t soon = tr->asked_ms + SOON_MS;

        if (tr->answered && tr->failures == 0 && tr->ask_ms > soon) {
            tr->ask_ms = soon;
        }
    }
}

void
ask_seed(struct transfer *t)
{
    for (unsigned i = 0; i < t->n_trackers; i++) {
        struct tracker_state *tr = &t->trackers[i];

        tr->asked = false; /* that request ended with the download */
        tr->ask_ms = clock_ms();
    }
}

static void
say_goodbye(struct transfer *t)
{
    for (unsigned i = 0; i < t->n_trackers; i++) {
        struct tracker_state *tr = &t->trackers[i];
        uint64_t got[3];

        count_bytes(t, tr, got);
        if (tr->registered
            || (tr->answered && tr->failures == 0
                && got[0] + got[1] + got[2] > 0))
        {
            ask_tracker(t, i, "stopped", LEAVE_MS);
        }
    }
}

/* Sent it has to be; who waits for the answer would make a short download
 * longer than wget's. */
int
ask_leave(struct transfer *t, unsigned timeout_ms)
{
    uint64_t now = clock_ms();

    if (t->leave_ms == 0) {
        uint64_t wait = (now - t->start_ms) / LEAVE_SHARE;

        job_end_all(t);
        say_goodbye(t);
        t->leave_ms = now + (wait < LEAVE_MS ? wait : LEAVE_MS);
    }
    if (t->jobs == NULL
        || (now >= t->leave_ms && t->leave_turns >= LEAVE_TURNS)) {
        job_end_all(t);
        return 0;
    }
    t->leave_turns++;
    uint64_t left = now < t->leave_ms ? t->leave_ms - now : 0;
    if (http_poll(t->http, (int) (left < timeout_ms ? left : timeout_ms)) != 0)
    {
        return 0;
    }
    return SHOAL_EAGAIN;
}
