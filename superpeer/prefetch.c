#include "prefetch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache.h"
#include "dns.h"
#include "guard.h"
#include "prefetch_internal.h"
#include "shoal.h"

static void
job_free(struct job *j)
{
    resource_fini(&j->resource);
    free(j);
}

static struct job *
job_create(const struct resource *r)
{
    struct resource plain;
    struct job *j = calloc(1, sizeof(*j));

    if (j == NULL
        || resource_init(&j->resource, r->url, r->size, r->provider,
                         r->version)
               != 0)
    {
        free(j);
        return NULL;
    }
    memcpy(j->resource.id, r->id, RESOURCE_ID_LEN);
    if (resource_init(&plain, r->url, 0, r->provider, NULL) != 0) {
        job_free(j);
        return NULL;
    }
    memcpy(j->url_key, plain.id, RESOURCE_ID_LEN);
    resource_fini(&plain);
    return j;
}

static bool
has_id(const struct job *list, const uint8_t id[20])
{
    for (; list != NULL; list = list->next) {
        if (memcmp(list->resource.id, id, RESOURCE_ID_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static bool
has_url(const struct job *list, const uint8_t key[20])
{
    for (; list != NULL; list = list->next) {
        if (memcmp(list->url_key, key, RESOURCE_ID_LEN) == 0) {
            return true;
        }
    }
    return false;
}

/* The first in the queue whose URL no other job works on: two versions of
 * one URL would take each other's room. */
static struct job *
next_locked(struct prefetch *p)
{
    if (p->n_running >= p->max_running) {
        return NULL;
    }
    for (struct job **j = &p->queue; *j != NULL; j = &(*j)->next) {
        struct job *job = *j;

        if (!has_url(p->running, job->url_key)) {
            *j = job->next;
            job->next = p->running;
            p->running = job;
            p->n_queued--;
            p->n_running++;
            return job;
        }
    }
    return NULL;
}

static void
done_locked(struct prefetch *p, struct job *job)
{
    struct job **j = &p->running;

    while (*j != job) {
        j = &(*j)->next;
    }
    *j = job->next;
    p->n_running--;
    pthread_cond_broadcast(&p->queued); /* its URL is free */
    job_free(job);
}

static void *
work(void *arg)
{
    struct prefetch *p = arg;

    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        struct job *job = next_locked(p);

        if (job == NULL) {
            pthread_cond_wait(&p->queued, &p->lock);
            continue;
        }
        pthread_mutex_unlock(&p->lock);
        job_run(p, &job->resource);
        pthread_mutex_lock(&p->lock);
        done_locked(p, job);
    }
    p->n_working--;
    pthread_cond_broadcast(&p->queued);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* 0 also when it is there already; SHOAL_EFULL, SHOAL_ENOMEM. */
static int
enqueue(struct prefetch *p, const struct resource *r)
{
    struct job *job = NULL, **end = &p->queue;
    int err = 0;

    pthread_mutex_lock(&p->lock);
    if (has_id(p->queue, r->id) || has_id(p->running, r->id)) {
        goto done;
    }
    if (p->n_queued >= p->max_queued) {
        err = SHOAL_EFULL;
        goto done;
    }
    job = job_create(r);
    if (job == NULL) {
        err = SHOAL_ENOMEM;
        goto done;
    }
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = job;
    p->n_queued++;
    pthread_cond_signal(&p->queued);

done:
    pthread_mutex_unlock(&p->lock);
    return err;
}

void
prefetch_add(struct prefetch *p, const struct resource *r)
{
    if (job_is_needless(p, r)) {
        return;
    }
    int err = enqueue(p, r);
    if (err != 0) {
        job_refuse(p, r, "busy", "the queue is full");
    }
}

void
prefetch_again(struct prefetch *p, const uint8_t id[20])
{
    struct cache_info info;
    struct resource r;

    if (cache_info(p->cache, id, &info) != 0) {
        return;
    }
    if (resource_init(&r, info.url, info.size, info.provider, info.version)
        == 0) {
        memcpy(r.id, id, sizeof(r.id));
        enqueue(p, &r);
        resource_fini(&r);
    }
    cache_info_fini(&info);
}

void
prefetch_resume(struct prefetch *p)
{
    struct cache_info *list;
    size_t n;

    if (cache_list(p->cache, &list, &n) != 0) {
        return;
    }
    struct settings *s = settings_get(p);
    for (size_t i = 0; i < n; i++) {
        struct resource r;

        if (list[i].complete
            || resource_init(&r, list[i].url, list[i].size, list[i].provider,
                             list[i].version)
                   != 0)
        {
            continue;
        }
        memcpy(r.id, list[i].id, sizeof(r.id));
        if (guard_url(s->guard, r.url) != 0) {
            cache_forget(p->cache, r.id);
        } else {
            enqueue(p, &r);
        }
        resource_fini(&r);
    }
    settings_free(s);
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
    struct settings *fresh = settings_create(options), *old;

    if (fresh == NULL) {
        return SHOAL_ENOMEM;
    }
    pthread_mutex_lock(&p->lock);
    old = p->settings;
    p->settings = fresh;
    p->max_running = options->jobs;
    p->max_queued = options->queue;
    start_threads_locked(p);
    pthread_cond_broadcast(&p->queued);
    pthread_mutex_unlock(&p->lock);
    settings_free(old);
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
    int err = p->name != NULL ? dns_start(&dns, &p->dns) : SHOAL_ENOMEM;
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
    while (p->queue != NULL) {
        struct job *j = p->queue;

        p->queue = j->next;
        job_free(j);
    }
    pthread_cond_destroy(&p->queued);
    pthread_mutex_destroy(&p->lock);
    dns_stop(p->dns);
    settings_free(p->settings);
    free(p->name);
    free(p);
}

void
prefetch_get_stats(struct prefetch *p, struct prefetch_stats *out)
{
    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&p->lock);
    out->running = p->n_running;
    out->queued = p->n_queued;
    out->done = p->done;
    out->failed = p->failed;
    out->bytes = p->bytes;
    out->n_refusals = p->refused < PREFETCH_REFUSALS ? (size_t) p->refused
                                                     : PREFETCH_REFUSALS;
    for (size_t i = 0; i < out->n_refusals; i++) {
        out->refusals[i] =
            p->refusals[(p->refused - 1 - i) % PREFETCH_REFUSALS];
    }
    pthread_mutex_unlock(&p->lock);
}
