/* options.h - what shoal is told: by its command line, the environment and
 * configuration files, in this order of weight. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "option_table.h"
#include "progress.h"

struct shoal;

enum verbosity {
    QUIET,
    TERSE, /* -nv */
    NORMAL /* -v: as wget's default */
};

/** Who gave a value; a later one counts more, and replaces a list. */
enum option_source {
    FROM_NOBODY,
    FROM_SYSTEM,
    FROM_USER,
    FROM_ENVIRONMENT,
    FROM_COMMAND_LINE
};

/** What was given of one option. */
struct option_value {
    char *text; /* the last one; NULL */
    enum option_source from;
    unsigned serial; /* higher: given later */
};

struct options {
    struct option_table table;
    struct option_value *values; /* one a row of the table */
    unsigned given;              /* values in all */
    struct shoal *settings;      /* what downloads are copied from */
    enum verbosity verbosity;
    struct progress_choice progress;
    char **urls; /* in argv */
    int n_urls;
};

/**
 * options_read(argc, argv, o, why, cap):
 * Everything that there is to read. Undo with options_fini(), also after an
 * error. After --help, --version and --completion nothing else is looked at.
 * Errors:  SHOAL_EINVAL, SHOAL_EIO, SHOAL_ENOMEM; ${why} names the option, and
 *          where it was given.
 */
int options_read(int argc, char **argv, struct options *o, char *why,
                 size_t cap);

void options_fini(struct options *o);

/** options_text(o, name): the last value that was given of it; NULL. */
const char *options_text(const struct options *o, const char *name);

/** options_flag(o, name): whether it is set. */
bool options_flag(const struct options *o, const char *name);

/** options_last(o, a, b): which of two was given later; NULL: neither. */
const char *options_last(const struct options *o, const char *a,
                         const char *b);

/**
 * options_give(o, row, value, from, why, cap):
 * One value, found at ${from}; a flag's may be NULL for yes. What weighs less
 * is to be given before what weighs more.
 * Errors:  SHOAL_EINVAL, SHOAL_ENOMEM; ${why} says what was expected.
 */
int options_give(struct options *o, const struct option_row *row,
                 const char *value, enum option_source from, char *why,
                 size_t cap);

/** options_read_files(o, why, cap): the configuration files. */
int options_read_files(struct options *o, char *why, size_t cap);

/** options_read_environment(o, why, cap): SHOAL_OPTION. */
int options_read_environment(struct options *o, char *why, size_t cap);

#endif
