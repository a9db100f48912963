/* config.h - the YAML file: one table of settings says what may stand in it,
 * and makes messages, defaults and docs/settings.md. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct guard;
struct resolve;

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

struct config {
    char *name;
    struct config_address listen;
    struct config_address status_listen;
    char *locality;
    char *bind_address;
    char *cache_path;
    uint64_t cache_size;    /* bytes */
    uint64_t connections;   /* of the block server */
    uint64_t upload_rate;   /* bytes a second; 0: no limit */
    uint64_t origin_rate;   /* bytes a second; 0: no limit */
    uint64_t prefetch_jobs; /* at once */
    uint64_t prefetch_queue;
    uint64_t nodes_per_file;
    struct config_tracker *trackers;
    size_t tracker_count;
    struct guard *guard;
    struct resolve *resolve;
    size_t origin_count;
};

/**
 * config_load(path, errors, out):
 * Read and check the whole file; every fault found is one line on
 * ${errors}, `FILE:LINE: key: what was expected, what was given`, the first
 * CONFIG_ERRORS_MAX of them.
 *
 * Ownership:  undo with config_fini().
 * Errors:     SHOAL_EIO (cannot be read), SHOAL_EINVAL, SHOAL_ENOMEM.
 */
int config_load(const char *path, FILE *errors, struct config *out);

/** config_fini(c): right on a zeroed one. */
void config_fini(struct config *c);

/** config_print_settings(out): the table as Markdown (docs/settings.md). */
void config_print_settings(FILE *out);

#endif
