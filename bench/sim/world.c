/* world.c - the scene, its events, and what came of it. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

enum {
    UPLOAD_SLOTS = 4, /* blocks that a client sends at a time */
    ODD_US = 1000     /* they do not start in the very same moment */
};

#define US 1e6

void
sim_later(struct sim *s, sim_time in, enum event_kind kind, uint32_t a,
          uint32_t b, uint32_t mark)
{
    struct event e = { s->now + in, a, b, mark, kind };

    queue_add(&s->queue, &e);
}

static double
bytes_us(double bits_s)
{
    return bits_s / 8 / US;
}

static double
node_rate(const struct sim_options *o, uint32_t i)
{
    return o->node_rates[i] > 0 ? o->node_rates[i] : o->cdn;
}

static double
up_of(const struct sim_options *o, uint32_t i)
{
    if (i < o->supers) {
        return o->super;
    }
    i -= o->supers;
    if (i < o->seeds) {
        return o->seed_up;
    }
    return o->up_odd > 0 && i % 2 == 1 ? o->up_odd : o->up;
}

static sim_time
join_time(struct sim *s, uint32_t i)
{
    const struct sim_options *o = &s->o;
    uint32_t n = i - (s->n_clients - o->clients), last = o->clients - 1;

    if (o->even && last > 0) {
        return (sim_time) (o->join_s * US * n / last);
    }
    return sim_random(&s->random) % ((sim_time) (o->join_s * US) + ODD_US);
}

/* Super peers come first, then seeds, then those who lie. */
static void
init_client(struct sim *s, uint32_t i)
{
    struct client *c = &s->clients[i];
    struct host *h = &s->hosts[s->o.nodes + i];
    const struct sim_options *o = &s->o;
    uint64_t id = o->seed * 1000003 + i;

    c->random = sim_random(&id);
    id = o->seed * 1000003 + i;
    blockmap_init(&c->map, o->size);
    c->super = i < o->supers;
    c->seed = !c->super && i < o->supers + o->seeds;
    h->liar = !c->super && !c->seed && i < o->supers + o->seeds + o->liars;
    h->rate = bytes_us(up_of(o, i));
    h->slots = c->super ? 0 : UPLOAD_SLOTS;
    h->sent = calloc(c->map.count + 1, sizeof(*h->sent));
    c->down = bytes_us(c->super ? 1e10 : o->down);
    if (c->seed || h->liar) {
        blockmap_fill(&c->map);
        c->here = true;
        c->done = 1;
        s->registered[s->n_registered++] = (int) i;
        return;
    }
    c->schedule = schedule_create(&c->map, 0, sim_random(&id) | 1);
    sim_later(s, c->super ? 0 : join_time(s, i), EVENT_JOIN, i, 0, 0);
    s->n_expected += !c->super;
}

static void
plan_troubles(struct sim *s)
{
    const struct sim_options *o = &s->o;
    uint32_t first = o->supers + o->seeds + o->liars;
    sim_time at = (sim_time) (o->leave_s * US);

    for (uint32_t i = 0; i < o->leave && first + i < s->n_clients; i++) {
        sim_later(s, at, EVENT_LEAVE, first + i, 0, 0);
        s->n_expected--;
    }
    for (uint32_t i = 0; i < o->stall; i++) {
        uint32_t n = first + o->leave + i;

        if (n < s->n_clients) {
            sim_later(s, at, EVENT_STALL, o->nodes + n, 0, 0);
        }
    }
    if (o->node_at_s >= 0) {
        sim_later(s, (sim_time) (o->node_at_s * US), EVENT_SLOW, 0, 0, 0);
    }
}

void
world_init(struct sim *s, const struct sim_options *o)
{
    memset(s, 0, sizeof(*s));
    s->o = *o;
    s->random = o->seed * 7919 + 1;
    s->free_flow = NONE;
    s->n_clients = o->supers + o->seeds + o->liars + o->clients;
    s->n_hosts = o->nodes + s->n_clients;
    s->hosts = calloc(s->n_hosts, sizeof(*s->hosts));
    s->clients = calloc(s->n_clients, sizeof(*s->clients));
    s->registered = calloc(s->n_clients, sizeof(*s->registered));
    if (s->hosts == NULL || s->clients == NULL || s->registered == NULL) {
        abort();
    }
    for (uint32_t i = 0; i < o->nodes; i++) {
        s->hosts[i].rate = bytes_us(node_rate(o, i));
    }
    for (uint32_t i = 0; i < s->n_clients; i++) {
        init_client(s, i);
    }
    plan_troubles(s);
}

static bool
is_void(const struct sim *s, const struct event *e)
{
    switch (e->kind) {
    case EVENT_ARRIVE:
    case EVENT_BLOCK:
    case EVENT_FAILED:
        return s->flows[e->a].mark != e->mark;
    case EVENT_SENT:
        return s->hosts[e->a].mark != e->mark;
    default:
        return false;
    }
}

