/* client.c - a client: carries out what its schedule decides, as lib/fetch.c
 * does. */
#include "sim.h"

#include <string.h>

enum {
    TICK_US = 100000,
    SOON_US = 20000, /* the same towards the end */
    END_BLOCKS = 64,
    BACKOFF_US = 250000, /* doubled at each failure in a row */
    STRIKES_MAX = 2,     /* wrong blocks until a source is banned */
    FAILURES_MAX = 3,
    CDN_FAILURES_MAX = 5
};

static uint64_t
ms(const struct sim *s)
{
    return s->now / 1000 + 1000; /* no time of a schedule is 0 */
}

static bool
is_node(const struct sim *s, int host)
{
    return (uint32_t) host < s->o.nodes;
}

int
client_add_source(struct sim *s, int client, int host, enum source_kind kind)
{
    struct client *c = &s->clients[client];
    int source = schedule_add(c->schedule, kind);

    if (source < 0) {
        return source;
    }
    c->links = sim_grow(c->links, sizeof(*c->links), (size_t) c->n_links,
                        &c->cap_links);
    c->links[c->n_links++] =
        (struct link){ .host = host, .yield = { s->now / 1000, 0, c->got } };
    return source;
}

/* ---- requests ---- */

/* Others are told what is fetched from the CDN, as far as they are concerned:
 * what the schedule has taken from the request is not fetched any more. */
static void
trim_claims(struct sim *s, int client)
{
    struct client *c = &s->clients[client];

    for (int i = 0; i < c->n_cdn_flows; i++) {
        struct flow *f = &s->flows[c->cdn_flows[i]];
        struct schedule_range left = schedule_left(c->schedule, f->work);

        if (left.end < f->claimed && left.next < left.end) {
            crowd_say(s, client, 2, left.end, f->claimed - left.end);
            f->claimed = left.end;
        }
    }
}

static void
start(struct sim *s, int client, int source, int work,
      const struct schedule_range *r)
{
    struct client *c = &s->clients[client];
    struct link *l = &c->links[source];
    int flow = flow_create(s);
    struct flow *f = &s->flows[flow];
    sim_time trips = l->met ? 1 : 3; /* the first one connects */

    f->state = FLOW_ASKED;
    f->client = client;
    f->host = l->host;
    f->source = source;
    f->work = work;
    f->block = f->landed = r->next;
    f->end = f->claimed = r->end;
    l->met = true;
    size_t had = c->cap_flows;
    c->flows = sim_grow(c->flows, sizeof(int), (size_t) work, &c->cap_flows);
    for (; had < c->cap_flows; had++) {
        c->flows[had] = NONE;
    }
    c->flows[work] = flow;
    if (is_node(s, l->host)) {
        c->cdn_flows[c->n_cdn_flows++] = flow;
        crowd_say(s, client, 1, r->next, r->end - r->next);
    }
    sim_later(s, trips * sim_delay(s), EVENT_ARRIVE, (uint32_t) flow, 0,
              f->mark);
}

static void
forget_cdn_flow(struct client *c, int flow)
{
    for (int i = 0; i < c->n_cdn_flows; i++) {
        if (c->cdn_flows[i] == flow) {
            c->cdn_flows[i] = c->cdn_flows[--c->n_cdn_flows];
            return;
        }
    }
}

/* What was sent and did not come to be used is waste. */
static void
end(struct sim *s, int flow)
{
    struct flow *f = &s->flows[flow];
    struct client *c = &s->clients[f->client];
    uint64_t lost = (uint64_t) host_drop(s, flow);

    for (uint32_t b = f->landed; b < f->block; b++) {
        lost += blockmap_length(&c->map, b);
    }
    c->wasted += lost;
    schedule_end(c->schedule, f->work);
    c->flows[f->work] = NONE;
    if (is_node(s, f->host)) {
        forget_cdn_flow(c, flow);
        if (f->claimed > f->landed) {
            crowd_say(s, f->client, 2, f->landed, f->claimed - f->landed);
        }
    }
    flow_free(s, flow);
}

