/* prefetch_stats.c - what jobs count. */
#include <string.h>

#include "prefetch_internal.h"
#include "transfer.h"

const uint64_t prefetch_sizes[PREFETCH_SIZES] = {
    UINT64_C(16) << 20, UINT64_C(256) << 20, UINT64_C(4) << 30, UINT64_MAX
};

const uint64_t prefetch_times[PREFETCH_TIMES] = {
    100, 300, 1000, 3000, 10000, 30000, 100000, 300000
};

const char *const prefetch_probes[PREFETCH_PROBES] = {
    [PROBE_AGREES] = "agrees",     [PROBE_OTHER] = "other",
    [PROBE_NOTFOUND] = "notfound", [PROBE_DENIED] = "denied",
    [PROBE_REDIRECT] = "redirect", [PROBE_FAILED] = "failed",
};

/* What is thrown away later moves from one sum to the other. */
static uint64_t
grown(uint64_t now, uint64_t *before)
{
    uint64_t more = now > *before ? now - *before : 0;

    *before += more;
    return more;
}

void
stats_bytes(struct prefetch *p, const struct transfer *t,
            struct counted *before)
{
    struct counted now;

    memset(&now, 0, sizeof(now));
    for (size_t i = 0; i < transfer_source_count(t); i++) {
        struct source_stats s;

        transfer_source(t, i, &s);
        now.got[s.kind] += s.used + s.wasted;
        now.wasted[s.kind] += s.wasted;
        now.wrong[s.kind] += s.wrong;
    }
    uint64_t retries = transfer_retries(t);
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < 3; i++) {
        p->stats.got[i] += grown(now.got[i], &before->got[i]);
        p->stats.wasted[i] += grown(now.wasted[i], &before->wasted[i]);
        p->stats.wrong[i] += grown(now.wrong[i], &before->wrong[i]);
    }
    p->stats.retries += grown(retries, &before->retries);
    pthread_mutex_unlock(&p->lock);
}

void
stats_probes(struct prefetch *p, const struct transfer *t)
{
    static const enum prefetch_probe of[] = {
        [SOURCE_GOOD] = PROBE_AGREES,        [SOURCE_OTHER] = PROBE_OTHER,
        [SOURCE_MISSING] = PROBE_NOTFOUND,   [SOURCE_DENIED] = PROBE_DENIED,
        [SOURCE_REDIRECTS] = PROBE_REDIRECT, [SOURCE_FAILED] = PROBE_FAILED,
    };

    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < transfer_source_count(t); i++) {
        struct source_stats s;

        transfer_source(t, i, &s);
        if (s.kind == SOURCE_CDN && s.result != SOURCE_UNASKED) {
            p->stats.probes[of[s.result]]++;
        }
    }
    pthread_mutex_unlock(&p->lock);
}

void
stats_done(struct prefetch *p, bool complete, uint64_t size, uint64_t took_ms)
{
    size_t class = 0, bucket = 0;

    while (size > prefetch_sizes[class]) {
        class ++;
    }
    while (bucket < PREFETCH_TIMES && took_ms > prefetch_times[bucket]) {
        bucket++;
    }
    pthread_mutex_lock(&p->lock);
    p->stats.done += complete;
    p->stats.failed += !complete;
    struct prefetch_histogram *h = &p->stats.times[class];
    if (complete) {
        h->count++;
        h->sum_ms += took_ms;
        if (bucket < PREFETCH_TIMES) {
            h->buckets[bucket]++;
        }
    }
    pthread_mutex_unlock(&p->lock);
}
