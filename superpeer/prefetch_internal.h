/* prefetch_internal.h - what the queue and the jobs share. */
#ifndef PREFETCH_INTERNAL_H
#define PREFETCH_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "origins.h"
#include "prefetch.h"
#include "resource.h"

struct transfer;

/* What one job needs of the options; those that run at a reload keep it. */
struct prefetch_settings {
    atomic_uint refs;
    struct guard *guard;
    struct resolve *resolve;
    struct ticket_keys *tickets;
    char *origin_ca;    /* NULL: the system's */
    char *bind_address; /* NULL: any */
    unsigned nodes;
};

/* A file that is wanted. */
struct job {
    struct job *next;
    struct resource resource;
    uint8_t url_key[RESOURCE_ID_LEN]; /* one at a time of each URL */
    enum prefetch_priority priority;
    struct prefetch_others others; /* its texts are the job's */
    char origin[ORIGINS_KEY_MAX];  /* that is asked first */
    struct origins_user *user;     /* while it runs */
};

enum {
    REFUSALS_MAX = 1024
};

/* The latest ones, a ring; an id is in it once at most. */
struct refusals {
    struct prefetch_refusal list[REFUSALS_MAX];
    uint64_t count; /* ever */
};

struct prefetch {
    struct cache *cache;
    struct dns *dns;
    struct origins *origins;
    char *name;
    void (*report)(void *ctx, const struct news_item *item);
    void *ctx;
    atomic_bool stop;
    pthread_mutex_t lock; /* of all below */
    struct prefetch_settings *settings;
    unsigned max_running, max_queued;
    pthread_cond_t queued;
    struct job *queue[PREFETCH_PRIORITIES]; /* first come, first served */
    struct job *running;
    uint64_t resume_ms; /* then sets that had no room in the queue; 0: none */
    struct refusals refusals;
    struct prefetch_stats stats; /* but what is reckoned when it is asked */
    pthread_t threads[PREFETCH_JOBS_MAX];
    unsigned n_threads;
    unsigned n_working; /* threads that have not ended */
};

/* prefetch_settings.c */

/** prefetch_settings_create(o): NULL when out of memory. */
struct prefetch_settings *prefetch_settings_create(
    const struct prefetch_options *o);

/** prefetch_settings_get(p): the ones that count now; undo with prefetch_settings_free(). */
struct prefetch_settings *prefetch_settings_get(struct prefetch *p);
void prefetch_settings_free(struct prefetch_settings *s);

/** prefetch_settings_origin(s, url, key): the origin that is asked for it; "" where
 *  there is none. */
void prefetch_settings_origin(const struct prefetch_settings *s,
                              const char *url, char key[ORIGINS_KEY_MAX]);

/** prefetch_settings_raise(s, url): is it an http URL that is fetched by https
 *  instead? */
bool prefetch_settings_raise(const struct prefetch_settings *s,
                             const char *url);

/** prefetch_settings_allow(s, url): may it be fetched, perhaps with https instead? */
bool prefetch_settings_allow(const struct prefetch_settings *s,
                             const char *url);

/* prefetch_jobs.c */

/**
 * jobs_add_locked(p, r, priority, others):
 * What is queued already, with a lower priority, comes up to this one, and its
 * URL becomes this one, whose query may be newer; what is queued or running,
 * is fine. Where the queue is full, a background job
 * gives way to one that somebody waits for.
 * Errors:  SHOAL_EFULL, SHOAL_ENOMEM.
 */
int jobs_add_locked(struct prefetch *p, const struct resource *r,
                    enum prefetch_priority priority,
                    const struct prefetch_others *others);

/** jobs_next_locked(p): the job to run next, which counts as running; NULL:
 *  none. */
struct job *jobs_next_locked(struct prefetch *p);

/** jobs_done_locked(p, job): it ran. */
void jobs_done_locked(struct prefetch *p, struct job *job);

/** jobs_left_out_locked(p): a set that is not complete had no room. */
void jobs_left_out_locked(struct prefetch *p);

/** jobs_fini(p): forget what waits. */
void jobs_fini(struct prefetch *p);

/* prefetch_refusals.c */

/** refusals_add(f, id, refusal, now): remember it for as long as its reason
 *  is worth. */
void refusals_add(struct refusals *f, const struct prefetch_refusal *refusal,
                  uint64_t now_ms);

/** refusals_find(f, id, now): that is remembered, or NULL. */
struct prefetch_refusal *refusals_find(struct refusals *f,
                                       const uint8_t id[20], uint64_t now_ms);

/** refusals_forget(f): nothing is answered from memory any more. */
void refusals_forget(struct refusals *f);

/** refusals_latest(f, out): up to PREFETCH_REFUSALS, newest first. */
size_t refusals_latest(const struct refusals *f, struct prefetch_refusal *out);

/* prefetch_stats.c */

/** What of one transfer is counted already. */
struct counted {
    uint64_t got[3], wasted[3], wrong[3], retries;
};

/** stats_bytes(p, t, before): what came in since. */
void stats_bytes(struct prefetch *p, const struct transfer *t,
                 struct counted *before);

/** stats_probes(p, t): what its CDN nodes said; once, at its end. */
void stats_probes(struct prefetch *p, const struct transfer *t);

/** stats_done(p, complete, size, took_ms): a job ended. */
void stats_done(struct prefetch *p, bool complete, uint64_t size,
                uint64_t took_ms);

/* prefetch_report.c */

/** report_item(p, id, item): as it is. */
void report_item(struct prefetch *p, const uint8_t id[20],
                 struct news_item *item);

/** report_complete(p, id): true when the set is, and was reported as such. */
bool report_complete(struct prefetch *p, const uint8_t id[20]);

/** report_refused(p, r, reason, why): ${why} is for logs and status. */
void report_refused(struct prefetch *p, const struct resource *r,
                    enum prefetch_reason reason, const char *why);

/** report_remembered(p, id): it was refused lately; reported again. */
bool report_remembered(struct prefetch *p, const uint8_t id[20]);

/** report_needless(p, r): it is held, or not wanted; reported as such. */
bool report_needless(struct prefetch *p, const struct resource *r);

/* prefetch_job.c */

/** job_run(p, job): have it in the cache, and report what came of it. */
void job_run(struct prefetch *p, const struct job *job);

#endif
