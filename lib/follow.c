/* follow.c - what super peers and peers hold: one long poll at each, so that
 * a block is known as soon as there is somebody to give it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blame.h"
#include "follow.h"
#include "job.h"
#include "node.h"
#include "shoal.h"
#include "swarm.h"
#include "transfer_internal.h"
#include "trust.h"

enum {
    WAIT_MS = 25000,  /* that an answer may be held */
    LATE_MS = 5000,   /* and come later than that */
    NO_NEWS_MS = 250, /* until one is asked again who had none, at once;
                             doubled each time */
    NO_NEWS_MAX_MS = 2000,
    UNKNOWN_MS = 50, /* one who does not know the file yet; likewise */
    UNKNOWN_MAX_MS = 2000,
    FAILED_MS = 1000
};

/* Whom it comes from and where it ends, behind the URL's query if it has one.
 * Peers are told where to find us. */
static char *
poll_url(const struct transfer *t, const struct source *s)
{
    char *base = swarm_url(t, s, "/have"), *url = NULL;
    char since[64] = "", asker[64] = "";

    if (base == NULL) {
        return NULL;
    }
    if (s->epoch[0] != '\0') {
        snprintf(since, sizeof(since), "&epoch=%s&since=%" PRIu64, s->epoch,
                 s->cursor);
    }
    if (s->kind == SOURCE_PEER && t->o.port != 0 && t->o.client != 0) {
        snprintf(asker, sizeof(asker), "&port=%u&client=%016" PRIx64,
                 (unsigned) t->o.port, t->o.client);
    }
    if (asprintf(&url, "%s%cwait_ms=%d%s%s", base,
                 strchr(base, '?') != NULL ? '&' : '?', WAIT_MS, since, asker)
        < 0)
    {
        url = NULL;
    }
    free(base);
    return url;
}

static bool
ask(struct transfer *t, struct source *s)
{
    char *url = poll_url(t, s);
    struct http_options o = { .url = url, .total_ms = WAIT_MS + LATE_MS };
    struct job *job = url != NULL ? job_start(t, JOB_HAVE, s, &o) : NULL;

    free(url);
    if (job == NULL) {
        return false;
    }
    job->body_max = followed_max(&s->its);
    return true;
}

void
follow_tick(struct transfer *t, struct source *s, uint64_t now)
{
    /* Of a peer that has everything there is no news but that it leaves. */
    if ((!s->complete || s->kind == SOURCE_PEER) && !s->asked_have
        && now >= s->have_ms)
    {
        s->asked_have = ask(t, s);
    }
}

void
follow_lost(struct transfer *t, struct source *s)
{
    s->complete = false;
    s->epoch[0] = '\0';
    followed_clear(&s->its);
    s->have_ms = 0;
    swarm_refresh(t, s);
    if (s->scheduled >= 0) {
        schedule_peer(t->schedule, s->scheduled, 0);
    }
}

static uint64_t
doubled(uint64_t wait, uint64_t first, uint64_t most)
{
    wait = wait == 0 ? first : wait * 2;
    return wait < most ? wait : most;
}

/* Who it was is gone, or nobody was there. Nothing that it said counts. */
static void
broken(struct transfer *t, struct source *s, const struct job *job, int err)
{
    if (s->epoch[0] != '\0') {
        follow_lost(t, s);
    }
    if (!job->answered) {
        bool gone = s->kind == SOURCE_PEER && err == SHOAL_ECONNECT;
        bool last = ++s->failures >= STRIKES_MAX || gone;

        blame_dead(s, err, last);
        if (last) {
            node_failed(s, err, "no answer");
        }
    }
    s->have_ms = clock_ms() + FAILED_MS;
}

/* Not the file; not now. */
static void
declined(struct source *s, unsigned status)
{
    uint64_t first = status == 404 ? UNKNOWN_MS : FAILED_MS;

    s->have_wait = doubled(s->have_wait, first, UNKNOWN_MAX_MS);
    s->have_ms = clock_ms() + s->have_wait;
    source_state(s, "HTTP %u", status);
}

/* What events bring. */
struct news {
    struct transfer *t;
    struct source *source;
    uint64_t now;
    bool gained, changed;
};

/* What cannot be checked yet may not be asked for: see swarm_refresh(). */
static bool
can_check(const struct transfer *t, const struct source *s, uint32_t block)
{
    return swarm_checks_all(t)
           || (s->kind == SOURCE_PEER && trust_allows(t, s)
               && trust_vouched(t, block));
}

