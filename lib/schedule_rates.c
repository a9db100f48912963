/* schedule_rates.c - what sources are measured to give, and those that stand
 * still. */
#include "schedule_internal.h"

enum {
    FIRST_MS = 10,        /* at least, until a first guess */
    MEASURE_MS = 300,     /* without a byte: known to be slow */
    STALL_MS = 1500,      /* without a byte, while others bring some */
    STALL_DARK_MS = 4000, /* while nobody does: it may be our own line */
    STALL_SERVICES = 6,   /* of a peer: it may have others to serve first */
    LATENCIES = 4,        /* until the first byte */
    DEAD_WAITS = 2,       /* the usual waits, all in vain: not tried again */
    QUEUE_MS = 10000,     /* its source gives, but not this */
    MOVING_MS = 500       /* who brought a byte since then is alive */
};

#define UNKNOWN_RATE 65536.0 /* bytes/s assumed of one that gave nothing */

/* Rates follow within half a second, yet one slow tick changes little. */
#define SMOOTHING 0.3

/* Service times differ more: they hold queues. */
#define SERVICE_SMOOTHING 0.2

double
schedule_rate(const struct schedule *s, int source)
{
    return s->sources[source].rate;
}

/* Many downloads are over before the first measurement. */
double
schedule_known_rate(const struct schedule *s, int source)
{
    const struct source *src = &s->sources[source];
    double busy = src->busy;

    if (src->rate > 0 || src->bytes == 0) {
        return src->rate;
    }
    if (src->active > 0) {
        busy += (double) (s->now - src->busy_from);
    }
    return (double) src->bytes * 1000 / (busy > FIRST_MS ? busy : FIRST_MS);
}

double
schedule_rate_of(const struct schedule *s, int source)
{
    double rate = schedule_known_rate(s, source);

    return rate > 0 ? rate : UNKNOWN_RATE;
}

double
schedule_time(const struct schedule *s, int source, uint32_t blocks)
{
    return 1000.0 * blocks * (double) s->map->block_size
           / schedule_rate_of(s, source);
}

/* Works of one source share its rate, until the shorter one is over. */
static double
shared_ms(const struct schedule *s, const struct work *w)
{
    uint32_t left = schedule_reach(s, w) - w->next, sum = left;

    for (int i = 0; s->sources[w->source].active > 1 && i < s->n_works; i++) {
        const struct work *v = &s->works[i];

        if (v != w && v->active && v->source == w->source) {
            uint32_t its = schedule_reach(s, v) - v->next;

            sum += its < left ? its : left;
        }
    }
    return schedule_time(s, w->source, sum);
}

/* One that stands still will need at least as long as it has stood. */
double
schedule_left_ms(const struct schedule *s, const struct work *w)
{
    double ms = shared_ms(s, w);
    double stood = (double) (s->now - w->moved);

    if (s->sources[w->source].active > 1) {
        stood = 0; /* it may be the other work's turn */
    }
    return stood > ms ? stood : ms;
}

double
schedule_ready_ms(const struct schedule *s, int source)
{
    double own = 0, latency = s->sources[source].latency;

    for (int i = 0; i < s->n_works; i++) {
        const struct work *w = &s->works[i];

        if (w->active && w->source == source) {
            own += schedule_time(s, source, schedule_reach(s, w) - w->next);
        }
    }
    return own > latency ? own : latency;
}

double
schedule_service(const struct schedule *s, int source)
{
    const struct source *src = &s->sources[source];

    if (src->service > 0) {
        return src->service;
    }
    return src->rate > 0 ? schedule_time(s, source, 1) : 0;
}

void
schedule_rates_begun(struct schedule *s, int source)
{
    struct source *src = &s->sources[source];

    if (src->active++ == 0) {
        src->busy_from = src->byte_ms = s->now;
    }
    if (src->kind == SOURCE_CDN) {
        s->cdn_active++;
    } else {
        s->peers_active++;
    }
}

void
schedule_rates_ended(struct schedule *s, int source)
{
    struct source *src = &s->sources[source];

    if (--src->active == 0) {
        src->busy += (double) (s->now - src->busy_from);
        src->silent_ms += s->now - src->byte_ms;
    }
    if (src->kind == SOURCE_CDN) {
        s->cdn_active--;
    } else if (--s->peers_active == 0) {
        s->idle_from = s->now;
    }
}

