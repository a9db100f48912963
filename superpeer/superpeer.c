#include "superpeer.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin.h"
#include "agent.h"
#include "cache.h"
#include "clock.h"
#include "config.h"
#include "log.h"
#include "news.h"
#include "prefetch.h"
#include "serve.h"
#include "shoal.h"
#include "status.h"
#include "superpeer_internal.h"
#include "transfer.h"
#include "watch.h"

enum {
    ANNOUNCE_STEP = 512, /* sets that are looked at under one lock */
    LEAVING_MS = 1000,   /* how long trackers may take to hear of a deletion */
    LOG_MS = 300,        /* and the last lines */
    STOP_MS = 3000       /* how long threads may take to end */
};

static struct agent *
agent_of(struct superpeer *s)
{
    pthread_mutex_lock(&s->lock);
    struct agent *a = s->agent;
    pthread_mutex_unlock(&s->lock);
    return a;
}

/* ---- between the parts ---- */

static void
on_report(void *ctx, const struct news_item *item)
{
    struct agent *a = agent_of(ctx);

    if (a != NULL) { /* else the first announcement says it */
        agent_tell(a, item);
    }
}

static void
on_leaving(void *ctx, const uint8_t id[20], bool more)
{
    struct news_item item = { .kind = NEWS_GONE };
    struct agent *a = agent_of(ctx);

    if (a != NULL) {
        memcpy(item.id, id, sizeof(item.id));
        agent_tell(a, &item);
        if (!more) {
            agent_flush(a, LEAVING_MS);
        }
    }
}

/* Where there is no prefetcher yet, it begins with what is not complete. */
static void
on_damaged(void *ctx, const uint8_t id[20])
{
    struct superpeer *s = ctx;

    pthread_mutex_lock(&s->lock);
    struct prefetch *p = s->prefetch;
    pthread_mutex_unlock(&s->lock);
    if (p != NULL) {
        prefetch_again(p, id);
    }
}

/* Whoever restarts this program gets one that begins anew. */
static void
on_broken(void *ctx)
{
    struct superpeer *s = ctx;

    atomic_store(&s->broken, true);
    log_line(LOG_LEVEL_ERROR, NULL, "ends: the cache's file is damaged");
    kill(getpid(), SIGTERM);
}

static void
on_prepare(void *ctx, const struct resource *r,
           const struct prefetch_others *others)
{
    prefetch_add(((struct superpeer *) ctx)->prefetch, r, others);
}

static int
announce_one(struct news *some, const struct cache_info *set)
{
    struct news_item item = { .kind = NEWS_HELD };

    if (!set->complete && !set->filling) {
        return 0;
    }
    if (!set->complete) {
        item.kind = NEWS_FILLING;
    }
    memcpy(item.id, set->id, sizeof(item.id));
    memcpy(item.root, set->root, sizeof(item.root));
    item.held = set->held;
    item.empty = set->blocks == 0;
    item.copy = set->copy;
    item.plain = set->plain;
    return news_put(some, &item);
}

static int
on_announce(void *ctx, size_t *cursor, struct news *some)
{
    struct superpeer *s = ctx;
    int err = 0;

    do {
        struct cache_info *list;
        size_t n;

        err = cache_list_some(s->cache, cursor, ANNOUNCE_STEP, &list, &n);
        if (err != 0) {
            break;
        }
        for (size_t i = 0; i < n && err == 0; i++) {
            err = announce_one(some, &list[i]);
        }
        cache_list_free(list, n);
    } while (err == 0 && *cursor != 0
             && news_count(some) + 2 * ANNOUNCE_STEP < NEWS_LINES_MAX);
    return err;
}

