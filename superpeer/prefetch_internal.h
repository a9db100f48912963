/* prefetch_internal.h - what the queue and the jobs share. */
#ifndef PREFETCH_INTERNAL_H
#define PREFETCH_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "prefetch.h"
#include "resource.h"

struct job {
    struct job *next;
    struct resource resource;
    uint8_t url_key[RESOURCE_ID_LEN]; /* one at a time of each URL */
};

struct prefetch {
    struct prefetch_options o;
    atomic_bool stop;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t queued;
    struct job *queue; /* first come, first served */
    struct job *running;
    unsigned n_queued, n_running;
    uint64_t done, failed, bytes;
    struct prefetch_refusal refusals[PREFETCH_REFUSALS]; /* a ring */
    uint64_t refused;
    pthread_t *threads;
    unsigned n_threads;
    unsigned n_working; /* threads that have not ended */
};

/** job_run(p, r): have ${r} in the cache, and report what came of it. */
void job_run(struct prefetch *p, const struct resource *r);

/** job_refuse(p, r, reason, why): report it; ${reason} is the protocol's
 *  word, ${why} is for logs and status. */
void job_refuse(struct prefetch *p, const struct resource *r,
                const char *reason, const char *why);

/** job_is_needless(p, r): it is held, or not wanted; reported as such. */
bool job_is_needless(struct prefetch *p, const struct resource *r);

#endif
