/* option_args.h - the command line, taken apart. */
#ifndef OPTION_ARGS_H
#define OPTION_ARGS_H

#include <stdbool.h>
#include <stddef.h>

struct option_row;
struct option_table;
struct options;

/** One option as it stands there. */
struct option_arg {
    const struct option_row *row;
    const char *value; /* NULL: a flag without one */
};

struct option_args {
    struct option_arg *list;
    size_t n;
    int first_url; /* in argv, which is sorted */
};

/**
 * option_args_read(args, table, argc, argv, why, cap):
 * Take ${argv} apart along the table, as getopt_long(3) does; `-nvc` is `-nv
 * -nc`, as with wget. Undo with option_args_free(), also after an error.
 * Errors:  SHOAL_EINVAL, SHOAL_ENOMEM.
 */
int option_args_read(struct option_args *args,
                     const struct option_table *table, int argc, char **argv,
                     char *why, size_t cap);

void option_args_free(struct option_args *args);

/** option_args_give(args, o, early, why, cap): hand them on; ${early}: those
 *  that say what else to read, or that there is nothing else to do, the others
 *  when not. */
int option_args_give(const struct option_args *args, struct options *o,
                     bool early, char *why, size_t cap);

#endif
