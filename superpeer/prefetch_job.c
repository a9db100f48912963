/* prefetch_job.c - one file from its CDN nodes into the cache: a transfer, and
 * what trackers are told of it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "blockmap.h"
#include "cache.h"
#include "clock.h"
#include "dns.h"
#include "guard.h"
#include "log.h"
#include "news.h"
#include "prefetch_internal.h"
#include "shoal.h"
#include "store.h"
#include "transfer.h"

enum {
    REPORT_MS = 200 /* between two reports of one file's filling */
};

/* What the callbacks of one transfer need. */
struct fill {
    struct prefetch *prefetch;
    const struct resource *resource;
    const struct settings *settings;
    struct cache_set *set;
    uint64_t reported_ms;
    uint32_t reported;
};

/* ---- reports ---- */

static void
report(struct prefetch *p, const uint8_t id[20], struct news_item *item)
{
    memcpy(item->id, id, sizeof(item->id));
    p->report(p->ctx, item);
}

/* True when the set is complete, and reported as such. */
static bool
report_complete(struct prefetch *p, const uint8_t id[20])
{
    struct news_item item = { .kind = NEWS_HELD };
    struct cache_info info;

    if (cache_info(p->cache, id, &info) != 0) {
        return false;
    }
    bool complete = info.complete;
    item.empty = info.blocks == 0;
    item.copy = info.copy;
    memcpy(item.root, info.root, sizeof(item.root));
    cache_info_fini(&info);
    if (complete) {
        cache_pin(p->cache, id);
        report(p, id, &item);
    }
    return complete;
}

static void
report_filling(struct fill *f)
{
    struct news_item item = { .kind = NEWS_FILLING };

    item.held = f->reported = cache_held(f->prefetch->cache, f->set);
    f->reported_ms = clock_ms();
    report(f->prefetch, f->resource->id, &item);
}