static void
change_node(struct sim *s)
{
    if (s->o.node_to < 0) {
        host_leave(s, 0);
    } else {
        host_set_rate(s, 0, bytes_us(s->o.node_to));
    }
}

static void
happen(struct sim *s, const struct event *e)
{
    switch ((enum event_kind) e->kind) {
    case EVENT_JOIN:
        client_join(s, (int) e->a);
        break;
    case EVENT_TRACKER:
        crowd_told(s, (int) e->a);
        break;
    case EVENT_FOLLOW:
        crowd_follow(s, (int) e->a, (int) e->b);
        break;
    case EVENT_ARRIVE:
        host_arrive(s, (int) e->a);
        break;
    case EVENT_SENT:
        host_sent(s, (int) e->a);
        break;
    case EVENT_BLOCK:
        client_block(s, (int) e->a, e->b);
        break;
    case EVENT_FAILED:
        client_failed(s, (int) e->a);
        break;
    case EVENT_NEWS:
        crowd_news(s, (int) e->a);
        break;
    case EVENT_TICK:
        client_tick(s, (int) e->a);
        break;
    case EVENT_RENEW:
        crowd_renew(s, (int) e->a);
        break;
    case EVENT_LEAVE:
        client_leave(s, (int) e->a);
        break;
    case EVENT_STALL:
        host_set_rate(s, (int) e->a, 0);
        break;
    case EVENT_SLOW:
        change_node(s);
        break;
    }
}

void
world_run(struct sim *s)
{
    sim_time limit = (sim_time) (s->o.limit_s * US);
    struct event e;

    while (s->n_done < s->n_expected && queue_take(&s->queue, &e)
           && e.at < limit) {
        s->now = e.at;
        if (!is_void(s, &e)) {
            s->events++;
            happen(s, &e);
        }
    }
}

/* Kumar and Ross: nobody is done before the origin has sent a copy, before the
 * slowest downlink has taken one, and before all uplinks together have sent as
 * many as there are clients. */
static double
fluid_bound(const struct sim *s)
{
    const struct sim_options *o = &s->o;
    double bits = (double) o->size * 8, origin = 0, sum = 0;

    for (uint32_t i = 0; i < o->nodes; i++) {
        origin += node_rate(o, i);
    }
    for (uint32_t i = 0; i < s->n_clients; i++) {
        sum += s->hosts[o->nodes + i].liar ? 0 : up_of(o, i);
    }
    double bound = o->seeds > 0 ? 0 : bits / origin;
    double down = bits / o->down;
    double all = o->clients * bits / (origin + sum);
    bound = bound > down ? bound : down;
    return bound > all ? bound : all;
}

static int
by_value(const void *x, const void *y)
{
    double a = *(const double *) x, b = *(const double *) y;

    return (a > b) - (a < b);
}

void
world_result(struct sim *s, struct sim_result *out)
{
    static const double parts[4] = { 0.5, 0.9, 0.99, 1 };
    double *times = calloc(s->n_clients + 1, sizeof(*times));
    uint64_t cdn = 0, wasted = 0;
    uint32_t n = 0;

    memset(out, 0, sizeof(*out));
    for (uint32_t i = 0; times != NULL && i < s->n_clients; i++) {
        const struct client *c = &s->clients[i];

        wasted += c->wasted;
        if (c->schedule == NULL || c->super || c->done == 0) {
            continue;
        }
        times[n] = (double) (c->done - c->joined) / US;
        out->mean_s += times[n++];
        out->last_s = out->last_s > (double) c->done / US
                          ? out->last_s
                          : (double) c->done / US;
    }
    for (uint32_t i = 0; i < s->o.nodes; i++) {
        cdn += s->hosts[i].bytes;
    }
    if (times != NULL && n > 0) {
        qsort(times, n, sizeof(*times), by_value);
        out->mean_s /= n;
        for (int i = 0; i < 4; i++) {
            uint32_t at = (uint32_t) (parts[i] * n);

            out->percentile_s[i] = times[at < n ? at : n - 1];
        }
    }
    free(times);
    out->finished = n;
    out->expected = s->n_expected;
    out->bound_s = fluid_bound(s);
    out->ratio = out->last_s / out->bound_s;
    out->mean_ratio = out->mean_s / out->bound_s;
    out->copies = (double) cdn / (double) s->o.size;
    out->waste = (double) wasted / (double) s->o.size / s->o.clients;
    out->events = s->events;
}

void
world_fini(struct sim *s)
{
    for (uint32_t i = 0; i < s->n_hosts; i++) {
        free(s->hosts[i].serving);
        free(s->hosts[i].waiting);
        free(s->hosts[i].sent);
    }
    for (uint32_t i = 0; i < s->n_clients; i++) {
        struct client *c = &s->clients[i];

        schedule_free(c->schedule);
        blockmap_fini(&c->map);
        free(c->links);
        free(c->flows);
        free(c->followers);
        free(c->news);
    }
    free(s->hosts);
    free(s->clients);
    free(s->registered);
    free(s->flows);
    queue_fini(&s->queue);
}