static void
end_all(struct sim *s, int client, int source)
{
    struct client *c = &s->clients[client];

    for (size_t w = 0; w < c->cap_flows; w++) {
        if (c->flows[w] != NONE
            && (source == NONE || s->flows[c->flows[w]].source == source))
        {
            end(s, c->flows[w]);
        }
    }
}

/* What the schedule decides, or a rule that is tried in its place. */
static int
next_work(struct sim *s, int client, int source, struct schedule_range *r)
{
    struct schedule *schedule = s->clients[client].schedule;

    if (!rules_apply(s, client, source)) {
        return schedule_take(schedule, source, ms(s), r);
    }
    if (!rules_pick(s, client, source, &r->next)) {
        return NONE;
    }
    r->end = r->next + 1;
    return schedule_begin_at(schedule, source, r->next, r->end, ms(s));
}

void
client_dispatch(struct sim *s, int client, int source)
{
    struct client *c = &s->clients[client];
    const struct link *l = &c->links[source];
    struct schedule_range r;

    if (!c->here || c->done != 0 || l->dropped || s->now < l->retry) {
        return;
    }
    int work = next_work(s, client, source, &r);
    while (work >= 0) {
        start(s, client, source, work, &r);
        work = next_work(s, client, source, &r);
    }
}

/* A crowd has formed: of a long range nothing may be left. */
static void
cut(struct sim *s, int client)
{
    struct client *c = &s->clients[client];

    for (int i = c->n_cdn_flows - 1; i >= 0; i--) {
        int flow = c->cdn_flows[i];
        struct schedule_range left =
            schedule_left(c->schedule, s->flows[flow].work);

        if (left.next >= left.end) {
            end(s, flow);
        }
    }
    trim_claims(s, client);
}

static void
dispatch_kind(struct sim *s, int client, bool nodes)
{
    for (int i = 0; i < s->clients[client].n_links; i++) {
        if (is_node(s, s->clients[client].links[i].host) == nodes) {
            client_dispatch(s, client, i);
        }
    }
}

static void
dispatch_all(struct sim *s, int client)
{
    dispatch_kind(s, client, false);
    dispatch_kind(s, client, true);
    cut(s, client);
}

void
client_wake(struct sim *s, int client)
{
    struct client *c = &s->clients[client];

    if (c->here && c->done == 0) {
        dispatch_kind(s, client, true);
        cut(s, client);
    }
}

/* ---- what comes ---- */

void
client_ban(struct sim *s, int client, int source)
{
    struct client *c = &s->clients[client];
    struct link *l = &c->links[source];

    if (l->dropped) {
        return;
    }
    l->dropped = true;
    schedule_drop(c->schedule, source);
    end_all(s, client, source);
    if (!is_node(s, l->host)) {
        crowd_unfollow(s, client, source);
    }
}

static void
failed(struct sim *s, int client, int source)
{
    struct link *l = &s->clients[client].links[source];
    unsigned most = is_node(s, l->host) ? CDN_FAILURES_MAX : FAILURES_MAX;

    l->retry = s->now + ((sim_time) BACKOFF_US << l->failures);
    if (++l->failures >= most) {
        client_ban(s, client, source);
    }
}

void
client_failed(struct sim *s, int flow)
{
    int client = s->flows[flow].client, source = s->flows[flow].source;

    end(s, flow);
    client_ban(s, client, source); /* refused from now on */
    dispatch_all(s, client);
}

static void
finish(struct sim *s, int client)
{
    struct client *c = &s->clients[client];

    c->done = s->now;
    end_all(s, client, NONE);
    if (!c->super) {
        s->n_done++;
    }
    if (s->o.depart && !c->super) {
        client_leave(s, client);
    }
}

