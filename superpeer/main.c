/* The super peer: starts its parts in order, waits for a signal, stops them
 * in reverse. */
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <pthread.h>

#include <curl/curl.h>

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

enum {
    EXIT_CONFIG = 2,   /* the command line or the file, as wget's */
    EXIT_CACHE = 3,    /* the cache's folder or file */
    EXIT_NET = 4,      /* an address cannot be listened on */
    LEAVING_MS = 1000, /* how long trackers may take to hear of a deletion */
    STOP_MS = 3000     /* how long threads may take to end */
};

#define VERSION "0.1.0"

struct superpeer {
    struct config config;
    struct cache *cache;
    struct serve *serve;
    struct prefetch *prefetch;
    struct agent *agent;
    struct status *status;
    struct agent_ops agent_ops;
    pthread_mutex_t lock; /* of `prefetch` and `agent`, which start last */
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

static void
on_prepare(void *ctx, const struct resource *r)
{
    prefetch_add(((struct superpeer *) ctx)->prefetch, r);
}

static int
on_announce(void *ctx, struct news *all)
{
    struct superpeer *s = ctx;
    struct cache_info *list;
    size_t n;

    int err = cache_list(s->cache, &list, &n);
    if (err != 0) {
        return err;
    }
    for (size_t i = 0; i < n && err == 0; i++) {
        struct news_item item = { .kind = NEWS_HELD };

        if (!list[i].complete && !list[i].filling) {
            continue;
        }
        if (!list[i].complete) {
            item.kind = NEWS_FILLING;
        }
        memcpy(item.id, list[i].id, sizeof(item.id));
        memcpy(item.root, list[i].root, sizeof(item.root));
        item.held = list[i].held;
        item.empty = list[i].blocks == 0;
        item.copy = list[i].copy;
        err = news_put(all, &item);
    }
    cache_list_free(list, n);
    return err;
}

static void
on_load_machine(struct superpeer *s, struct agent_load *out)
{
    struct prefetch_stats fetched;
    struct rusage used;
    cpu_set_t cpus;

    prefetch_get_stats(s->prefetch, &fetched);
    out->got[2] = fetched.bytes; /* it reads from CDN nodes alone */
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
    out->active_max = s->config.connections;
    out->rate_max = s->config.upload_rate;
    on_load_machine(s, out);
}

/* ---- start and stop ---- */

static int
start_cache(struct superpeer *s, char *why, size_t cap)
{
    struct cache_options o = {
        .path = s->config.cache_path,
        .size = s->config.cache_size,
        .leaving = on_leaving,
        .damaged = on_damaged,
        .ctx = s,
    };

    return cache_open(&o, &s->cache, why, cap);
}

static int
start_serve(struct superpeer *s, char *why, size_t cap)
{
    struct serve_options o = {
        .address = s->config.listen.host,
        .port = s->config.listen.port,
        .max_connections = (unsigned) s->config.connections,
        .max_rate = s->config.upload_rate,
        .ops = &cache_serve_ops,
        .ctx = s->cache,
    };

    return serve_start(&o, &s->serve, why, cap);
}

static int
start_prefetch(struct superpeer *s)
{
    const struct config *c = &s->config;
    struct prefetch_options o = {
        .cache = s->cache,
        .guard = c->guard,
        .resolve = c->resolve,
        .bind_address = c->bind_address,
        .name = c->name,
        .jobs = (unsigned) c->prefetch_jobs,
        .queue = (unsigned) c->prefetch_queue,
        .nodes = (unsigned) c->nodes_per_file,
        .origin_rate = c->origin_rate,
        .report = on_report,
        .ctx = s,
    };

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
    int err =
        agent_create(&s->config, serve_port(s->serve), &s->agent_ops, &a);
    if (err != 0) {
        return err;
    }
    pthread_mutex_lock(&s->lock);
    s->agent = a;
    pthread_mutex_unlock(&s->lock);
    return agent_start(a);
}

static int
start_status(struct superpeer *s, char *why, size_t cap)
{
    struct status_sources sources = {
        .name = s->config.name,
        .cache = s->cache,
        .serve = s->serve,
        .prefetch = s->prefetch,
        .agent = s->agent,
    };

    return status_start(&s->config.status_listen, &sources, &s->status, why,
                        cap);
}

/* 0, or the exit status; what has started is stopped by stop(). */
static int
start(struct superpeer *s)
{
    char why[512] = "out of memory";

    if (start_cache(s, why, sizeof(why)) != 0) {
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
    if (start_agent(s) != 0) {
        log_line(LOG_LEVEL_ERROR, NULL, "out of memory or threads");
        return EXIT_FAILURE;
    }
    if (start_status(s, why, sizeof(why)) != 0) {
        log_line(LOG_LEVEL_ERROR, NULL, "status: %s", why);
        return EXIT_NET;
    }
    log_line(LOG_LEVEL_INFO, NULL, "super peer %s serves on port %u",
             s->config.name, (unsigned) serve_port(s->serve));
    return 0;
}

/* Right from any state of start(). A thread may hang in the resolver for
 * minutes, which nothing can end: then what it uses is left to the system. */
static void
stop(struct superpeer *s)
{
    uint64_t deadline = clock_ms() + STOP_MS;

    agent_quit(s->agent);
    prefetch_quit(s->prefetch);
    status_stop(s->status);
    bool ended = agent_join(s->agent, deadline);
    ended = prefetch_join(s->prefetch, deadline) && ended;
    serve_stop(s->serve);
    if (!ended) {
        log_line(LOG_LEVEL_WARN, NULL,
                 "ends with a name looked up, or a set "
                 "deleted, half");
        cache_sync(s->cache);
        _exit(EXIT_SUCCESS);
    }
    cache_close(s->cache);
    prefetch_free(s->prefetch);
    agent_free(s->agent);
}

static int
run(struct superpeer *s, const sigset_t *signals)
{
    int got = 0;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    pthread_mutex_init(&s->lock, NULL);
    int status = start(s);
    if (status == 0) {
        sigwait(signals, &got);
        log_line(LOG_LEVEL_INFO, NULL, "stops: %s", strsignal(got));
    }
    stop(s);
    pthread_mutex_destroy(&s->lock);
    curl_global_cleanup();
    return status;
}

/* ---- the command line ---- */

static const struct {
    int letter;
    const char *name;
    int argument;
    const char *help;
} options[] = {
    { 'c', "config", required_argument, "FILE  the YAML file (needed)" },
    { 't', "test", no_argument, "check the file and end" },
    { 'S', "settings", no_argument, "print all settings as Markdown" },
    { 'V', "version", no_argument, "print the version" },
    { 'h', "help", no_argument, "print this" },
};

enum {
    OPTIONS = sizeof(options) / sizeof(options[0])
};

static void
usage(FILE *out)
{
    fprintf(out, "usage: superpeer [-t] -c FILE\n\n");
    for (int i = 0; i < OPTIONS; i++) {
        fprintf(out, "  -%c, --%-9s %s\n", options[i].letter, options[i].name,
                options[i].help);
    }
}

struct arguments {
    const char *file;
    bool test;
};

/* -1: go on; else the exit status. */
static int
parse_arguments(int argc, char **argv, struct arguments *out)
{
    struct option longs[OPTIONS + 1];
    int letter;

    memset(longs, 0, sizeof(longs));
    for (int i = 0; i < OPTIONS; i++) {
        longs[i].name = options[i].name;
        longs[i].has_arg = options[i].argument;
        longs[i].val = options[i].letter;
    }
    while ((letter = getopt_long(argc, argv, "c:tSVh", longs, NULL)) != -1) {
        switch (letter) {
        case 'c':
            out->file = optarg;
            break;
        case 't':
            out->test = true;
            break;
        case 'S':
            config_print_settings(stdout);
            return EXIT_SUCCESS;
        case 'V':
            printf("superpeer %s\n", VERSION);
            return EXIT_SUCCESS;
        case 'h':
            usage(stdout);
            return EXIT_SUCCESS;
        default:
            usage(stderr);
            return EXIT_CONFIG;
        }
    }
    if (out->file == NULL || optind != argc) {
        fprintf(stderr, "superpeer: %s\n",
                out->file == NULL ? "-c FILE is missing"
                                  : "an argument too many");
        usage(stderr);
        return EXIT_CONFIG;
    }
    return -1;
}

/* Blocked before any thread starts, so that only sigwait() sees them. */
static void
block_signals(sigset_t *set)
{
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    pthread_sigmask(SIG_BLOCK, set, NULL);
}

/* Every connection is a file: take what the system gives. */
static void
raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int
main(int argc, char **argv)
{
    struct superpeer *s;
    struct arguments args = { NULL, false };
    sigset_t signals;

    int status = parse_arguments(argc, argv, &args);
    if (status >= 0) {
        return status;
    }
    s = calloc(1, sizeof(*s));
    if (s == NULL) {
        fprintf(stderr, "superpeer: out of memory\n");
        return EXIT_FAILURE;
    }
    block_signals(&signals);
    raise_file_limit();
    if (config_load(args.file, stderr, &s->config) != 0) {
        status = EXIT_CONFIG;
    } else if (args.test) {
        printf("%s: ok\n", args.file);
        status = EXIT_SUCCESS;
    } else {
        status = run(s, &signals);
    }
    config_fini(&s->config);
    free(s);
    return status;
}
