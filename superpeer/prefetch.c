#include "prefetch.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "blockmap.h"
#include "cache.h"
#include "clock.h"
#include "guard.h"
#include "log.h"
#include "news.h"
#include "resource.h"
#include "shoal.h"
#include "store.h"
#include "transfer.h"

enum {
    REPORT_MS = 200 /* between two reports of one file's filling */
};

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

/* What the callbacks of one transfer need. */
struct fill {
    struct prefetch *prefetch;
    const struct resource *resource;
    struct cache_set *set;
    uint64_t reported_ms;
    uint32_t reported;
};

/* ---- reports ---- */

static void
report(struct prefetch *p, const uint8_t id[20], struct news_item *item)
{
    memcpy(item->id, id, sizeof(item->id));
    p->o.report(p->o.ctx, item);
}

/* True when the set is complete, and reported as such. */
static bool
report_complete(struct prefetch *p, const uint8_t id[20])
{
    struct news_item item = { .kind = NEWS_HELD };
    struct cache_info info;

    if (cache_info(p->o.cache, id, &info) != 0) {
        return false;
    }
    bool complete = info.complete;
    item.empty = info.blocks == 0;
    item.copy = info.copy;
    memcpy(item.root, info.root, sizeof(item.root));
    cache_info_fini(&info);
    if (complete) {
        report(p, id, &item);
    }
    return complete;
}

static void
report_filling(struct fill *f)
{
    struct news_item item = { .kind = NEWS_FILLING };

    item.held = f->reported = cache_held(f->prefetch->o.cache, f->set);
    f->reported_ms = clock_ms();
    report(f->prefetch, f->resource->id, &item);
}

/* Why, in the protocol's words and, for logs and status, in others. */
static void
refuse(struct prefetch *p, const struct resource *r, const char *reason,
       const char *why)
{
    struct news_item item = { .kind = NEWS_REFUSED, .reason = reason };
    char url[LOG_URL_MAX];

    log_url(r->url, url);
    log_line(LOG_LEVEL_WARN, r->id, "prefetch %s: refused: %s: %s", url,
             reason, why);
    pthread_mutex_lock(&p->lock);
    struct prefetch_refusal *slot =
        &p->refusals[p->refused++ % PREFETCH_REFUSALS];
    memcpy(slot->id, r->id, sizeof(slot->id));
    slot->reason = reason;
    snprintf(slot->url, sizeof(slot->url), "%.*s", (int) sizeof(slot->url) - 1,
             url);
    snprintf(slot->why, sizeof(slot->why), "%s", why);
    slot->when = (uint64_t) time(NULL);
    pthread_mutex_unlock(&p->lock);
    report(p, r->id, &item);
}

static const char *
reason_of(int err)
{
    switch (err) {
    case SHOAL_EDENIED:
        return "origin";
    case SHOAL_ENOTFOUND:
        return "notfound";
    case SHOAL_ENOAGREE:
        return "noagree";
    case SHOAL_EPRIVATE:
        return "private";
    case SHOAL_EFULL:
        return "busy";
    default:
        return "failed";
    }
}

/* Can a node be asked whether it still has these very bytes? */
static bool
is_comparable(const char *version)
{
    return strncmp(version, "etag:", 5) == 0
           || strncmp(version, "mtime:", 6) == 0;
}

/* Nothing of it can be used any more, or its room is needed; or nobody could
 * tell later whether what is held belongs to what the nodes then have. */
static bool
is_final(int err, const struct resource *r)
{
    return !is_comparable(r->version) || err == SHOAL_EDENIED
           || err == SHOAL_ENOTFOUND || err == SHOAL_ENOAGREE
           || err == SHOAL_EPRIVATE || err == SHOAL_EFULL || err == SHOAL_EIO;
}

/* ---- callbacks of the transfer ---- */

static int
store_write(void *ctx, uint32_t block, const void *data, size_t len,
            const uint8_t hash[32])
{
    struct fill *f = ctx;

    return cache_write(f->prefetch->o.cache, f->set, block, data, len, hash);
}