/* True: the block is of use. */
static bool
take_block(struct sim *s, struct flow *f, uint32_t block)
{
    struct client *c = &s->clients[f->client];
    struct link *l = &c->links[f->source];
    uint64_t len = blockmap_length(&c->map, block);

    if (s->hosts[f->host].liar) {
        c->wasted += len;
        l->strikes++;
        return false;
    }
    if (blockmap_has(&c->map, block)) {
        c->wasted += len;
        return false;
    }
    blockmap_set(&c->map, block);
    l->got += len;
    c->got += is_node(s, l->host) ? 0 : len;
    l->failures = 0;
    crowd_say(s, f->client, 0, block, 1);
    return true;
}

static void
tell_progress(struct sim *s, struct flow *f, uint64_t bytes)
{
    if (bytes > f->told) {
        schedule_got(s->clients[f->client].schedule, f->work, bytes - f->told,
                     ms(s));
        f->told = bytes;
    }
}

void
client_block(struct sim *s, int flow, uint32_t block)
{
    struct flow *f = &s->flows[flow];
    int client = f->client, source = f->source;
    struct client *c = &s->clients[client];

    f->arrived += blockmap_length(&c->map, block);
    tell_progress(s, f, f->arrived);
    take_block(s, f, block);
    f->landed++;
    schedule_advance(c->schedule, f->work, ms(s));
    struct schedule_range left = schedule_left(c->schedule, f->work);
    if (blockmap_complete(&c->map)) {
        finish(s, client);
        return;
    }
    if (left.next >= left.end) {
        end(s, flow);
    }
    if (c->links[source].strikes >= STRIKES_MAX) {
        client_ban(s, client, source);
    }
    client_dispatch(s, client, source);
    client_wake(s, client);
}

static void
judge(struct sim *s, int client, int flow)
{
    struct flow *f = &s->flows[flow];
    struct client *c = &s->clients[client];
    int source = f->source;

    switch (schedule_judge(c->schedule, f->work, ms(s))) {
    case SCHEDULE_CUT:
        end(s, flow);
        break;
    case SCHEDULE_STALLED:
    case SCHEDULE_DEAD:
        end(s, flow);
        failed(s, client, source);
        break;
    default:
        break;
    }
}

void
client_progress(struct sim *s, int client)
{
    struct client *c = &s->clients[client];

    for (size_t w = 0; w < c->cap_flows; w++) {
        if (c->flows[w] != NONE) {
            struct flow *f = &s->flows[c->flows[w]];

            tell_progress(s, f, host_progress(s, c->flows[w]));
        }
    }
}

void
client_tick(struct sim *s, int client)
{
    struct client *c = &s->clients[client];

    if (!c->here || c->done != 0) {
        return;
    }
    client_progress(s, client);
    schedule_tick(c->schedule, ms(s));
    for (size_t w = 0; w < c->cap_flows; w++) {
        if (c->flows[w] != NONE) {
            judge(s, client, c->flows[w]);
        }
    }
    dispatch_all(s, client);
    bool soon = c->map.count - c->map.held < END_BLOCKS;
    sim_later(s, soon ? SOON_US : TICK_US, EVENT_TICK, (uint32_t) client, 0,
              0);
}

/* ---- coming and going ---- */

void
client_join(struct sim *s, int client)
{
    struct client *c = &s->clients[client];

    c->here = true;
    c->joined = s->now;
    schedule_tick(c->schedule, ms(s));
    for (uint32_t i = 0; i < s->o.nodes; i++) {
        client_add_source(s, client, (int) i, SOURCE_CDN);
    }
    dispatch_all(s, client);
    if (!c->super) {
        crowd_ask(s, client);
    }
    sim_later(s, sim_random(&s->random) % TICK_US + 1, EVENT_TICK,
              (uint32_t) client, 0, 0);
}

void
client_leave(struct sim *s, int client)
{
    struct client *c = &s->clients[client];

    if (!c->here) {
        return;
    }
    c->here = false;
    end_all(s, client, NONE);
    crowd_leave(s, client);
    host_leave(s, (int) s->o.nodes + client);
}