static void
on_load_machine(struct superpeer *s, struct agent_load *out)
{
    struct prefetch_stats fetched;
    struct rusage used;
    cpu_set_t cpus;

    prefetch_get_stats(s->prefetch, &fetched);
    out->got[0] = fetched.got[SOURCE_SUPER];
    out->got[1] = fetched.got[SOURCE_PEER];
    out->got[2] = fetched.got[SOURCE_CDN];
    if (getrusage(RUSAGE_SELF, &used) == 0) {
        out->cpu_us =
            (uint64_t) (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000
            + (uint64_t) (used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    }
    out->cores = sched_getaffinity(0, sizeof(cpus), &cpus) == 0
                     ? (unsigned) CPU_COUNT(&cpus)
                     : 1;
}

static void
on_load(void *ctx, struct agent_load *out)
{
    struct superpeer *s = ctx;
    struct cache_stats cache;
    struct serve_stats serve;

    cache_get_stats(s->cache, &cache);
    serve_get_stats(s->serve, &serve);
    out->capacity = cache.size;
    out->free = cache.size > cache.used ? cache.size - cache.used : 0;
    out->sent = serve.bytes;
    out->active = serve.active;
    pthread_mutex_lock(&s->lock);
    out->active_max = s->config->connections;
    out->rate_max = s->config->upload_rate;
    pthread_mutex_unlock(&s->lock);
    on_load_machine(s, out);
}

/* ---- start and stop ---- */

static int
start_cache(struct superpeer *s, char *why, size_t cap)
{
    struct cache_options o = {
        .path = s->config->cache_path,
        .size = s->config->cache_size,
        .pin_ms = (unsigned) s->config->cache_pin_ms,
        .leaving = on_leaving,
        .damaged = on_damaged,
        .broken = on_broken,
        .ctx = s,
    };

    return cache_open(&o, &s->cache, why, cap);
}

struct serve_options
superpeer_serve_options(const struct superpeer *s, const struct config *c)
{
    return (struct serve_options){
        .address = c->listen.host,
        .port = c->listen.port,
        .ops = &cache_serve_ops,
        .ctx = s->cache,
        .certificate = c->tls_certificate,
        .key = c->tls_key,
        .max_connections = (unsigned) c->connections,
        .max_per_address = (unsigned) c->connections_per_address,
        .max_rate = c->upload_rate,
        .idle_ms = (unsigned) c->idle_timeout,
        .header_ms = (unsigned) c->header_timeout,
        .min_rate = c->min_rate,
        .min_window_ms = (unsigned) c->min_rate_window,
        .tickets = c->tickets,
    };
}

static int
start_serve(struct superpeer *s, char *why, size_t cap)
{
    struct serve_options o = superpeer_serve_options(s, s->config);

    return serve_start(&o, &s->serve, why, cap);
}

struct prefetch_options
superpeer_prefetch_options(struct superpeer *s, const struct config *c)
{
    return (struct prefetch_options){
        .cache = s->cache,
        .name = c->name,
        .guard = c->guard,
        .resolve = c->resolve,
        .tickets = c->tickets,
        .origin_ca = c->origin_ca,
        .resolver_servers = c->resolver_servers,
        .resolver_ms = (unsigned) c->resolver_timeout,
        .bind_address = c->bind_address,
        .jobs = (unsigned) c->prefetch_jobs,
        .queue = (unsigned) c->prefetch_queue,
        .nodes = (unsigned) c->nodes_per_file,
        .origin_connections = (unsigned) c->origin_connections,
        .origin_rate = c->origin_rate,
        .report = on_report,
        .ctx = s,
    };
}

static int
start_prefetch(struct superpeer *s)
{
    struct prefetch_options o = superpeer_prefetch_options(s, s->config);
    struct prefetch *p;

    int err = prefetch_start(&o, &p);
    if (err == 0) {
        pthread_mutex_lock(&s->lock);
        s->prefetch = p;
        pthread_mutex_unlock(&s->lock);
    }
    return err;
}

static int
start_agent(struct superpeer *s)
{
    struct agent *a;

    s->agent_ops.prepare = on_prepare;
    s->agent_ops.announce = on_announce;
    s->agent_ops.load = on_load;
    s->agent_ops.ctx = s;
    int err = agent_create(s->config, serve_port(s->serve), &s->agent_ops, &a);
    if (err != 0) {
        return err;
    }
    pthread_mutex_lock(&s->lock);
    s->agent = a;
    pthread_mutex_unlock(&s->lock);
    return agent_start(a);
}

static int
start_watch(struct superpeer *s)
{
    struct watch_sources sources = {
        .cache = s->cache,
        .serve = s->serve,
        .agent = s->agent,
        .address = s->first_config->listen.host,
    };

    return watch_start(&sources, &s->watch);
}

static int
start_status(struct superpeer *s, char *why, size_t cap)
{
    struct status_sources sources = {
        .name = s->config->name,
        .cache = s->cache,
        .serve = s->serve,
        .prefetch = s->prefetch,
        .agent = s->agent,
        .watch = s->watch,
    };

    return status_start(&s->config->status_listen, &sources, &s->status, why,
                        cap);
}

static int
start(struct superpeer *s)
{
    char why[512] = "out of memory";

    if (start_cache(s, why, sizeof(why)) != 0) {
        log_line(LOG_LEVEL_ERROR, NULL, "%s", why);
        return EXIT_CACHE;
    }
    if (admin_start(s->cache, s->config->cache_path, &s->admin, why,
                    sizeof(why))
        != 0)
    {
        log_line(LOG_LEVEL_ERROR, NULL, "%s", why);
        return EXIT_CACHE;
    }
    if (start_serve(s, why, sizeof(why)) != 0) {
        log_line(LOG_LEVEL_ERROR, NULL, "block server: %s", why);
        return EXIT_NET;
    }
    if (start_prefetch(s) != 0) {
        log_line(LOG_LEVEL_ERROR, NULL, "out of memory or threads");
        return EXIT_FAILURE;
    }
    prefetch_resume(s->prefetch); /* the first announcement says it */
    if (start_agent(s) != 0 || start_watch(s) != 0) {
        log_line(LOG_LEVEL_ERROR, NULL, "out of memory or threads");
        return EXIT_FAILURE;
    }
    if (start_status(s, why, sizeof(why)) != 0) {
        log_line(LOG_LEVEL_ERROR, NULL, "status: %s", why);
        return EXIT_NET;
    }
    log_line(LOG_LEVEL_INFO, NULL, "super peer %s serves on port %u",
             s->config->name, (unsigned) serve_port(s->serve));
    return 0;
}

int
superpeer_start(struct config *config, struct superpeer **out)
{
    struct superpeer *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        log_line(LOG_LEVEL_ERROR, NULL, "out of memory");
        return EXIT_FAILURE;
    }
    pthread_mutex_init(&s->lock, NULL);
    s->config = config_ref(config);
    s->first_config = config_ref(config);
    int status = start(s);
    if (status != 0) {
        superpeer_stop(s);
        return status;
    }
    *out = s;
    return 0;
}

int
superpeer_status(struct superpeer *s)
{
    return atomic_load(&s->broken) ? EXIT_CACHE : EXIT_SUCCESS;
}

/* Right from any state of start(). A thread may be in a large deletion, which
 * nothing can end: then what it uses is left to the system. */
int
superpeer_stop(struct superpeer *s)
{
    int status = superpeer_status(s);
    uint64_t deadline = clock_ms() + STOP_MS;

    agent_quit(s->agent);
    prefetch_quit(s->prefetch);
    status_stop(s->status);
    admin_stop(s->admin);
    watch_stop(s->watch);
    bool ended = agent_join(s->agent, deadline);
    ended = prefetch_join(s->prefetch, deadline) && ended;
    serve_stop(s->serve);
    if (!ended) {
        log_line(LOG_LEVEL_WARN, NULL, "ends with a set deleted half");
        cache_sync(s->cache);
        log_close(LOG_MS);
        _exit(status);
    }
    cache_close(s->cache);
    prefetch_free(s->prefetch);
    agent_free(s->agent);
    config_free(s->config);
    config_free(s->first_config);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return status;
}