void
schedule_got(struct schedule *s, int work, uint64_t bytes, uint64_t now)
{
    struct work *w = &s->works[work];
    struct source *src = &s->sources[w->source];

    schedule_clock(s, now);
    w->moved = src->byte_ms = now;
    src->bytes += bytes;
    src->got += bytes;
    if (bytes > 0 && !w->answered) {
        double ms = (double) (now - w->begun);

        w->answered = true;
        src->latency =
            src->latency < 0
                ? ms
                : src->latency + SERVICE_SMOOTHING * (ms - src->latency);
    }
}

void
schedule_rates_block(struct schedule *s, struct work *w)
{
    struct source *src = &s->sources[w->source];
    double ms = (double) (s->now - w->blocked);

    src->silent_ms = 0;
    ms = ms > 1 ? ms : 1;
    src->service = src->service > 0
                       ? src->service + SERVICE_SMOOTHING * (ms - src->service)
                       : ms;
    w->blocked = s->now;
}

/* Above 0 once it had the time to give some. */
static void
measure(struct schedule *s, struct source *src)
{
    double busy = src->busy;

    if (src->active > 0) {
        busy += (double) (s->now - src->busy_from);
        src->busy_from = s->now;
    }
    src->busy = 0;
    if (busy < 1) {
        return; /* what came belongs to the next tick */
    }
    double rate = (double) src->bytes * 1000 / busy;
    src->bytes = 0;
    src->rate =
        src->rate > 0 ? src->rate + SMOOTHING * (rate - src->rate) : rate;
    if (src->rate < 1 && s->now - src->byte_ms >= MEASURE_MS) {
        src->rate = 1;
    }
}

void
schedule_tick(struct schedule *s, uint64_t now)
{
    double elapsed = (double) (now - s->ticked);
    uint64_t bytes = 0, cdn = 0;

    schedule_clock(s, now);
    if (s->ticked == 0 || elapsed < 1) {
        s->ticked = s->ticked == 0 ? now : s->ticked;
        return;
    }
    s->ticked = now;
    for (int i = 0; i < s->n_sources; i++) {
        struct source *src = &s->sources[i];

        bytes += src->bytes;
        cdn += src->kind == SOURCE_CDN ? src->bytes : 0;
        measure(s, src);
    }
    schedule_peers_tick(s);
    schedule_gate_tick(s, elapsed, bytes, cdn);
}

/* Is there anybody else to turn to, and does anybody bring anything? */
static uint64_t
patience(const struct schedule *s, int source)
{
    bool others = false;

    for (int i = 0; i < s->n_sources; i++) {
        const struct source *o = &s->sources[i];

        if (i == source || o->gone || (!o->all && o->held == 0)) {
            continue;
        }
        others = true;
        if (o->active > 0 && s->now - o->byte_ms < MOVING_MS) {
            return STALL_MS;
        }
    }
    return others ? STALL_DARK_MS : s->patience;
}

/* What is not unusual for it yet: peers have others to serve first, and the
 * first answer of all takes its time. */
static uint64_t
usual_wait(const struct source *src, const struct work *w)
{
    double ms = STALL_MS;

    if (src->kind != SOURCE_CDN && STALL_SERVICES * src->service > ms) {
        ms = STALL_SERVICES * src->service;
    }
    if (!w->answered) {
        double usual =
            src->latency < 0 ? STALL_DARK_MS : LATENCIES * src->latency;

        ms = usual > ms ? usual : ms;
    }
    return ms < STALL_DARK_MS ? (uint64_t) ms : STALL_DARK_MS;
}

/* Its blocks may have come from elsewhere each time before it counted as
 * stalled. */
static bool
is_dead(const struct source *src, const struct work *w, uint64_t now)
{
    return src->kind == SOURCE_PEER
           && now - src->byte_ms + src->silent_ms
                  > DEAD_WAITS * usual_wait(src, w);
}

enum schedule_verdict
schedule_judge(const struct schedule *s, int work, uint64_t now)
{
    const struct work *w = &s->works[work];
    const struct source *src = &s->sources[w->source];
    uint64_t since = src->active > 1 ? src->byte_ms : w->moved;
    uint64_t limit = patience(s, w->source);

    if (limit == STALL_MS && is_dead(src, w, now)) {
        return SCHEDULE_DEAD;
    }
    if (w->next >= w->end || blockmap_has(s->map, w->next)) {
        return SCHEDULE_CUT;
    }
    if (limit == STALL_MS) {
        limit = usual_wait(src, w);
    }
    limit = limit < s->patience ? limit : s->patience;
    if (now > since + limit) {
        return SCHEDULE_STALLED;
    }
    return src->active > 1 && now > w->moved + QUEUE_MS ? SCHEDULE_CUT
                                                        : SCHEDULE_GO_ON;
}
