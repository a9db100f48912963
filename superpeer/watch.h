/* watch.h - sees that the parts move, and tells systemd's watchdog so. */
#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;
struct cache;
struct serve;
struct watch;

/** All are borrowed until watch_stop(). */
struct watch_sources {
    struct cache *cache;
    struct serve *serve;
    struct agent *agent;
    const char *address; /* of the block server; NULL: any */
};

/**
 * watch_start(sources, out):
 * Look at the parts again and again in a thread. The cache's writer has to
 * turn, its syncs to end, the block server to answer a connection, within half
 * the watchdog's time, or a minute where there is none; the agent's threads,
 * which wait for trackers, within a minute at the least. As long as all do,
 * the watchdog hears of it. SHOAL_ENOMEM.
 */
int watch_start(const struct watch_sources *sources, struct watch **out);

/** watch_fault(w, why, cap): what does not move, or cannot be written; false:
 *  all is well. */
bool watch_fault(struct watch *w, char *why, size_t cap);

/** watch_summary(w, out, cap): the state in some words. */
void watch_summary(struct watch *w, char *out, size_t cap);

/** watch_stop(w): NULL is a no-op. */
void watch_stop(struct watch *w);

#endif
