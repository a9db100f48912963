/* options.h - the command line of shoal. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "digest.h"

struct resolve;

enum {
    OPTIONS_TRACKERS = 4,
    OPTIONS_MIRRORS = 64
};

struct options {
    const char *output;    /* -O; `-` is standard output; NULL */
    const char *directory; /* -P; NULL */
    bool resume;           /* -c */
    bool quiet;            /* -q */
    bool no_upload;
    const char *trackers[OPTIONS_TRACKERS + 1]; /* NULL-terminated */
    unsigned n_trackers;
    const char *mirrors[OPTIONS_MIRRORS + 1]; /* likewise */
    unsigned n_mirrors;
    struct resolve *resolve; /* NULL: no override */
    const char *bind_address;
    uint16_t listen_port; /* 0: not given */
    bool has_checksum;
    struct checksum checksum;
    const char *layer;      /* "auto", a URL, a file; NULL */
    const char *make_layer; /* a file to hash instead of a download */
    bool help, version;
    char **urls;
    int n_urls;
};

/**
 * options_parse(argc, argv, o, why, cap):
 * Read the command line and SHOAL_TRACKER, SHOAL_NO_UPLOAD. Strings point
 * into ${argv} and the environment. Undo with options_fini().
 * Errors:  SHOAL_EINVAL; ${why} names the option and what it expects.
 */
int options_parse(int argc, char **argv, struct options *o, char *why,
                  size_t cap);

void options_fini(struct options *o);

/** options_usage(f): the help text, from the same table. */
void options_usage(FILE *f);

#endif
