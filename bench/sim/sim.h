/* sim.h - a discrete-event simulator of downloads that runs the client's own
 * schedule (lib/schedule.h): up and down links, delays, joins and leaves,
 * those that stall and those that lie. One seed, one outcome. */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blockmap.h"
#include "neighbours.h"
#include "schedule.h"

enum {
    NONE = -1,
    NEIGHBOURS = 30, /* that a client follows at a time */
    KNOWN_MAX = 64,  /* further ones that it remembers */
    NODES_MAX = 16
};

/** Time is in microseconds from the start. */
typedef uint64_t sim_time;

enum event_kind {
    EVENT_JOIN,    /* a: client */
    EVENT_TRACKER, /* a: client; the answer is there */
    EVENT_FOLLOW,  /* a: client, b: of whom it gets the bitmap */
    EVENT_ARRIVE,  /* a: flow; the request is there */
    EVENT_SENT,    /* a: host; a block has left it */
    EVENT_BLOCK,   /* a: flow, b: block; it is there */
    EVENT_FAILED,  /* a: flow; the client hears that its host is gone */
    EVENT_NEWS,    /* a: client; its log comes to who follows it */
    EVENT_TICK,    /* a: client */
    EVENT_RENEW,   /* a: client; a useless neighbour makes room */
    EVENT_LEAVE,   /* a: client; killed */
    EVENT_STALL,   /* a: host; it stands still for good */
    EVENT_SLOW     /* a: host; what is left of its rate is `slow_to` */
};

struct event {
    sim_time at;
    uint32_t a, b;
    uint32_t mark; /* of what it is for: void when that has changed */
    uint32_t kind;
};

/* queue.c: a heap of things with a key, smallest first */
struct queue {
    struct event *list;
    size_t n, cap;
};

void queue_add(struct queue *q, const struct event *e);
bool queue_take(struct queue *q, struct event *out);
void queue_fini(struct queue *q);

/** A request of a client at a host, for blocks [block, end). */
enum flow_state {
    FLOW_FREE,
    FLOW_ASKED,   /* on its way */
    FLOW_WAITING, /* for a slot */
    FLOW_SENDING,
    FLOW_LANDING /* all has been sent */
};

struct flow {
    enum flow_state state;
    uint32_t mark;
    int client, host, source, work;
    uint32_t block, end;
    uint32_t landed;  /* the next block to come in */
    uint32_t claimed; /* blocks [landed, claimed) were told as being fetched */
    double begun;     /* in the host's units of service */
    double finish;    /* of the block, likewise */
    uint64_t told;    /* bytes that the schedule knows of */
    uint64_t arrived; /* bytes of whole blocks */
    int next_free;
};

/** Who sends: a CDN node, a super peer, a client. */
struct host {
    double rate; /* bytes a microsecond */
    int slots;   /* that it serves at a time; 0: any number */
    bool gone, stalled, liar;
    int *serving; /* a heap by `finish` */
    size_t n_serving, cap_serving;
    int *waiting; /* in order of arrival */
    size_t n_waiting, cap_waiting;
    double served; /* bytes that each flow would have had since the start */
    sim_time served_at;
    uint32_t mark;  /* of its next EVENT_SENT */
    uint16_t *sent; /* a block's copies; NULL: does not care */
    uint64_t bytes;
};

struct follower {
    int client, source;
};

/** What a client knows of a source. */
struct link {
    int host;
    bool met, dropped;
    unsigned strikes, failures;
    uint64_t got; /* bytes */
    struct neighbours_yield yield;
    sim_time retry;
};

struct client {
    struct blockmap map;
    struct schedule *schedule;
    double down; /* bytes a microsecond */
    sim_time down_free;
    sim_time joined, done;
    bool here, super, seed;
    struct link *links; /* a source's */
    int n_links;
    size_t cap_links;
    int cdn_flows[2 * NODES_MAX]; /* of all nodes */
    int n_cdn_flows;
    int n_following;
    int *flows; /* a work's */
    size_t cap_flows;
    struct follower *followers;
    size_t n_followers, cap_followers;
    int known[KNOWN_MAX];
    int n_known;
    uint32_t *news; /* events not yet told: kind, first, n */
    size_t n_news, cap_news;
    sim_time told; /* when the last of them was */
    bool telling, waking;
    uint64_t got; /* of peers */
    uint64_t wasted;
    uint64_t random;
};

