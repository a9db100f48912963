/* prefetch.h - fetches whole files from CDN nodes into the cache, so many at
 * once, each only once. */
#ifndef PREFETCH_H
#define PREFETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;
struct guard;
struct news_item;
struct prefetch;
struct resolve;
struct resource;

enum {
    PREFETCH_JOBS_MAX = 64
};

struct prefetch_options {
    struct cache *cache;
    const char *name; /* spreads where super peers begin to read */
    struct guard *guard;
    struct resolve *resolve;
    const char *resolver_servers; /* as in dns.h; NULL: the system's */
    unsigned resolver_ms;         /* a name takes that long at most */
    const char *bind_address;     /* NULL: any */
    unsigned jobs;                /* at once, 1 to PREFETCH_JOBS_MAX */
    unsigned queue;               /* may wait */
    unsigned nodes;               /* CDN nodes of one file at once */
    uint64_t origin_rate;         /* bytes a second of all; 0: no limit */

    /** What trackers are to be told. Any thread, must not block. */
    void (*report)(void *ctx, const struct news_item *item);
    void *ctx;
};

/** prefetch_start(options, out): borrows the cache; of guard and resolve it
 *  becomes a further user, all else is copied. SHOAL_ENOMEM,
 *  SHOAL_EINVAL (servers). */
int prefetch_start(const struct prefetch_options *options,
                   struct prefetch **out);

/**
 * prefetch_reload(p, options):
 * Other settings, all but the cache, the name and the report, which stay as
 * they are. Limits count at once; a job that runs keeps guard, overrides and
 * addresses that it began with.
 *
 * Errors:  SHOAL_ENOMEM, SHOAL_EINVAL (servers); then all is as before.
 */
int prefetch_reload(struct prefetch *p,
                    const struct prefetch_options *options);

/**
 * prefetch_add(p, r):
 * Have ${r}, under its id, in the cache; what comes of it is reported: held
 * at once when it is complete, being filled, or refused.
 */
void prefetch_add(struct prefetch *p, const struct resource *r);

/** prefetch_again(p, id): fetch what the set lacks. Does not block. */
void prefetch_again(struct prefetch *p, const uint8_t id[20]);

/** prefetch_resume(p): go on with all sets that are not complete; those
 *  whose version is not known are begun anew, as their bytes may be others
 *  by now. */
void prefetch_resume(struct prefetch *p);

/** prefetch_quit(p): ends what is under way, soon; what was fetched stays.
 *  NULL is a no-op. */
void prefetch_quit(struct prefetch *p);

/** prefetch_join(p, deadline_ms): wait for that, by the monotonic clock.
 *  False: a job still hangs, in a large deletion, and uses ${p} and the
 *  cache. NULL is a no-op. */
bool prefetch_join(struct prefetch *p, uint64_t deadline_ms);

/** prefetch_free(p): after prefetch_join(). */
void prefetch_free(struct prefetch *p);

enum {
    PREFETCH_REFUSALS = 32, /* that are remembered */
    PREFETCH_URL_MAX = 200  /* characters that are */
};

/** Why something was not prepared, for the status. */
struct prefetch_refusal {
    uint8_t id[20];
    const char *reason;
    char url[PREFETCH_URL_MAX]; /* without its query */
    char why[200];
    uint64_t when; /* seconds since 1970 */
};

struct prefetch_stats {
    unsigned running, queued;
    uint64_t done, failed;
    uint64_t bytes; /* from CDN nodes, of finished runs */
    struct prefetch_refusal refusals[PREFETCH_REFUSALS]; /* newest first */
    size_t n_refusals;
};

void prefetch_get_stats(struct prefetch *p, struct prefetch_stats *out);

#endif
