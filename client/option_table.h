/* option_table.h - every option of shoal: its own, and all settings of the
 * library. The command line, configuration files, the environment, help and
 * completion come from it. */
#ifndef OPTION_TABLE_H
#define OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    OPTION_LIST = 1,    /* each value is added */
    OPTION_SECRET = 2,  /* not to be shown */
    OPTION_COMMAND = 4, /* on the command line only */
    OPTION_NAME_MAX = 64
};

struct option_row {
    const char *name;
    const char *letters;  /* `O`, `nc`; NULL */
    const char *argument; /* NULL: a flag */
    const char *group;
    const char *help;
    const char *fallback; /* NULL */
    unsigned flags;
    const char *expected; /* of an option of shoal itself; NULL: it is a
                             setting of the library, which checks values */
    int (*check)(const char *value); /* 0 or SHOAL_EINVAL; NULL: any */
};

struct option_table {
    struct option_row *rows;
    size_t n;
};

/** option_table_init(t): SHOAL_ENOMEM. */
int option_table_init(struct option_table *t);

void option_table_fini(struct option_table *t);

/** option_find(t, name): NULL: there is none. */
const struct option_row *option_find(const struct option_table *t,
                                     const char *name);

/** option_find_letters(t, letters): NULL: there is none. */
const struct option_row *option_find_letters(const struct option_table *t,
                                             const char *letters);

/** option_opposite(t, row, out): the name that says the contrary of a flag:
 *  `no-continue`, `check-certificate`. "" where there is none. */
void option_opposite(const struct option_table *t,
                     const struct option_row *row, char out[OPTION_NAME_MAX]);

/** option_variable(row, out): its variable in the environment. */
void option_variable(const struct option_row *row, char out[OPTION_NAME_MAX]);

/** option_is_yes(value), option_is_no(value): what a flag's value says. */
bool option_is_yes(const char *value);
bool option_is_no(const char *value);

#endif
