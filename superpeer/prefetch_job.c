/* prefetch_job.c - one file from its CDN nodes into the cache: a transfer, and
 * what trackers are told of it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "blockmap.h"
#include "cache.h"
#include "clock.h"
#include "digest.h"
#include "dns.h"
#include "guard.h"
#include "log.h"
#include "news.h"
#include "origins.h"
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
    const struct prefetch_settings *settings;
    struct cache_set *set;
    struct transfer *transfer;
    struct counted counted;
    uint64_t reported_ms;
    uint32_t reported;
    bool plain; /* the set is marked so */
};

struct outcome {
    int err;
    char why[2048];
    uint64_t took_ms;
};

static void
report_filling(struct fill *f)
{
    struct news_item item = { .kind = NEWS_FILLING };

    item.plain = f->plain;
    item.held = f->reported = cache_held(f->prefetch->cache, f->set);
    f->reported_ms = clock_ms();
    report_item(f->prefetch, f->resource->id, &item);
}

/* Before anything of it is said or written. */
static int
note_plain(struct fill *f)
{
    if (f->plain || !transfer_by_http(f->transfer)) {
        return 0;
    }
    f->plain = true;
    return cache_mark_plain(f->prefetch->cache, f->set);
}

static enum prefetch_reason
reason_of(int err)
{
    switch (err) {
    case SHOAL_EDENIED:
        return REASON_ORIGIN;
    case SHOAL_ENOTFOUND:
        return REASON_NOTFOUND;
    case SHOAL_ENOAGREE:
        return REASON_NOAGREE;
    case SHOAL_EPRIVATE:
        return REASON_PRIVATE;
    case SHOAL_EFULL:
        return REASON_BUSY;
    default:
        return REASON_FAILED;
    }
}

/* ---- callbacks of the transfer ---- */

static int
store_write(void *ctx, uint32_t block, const void *data, size_t len,
            const uint8_t hash[32])
{
    struct fill *f = ctx;

    int err = note_plain(f);
    if (err == 0) {
        err = cache_write(f->prefetch->cache, f->set, block, data, len, hash);
    }
    if (err == 0 && f->reported == 0) {
        report_filling(f); /* the first one that can be served */
    }
    return err;
}

static int
store_read(void *ctx, uint64_t off, void *buf, size_t len)
{
    struct fill *f = ctx;

    return cache_read(f->prefetch->cache, f->set, off, buf, len);
}

static int
store_drop(void *ctx, uint32_t block)
{
    struct fill *f = ctx;

    cache_drop(f->prefetch->cache, f->set, block);
    return 0;
}

static const struct store_ops store_ops = { store_write, store_read,
                                            store_drop, NULL };

/* Can a node be asked whether it still has these very bytes? */
static bool
has_validator(const struct resource *r)
{
    return strncmp(r->version, "etag:", 5) == 0
           || strncmp(r->version, "mtime:", 6) == 0;
}

/*
 * What is held of it, and whether another run can go on with that. Not where
 * nobody can tell whether it is of the file that the nodes then have; nor
 * where others gave some, and the run did not come to its end: which blocks
 * those are, and whether a CDN node bore out their root, is known no more.
 */
static uint32_t
look_at_held(struct prefetch *p, const struct resource *r, bool *usable)
{
    struct cache_info info;

    *usable = true;
    if (cache_info(p->cache, r->id, &info) != 0) {
        return 0;
    }
    uint32_t held = info.held;
    *usable = has_validator(r) && (!info.copy || !digest_is_zero(info.root));
    cache_info_fini(&info);
    return held;
}

/* Whatever is not held yet comes from here, in whichever order: those who wait
 * for it leave the CDN to this one. */
static void
claim_missing(struct fill *f, const struct blockmap *held)
{
    for (uint32_t i = 0; i < held->count; i++) {
        uint32_t first = i;

        while (i < held->count && !blockmap_has(held, i)) {
            i++;
        }
        if (i > first) {
            cache_fetching(f->prefetch->cache, f->set, first, i - first, true);
        }
    }
}