void
job_refuse(struct prefetch *p, const struct resource *r, const char *reason,
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

/* ---- callbacks of the transfer ---- */

static int
store_write(void *ctx, uint32_t block, const void *data, size_t len,
            const uint8_t hash[32])
{
    struct fill *f = ctx;

    return cache_write(f->prefetch->cache, f->set, block, data, len, hash);
}

static int
store_read(void *ctx, uint64_t off, void *buf, size_t len)
{
    struct fill *f = ctx;

    return cache_read(f->prefetch->cache, f->set, off, buf, len);
}

static void
store_drop(void *ctx, uint32_t block)
{
    struct fill *f = ctx;

    cache_drop(f->prefetch->cache, f->set, block);
}

static const struct store_ops store_ops = { store_write, store_read,
                                            store_drop };

/* Can a node be asked whether it still has these very bytes? */
static bool
can_go_on(const struct resource *r)
{
    return strncmp(r->version, "etag:", 5) == 0
           || strncmp(r->version, "mtime:", 6) == 0;
}

/* A node agrees: only now may another version of the URL go. */
static int
on_begin(void *ctx, const struct resource *r, struct blockmap *held,
         uint8_t *layer, struct store *store)
{
    struct fill *f = ctx;
    struct cache *c = f->prefetch->cache;

    (void) r; /* the tracker's id counts, which is the job's */
    int err = cache_fill(c, f->resource, &f->set);
    if (err == 0 && cache_held(c, f->set) > 0 && !can_go_on(f->resource)) {
        cache_fill_end(c, f->set);
        f->set = NULL;
        cache_forget(c, f->resource->id);
        err = cache_fill(c, f->resource, &f->set);
    }
    if (err == 0) {
        err = cache_load(c, f->set, held, layer);
    }
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
on_fetching(void *ctx, uint32_t first, uint32_t n, bool on)
{
    struct fill *f = ctx;

    cache_fetching(f->prefetch->cache, f->set, first, n, on);
}

static void
on_progress(void *ctx)
{
    struct fill *f = ctx;

    if (f->set != NULL && clock_ms() - f->reported_ms >= REPORT_MS
        && cache_held(f->prefetch->cache, f->set) != f->reported)
    {
        report_filling(f);
    }
}

static const struct transfer_ops transfer_ops = {
    .begin = on_begin,
    .fetching = on_fetching,
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

static int
run_transfer(struct prefetch *p, struct fill *f, char *why, size_t cap)
{
    const struct resource *r = f->resource;
    const struct settings *s = f->settings;
    struct transfer_guard guard = guard_hooks(s->guard);
    struct lookup_hook lookup = dns_hook(p->dns);
    struct transfer_options o = {
        .url = r->url,
        .want = r,
        .resolve = s->resolve,
        .lookup = &lookup,
        .guard = &guard,
        .bind_address = s->bind_address,
        .unshared = true,
        .nodes = s->nodes,
        .start_permille = start_permille(p->name, r->id),
        .max_rate = s->job_rate,
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
        err = cache_finish(p->cache, f->set, transfer_root(t),
                           !transfer_only_cdn(t));
        snprintf(why, cap, "cache: %s", shoal_strerror(err));
    }
    uint64_t bytes = 0;
    for (size_t i = 0; i < transfer_source_count(t); i++) {
        struct source_stats from;

        transfer_source(t, i, &from);
        bytes += from.used + from.wasted;
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
    struct settings *s = settings_get(p);
    bool allowed = guard_url(s->guard, r->url) == 0;

    settings_free(s);
    if (!allowed) {
        job_refuse(p, r, "origin", "not an allowed origin");
        return true;
    }
    if (cache_too_large(p->cache, r->size)) {
        job_refuse(p, r, "toolarge", "above 80 % of the cache");
        return true;
    }
    return false;
}

bool
job_is_needless(struct prefetch *p, const struct resource *r)
{
    return report_complete(p, r->id) || refused_at_once(p, r);
}

/* Nothing of it can be used any more, or its room is needed; or nobody could
 * tell later whether what is held belongs to what the nodes then have. */
static bool
is_final(int err, const struct resource *r)
{
    return !can_go_on(r) || err == SHOAL_EDENIED || err == SHOAL_ENOTFOUND
           || err == SHOAL_ENOAGREE || err == SHOAL_EPRIVATE
           || err == SHOAL_EFULL || err == SHOAL_EIO;
}

static void
finish_job(struct prefetch *p, const struct resource *r, int err,
           const char *why)
{
    if (err == SHOAL_ESTOPPED || (err != 0 && p->stop)) {
        return;
    }
    if (err != 0 && is_final(err, r)) {
        cache_forget(p->cache, r->id);
    }
    pthread_mutex_lock(&p->lock);
    p->done += err == 0;
    p->failed += err != 0;
    pthread_mutex_unlock(&p->lock);
    if (err != 0) {
        job_refuse(p, r, reason_of(err), why);
    } else {
        report_complete(p, r->id);
    }
}

void
job_run(struct prefetch *p, const struct resource *r)
{
    struct fill f = { .prefetch = p, .resource = r };
    char url[LOG_URL_MAX], why[512] = "";
    uint64_t begun = clock_ms();

    if (job_is_needless(p, r)) {
        return;
    }
    log_url(r->url, url);
    log_line(LOG_LEVEL_INFO, r->id, "prefetch %s: begins, %" PRIu64 " bytes",
             url, r->size);
    struct settings *s = settings_get(p);
    f.settings = s;
    int err = run_transfer(p, &f, why, sizeof(why));
    settings_free(s);
    cache_fill_end(p->cache, f.set);
    finish_job(p, r, err, why);
    if (err == 0) {
        log_line(LOG_LEVEL_INFO, r->id,
                 "prefetch %s: complete after %" PRIu64 " ms", url,
                 clock_ms() - begun);
    }
}
