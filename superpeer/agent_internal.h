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

enum {
    POLL_MS = 25000, /* the protocol's default */
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 10000,
    QUERY_MAX = 1024
};

/* One tracker: a thread that polls and one that tells news. */
struct tracker_link {
    struct agent *agent;
    const struct config_tracker *tracker;
    struct call *poll_call, *news_call;
    pthread_t poll_thread, news_thread;
    bool poll_started, news_started;
    /* under the agent's lock */
    struct news *news;
    bool want_full; /* a full announcement is due */
    bool announced; /* the first one has begun: polls may start */
    bool telling;   /* a call with news is under way */
    bool connected;
    char session[17];
    char epoch[17];
    uint64_t cursor;
    uint64_t seq;      /* of the last call with news */
    uint64_t answered; /* the highest answered one */
    uint64_t prepares;
    char poll_error[AGENT_ERROR_MAX], news_error[AGENT_ERROR_MAX];
};

struct agent {
    const struct config *config;
    const struct agent_ops *ops;
    uint16_t port;
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* news, answers, stop */
    struct tracker_link *links;
    size_t count;
    unsigned threads; /* that have not ended */
    struct meter meter;
};

/* What an answer said, less the commands, which are handled at once. */
struct reply {
    char epoch[17];
    uint64_t cursor;
    size_t prepares;
};

/** agent_wait_locked(a, deadline_ms): for any change; false when the time is
 *  over. */
bool agent_wait_locked(struct agent *a, uint64_t deadline_ms);

/** agent_pause(a, ms): or until the agent is to end. */
void agent_pause(struct agent *a, unsigned ms);

/** agent_backoff_ms(failures): how long to wait after so many. */
unsigned agent_backoff_ms(unsigned failures);

void agent_thread_ends_locked(struct agent *a);

/** link_query(l, wait_ms, seq, full, out): the arguments of a call. */
void link_query(struct tracker_link *l, int wait_ms, uint64_t seq,
                const char *full, char out[QUERY_MAX]);

/**
 * link_call(l, poll, query, body, out):
 * One call; commands in its answer are carried out.
 * Errors:  SHOAL_EINVAL when the tracker does not want this call, now or
 *          ever; else it may be repeated.
 */
int link_call(struct tracker_link *l, bool poll, const char *query,
              const char *body, struct reply *out);

/** link_take_epoch_locked(l, r, first): ${first}: ${r} is the answer to the
 *  beginning of a full announcement. */
void link_take_epoch_locked(struct tracker_link *l, const struct reply *r,
                            bool first);

/** The threads; the argument is the link. */
void *link_news_loop(void *arg);
void *link_poll_loop(void *arg);

#endif
