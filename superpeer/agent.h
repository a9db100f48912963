/* agent.h - the super peer's side of its trackers: at each of their addresses
 * a poll kept open for commands, and news told. */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;
struct config;
struct news;
struct news_item;
struct prefetch_others;
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
    /** A tracker wants this prepared, and says who else has it;
     *  idempotent. */
    void (*prepare)(void *ctx, const struct resource *r,
                    const struct prefetch_others *others);

    /** Put some of what is held or being filled into ${some}: one call's
     *  worth at most, from ${*cursor} on, which is 0 at first and again when
     *  that was all. Not 0: all of it is asked for again later. */
    int (*announce)(void *ctx, size_t *cursor, struct news *some);

    void (*load)(void *ctx, struct agent_load *out);
    void *ctx;
};

enum {
    AGENT_ERROR_MAX = 160,  /* characters of an error's words */
    AGENT_ADDRESS_MAX = 80, /* of ADDRESS:PORT */
    AGENT_LINKS_MAX = 64    /* addresses of all trackers */
};

/** One address of a tracker, for the status; or one tracker whose addresses
 *  are not known. */
struct agent_status {
    char *url;
    char address[AGENT_ADDRESS_MAX]; /* "": not known */
    bool connected;                  /* its last calls were answered */
    bool same;      /* the same tracker as another address: quiet */
    char epoch[17]; /* "" when not known */
    char error[AGENT_ERROR_MAX];
    uint64_t calls, failures; /* since the start */
    uint64_t prepares;        /* commands, likewise */
    uint64_t announcements;   /* full ones, likewise */
    size_t pending;           /* news */
};

/** agent_create(config, port, ops, out): calls nobody yet. Holds ${config},
 *  borrows ${ops} until agent_free(). SHOAL_ENOMEM, SHOAL_EIO. */
int agent_create(struct config *config, uint16_t port,
                 const struct agent_ops *ops, struct agent **out);

/** agent_start(a): begin to call; once. SHOAL_ENOMEM. */
int agent_start(struct agent *a);

/**
 * agent_reload(a, config):
 * Trackers, locality and overrides of ${config}, which is held, from now on.
 * Trackers that are as they were go on; those that are gone are told so.
 * Errors:  SHOAL_ENOMEM, and nothing has changed.
 */
int agent_reload(struct agent *a, struct config *config);

/** agent_tell(a, item): to every tracker, soon. Does not block. */
void agent_tell(struct agent *a, const struct news_item *item);

/** agent_flush(a, timeout_ms): wait until the trackers that can be reached
 *  were told everything. */
void agent_flush(struct agent *a, unsigned timeout_ms);

/** agent_quit(a): tells trackers that it stops, ends calls and threads, soon;
 *  NULL is a no-op. agent_tell() may still be called until agent_free(). */
void agent_quit(struct agent *a);

/** agent_join(a, deadline_ms): wait for that, by the monotonic clock. False:
 *  a thread still hangs, and uses ${a}. NULL is a no-op. */
bool agent_join(struct agent *a, uint64_t deadline_ms);

/** agent_free(a): after agent_join(), if it was started. */
void agent_free(struct agent *a);

/** agent_list(a, out, n): free with agent_list_free(). SHOAL_ENOMEM. */
int agent_list(struct agent *a, struct agent_status **out, size_t *n);
void agent_list_free(struct agent_status *list, size_t n);

/** agent_idle_ms(a): since the thread that moved the longest ago did. More
 *  than a minute: it hangs. Does not wait for it. */
uint64_t agent_idle_ms(struct agent *a);

#endif
