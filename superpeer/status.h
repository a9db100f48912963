/* status.h - the listener for the operator: /healthz, /status, /metrics. */
#ifndef STATUS_H
#define STATUS_H

#include <stddef.h>
#include <stdint.h>

struct agent;
struct cache;
struct config_address;
struct prefetch;
struct serve;
struct status;
struct watch;

/** What it shows. All are borrowed. */
struct status_sources {
    const char *name;
    struct cache *cache;
    struct serve *serve;
    struct prefetch *prefetch;
    struct agent *agent;
    struct watch *watch;
    uint64_t started_ms; /* set by status_start() */
};

/**
 * status_start(address, sources, out, why, cap):
 * Listen and answer in a thread of its own. Words of an error go to ${why}.
 * Errors:  SHOAL_ENET, SHOAL_ENOMEM.
 */
int status_start(const struct config_address *address,
                 const struct status_sources *sources, struct status **out,
                 char *why, size_t cap);

/** status_stop(s): NULL is a no-op. */
void status_stop(struct status *s);

#endif
