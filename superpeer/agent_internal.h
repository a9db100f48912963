/* agent_internal.h - what the agent's files share. */
#ifndef AGENT_INTERNAL_H
#define AGENT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent.h"
#include "meter.h"

struct call;
struct config_tracker;
struct lookup;
struct node_addr;

enum {
    POLL_MS = 25000, /* the protocol's default */
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 10000,
    SENT_AWAY_MS = 250,  /* polls that a reload ended come back within */
    NEW_EPOCH_MS = 500,  /* full announcements after a restart begin within */
    IDLE_MS = 10000,     /* a thread that waits looks up that often */
    QUIET_MS = 30000,    /* a quiet link asks that often whose address it
                             has */
    TAKE_OVER_MS = 4000, /* it may speak when the other one is away for so
                             long */
    QUERY_MAX = 1024
};

/* One tracker of the configuration. Under the agent's lock. */
struct tracker {
    struct tracker *next;
    struct config *config; /* held; `conf` is in it */
    const struct config_tracker *conf;
    bool gone; /* not in the configuration any more */
    struct lookup *lookup;
    uint64_t lookup_at_ms; /* the next one */
    unsigned failures;     /* of look-ups, in a row */
    char error[AGENT_ERROR_MAX];
    struct tracker_link *links;
};

/* One address of a tracker: a thread that polls and one that tells news. */
struct tracker_link {
    struct tracker_link *next;
    struct agent *agent;
    struct config *config; /* held; `conf` is in it */
    const struct config_tracker *conf;
    char address[AGENT_ADDRESS_MAX];
    char *name; /* in log lines */
    struct call *poll_call, *news_call;
    pthread_t poll_thread, news_thread;
    bool poll_started, news_started;
    atomic_bool stop;
    atomic_uint_fast64_t poll_moved_ms, news_moved_ms;
    /* under the agent's lock */
    unsigned threads; /* that have not ended */
    unsigned missing; /* look-ups in a row without this address */
    struct news *news;
    bool active;    /* the one link that speaks to its tracker */
    bool overtaken; /* another address of the tracker was told a port: it may
                       take the super peer to be there */
    bool want_full; /* a full announcement is due, */
    uint64_t full_at_ms; /* not before that */
    bool announced;      /* the first one has begun: polls may start */
    bool telling;        /* a call with news is under way */
    bool connected;
    uint64_t down_ms; /* since when it is not */
    char epoch[17];
    uint64_t cursor;
    uint64_t answered; /* the highest answered call with news */
    uint64_t last_seq; /* of the last word, below those of who comes after */
    uint64_t calls, failures, prepares, announcements;
    char poll_error[AGENT_ERROR_MAX], news_error[AGENT_ERROR_MAX];
};

struct agent {
    const struct agent_ops *ops;
    uint16_t port;
    bool https; /* what is at that port */
    char session[17];
    pthread_t keeper;
    atomic_uint_fast64_t keeper_moved_ms;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* news, answers, stop */
    /* under the lock */
    struct config *config; /* held */
    struct tracker *trackers;
    bool stop, keeping;
    unsigned threads; /* that have not ended */
    uint64_t seq;     /* of the last call with news, at any tracker */
    struct meter meter;
};

/* What an answer said, less the commands, which are handled at once. */
struct reply {
    char epoch[17];
    uint64_t cursor;
    size_t prepares;
};

/* A call's arguments beside those that all have. */
struct question {
    int wait_ms;
    uint64_t seq;
    const char *full, *event; /* NULL: none */
    bool unnamed; /* without a port: who is known there stays where it is; a
                     tracker that does not know it answers 400 */
};

/** agent_wait_locked(a, deadline_ms): for any change; false when the time is
 *  over. */
bool agent_wait_locked(struct agent *a, uint64_t deadline_ms);

/* Walks through all links; zeroed at its start. */
struct walk {
    struct tracker *tracker;
    struct tracker_link *link;
};

/** agent_next_locked(a, w): NULL after the last one. */
struct tracker_link *agent_next_locked(const struct agent *a, struct walk *w);

/** link_pause(l, ms): or until the link is to end. */
void link_pause(struct tracker_link *l, unsigned ms);

/** agent_backoff_ms(failures): how long to wait after so many. */
unsigned agent_backoff_ms(unsigned failures);

/** agent_jitter_ms(most): from 0 to ${most}, each the same. */
unsigned agent_jitter_ms(unsigned most);

/* ---- agent_keeper.c ---- */

/** The thread that keeps a link for each address; the argument is the
 *  agent. */
void *agent_keep(void *arg);

/** tracker_create(config, conf), tracker_free(t): ${config} is held. NULL:
 *  out of memory. It has no links when it is freed. */
struct tracker *tracker_create(struct config *config,
                               const struct config_tracker *conf);
void tracker_free(struct tracker *t);

/* ---- agent_link.c ---- */

/** link_create(a, t, addr): NULL: out of memory. */
struct tracker_link *link_create(struct agent *a, const struct tracker *t,
                                 const struct node_addr *addr);

/** link_start_locked(l): its threads; false: none could be started, or only
 *  one, which ends. */
bool link_start_locked(struct tracker_link *l);

/** link_end_locked(l): its threads end, soon. */
void link_end_locked(struct tracker_link *l);

/** link_join(l), link_free(l): when they have. */
void link_join(struct tracker_link *l);
void link_free(struct tracker_link *l);

/**
 * link_claim_locked(l, epoch):
 * May ${l} speak to the tracker of that epoch? Not while another link does
 * whose address is the same tracker's: two polls would end each other.
 */
bool link_claim_locked(struct tracker_link *l, const char *epoch);

/** link_has_company(l): another link speaks, to whatever tracker. */
bool link_has_company(struct tracker_link *l);

/** link_overtake_locked(l, epoch): the link that speaks to the tracker of that
 *  epoch says again where it is. */
void link_overtake_locked(struct tracker_link *l, const char *epoch);

/** link_goes_on(l): it is neither to end nor quiet. */
bool link_goes_on(struct tracker_link *l);

/* ---- agent_call.c ---- */

/**
 * link_call(l, poll, question, body, out):
 * One call; commands in its answer are carried out.
 * Errors:  SHOAL_EINVAL when the tracker does not want this call, now or
 *          ever; else it may be repeated.
 */
int link_call(struct tracker_link *l, bool poll,
              const struct question *question, const char *body,
              struct reply *out);

/** link_parse(l, body, len, out): an answer's body, whose commands are carried
 *  out. SHOAL_EPROTO: it makes no sense. */
int link_parse(struct tracker_link *l, const char *body, size_t len,
               struct reply *out);

/** link_take_epoch_locked(l, r, first): ${first}: ${r} is the answer to the
 *  beginning of a full announcement. */
void link_take_epoch_locked(struct tracker_link *l, const struct reply *r,
                            bool first);

/** The threads; the argument is the link. */
void *link_news_loop(void *arg);
void *link_poll_loop(void *arg);

#endif
