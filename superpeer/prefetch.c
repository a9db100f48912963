#include "prefetch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache.h"
#include "clock.h"
#include "dns.h"
#include "guard.h"
#include "origins.h"
#include "prefetch_internal.h"
#include "shoal.h"

/* Sets that had no room in the queue have their turn when it is empty. */
static bool
should_resume_locked(struct prefetch *p)
{
    if (p->resume_ms == 0 || p->stats.queued > 0 || clock_ms() < p->resume_ms)
    {
        return false;
    }
    p->resume_ms = 0;
    return true;
}

static void
wait_locked(struct prefetch *p)
{
    if (p->resume_ms == 0) {
        pthread_cond_wait(&p->queued, &p->lock);
    } else {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        ts.tv_sec++;
        pthread_cond_timedwait(&p->queued, &p->lock, &ts);
    }
}

static void
work_once_locked(struct prefetch *p)
{
    struct job *job = jobs_next_locked(p);

    if (job != NULL) {
        pthread_mutex_unlock(&p->lock);
        job_run(p, job);
        pthread_mutex_lock(&p->lock);
        jobs_done_locked(p, job);
    } else if (should_resume_locked(p)) {
        pthread_mutex_unlock(&p->lock);
        prefetch_resume(p);
        pthread_mutex_lock(&p->lock);
    } else {
        wait_locked(p);
    }
}

static void *
work(void *arg)
{
    struct prefetch *p = arg;

    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        work_once_locked(p);
    }
    p->n_working--;
    pthread_cond_broadcast(&p->queued);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

void
prefetch_add(struct prefetch *p, const struct resource *r,
             const struct prefetch_others *others)
{
    if (report_remembered(p, r->id) || report_needless(p, r)) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    int err = jobs_add_locked(p, r, PREFETCH_WAITED, others);
    pthread_mutex_unlock(&p->lock);
    if (err != 0) {
        report_refused(p, r, REASON_BUSY,
                       err == SHOAL_EFULL ? "the queue is full"
                                          : "out of memory");
    }
}

static void
add_background(struct prefetch *p, const struct resource *r)
{
    pthread_mutex_lock(&p->lock);
    if (jobs_add_locked(p, r, PREFETCH_BACKGROUND, NULL) != 0) {
        jobs_left_out_locked(p);
    }
    pthread_mutex_unlock(&p->lock);
}

/* A set's file, when nothing is waited for. */
static void
add_set(struct prefetch *p, const struct cache_info *info)
{
    struct prefetch_settings *s = prefetch_settings_get(p);
    struct resource r;

    if (resource_init(&r, info->url, info->size, info->provider, info->version)
        == 0)
    {
        memcpy(r.id, info->id, sizeof(r.id));
        if (!prefetch_settings_allow(s, r.url)) {
            cache_forget(p->cache, r.id);
        } else {
            add_background(p, &r);
        }
        resource_fini(&r);
    }
    prefetch_settings_free(s);
}

void
prefetch_again(struct prefetch *p, const uint8_t id[20])
{
    struct cache_info info;

    if (cache_info(p->cache, id, &info) == 0) {
        add_set(p, &info);
        cache_info_fini(&info);
    }
}

void
prefetch_resume(struct prefetch *p)
{
    struct cache_info *list;
    size_t n;

    if (cache_list(p->cache, &list, &n) != 0) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!list[i].complete) {
            add_set(p, &list[i]);
        }
    }
    cache_list_free(list, n);
}

/* Those that there are stay when fewer are wanted: they wait. */
static void
start_threads_locked(struct prefetch *p)
{
    while (p->n_threads < p->max_running) {
        if (pthread_create(&p->threads[p->n_threads], NULL, work, p) != 0) {
            break;
        }
        p->n_threads++;
        p->n_working++;
    }
}

static void
init_locks(struct prefetch *p)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->queued, &attr);
    pthread_condattr_destroy(&attr);
}

static int
take_settings(struct prefetch *p, const struct prefetch_options *options)
{
    struct prefetch_settings *fresh = prefetch_settings_create(options), *old;

    if (fresh == NULL) {
        return SHOAL_ENOMEM;
    }
    origins_limit(p->origins, options->origin_connections,
                  options->origin_rate);
    pthread_mutex_lock(&p->lock);
    old = p->settings;
    p->settings = fresh;
    p->max_running = options->jobs;
    p->max_queued = options->queue;
    refusals_forget(&p->refusals);
    start_threads_locked(p);
    pthread_cond_broadcast(&p->queued);
    pthread_mutex_unlock(&p->lock);
    prefetch_settings_free(old);
    return 0;
}

static struct dns_options
dns_options(const struct prefetch_options *o)
{
    return (struct dns_options){ o->resolver_servers, o->resolver_ms };
}

int
prefetch_start(const struct prefetch_options *options, struct prefetch **out)
{
    struct prefetch *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        return SHOAL_ENOMEM;
    }
    p->cache = options->cache;
    p->report = options->report;
    p->ctx = options->ctx;
    init_locks(p);
    p->name = strdup(options->name);
    struct dns_options dns = dns_options(options);
    p->origins = origins_create();
    int err = p->name != NULL && p->origins != NULL ? dns_start(&dns, &p->dns)
                                                    : SHOAL_ENOMEM;
    if (err == 0) {
        err = take_settings(p, options);
    }
    if (err == 0 && p->n_threads == 0) {
        err = SHOAL_ENOMEM;
    }
    if (err != 0) {
        prefetch_free(p);
        return err;
    }
    *out = p;
    return 0;
}

int
prefetch_reload(struct prefetch *p, const struct prefetch_options *options)
{
    struct dns_options dns = dns_options(options);
    int err = dns_reload(p->dns, &dns);

    return err != 0 ? err : take_settings(p, options);
}

void
prefetch_quit(struct prefetch *p)
{
    if (p == NULL) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->queued);
    pthread_mutex_unlock(&p->lock);
}

bool
prefetch_join(struct prefetch *p, uint64_t deadline_ms)
{
    struct timespec ts = { .tv_sec = (time_t) (deadline_ms / 1000),
                           .tv_nsec = (long) (deadline_ms % 1000) * 1000000 };
    int rc = 0;

    if (p == NULL) {
        return true;
    }
    pthread_mutex_lock(&p->lock);
    while (rc == 0 && p->n_working > 0) {
        rc = pthread_cond_timedwait(&p->queued, &p->lock, &ts);
    }
    bool ended = p->n_working == 0;
    pthread_mutex_unlock(&p->lock);
    while (ended && p->n_threads > 0) {
        pthread_join(p->threads[--p->n_threads], NULL);
    }
    return ended;
}

void
prefetch_free(struct prefetch *p)
{
    if (p == NULL) {
        return;
    }
    jobs_fini(p);
    pthread_cond_destroy(&p->queued);
    pthread_mutex_destroy(&p->lock);
    dns_stop(p->dns);
    origins_free(p->origins);
    prefetch_settings_free(p->settings);
    free(p->name);
    free(p);
}

void
prefetch_get_stats(struct prefetch *p, struct prefetch_stats *out)
{
    struct dns_stats dns;

    dns_get_stats(p->dns, &dns);
    pthread_mutex_lock(&p->lock);
    *out = p->stats;
    out->n_refusals = refusals_latest(&p->refusals, out->refusals);
    pthread_mutex_unlock(&p->lock);
    out->dns_lookups = dns.lookups;
    out->dns_cached = dns.cached;
    out->dns_failed = dns.failed;
    for (int i = 0; i < 3; i++) {
        out->bytes += out->got[i];
    }
}
