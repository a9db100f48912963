/* agent.h - the super peer's side of its trackers: a poll kept open at each
 * for commands, and news told to all of them. */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;
struct config;
struct news;
struct news_item;
struct resource;

/** What calls tell of this machine. */
struct agent_load {
    uint64_t capacity; /* bytes of cache */
    uint64_t free;     /* bytes */
    unsigned active;   /* uploads now */
    uint64_t active_max;
    uint64_t rate_max; /* bytes a second up; 0: no limit */
    uint64_t sent;     /* bytes since the start */
    uint64_t got[3];   /* likewise: from super peers, peers, CDN nodes */
    uint64_t cpu_us;   /* likewise, of this process */
    unsigned cores;
};

/** Called from the agent's threads. */
struct agent_ops {
    /** A tracker wants this prepared; idempotent. */
    void (*prepare)(void *ctx, const struct resource *r);

    /** Put everything that is held or being filled into ${all}. Not 0: it
     *  is asked again later. */
    int (*announce)(void *ctx, struct news *all);

    void (*load)(void *ctx, struct agent_load *out);
    void *ctx;
};

enum {
    AGENT_ERROR_MAX = 160 /* characters of an error's words */
};

/** One tracker, for the status. */
struct agent_status {
    const char *url;
    bool connected; /* its last calls were answered */
    char epoch[17]; /* "" when not known */
    char error[AGENT_ERROR_MAX];
    uint64_t prepares; /* commands since the start */
    size_t pending;    /* news */
};

/** agent_create(config, port, ops, out): calls nobody yet. Borrows ${config}
 *  and ${ops} until agent_free(). SHOAL_ENOMEM, SHOAL_EIO. */
int agent_create(const struct config *config, uint16_t port,
                 const struct agent_ops *ops, struct agent **out);

/** agent_start(a): begin to call; once. SHOAL_ENOMEM. */
int agent_start(struct agent *a);

/** agent_tell(a, item): to every tracker, soon. Does not block. */
void agent_tell(struct agent *a, const struct news_item *item);

/** agent_flush(a, timeout_ms): wait until the trackers that can be reached
 *  were told everything. */
void agent_flush(struct agent *a, unsigned timeout_ms);

/** agent_quit(a): ends calls and threads, soon; NULL is a no-op.
 *  agent_tell() may still be called until agent_free(). */
void agent_quit(struct agent *a);

/** agent_join(a, deadline_ms): wait for that, by the monotonic clock. False:
 *  a thread still hangs, in the resolver, and uses ${a}. NULL is a no-op. */
bool agent_join(struct agent *a, uint64_t deadline_ms);

/** agent_free(a): after agent_join(), if it was started. */
void agent_free(struct agent *a);

size_t agent_count(const struct agent *a);
void agent_get_status(struct agent *a, size_t i, struct agent_status *out);

#endif
