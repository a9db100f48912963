/* prefetch_internal.h - what the queue and the jobs share. */
#ifndef PREFETCH_INTERNAL_H
#define PREFETCH_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "prefetch.h"
#include "resource.h"

/* What one job needs of the options; those that run at a reload keep it. */
struct settings {
    atomic_uint refs;
    struct guard *guard;
    struct resolve *resolve;
    char *bind_address; /* NULL: any */
    unsigned nodes;
    uint64_t job_rate; /* bytes a second; 0: no limit */
};

struct job {
    struct job *next;
    struct resource resource;
    uint8_t url_key[RESOURCE_ID_LEN]; /* one at a time of each URL */
};

struct prefetch {
    struct cache *cache;
    struct dns *dns;
    char *name;
    void (*report)(void *ctx, const struct news_item *item);
    void *ctx;
    atomic_bool stop;
    pthread_mutex_t lock; /* of all below */
    struct settings *settings;
    unsigned max_running, max_queued;
    pthread_cond_t queued;
    struct job *queue; /* first come, first served */
    struct job *running;
    unsigned n_queued, n_running;
    uint64_t done, failed, bytes;
    struct prefetch_refusal refusals[PREFETCH_REFUSALS]; /* a ring */
    uint64_t refused;
    pthread_t threads[PREFETCH_JOBS_MAX];
    unsigned n_threads;
    unsigned n_working; /* threads that have not ended */
};

/** settings_create(o): NULL when out of memory. */
struct settings *settings_create(const struct prefetch_options *o);

/** settings_get(p): the ones that count now; undo with settings_free(). */
struct settings *settings_get(struct prefetch *p);
void settings_free(struct settings *s);

/** job_run(p, r): have ${r} in the cache, and report what came of it. */
void job_run(struct prefetch *p, const struct resource *r);

/** job_refuse(p, r, reason, why): report it; ${reason} is the protocol's
 *  word, ${why} is for logs and status. */
void job_refuse(struct prefetch *p, const struct resource *r,
                const char *reason, const char *why);

/** job_is_needless(p, r): it is held, or not wanted; reported as such. */
bool job_is_needless(struct prefetch *p, const struct resource *r);

#endif
