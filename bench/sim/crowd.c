/* crowd.c - what clients know of each other: the tracker's lists, whose log
 * each follows, and the news in it. */
#include "sim.h"

#include <string.h>

enum {
    LIST_MAX = 50,      /* of a tracker's answer */
    OWN_MAX = 20,       /* followed at once; room is left for callers */
    NEWS_US = 20000,    /* between two answers to a poll */
    RENEW_US = 1000000, /* neighbours are looked at */
    KIND_BITS = 30,
    N_BITS = 16,
    FIRST_MASK = 0xffff
};

static uint64_t
ms(const struct sim *s)
{
    return s->now / 1000 + 1000;
}

static int
host_of(const struct sim *s, int client)
{
    return (int) s->o.nodes + client;
}

static uint64_t
id_of(const struct sim *s, int client)
{
    uint64_t x = s->o.seed * 1000003 + (uint64_t) client;

    return sim_random(&x) | 1;
}

static int
link_to(const struct client *c, int host)
{
    for (int i = 0; i < c->n_links; i++) {
        if (c->links[i].host == host && !c->links[i].dropped) {
            return i;
        }
    }
    return NONE;
}

/* ---- neighbours ---- */

void
crowd_know(struct sim *s, int client, int other)
{
    struct client *c = &s->clients[client];

    for (int i = 0; i < c->n_known; i++) {
        if (c->known[i] == other) {
            return;
        }
    }
    if (other == client || c->super) {
        return;
    }
    if (c->n_known < KNOWN_MAX) {
        c->known[c->n_known++] = other;
    } else {
        c->known[sim_random(&c->random) % KNOWN_MAX] = other;
    }
}

void
crowd_pick(struct sim *s, int client, int most)
{
    struct client *c = &s->clients[client];

    while (c->n_following < most && c->n_known > 0) {
        int i = (int) (sim_random(&c->random) % (uint64_t) c->n_known);
        int other = c->known[i];

        c->known[i] = c->known[--c->n_known];
        if (link_to(c, host_of(s, other)) == NONE) {
            c->n_following++;
            sim_later(s, 4 * sim_delay(s), EVENT_FOLLOW, (uint32_t) client,
                      (uint32_t) other, 0);
        }
    }
}

static void
take_claims(struct sim *s, int client, int source, const struct client *of)
{
    struct schedule *schedule = s->clients[client].schedule;

    for (int i = 0; i < of->n_cdn_flows; i++) {
        const struct flow *f = &s->flows[of->cdn_flows[i]];

        schedule_claim(schedule, source, f->landed, f->claimed - f->landed,
                       true, ms(s));
    }
}

/* The bitmap comes; the poll has introduced who asks. */
void
crowd_follow(struct sim *s, int client, int other)
{
    struct client *c = &s->clients[client], *o = &s->clients[other];
    bool liar = s->hosts[host_of(s, other)].liar;

    if (!c->here || c->done != 0) {
        return;
    }
    if (!o->here || link_to(c, host_of(s, other)) != NONE) {
        c->n_following -= !o->super;
        return;
    }
    client_progress(s, client);
    int source = client_add_source(s, client, host_of(s, other),
                                   o->super ? SOURCE_SUPER : SOURCE_PEER);
    c->links[source].met = true; /* for the poll */
    bool all = liar || blockmap_complete(&o->map);
    schedule_have(c->schedule, source, all ? NULL : o->map.bits);
    if (!liar) {
        schedule_peer(c->schedule, source, id_of(s, other));
        take_claims(s, client, source, o);
        o->followers = sim_grow(o->followers, sizeof(*o->followers),
                                o->n_followers, &o->cap_followers);
        o->followers[o->n_followers++] = (struct follower){ client, source };
        crowd_know(s, other, client);
        if (!o->super && o->done == 0) {
            crowd_pick(s, other, NEIGHBOURS);
        }
    }
    client_dispatch(s, client, source);
}

void
crowd_unfollow(struct sim *s, int client, int source)
{
    struct client *c = &s->clients[client];
    struct client *o = &s->clients[c->links[source].host - (int) s->o.nodes];

    c->n_following -= !o->super;
    for (size_t i = 0; i < o->n_followers; i++) {
        if (o->followers[i].client == client
            && o->followers[i].source == source) {
            o->followers[i] = o->followers[--o->n_followers];
            return;
        }
    }
}

