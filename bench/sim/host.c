/* host.c - uplinks. A host serves so many requests at a time, and shares its
 * rate evenly among them; the others wait, in the order of lib/slots.c. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

enum {
    SENT_WEIGHT = 16
};

static double
block_bytes(const struct sim *s, const struct flow *f)
{
    return (double) blockmap_length(&s->clients[f->client].map, f->block);
}

/* ---- those that are served, by when they end ---- */

static double
finish_of(const struct sim *s, const struct host *h, size_t i)
{
    return s->flows[h->serving[i]].finish;
}

static void
sift_up(const struct sim *s, struct host *h, size_t i)
{
    int flow = h->serving[i];

    while (i > 0 && s->flows[flow].finish < finish_of(s, h, (i - 1) / 2)) {
        h->serving[i] = h->serving[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->serving[i] = flow;
}

static void
sift_down(const struct sim *s, struct host *h, size_t i)
{
    int flow = h->serving[i];

    for (size_t c = 2 * i + 1; c < h->n_serving; c = 2 * i + 1) {
        if (c + 1 < h->n_serving
            && finish_of(s, h, c + 1) < finish_of(s, h, c)) {
            c++;
        }
        if (finish_of(s, h, c) >= s->flows[flow].finish) {
            break;
        }
        h->serving[i] = h->serving[c];
        i = c;
    }
    h->serving[i] = flow;
}

static void
serve_add(struct sim *s, struct host *h, int flow)
{
    h->serving =
        sim_grow(h->serving, sizeof(int), h->n_serving, &h->cap_serving);
    h->serving[h->n_serving++] = flow;
    sift_up(s, h, h->n_serving - 1);
}

static void
serve_del(struct sim *s, struct host *h, size_t i)
{
    h->serving[i] = h->serving[--h->n_serving];
    if (i < h->n_serving) {
        sift_up(s, h, i);
        sift_down(s, h, i);
    }
}

/* ---- time ---- */

static void
elapse(const struct sim *s, struct host *h)
{
    if (h->n_serving > 0 && !h->stalled) {
        h->served +=
            h->rate * (double) (s->now - h->served_at) / (double) h->n_serving;
    }
    h->served_at = s->now;
}

/* When the next block will have left. */
static void
plan(struct sim *s, struct host *h)
{
    h->mark++;
    if (h->n_serving == 0 || h->stalled || h->gone) {
        return;
    }
    double left = s->flows[h->serving[0]].finish - h->served;
    double us = left > 0 ? left * (double) h->n_serving / h->rate : 0;

    sim_later(s, (sim_time) us + 1, EVENT_SENT, (uint32_t) (h - s->hosts), 0,
              h->mark);
}

/* ---- those that wait ---- */

static uint64_t
rank(const struct sim *s, const struct host *h, int flow)
{
    const struct flow *f = &s->flows[flow];

    return (uint64_t) h->sent[f->block] * SENT_WEIGHT
           + s->clients[f->client].map.held;
}

static size_t
next_waiting(const struct sim *s, const struct host *h)
{
    size_t best = 0;

    for (size_t i = 1; h->sent != NULL && i < h->n_waiting; i++) {
        if (rank(s, h, h->waiting[i]) < rank(s, h, h->waiting[best])) {
            best = i;
        }
    }
    return best;
}

static void
wait_del(struct host *h, size_t i)
{
    h->n_waiting--;
    memmove(&h->waiting[i], &h->waiting[i + 1],
            (h->n_waiting - i) * sizeof(int));
}

static void
begin(struct sim *s, struct host *h, int flow)
{
    struct flow *f = &s->flows[flow];

    f->state = FLOW_SENDING;
    f->begun = h->served;
    f->finish = h->served + block_bytes(s, f);
    if (h->sent != NULL) {
        h->sent[f->block]++;
    }
    serve_add(s, h, flow);
}

static void
fill_slots(struct sim *s, struct host *h)
{
    while (h->n_waiting > 0
           && (h->slots == 0 || h->n_serving < (size_t) h->slots)) {
        size_t i = next_waiting(s, h);
        int flow = h->waiting[i];

        wait_del(h, i);
        begin(s, h, flow);
    }
}

void
host_arrive(struct sim *s, int flow)
{
    struct flow *f = &s->flows[flow];
    struct host *h = &s->hosts[f->host];

    if (h->gone) {
        f->state = FLOW_LANDING;
        sim_later(s, sim_delay(s), EVENT_FAILED, (uint32_t) flow, 0, f->mark);
        return;
    }
    elapse(s, h);
    f->state = FLOW_WAITING;
    h->waiting =
        sim_grow(h->waiting, sizeof(int), h->n_waiting, &h->cap_waiting);
    h->waiting[h->n_waiting++] = flow;
    fill_slots(s, h);
    plan(s, h);
}

/* A block is on its way: through the downlink, where it waits behind what has
 * been sent before; what comes slower than the downlink passes at once. */
static void
land(struct sim *s, struct flow *f, uint32_t block)
{
    struct client *c = &s->clients[f->client];
    double us = (double) blockmap_length(&c->map, block) / c->down;
    sim_time begun = s->now > (sim_time) us ? s->now - (sim_time) us : 0;

    c->down_free =
        (c->down_free > begun ? c->down_free : begun) + (sim_time) us;
    sim_time at = c->down_free > s->now ? c->down_free : s->now;
    sim_later(s, at - s->now + sim_delay(s), EVENT_BLOCK,
              (uint32_t) (f - s->flows), block, f->mark);
}

void
host_sent(struct sim *s, int host)
{
    struct host *h = &s->hosts[host];

    elapse(s, h);
    while (h->n_serving > 0 && finish_of(s, h, 0) <= h->served + 0.5) {
        int flow = h->serving[0];
        struct flow *f = &s->flows[flow];
        uint32_t block = f->block++;

        h->bytes += blockmap_length(&s->clients[f->client].map, block);
        land(s, f, block);
        if (f->block < f->end) {
            f->finish += block_bytes(s, f);
            sift_down(s, h, 0);
        } else {
            f->state = FLOW_LANDING;
            serve_del(s, h, 0);
            fill_slots(s, h);
        }
    }
    plan(s, h);
}

static double
partial(const struct sim *s, const struct host *h, const struct flow *f)
{
    double left = f->finish - h->served, whole = block_bytes(s, f);

    return left < whole ? whole - left : 0;
}

static bool
find_in(const int *list, size_t n, int flow, size_t *at)
{
    for (*at = 0; *at < n; (*at)++) {
        if (list[*at] == flow) {
            return true;
        }
    }
    return false;
}

double
host_drop(struct sim *s, int flow)
{
    struct flow *f = &s->flows[flow];
    struct host *h = &s->hosts[f->host];
    double bytes = 0;
    size_t at;

    if (f->state == FLOW_WAITING
        && find_in(h->waiting, h->n_waiting, flow, &at)) {
        wait_del(h, at);
    } else if (f->state == FLOW_SENDING
               && find_in(h->serving, h->n_serving, flow, &at))
    {
        elapse(s, h);
        bytes = partial(s, h, f);
        h->bytes += (uint64_t) bytes;
        serve_del(s, h, at);
        fill_slots(s, h);
        plan(s, h);
    }
    return bytes;
}

uint64_t
host_progress(struct sim *s, int flow)
{
    struct flow *f = &s->flows[flow];
    struct host *h = &s->hosts[f->host];

    if (f->state != FLOW_SENDING) {
        return 0;
    }
    elapse(s, h);
    return (uint64_t) (h->served - f->begun);
}

/* Its clients notice when the reset comes to them. */
void
host_leave(struct sim *s, int host)
{
    struct host *h = &s->hosts[host];

    elapse(s, h);
    h->gone = true;
    for (size_t i = 0; i < h->n_serving + h->n_waiting; i++) {
        int flow =
            i < h->n_serving ? h->serving[i] : h->waiting[i - h->n_serving];

        s->flows[flow].state = FLOW_LANDING;
        sim_later(s, sim_delay(s), EVENT_FAILED, (uint32_t) flow, 0,
                  s->flows[flow].mark);
    }
    h->n_serving = h->n_waiting = 0;
    plan(s, h);
}

void
host_set_rate(struct sim *s, int host, double rate)
{
    struct host *h = &s->hosts[host];

    elapse(s, h);
    h->stalled = rate <= 0;
    h->rate = rate > 0 ? rate : h->rate;
    plan(s, h);
}
