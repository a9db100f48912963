/* prefetch.h - fetches whole files from CDN nodes, and from other super peers,
 * into the cache, so many at once, each only once. */
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
struct ticket_keys;

enum {
    PREFETCH_JOBS_MAX = 64,
    PREFETCH_OTHERS_MAX = 8 /* super peers that a tracker names */
};

struct prefetch_options {
    struct cache *cache;
    const char *name; /* spreads where super peers begin to read */
    struct guard *guard;
    struct resolve *resolve;
    struct ticket_keys *tickets;  /* for those of other super peers */
    const char *resolver_servers; /* as in dns.h; NULL: the system's */
    unsigned resolver_ms;         /* a name takes that long at most */
    const char *origin_ca;        /* PEM; NULL: the system's */
    const char *bind_address;     /* NULL: any */
    unsigned jobs;                /* at once, 1 to PREFETCH_JOBS_MAX */
    unsigned queue;               /* may wait */
    unsigned nodes;               /* CDN nodes of one file at once */
    unsigned origin_connections;  /* to one origin; 0: no limit */
    uint64_t origin_rate;         /* bytes a second, likewise */

    /** What trackers are to be told. Any thread, must not block. */
    void (*report)(void *ctx, const struct news_item *item);
    void *ctx;
};

/** Who else has a file, as a tracker says. */
struct prefetch_others {
    const char *urls[PREFETCH_OTHERS_MAX]; /* bases of block servers */
    size_t n;
    bool has_root;
    uint8_t root[32];
};

/** prefetch_start(options, out): borrows the cache; of guard, resolve and
 *  tickets it becomes a further user, all else is copied. SHOAL_ENOMEM,
 *  SHOAL_EINVAL (servers). */
int prefetch_start(const struct prefetch_options *options,
                   struct prefetch **out);

/**
 * prefetch_reload(p, options):
 * Other settings, all but the cache, the name and the report, which stay as
 * they are. Limits count at once; a job that runs keeps guard, overrides and
 * addresses that it began with. What was refused may be asked for again.
 *
 * Errors:  SHOAL_ENOMEM, SHOAL_EINVAL (servers); then all is as before.
 */
int prefetch_reload(struct prefetch *p,
                    const struct prefetch_options *options);

/**
 * prefetch_add(p, r, others):
 * Have ${r}, under its id, in the cache, as somebody waits for it; what comes
 * of it is reported: held at once when it is complete, being filled, or
 * refused, also from memory. ${others} is copied; NULL: nobody else has it.
 */
void prefetch_add(struct prefetch *p, const struct resource *r,
                  const struct prefetch_others *others);

/** prefetch_again(p, id): fetch what the set lacks, when there is nothing
 *  that somebody waits for. Does not block. */
void prefetch_again(struct prefetch *p, const uint8_t id[20]);

/** prefetch_resume(p): likewise of all sets that are not complete; those
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
    PREFETCH_REFUSALS = 32, /* that the status shows */
    PREFETCH_URL_MAX = 200  /* characters that are remembered */
};

/** Why something was not prepared, for the status. */
struct prefetch_refusal {
    uint8_t id[20];
    const char *reason;
    char url[PREFETCH_URL_MAX]; /* without its query */
    char why[1024];
    uint64_t when;    /* seconds since 1970 */
    uint64_t until;   /* remembered until then, by clock_ms(); 0: not */
    uint64_t repeats; /* asked for since, and answered from memory */
};

/** Who comes first. */
enum prefetch_priority {
    PREFETCH_WAITED,     /* a tracker's command */
    PREFETCH_BACKGROUND, /* sets of earlier runs, damaged ones */
    PREFETCH_PRIORITIES
};

/** What CDN nodes said to a file's job. */
enum prefetch_probe {
    PROBE_AGREES,
    PROBE_OTHER, /* size or version */
    PROBE_NOTFOUND,
    PROBE_DENIED, /* the guard */
    PROBE_REDIRECT,
    PROBE_FAILED,
    PREFETCH_PROBES
};

enum prefetch_reason {
    REASON_ORIGIN,
    REASON_NOTFOUND,
    REASON_NOAGREE,
    REASON_TOOLARGE,
    REASON_PRIVATE,
    REASON_BUSY,
    REASON_FAILED,
    PREFETCH_REASONS
};

enum {
    PREFETCH_SIZES = 4, /* classes of files by size */
    PREFETCH_TIMES = 8  /* buckets; above the last one: only counted */
};

/** Upper bounds, bytes; the last class has none (UINT64_MAX). */
extern const uint64_t prefetch_sizes[PREFETCH_SIZES];

/** Upper bounds, milliseconds. */
extern const uint64_t prefetch_times[PREFETCH_TIMES];

/** The protocol's words, and labels for metrics. */
extern const char *const prefetch_reasons[PREFETCH_REASONS];
extern const char *const prefetch_probes[PREFETCH_PROBES];

/** How long files of one class took until they were complete. */
struct prefetch_histogram {
    uint64_t buckets[PREFETCH_TIMES]; /* not added up */
    uint64_t count, sum_ms;
};

/** Gauges, and counters since the start. Kinds are enum source_kind. */
struct prefetch_stats {
    unsigned running, queued;
    unsigned queued_by[PREFETCH_PRIORITIES];
    uint64_t done, failed;
    uint64_t bytes;     /* taken, of all kinds */
    uint64_t got[3];    /* of them, by kind of source */
    uint64_t wasted[3]; /* of these, thrown away */
    uint64_t wrong[3];  /* blocks that failed their check, likewise */
    uint64_t probes[PREFETCH_PROBES];
    uint64_t refused[PREFETCH_REASONS];
    uint64_t remembered; /* of them, answered from memory */
    uint64_t displaced;  /* background jobs that gave way */
    uint64_t retries;    /* requests that failed and were tried again */
    uint64_t dns_lookups, dns_cached, dns_failed;
    struct prefetch_histogram times[PREFETCH_SIZES];
    struct prefetch_refusal refusals[PREFETCH_REFUSALS]; /* newest first */
    size_t n_refusals;
};

void prefetch_get_stats(struct prefetch *p, struct prefetch_stats *out);

#endif
