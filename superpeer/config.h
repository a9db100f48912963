/* config.h - the YAML file: one table of settings says what may stand in it,
 * and makes messages, defaults and docs/settings.md. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct guard;
struct resolve;
struct ticket_keys;

enum {
    CONFIG_ERRORS_MAX = 20, /* messages; more do not help */
    CONFIG_TRACKERS_MAX = 16
};

/** One tracker; strings are NULL where nothing was given. */
struct config_tracker {
    char *url;
    char *token; /* given, or the first line of the token_file */
    char *token_file;
    char *certificate;
    char *key;
    char *ca;
};

/** An address to listen on. */
struct config_address {
    char *host; /* numeric; NULL: all, IPv4 and IPv6 */
    uint16_t port;
};

/** Written by config_load() alone; read by all. */
struct config {
    char *name;
    struct config_address listen;
    struct config_address status_listen;
    char *locality;
    char *bind_address;
    uint64_t log_to;    /* enum log_to */
    uint64_t log_level; /* enum log_level */
    char *cache_path;
    uint64_t cache_size; /* bytes */
    uint64_t cache_pin_ms;
    char *tls_certificate, *tls_key;
    uint64_t connections;             /* of the block server */
    uint64_t connections_per_address; /* 0: no limit */
    uint64_t upload_rate;             /* bytes a second; 0: no limit */
    uint64_t idle_timeout;            /* ms, as the next one */
    uint64_t header_timeout;
    uint64_t min_rate;           /* bytes a second */
    uint64_t min_rate_window;    /* ms */
    char *origin_ca;             /* NULL: the system's */
    char *resolver_servers;      /* ADDR[:PORT],..; NULL: the system's */
    uint64_t resolver_timeout;   /* ms */
    uint64_t origin_connections; /* to one */
    uint64_t origin_rate;        /* bytes a second; 0: no limit */
    uint64_t prefetch_jobs;      /* at once */
    uint64_t prefetch_queue;
    uint64_t nodes_per_file;
    struct config_tracker *trackers;
    size_t tracker_count;
    struct ticket_keys *tickets;
    uint64_t ticket_skew; /* ms */
    struct guard *guard;
    struct resolve *resolve;
    size_t origin_count;
    char **given; /* by setting: the values' texts, for config_replace() */
    atomic_uint refs;
};

/**
 * config_load(path, errors, out):
 * Read and check the whole file; every fault found is one line on
 * ${errors}, `FILE:LINE: key: what was expected, what was given`, the first
 * CONFIG_ERRORS_MAX of them.
 *
 * Ownership:  of the caller, until config_free().
 * Errors:     SHOAL_EIO (cannot be read), SHOAL_EINVAL, SHOAL_ENOMEM.
 */
int config_load(const char *path, FILE *errors, struct config **out);

/** config_test(path, errors): the same, and whether the cache's folder can be
 *  used, without a trace of it. */
int config_test(const char *path, FILE *errors);

/** config_ref(c): one more holder; config_free() lets go, and the last one
 *  frees it. NULL is a no-op there. */
struct config *config_ref(struct config *c);
void config_free(struct config *c);

/**
 * config_replace(next, now, changed, ctx):
 * Make ${next}, just loaded, one that can take the place of ${now}: what only
 * a restart can change is put back. ${changed} hears of every setting that
 * the files have differently, trackers as one, and whether it changes now.
 * Errors:  SHOAL_ENOMEM.
 */
int config_replace(struct config *next, const struct config *now,
                   void (*changed)(void *ctx, const char *key, bool reload),
                   void *ctx);

/** config_same_tracker(a, b): all of their settings are the same. */
bool config_same_tracker(const struct config_tracker *a,
                         const struct config_tracker *b);

/** config_print_markdown(out), _man(out): the table, as it stands in
 *  docs/settings.md and docs/superpeer.8; _keys(out): in short. */
void config_print_markdown(FILE *out);
void config_print_man(FILE *out);
void config_print_keys(FILE *out);

#endif