static int
store_read(void *ctx, uint64_t off, void *buf, size_t len)
{
    struct fill *f = ctx;

    return cache_read(f->prefetch->o.cache, f->set, off, buf, len);
}

static void
store_drop(void *ctx, uint32_t block)
{
    struct fill *f = ctx;

    cache_drop(f->prefetch->o.cache, f->set, block);
}

static const struct store_ops store_ops = { store_write, store_read,
                                            store_drop };

/* A node agrees: only now may another version of the URL go. */
static int
on_begin(void *ctx, const struct resource *r, struct blockmap *held,
         uint8_t *layer, struct store *store)
{
    struct fill *f = ctx;
    struct cache *c = f->prefetch->o.cache;

    (void) r; /* the tracker's id counts, which is the job's */
    int err = cache_fill(c, f->resource, &f->set);
    if (err != 0) {
        return err;
    }
    err = cache_load(c, f->set, held, layer);
    if (err != 0) {
        return err;
    }
    if (held->held > 0) {
        log_line(LOG_LEVEL_INFO, f->resource->id,
                 "prefetch: goes on with %" PRIu32 " of %" PRIu32 " blocks",
                 held->held, held->count);
    }
    store->ops = &store_ops;
    store->ctx = f;
    report_filling(f);
    return 0;
}

static void
on_progress(void *ctx)
{
    struct fill *f = ctx;

    if (f->set != NULL && clock_ms() - f->reported_ms >= REPORT_MS
        && cache_held(f->prefetch->o.cache, f->set) != f->reported)
    {
        report_filling(f);
    }
}

static const struct transfer_ops transfer_ops = {
    .begin = on_begin,
    .progress = on_progress,
};

/* ---- one job ---- */

/* Super peers that fetch one file begin at different places. */
static unsigned
start_permille(const char *name, const uint8_t id[20])
{
    uint32_t hash = 2166136261; /* FNV-1a */

    for (; *name != '\0'; name++) {
        hash = (hash ^ (uint8_t) *name) * 16777619;
    }
    for (int i = 0; i < RESOURCE_ID_LEN; i++) {
        hash = (hash ^ id[i]) * 16777619;
    }
    return hash % 1000;
}

static uint64_t
share_of_rate(const struct prefetch *p)
{
    uint64_t rate = p->o.origin_rate / p->o.jobs;

    return p->o.origin_rate != 0 && rate == 0 ? 1 : rate;
}

static int
run_transfer(struct prefetch *p, struct fill *f, char *why, size_t cap)
{
    const struct resource *r = f->resource;
    struct transfer_guard guard = guard_hooks(p->o.guard);
    struct transfer_options o = {
        .url = r->url,
        .want = r,
        .resolve = p->o.resolve,
        .guard = &guard,
        .bind_address = p->o.bind_address,
        .unshared = true,
        .nodes = p->o.nodes,
        .start_permille = start_permille(p->o.name, r->id),
        .max_rate = share_of_rate(p),
        .stop = &p->stop,
        .ops = &transfer_ops,
        .ctx = f,
    };

    struct transfer *t = transfer_create(&o);
    if (t == NULL) {
        snprintf(why, cap, "out of memory");
        return SHOAL_ENOMEM;
    }
    int err = transfer_run(t);
    snprintf(why, cap, "%s", transfer_error(t));
    if (err == 0 && f->set == NULL) {
        err = SHOAL_EPROTO;
    }
    if (err == 0) {
        err = cache_finish(p->o.cache, f->set, transfer_root(t),
                           !transfer_only_cdn(t));
        snprintf(why, cap, "cache: %s", shoal_strerror(err));
    }
    uint64_t bytes = 0;
    for (size_t i = 0; i < transfer_source_count(t); i++) {
        struct source_stats s;

        transfer_source(t, i, &s);
        bytes += s.used + s.wasted;
    }
    transfer_free(t);
    pthread_mutex_lock(&p->lock);
    p->bytes += bytes;
    pthread_mutex_unlock(&p->lock);
    return err;
}