/* A node agrees: only now may another version of the URL go. */
static int
on_begin(void *ctx, const struct resource *r, struct blockmap *held,
         uint8_t *layer, struct store *store)
{
    struct fill *f = ctx;
    struct cache *c = f->prefetch->cache;
    bool usable;

    (void) r; /* the tracker's id counts, which is the job's */
    int err = cache_fill(c, f->resource, &f->set);
    if (err == 0 && look_at_held(f->prefetch, f->resource, &usable) > 0
        && !usable) {
        cache_fill_end(c, f->set);
        f->set = NULL;
        cache_forget(c, f->resource->id);
        err = cache_fill(c, f->resource, &f->set);
    }
    if (err == 0) {
        err = cache_load(c, f->set, held, layer);
    }
    if (err == 0) {
        f->plain = cache_is_plain(c, f->set);
        err = note_plain(f);
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
    claim_missing(f, held);
    report_filling(f);
    return 0;
}

static void
on_fetching(void *ctx, uint32_t first, uint32_t n, bool on)
{
    struct fill *f = ctx;

    if (on) { /* again, if it was lost; else it stays so to the end */
        cache_fetching(f->prefetch->cache, f->set, first, n, true);
    }
}

static void
on_progress(void *ctx)
{
    struct fill *f = ctx;

    stats_bytes(f->prefetch, f->transfer, &f->counted);
    if (f->set != NULL && clock_ms() - f->reported_ms >= REPORT_MS
        && cache_held(f->prefetch->cache, f->set) != f->reported)
    {
        report_filling(f);
    }
}

static int
on_copying(void *ctx)
{
    struct fill *f = ctx;

    return cache_mark_copy(f->prefetch->cache, f->set);
}

static const struct transfer_ops transfer_ops = {
    .begin = on_begin,
    .copying = on_copying,
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

static void
keep_result(struct prefetch *p, struct fill *f, int err, struct outcome *out)
{
    snprintf(out->why, sizeof(out->why), "%s", transfer_error(f->transfer));
    if (err == 0 && f->set == NULL) {
        err = SHOAL_EPROTO;
    }
    if (err == 0) {
        err = cache_finish(p->cache, f->set, transfer_root(f->transfer),
                           !transfer_only_cdn(f->transfer));
        snprintf(out->why, sizeof(out->why), "cache: %s", shoal_strerror(err));
    }
    out->err = err;
    stats_bytes(p, f->transfer, &f->counted);
    stats_probes(p, f->transfer);
}

static void
run_transfer(struct prefetch *p, struct fill *f, const struct job *job,
             struct outcome *out)
{
    const struct prefetch_others *others = &job->others;
    const char *supers[PREFETCH_OTHERS_MAX + 1] = { NULL };
    const struct resource *r = f->resource;
    const struct prefetch_settings *s = f->settings;
    struct transfer_guard guard = guard_hooks(s->guard);
    struct lookup_hook lookup = dns_hook(p->dns);
    struct transfer_limits limits = origins_hooks(job->user);
    bool usable, held = look_at_held(p, r, &usable) > 0;
    struct transfer_options o = {
        .url = r->url,
        .want = r,
        .resolve = s->resolve,
        .lookup = &lookup,
        .guard = &guard,
        .ca = s->origin_ca,
        .bind_address = s->bind_address,
        .unshared = true,
        .supers = supers,
        .tickets = s->tickets,
        .root = others->has_root ? others->root : NULL,
        .nodes = s->nodes,
        .resuming = held && usable,
        .start_permille = start_permille(p->name, r->id),
        .limits = &limits,
        .stop = &p->stop,
        .ops = &transfer_ops,
        .ctx = f,
    };

    if (prefetch_settings_raise(s, r->url)) {
        /* what others hold of an http URL may have come by http */
        o.root = NULL;
    } else {
        memcpy(supers, others->urls, others->n * sizeof(supers[0]));
    }
    f->transfer = transfer_create(&o);
    if (f->transfer == NULL) {
        *out = (struct outcome){ .err = SHOAL_ENOMEM, .why = "out of memory" };
    } else {
        keep_result(p, f, transfer_run(f->transfer), out);
        transfer_free(f->transfer);
    }
}

/* Nothing of it can be used any more, or its room is needed. */
static bool
is_final(struct prefetch *p, int err, const struct resource *r)
{
    bool usable;

    look_at_held(p, r, &usable);
    return !usable || err == SHOAL_EDENIED || err == SHOAL_ENOTFOUND
           || err == SHOAL_ENOAGREE || err == SHOAL_EPRIVATE
           || err == SHOAL_EFULL || err == SHOAL_EIO;
}

static void
finish_job(struct prefetch *p, const struct resource *r,
           const struct outcome *o)
{
    if (o->err == SHOAL_ESTOPPED || (o->err != 0 && p->stop)) {
        return;
    }
    if (o->err != 0 && is_final(p, o->err, r)) {
        cache_forget(p->cache, r->id);
    }
    stats_done(p, o->err == 0, r->size, o->took_ms);
    if (o->err != 0) {
        report_refused(p, r, reason_of(o->err), o->why);
    } else {
        report_complete(p, r->id);
    }
}

void
job_run(struct prefetch *p, const struct job *job)
{
    const struct resource *r = &job->resource;
    struct fill f = { .prefetch = p, .resource = r };
    struct outcome o = { .why = "" };
    char url[LOG_URL_MAX];
    uint64_t begun = clock_ms();

    if (report_needless(p, r)) {
        return;
    }
    log_url(r->url, url);
    log_line(LOG_LEVEL_INFO, r->id, "prefetch %s: begins, %" PRIu64 " bytes",
             url, r->size);
    struct prefetch_settings *s = prefetch_settings_get(p);
    f.settings = s;
    run_transfer(p, &f, job, &o);
    prefetch_settings_free(s);
    cache_fill_end(p->cache, f.set);
    o.took_ms = clock_ms() - begun;
    finish_job(p, r, &o);
    if (o.err == 0) {
        log_line(LOG_LEVEL_INFO, r->id,
                 "prefetch %s: complete after %" PRIu64 " ms", url, o.took_ms);
    }
}