/* A super peer has it, and its hash is to come: as if it was fetching it, or
 * all would turn to the CDN meanwhile. */
static bool
is_to_come(const struct transfer *t, const struct source *s, uint32_t block)
{
    return s->kind == SOURCE_SUPER && !swarm_checks_all(t)
           && (s->hashes == NULL
               || digest_is_zero(digest_at(s->hashes, block)));
}

static void
on_event(void *ctx, enum havelog_kind kind, uint32_t block)
{
    struct news *n = ctx;
    struct schedule *s = n->t->schedule;
    int source = n->source->scheduled;

    n->changed = true;
    if (kind != HAVELOG_HAVE) {
        schedule_claim(s, source, block, 1, kind == HAVELOG_FETCHING, n->now);
    } else if (can_check(n->t, n->source, block)) {
        schedule_gain(s, source, block, 1, n->now);
    } else {
        bool to_come = is_to_come(n->t, n->source, block);

        schedule_claim(s, source, block, 1, to_come, n->now);
        n->gained = n->gained || n->source->kind == SOURCE_SUPER;
    }
}

static int
take_events(struct job *job, struct news *n)
{
    struct source *s = job->source;
    struct followed_ops ops = { on_event, n };

    /* Of another log than the one that was asked for: no answer. */
    if (strcmp(job->answer.epoch, s->epoch) != 0) {
        return SHOAL_EPROTO;
    }
    int err = followed_events(&s->its, job->buf, job->len, &ops);
    if (err == 0 && n->gained) {
        swarm_refresh(job->t, s);
    }
    return err;
}

/* It replaces all that was known. */
static int
take_bitmap(struct job *job, struct news *n)
{
    struct source *s = job->source;
    struct transfer *t = job->t;
    const char *epoch = job->answer.epoch;
    uint32_t held = s->its.have.held;

    int err = followed_bitmap(&s->its, job->buf, job->len);
    if (err != 0) {
        return err;
    }
    n->changed = s->its.have.held != held || strcmp(s->epoch, epoch) != 0;
    swarm_refresh(t, s);
    schedule_peer(t->schedule, s->scheduled, 0);
    if (epoch[0] == '\0') {
        return 0;
    }
    schedule_peer(t->schedule, s->scheduled, strtoull(epoch, NULL, 16));
    for (uint32_t i = 0; i < t->map.count; i++) {
        if (blockmap_has(&s->its.fetching, i)
            || (is_to_come(t, s, i) && blockmap_has(&s->its.have, i)))
        {
            schedule_claim(t->schedule, s->scheduled, i, 1, true, n->now);
        }
    }
    return 0;
}

static void
wait_for_next(struct source *s, const struct job *job, bool changed)
{
    uint64_t now = clock_ms();
    bool held = now - job->start_ms >= WAIT_MS / 2;

    if (s->epoch[0] != '\0' && (changed || held)) {
        s->have_wait = 0;
    } else if (changed) {
        s->have_wait = NO_NEWS_MS; /* it has no log to follow */
    } else {
        s->have_wait = doubled(s->have_wait, NO_NEWS_MS, NO_NEWS_MAX_MS);
    }
    s->have_ms = now + s->have_wait;
}

void
follow_done(struct job *job, int err)
{
    struct source *s = job->source;
    struct transfer *t = job->t;

    s->asked_have = false;
    if (s->drop) {
        return; /* its state tells why */
    }
    if (err != 0) {
        broken(t, s, job, err);
        return;
    }
    if (swarm_is_refusal(job, err)) {
        swarm_refused(job);
        return;
    }
    if (job->answer.status != 200) {
        declined(s, job->answer.status);
        return;
    }
    struct news n = { .t = t, .source = s, .now = clock_ms() };
    if ((job->answer.has_events ? take_events(job, &n) : take_bitmap(job, &n))
        != 0)
    {
        follow_lost(t, s);
        s->have_ms = n.now + FAILED_MS;
        return;
    }
    bool follows = job->answer.epoch[0] != '\0' && job->answer.cursor > 0;
    memcpy(s->epoch, follows ? job->answer.epoch : "", follows ? 17 : 1);
    s->cursor = job->answer.cursor;
    s->state[0] = '\0';
    s->refusals = 0;
    wait_for_next(s, job, n.changed);
    s->idle_ms = n.changed ? 0 : s->idle_ms;
    if (!s->complete && blockmap_complete(&s->its.have)) {
        s->complete = true;
        swarm_refresh(t, s);
    }
}