/* True: refused before a byte was asked for. */
static bool
refused_at_once(struct prefetch *p, const struct resource *r)
{
    if (guard_url(p->o.guard, r->url) != 0) {
        refuse(p, r, "origin", "not an allowed origin");
        return true;
    }
    if (cache_too_large(p->o.cache, r->size)) {
        refuse(p, r, "toolarge", "above 80 % of the cache");
        return true;
    }
    return false;
}

static void
finish_job(struct prefetch *p, const struct resource *r, int err,
           const char *why)
{
    if (err == SHOAL_ESTOPPED || (err != 0 && p->stop)) {
        return;
    }
    if (err != 0 && is_final(err, r)) {
        cache_forget(p->o.cache, r->id);
    }
    pthread_mutex_lock(&p->lock);
    p->done += err == 0;
    p->failed += err != 0;
    pthread_mutex_unlock(&p->lock);
    if (err != 0) {
        refuse(p, r, reason_of(err), why);
    } else {
        report_complete(p, r->id);
    }
}

static void
run_job(struct prefetch *p, const struct resource *r)
{
    struct fill f = { .prefetch = p, .resource = r };
    char url[LOG_URL_MAX], why[512] = "";
    uint64_t begun = clock_ms();

    if (report_complete(p, r->id) || refused_at_once(p, r)) {
        return;
    }
    log_url(r->url, url);
    log_line(LOG_LEVEL_INFO, r->id, "prefetch %s: begins, %" PRIu64 " bytes",
             url, r->size);
    int err = run_transfer(p, &f, why, sizeof(why));
    cache_fill_end(p->o.cache, f.set);
    finish_job(p, r, err, why);
    if (err == 0) {
        log_line(LOG_LEVEL_INFO, r->id,
                 "prefetch %s: complete after %" PRIu64 " ms", url,
                 clock_ms() - begun);
    }
}

/* ---- queue and threads ---- */

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
        run_job(p, &job->resource);
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
    if (p->n_queued >= p->o.queue) {
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
    if (report_complete(p, r->id) || refused_at_once(p, r)) {
        return;
    }
    int err = enqueue(p, r);
    if (err != 0) {
        refuse(p, r, "busy", "the queue is full");
    }
}

void
prefetch_resume(struct prefetch *p)
{
    struct cache_info *list;
    size_t n;

    if (cache_list(p->o.cache, &list, &n) != 0) {
        return;
    }
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
        bool allowed = guard_url(p->o.guard, r.url) == 0;
        if (!allowed || !is_comparable(r.version)) {
            cache_forget(p->o.cache, r.id);
        }
        if (allowed) {
            enqueue(p, &r);
        }
        resource_fini(&r);
    }
    cache_list_free(list, n);
}

static void
start_threads(struct prefetch *p)
{
    pthread_mutex_lock(&p->lock);
    while (p->threads != NULL && p->n_threads < p->o.jobs) {
        if (pthread_create(&p->threads[p->n_threads], NULL, work, p) != 0) {
            break;
        }
        p->n_threads++;
        p->n_working++;
    }
    pthread_mutex_unlock(&p->lock);
}

int
prefetch_start(const struct prefetch_options *options, struct prefetch **out)
{
    struct prefetch *p = calloc(1, sizeof(*p));
    pthread_condattr_t attr;

    if (p == NULL) {
        return SHOAL_ENOMEM;
    }
    p->o = *options;
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->queued, &attr);
    pthread_condattr_destroy(&attr);
    p->threads = calloc(p->o.jobs, sizeof(*p->threads));
    start_threads(p);
    if (p->n_threads == 0) {
        prefetch_free(p);
        return SHOAL_ENOMEM;
    }
    *out = p;
    return 0;
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
    free(p->threads);
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
