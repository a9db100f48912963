/* fetch_tick.c - sources while they are read from: rates, and those that stand
 * still. */
#include "blame.h"
#include "explain_transfer.h"
#include "fetch.h"
#include "job.h"
#include "node.h"
#include "patience.h"
#include "shoal.h"
#include "transfer_internal.h"

enum {
    STALL_ALONE_MS = 30000, /* the only source */
    OPEN_STALL_MS = 60000,  /* a first GET without an answer */
    WANT_STALL_MS = 10000,  /* of a wanted file: others want the place */
    PLAIN_STALL_MS = 60000, /* where there is no other source */
    RECENT_MS = 1000,       /* our own limit made it slow */
    SLOW_RATE = 16384       /* bytes a second; a node below that is slow */
};

static uint64_t
open_stall_ms(const struct transfer *t)
{
    return patience_idle_ms(t,
                            t->o.want != NULL ? WANT_STALL_MS : OPEN_STALL_MS);
}

/* What the schedule says of it. */
static void
end_if_judged(struct transfer *t, struct job *job)
{
    struct source *s = job->source;

    switch (schedule_judge(t->schedule, job->work, clock_ms())) {
    case SCHEDULE_CUT:
        job_end(job);
        break;
    case SCHEDULE_STALLED:
        job_end(job);
        fetch_failed(t, s, SHOAL_ENET, "stalled");
        break;
    case SCHEDULE_DEAD:
        job_end(job);
        blame_dead(s, SHOAL_ENET, true);
        node_failed(s, SHOAL_ENET, "stalled");
        break;
    default:
        break;
    }
}

static void
end_if_stalled(struct transfer *t, struct job *job, uint64_t idle)
{
    struct source *s = job->source;

    switch (job->kind) {
    case JOB_DATA:
        end_if_judged(t, job);
        break;
    case JOB_OPEN:
        if (!job->answered && idle > open_stall_ms(t)) {
            node_failed(s, SHOAL_ENET, "no answer for %u seconds",
                        (unsigned) (open_stall_ms(t) / 1000));
        }
        break;
    case JOB_PLAIN:
        if (idle > patience_idle_ms(t, PLAIN_STALL_MS)) {
            job_end(job);
            node_end_plain(t, s, SHOAL_ENET, "no data in time");
        }
        break;
    default:
        break;
    }
}

static void
end_stalled(struct transfer *t, uint64_t now)
{
    struct job *next;

    for (struct job *job = t->jobs; job != NULL; job = next) {
        next = job->next;
        if (job->resume_ms == 0) {
            end_if_stalled(t, job, now - job->moved_ms);
        }
    }
}

/* A source that is next to nothing, although nothing of ours slows it. */
static void
watch_slow(struct source *s, uint64_t now)
{
    bool slow = s->active > 0 && s->rate < SLOW_RATE
                && now >= s->limited_ms + RECENT_MS;

    if (!slow) {
        s->slow_ms = 0;
    } else if (s->slow_ms == 0) {
        s->slow_ms = now;
    }
}

void
fetch_tick(struct transfer *t)
{
    uint64_t now = clock_ms();

    if (t->schedule != NULL) {
        schedule_patience(t->schedule, patience_idle_ms(t, STALL_ALONE_MS));
        schedule_tick(t->schedule, now);
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->scheduled >= 0 && t->schedule != NULL) {
            s->rate = schedule_rate(t->schedule, s->scheduled);
            watch_slow(s, now);
        }
    }
    explain_rates(t, now);
    end_stalled(t, now);
}
