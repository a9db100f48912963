/* fetch_tick.c - sources while they are read from: rates, and those that stand
 * still. */
#include "shoal.h"
#include "transfer_internal.h"

enum {
    STALL_ALONE_MS = 30000, /* the only source */
    OPEN_STALL_MS = 60000,  /* a first GET without an answer */
    WANT_STALL_MS = 10000,  /* of a wanted file: others want the place */
    STALL_MS = 4000,        /* without a byte: given up */
    PLAIN_STALL_MS = 60000, /* where there is no other source */
    MEASURE_MS = 300,       /* without a byte: known to be slow */
    RECENT_MS = 1000,       /* our own limit made it slow */
    SLOW_RATE = 16384       /* bytes a second; a node below that is slow */
};

/* Rates follow within half a second, yet one slow tick changes little. */
#define SMOOTHING 0.3

/* Is there anybody else to turn to? */
static bool
is_alone(const struct transfer *t, const struct source *s)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *other = t->sources[i];

        if (other != s && other->usable && other->scheduled >= 0
            && trust_allows(t, other))
        {
            return false;
        }
    }
    return true;
}

static uint64_t
open_stall_ms(const struct transfer *t)
{
    return patience_idle_ms(t,
                            t->o.want != NULL ? WANT_STALL_MS : OPEN_STALL_MS);
}

/* Nobody else: as long as the user wants; else no longer than that. */
static uint64_t
data_stall_ms(const struct transfer *t, const struct source *s)
{
    uint64_t alone = patience_idle_ms(t, STALL_ALONE_MS);

    return is_alone(t, s) || alone < STALL_MS ? alone : STALL_MS;
}

static void
end_if_stalled(struct transfer *t, struct job *job, uint64_t idle)
{
    struct source *s = job->source;

    switch (job->kind) {
    case JOB_DATA:
        if (idle > data_stall_ms(t, s)) {
            job_end(job);
            fetch_failed(t, s, SHOAL_ENET, "stalled");
        }
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

/* Bytes a second, smoothed; above 0 once it had the time to give some. */
static void
measure(struct source *s, uint64_t elapsed_ms, uint64_t now)
{
    double rate = (double) s->tick_bytes * 1000 / (double) elapsed_ms;

    s->tick_bytes = 0;
    if (s->active == 0) {
        s->slow_ms = 0;
        return;
    }
    s->rate = s->rate > 0 ? s->rate + SMOOTHING * (rate - s->rate) : rate;
    bool slow = s->rate < SLOW_RATE && now >= s->limited_ms + RECENT_MS;
    if (!slow) {
        s->slow_ms = 0;
    } else if (s->slow_ms == 0) {
        s->slow_ms = now;
    }
    if (s->rate < 1 && now - s->active_ms >= MEASURE_MS) {
        s->rate = 1;
    }
}

void
fetch_tick(struct transfer *t, uint64_t elapsed_ms)
{
    uint64_t now = clock_ms();

    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        measure(s, elapsed_ms, now);
        if (s->scheduled >= 0 && t->schedule != NULL) {
            schedule_rate(t->schedule, s->scheduled, s->rate);
        }
    }
    end_stalled(t, now);
}
