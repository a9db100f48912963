#include "option_args.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "option_table.h"
#include "options.h"
#include "shoal.h"

enum {
    LETTERS = 128,   /* ASCII */
    LONG_FIRST = 256 /* from it on twice the row; odd: the flag's opposite */
};

/* What getopt_long(3) is given. */
struct parser {
    const struct option_table *table;
    struct option_args *args;
    struct option *longs;
    char (*opposites)[OPTION_NAME_MAX];
    char shorts[2 * LETTERS + 2];
    char *why;
    size_t cap;
};

static int
fail(const struct parser *p, const char *option, const char *what)
{
    snprintf(p->why, p->cap, "%.256s: %s", option, what);
    return SHOAL_EINVAL;
}

static void
make_shorts(struct parser *p)
{
    char *at = p->shorts;

    *at++ = ':'; /* we word the errors */
    *at++ = 'n'; /* wget's: -nc, -nv and the like */
    *at++ = ':';
    for (size_t i = 0; i < p->table->n; i++) {
        const struct option_row *row = &p->table->rows[i];

        if (row->letters == NULL || row->letters[1] != '\0'
            || at + 2 >= p->shorts + sizeof(p->shorts))
        {
            continue;
        }
        *at++ = row->letters[0];
        if (row->argument != NULL) {
            *at++ = ':';
        }
    }
    *at = '\0';
}

static int
make_longs(struct parser *p)
{
    size_t n = p->table->n, k = 0;

    p->longs = calloc(2 * n + 1, sizeof(p->longs[0]));
    p->opposites = calloc(n, sizeof(p->opposites[0]));
    if (p->longs == NULL || p->opposites == NULL) {
        return SHOAL_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const struct option_row *row = &p->table->rows[i];
        int id = LONG_FIRST + 2 * (int) i;

        p->longs[k++] =
            (struct option){ row->name,
                             row->argument != NULL ? required_argument
                                                   : optional_argument,
                             NULL, id };
        option_opposite(p->table, row, p->opposites[i]);
        if (p->opposites[i][0] != '\0') {
            p->longs[k++] =
                (struct option){ p->opposites[i], no_argument, NULL, id + 1 };
        }
    }
    return 0;
}

static int
add(struct option_args *args, const struct option_row *row, const char *value)
{
    struct option_arg *list =
        realloc(args->list, (args->n + 1) * sizeof(list[0]));

    if (list == NULL) {
        return SHOAL_ENOMEM;
    }
    args->list = list;
    list[args->n++] = (struct option_arg){ row, value };
    return 0;
}

/* `vc` of -nvc. */
static int
add_n(struct parser *p, const char *letters, const char *whole)
{
    int err = 0;

    if (letters == whole) {
        return fail(p, "-n", "unknown option"); /* it took the next word */
    }
    for (; err == 0 && *letters != '\0'; letters++) {
        char name[] = { 'n', *letters, '\0' };
        const struct option_row *row = option_find_letters(p->table, name);

        if (row == NULL) {
            char shown[] = { '-', 'n', *letters, '\0' };
            return fail(p, shown, "unknown option");
        }
        err = add(p->args, row, NULL);
    }
    return err;
}

static int
complain(const struct parser *p, int code, const char *word)
{
    char letter[] = { '-', (char) optopt, '\0' };
    const char *option = optopt > 0 && optopt < LETTERS ? letter : word;

    if (code == ':') {
        return fail(p, option, "needs an argument");
    }
    return fail(p, option,
                optopt >= LONG_FIRST ? "takes no argument" : "unknown option");
}

static int
take(struct parser *p, int code, const char *word)
{
    if (code == '?' || code == ':') {
        return complain(p, code, word);
    }
    if (code == 'n') {
        return add_n(p, optarg, word);
    }
    if (code >= LONG_FIRST) {
        size_t i = (size_t) (code - LONG_FIRST);

        return add(p->args, &p->table->rows[i / 2],
                   i % 2 != 0 ? "no" : optarg);
    }
    char letter[] = { (char) code, '\0' };
    return add(p->args, option_find_letters(p->table, letter), optarg);
}

int
option_args_read(struct option_args *args, const struct option_table *table,
                 int argc, char **argv, char *why, size_t cap)
{
    struct parser p = { .table = table, .args = args, .why = why, .cap = cap };
    int code, err;

    memset(args, 0, sizeof(*args));
    make_shorts(&p);
    err = make_longs(&p);
    opterr = 0;
    while (err == 0
           && (code = getopt_long(argc, argv, p.shorts, p.longs, NULL)) != -1)
    {
        err = take(&p, code, argv[optind - 1]);
    }
    args->first_url = optind;
    if (err == SHOAL_ENOMEM) {
        snprintf(why, cap, "out of memory");
    }
    free(p.longs);
    free(p.opposites);
    return err;
}

void
option_args_free(struct option_args *args)
{
    free(args->list);
    memset(args, 0, sizeof(*args));
}

static bool
is_early(const struct option_row *row)
{
    static const char *const names[] = { "config", "no-config", "help",
                                         "version", "completion" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(row->name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

int
option_args_give(const struct option_args *args, struct options *o, bool early,
                 char *why, size_t cap)
{
    char reason[512] = "";

    for (size_t i = 0; i < args->n; i++) {
        const struct option_arg *a = &args->list[i];

        if (is_early(a->row) != early) {
            continue;
        }
        int err = options_give(o, a->row, a->value, FROM_COMMAND_LINE, reason,
                               sizeof(reason));
        if (err != 0) {
            snprintf(why, cap, "--%s: %s", a->row->name,
                     *reason != '\0' ? reason : shoal_strerror(err));
            return err;
        }
    }
    return 0;
}
