/* options.h - the command line of shoal. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct shoal;

struct options {
    struct shoal *settings; /* that each download is made from */
    const char *output;     /* -O; NULL */
    bool quiet;             /* -q */
    const char *make_layer; /* a file to hash instead of a download */
    bool help, version;
    char **urls;
    int n_urls;
};

/**
 * options_parse(argc, argv, o, why, cap):
 * Read the command line and SHOAL_TRACKER, SHOAL_NO_UPLOAD. Strings point
 * into ${argv} and the environment. Undo with options_fini().
 * Errors:  SHOAL_EINVAL, SHOAL_ENOMEM; ${why} names the option and what it
 *          expects.
 */
int options_parse(int argc, char **argv, struct options *o, char *why,
                  size_t cap);

void options_fini(struct options *o);

/** options_usage(f): the help text, from the same tables. */
void options_usage(FILE *f);

#endif