struct sim_options {
    uint32_t clients;
    uint64_t size; /* bytes */
    uint64_t seed;
    double cdn, up, down, super; /* bits a second */
    double up_odd;               /* of every second client; 0: as the others */
    uint32_t nodes, supers, liars;
    uint32_t seeds; /* clients that are complete at the start ... */
    double seed_up; /* ... and have that uplink */
    bool depart;    /* who is complete leaves */
    double node_rates[NODES_MAX]; /* bits a second; 0: `cdn` each */
    double delay_ms;              /* one way */
    double hold_ms;               /* the tracker's answers */
    double join_s;                /* they come over so long ... */
    bool even;                    /* ... at equal distances, not by chance */
    double leave_s;
    uint32_t leave;   /* so many, at leave_s */
    uint32_t stall;   /* likewise */
    double node_at_s; /* node 0 then ... */
    double node_to;   /* ... has that rate; 0: it stands still; < 0: dies */
    double limit_s;   /* given up */
    const char *rule; /* NULL, or what failed once: rules.c */
    bool json, quiet;
};

struct sim {
    struct sim_options o;
    sim_time now;
    struct queue queue;
    struct host *hosts;          /* CDN nodes, then clients and super peers */
    struct client *clients;      /* of host o.nodes + i */
    uint32_t n_hosts, n_clients; /* super peers included */
    struct flow *flows;
    int n_flows, free_flow;
    size_t cap_flows;
    int *registered; /* with the tracker */
    uint32_t n_registered;
    uint32_t n_done, n_expected;
    uint64_t random, events, wasted;
};

struct sim_result {
    double bound_s, last_s, mean_s, percentile_s[4]; /* 50, 90, 99, 100 */
    double ratio, mean_ratio, copies, waste, seconds;
    uint32_t finished, expected;
    uint64_t events;
};

/* main.c: out of memory ends the program */
void *sim_grow(void *list, size_t size, size_t n, size_t *cap);
uint64_t sim_random(uint64_t *state);

static inline sim_time
sim_delay(const struct sim *s)
{
    return (sim_time) (s->o.delay_ms * 1000);
}

void sim_later(struct sim *s, sim_time in, enum event_kind kind, uint32_t a,
               uint32_t b, uint32_t mark);

/* host.c */
void host_arrive(struct sim *s, int flow);
void host_sent(struct sim *s, int host);

/** host_drop(s, flow): it is not wanted any more. The bytes of it that have
 *  been sent and did not make a block. */
double host_drop(struct sim *s, int flow);

/** host_progress(s, flow): bytes that have been sent so far. */
uint64_t host_progress(struct sim *s, int flow);
void host_leave(struct sim *s, int host);
void host_set_rate(struct sim *s, int host, double rate);

/* flow.c */
int flow_create(struct sim *s);
void flow_free(struct sim *s, int flow);

/* client.c */
void client_join(struct sim *s, int client);
int client_add_source(struct sim *s, int client, int host,
                      enum source_kind kind);
void client_ban(struct sim *s, int client, int source);
void client_block(struct sim *s, int flow, uint32_t block);
void client_failed(struct sim *s, int flow);
/** client_progress(s, client): its schedule hears of blocks that are partly
 *  there. */
void client_progress(struct sim *s, int client);
void client_tick(struct sim *s, int client);
void client_wake(struct sim *s, int client);
void client_leave(struct sim *s, int client);
void client_dispatch(struct sim *s, int client, int source);

/* crowd.c: who follows whom, and what they are told */
void crowd_ask(struct sim *s, int client);
void crowd_told(struct sim *s, int client);
void crowd_know(struct sim *s, int client, int other);
void crowd_pick(struct sim *s, int client, int most);
void crowd_follow(struct sim *s, int client, int other);
void crowd_unfollow(struct sim *s, int client, int source);
void crowd_renew(struct sim *s, int client);
void crowd_news(struct sim *s, int client);
void crowd_say(struct sim *s, int client, unsigned kind, uint32_t first,
               uint32_t n);
void crowd_leave(struct sim *s, int client);

/* ahead.c */

/** ahead_of_news(s, list, n, block): what news of the block will touch at its
 *  followers is brought into the processor's caches. */
void ahead_of_news(const struct sim *s, const struct follower *list, size_t n,
                   uint32_t block);

/* rules.c: what failed once, to see that it would be noticed */

/** rules_pick(s, client, source, out): the block that such a rule gives it;
 *  NONE: no such rule is asked for. False: nothing. */
bool rules_apply(const struct sim *s, int client, int source);
bool rules_pick(struct sim *s, int client, int source, uint32_t *out);

/* world.c */
void world_init(struct sim *s, const struct sim_options *o);
void world_run(struct sim *s);
void world_result(struct sim *s, struct sim_result *out);
void world_fini(struct sim *s);

#endif