/* One that gives little makes room for another. */
void
crowd_renew(struct sim *s, int client)
{
    struct client *c = &s->clients[client];

    if (!c->here || c->done != 0) {
        return;
    }
    for (int i = (int) s->o.nodes; i < c->n_links; i++) {
        struct link *l = &c->links[i];
        struct neighbours_yield is = { s->now / 1000, l->got, c->got };

        if (!l->dropped
            && neighbours_is_poor(&l->yield, &is, NEIGHBOURS,
                                  c->map.block_size)
            && c->n_known > 0 && c->n_following >= NEIGHBOURS
            && !s->clients[l->host - (int) s->o.nodes].super)
        {
            client_ban(s, client, i);
            break;
        }
    }
    crowd_pick(s, client, NEIGHBOURS);
    sim_later(s, RENEW_US, EVENT_RENEW, (uint32_t) client, 0, 0);
}

/* A tracker that holds its answers knows all who asked meanwhile. */
void
crowd_ask(struct sim *s, int client)
{
    if (s->o.hold_ms > 0) {
        s->registered[s->n_registered++] = client;
    }
    sim_later(s, 2 * sim_delay(s) + (sim_time) (s->o.hold_ms * 1000),
              EVENT_TRACKER, (uint32_t) client, 0, 0);
}

/* All that are there, or a sample. */
static void
read_list(struct sim *s, int client)
{
    struct client *c = &s->clients[client];
    uint32_t n = s->n_registered, tries = n <= LIST_MAX ? n : 2 * LIST_MAX;

    for (uint32_t i = 0; i < tries && c->n_known < LIST_MAX; i++) {
        uint32_t at =
            n <= LIST_MAX ? i : (uint32_t) (sim_random(&s->random) % n);

        if (s->clients[s->registered[at]].here) {
            crowd_know(s, client, s->registered[at]);
        }
    }
}

/* The first clients get a short list, unless it was held. */
void
crowd_told(struct sim *s, int client)
{
    struct client *c = &s->clients[client];

    if (!c->here) {
        return;
    }
    read_list(s, client);
    schedule_seniors(c->schedule, (uint32_t) c->n_known);
    if (s->o.hold_ms <= 0) {
        s->registered[s->n_registered++] = client;
    }
    for (uint32_t i = 0; i < s->n_clients; i++) {
        if (s->clients[i].super) {
            sim_later(s, 2 * sim_delay(s), EVENT_FOLLOW, (uint32_t) client, i,
                      0);
        } else {
            break;
        }
    }
    crowd_pick(s, client, OWN_MAX);
    sim_later(s, RENEW_US, EVENT_RENEW, (uint32_t) client, 0, 0);
}

void
crowd_leave(struct sim *s, int client)
{
    struct client *c = &s->clients[client];

    for (uint32_t i = 0; i < s->n_registered; i++) {
        if (s->registered[i] == client) {
            s->registered[i] = s->registered[--s->n_registered];
            break;
        }
    }
    /* Their polls break. */
    while (c->n_followers > 0) {
        struct follower f = c->followers[c->n_followers - 1];

        c->n_followers--;
        client_ban(s, f.client, f.source);
    }
}

/* ---- news ---- */

void
crowd_say(struct sim *s, int client, unsigned kind, uint32_t first, uint32_t n)
{
    struct client *c = &s->clients[client];

    c->news = sim_grow(c->news, sizeof(*c->news), c->n_news, &c->cap_news);
    c->news[c->n_news++] =
        (uint32_t) kind << KIND_BITS | (n - 1) << N_BITS | first;
    if (!c->telling) {
        sim_time at = c->told + NEWS_US;

        c->telling = true;
        at = at > s->now ? at : s->now;
        sim_later(s, at - s->now + sim_delay(s), EVENT_NEWS, (uint32_t) client,
                  0, 0);
    }
}

static void
apply(struct schedule *schedule, int source, uint32_t event, uint64_t now)
{
    uint32_t first = event & FIRST_MASK, n = (event >> N_BITS & 0x3fff) + 1;
    unsigned kind = event >> KIND_BITS;

    if (kind == 0) {
        schedule_gain(schedule, source, first, n, now);
    } else {
        schedule_claim(schedule, source, first, n, kind == 1, now);
    }
}

void
crowd_news(struct sim *s, int client)
{
    struct client *c = &s->clients[client];

    c->telling = false;
    c->told = s->now - sim_delay(s);
    ahead_of_news(s, c->followers, c->n_followers,
                  c->n_news > 0 ? c->news[0] & FIRST_MASK : 0);
    for (size_t i = 0; i < c->n_followers; i++) {
        struct follower f = c->followers[i];
        struct client *o = &s->clients[f.client];

        if (o->done != 0) {
            continue;
        }
        for (size_t k = 0; k < c->n_news; k++) {
            apply(o->schedule, f.source, c->news[k], ms(s));
        }
        client_dispatch(s, f.client, f.source);
    }
    c->n_news = 0;
}
