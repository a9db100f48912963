#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "option_args.h"
#include "shoal.h"

static struct option_value *
value_of(const struct options *o, const struct option_row *row)
{
    return &o->values[row - o->table.rows];
}

const char *
options_text(const struct options *o, const char *name)
{
    const struct option_row *row = option_find(&o->table, name);

    return row != NULL ? value_of(o, row)->text : NULL;
}

bool
options_flag(const struct options *o, const char *name)
{
    const char *text = options_text(o, name);

    return text != NULL && option_is_yes(text);
}

static unsigned
serial(const struct options *o, const char *name)
{
    const struct option_row *row = option_find(&o->table, name);
    const struct option_value *v = value_of(o, row);

    return row->argument != NULL || (v->text != NULL && option_is_yes(v->text))
               ? v->serial
               : 0;
}

const char *
options_last(const struct options *o, const char *a, const char *b)
{
    unsigned when_a = serial(o, a), when_b = serial(o, b);

    return when_a == 0 && when_b == 0 ? NULL : when_a > when_b ? a : b;
}

/* The library's error begins with the name; here the place does. */
static void
take_error(const struct options *o, const struct option_row *row, char *why,
           size_t cap)
{
    const char *error = shoal_error(o->settings);
    size_t len = strlen(row->name);

    if (strncmp(error, row->name, len) == 0
        && strncmp(error + len, ": ", 2) == 0) {
        error += len + 2;
    }
    snprintf(why, cap, "%s", error);
}

/* The first value of a source that weighs more replaces the list. */
static int
set(struct options *o, const struct option_row *row, const char *value,
    bool replaces)
{
    int err = 0;

    if (replaces && (row->flags & OPTION_LIST) != 0) {
        err = shoal_set(o->settings, row->name, "");
    }
    return err == 0 ? shoal_set(o->settings, row->name, value) : err;
}

static int
check(const struct option_row *row, const char *value, char *why, size_t cap)
{
    if (*value != '\0' && (row->check == NULL || row->check(value) == 0)) {
        return 0;
    }
    snprintf(why, cap, "expected %s, got '%.256s'", row->expected, value);
    return SHOAL_EINVAL;
}

/* A flag that takes back what a source of less weight said. */
static int
take_back(struct options *o, const struct option_row *row,
          enum option_source from)
{
    static const struct {
        const char *flag, *other;
    } pairs[] = {
        { "no-upload", "listen-port" },   { "inet4-only", "inet6-only" },
        { "inet6-only", "inet4-only" },   { "no-clobber", "timestamping" },
        { "timestamping", "no-clobber" },
    };

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        const struct option_row *other =
            option_find(&o->table, pairs[i].other);

        if (strcmp(pairs[i].flag, row->name) != 0 || other == NULL) {
            continue;
        }
        struct option_value *v = value_of(o, other);
        if (v->text == NULL || v->from >= from) {
            continue;
        }
        free(v->text);
        *v = (struct option_value){ NULL, FROM_NOBODY, 0 };
        return shoal_set(o->settings, other->name,
                         other->argument == NULL ? "no" : NULL);
    }
    return 0;
}

int
options_give(struct options *o, const struct option_row *row,
             const char *value, enum option_source from, char *why, size_t cap)
{
    struct option_value *v = value_of(o, row);
    int err = 0;

    if (value == NULL) {
        value = "yes";
    }
    if (row->expected != NULL) {
        err = check(row, value, why, cap);
    } else {
        err = set(o, row, value, v->from != from);
        if (err != 0) {
            take_error(o, row, why, cap);
        }
    }
    if (err == 0 && option_is_yes(value)) {
        err = take_back(o, row, from);
    }
    char *text = err == 0 ? strdup(value) : NULL;
    if (text == NULL) {
        return err != 0 ? err : SHOAL_ENOMEM;
    }
    free(v->text);
    *v = (struct option_value){ text, from, ++o->given };
    return 0;
}

/* -q, -v, -nv: the last one counts. */
static enum verbosity
verbosity(const struct options *o)
{
    static const struct {
        const char *name;
        enum verbosity is;
    } rows[] = { { "quiet", QUIET },
                 { "no-verbose", TERSE },
                 { "verbose", NORMAL } };
    enum verbosity found = NORMAL;
    unsigned last = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned when = serial(o, rows[i].name);

        if (when > last) {
            last = when;
            found = rows[i].is;
        }
    }
    return found;
}

static void
choose_progress(struct options *o)
{
    const char *text = options_text(o, "progress");

    if (text != NULL) {
        progress_parse(text, &o->progress); /* checked when it was given */
    } else if (options_flag(o, "show-progress")) {
        o->progress.style = PROGRESS_FORCED_BAR;
    }
    if (o->verbosity < NORMAL && !options_flag(o, "show-progress")) {
        o->progress.style = PROGRESS_NONE;
    }
}

/* Whether several files may go there, one after the other: what is no file of
 * its own. */
static bool
takes_several(const char *path)
{
    struct stat st;

    return strcmp(path, "-") == 0
           || (stat(path, &st) == 0 && !S_ISREG(st.st_mode)
               && !S_ISDIR(st.st_mode));
}

/* What belongs to one file. */
static const char *
wrong_with_several(const struct options *o)
{
    const char *output = options_text(o, "output-document");
    const char *checksum = options_text(o, "checksum");
    const char *layer = options_text(o, "layer");

    if (output != NULL && !takes_several(output)) {
        return "-O FILE with several URLs: a file is written in any order, "
               "and named when it is right; -O - gives them in a row";
    }
    if (checksum != NULL && *checksum != '@' && strcmp(checksum, "auto") != 0)
    {
        return "--checksum=ALG=HEX with several URLs";
    }
    if (layer != NULL && strcmp(layer, "auto") != 0) {
        return "--layer=URL|FILE with several URLs";
    }
    return options_text(o, "mirror") != NULL ? "--mirror with several URLs"
                                             : NULL;
}

static int
check_all(const struct options *o, char *why, size_t cap)
{
    bool is_layer = options_text(o, "make-layer") != NULL;
    bool has_list = options_text(o, "input-file") != NULL;
    const char *output = options_text(o, "output-document");
    const char *report = options_text(o, "report"), *wrong = NULL;

    if (is_layer) {
        wrong = o->n_urls > 0 || has_list ? "--make-layer takes no URL" : NULL;
    } else if (o->n_urls == 0 && !has_list
               && options_text(o, "input-metalink") == NULL)
    {
        wrong = "missing URL";
    } else if (o->n_urls > 1 || has_list) {
        wrong = wrong_with_several(o);
    }
    if (wrong == NULL && report != NULL && strcmp(report, "json") == 0
        && output != NULL && strcmp(output, "-") == 0)
    {
        wrong = "--report=json and -O - are both for standard output; "
                "--report=FILE writes to a file";
    }
    if (wrong == NULL && !is_layer && shoal_check(o->settings) != 0) {
        wrong = shoal_error(o->settings);
    }
    if (wrong != NULL) {
        snprintf(why, cap, "%s", wrong);
    }
    return wrong != NULL ? SHOAL_EINVAL : 0;
}

static int
read_all(const struct option_args *args, struct options *o, char *why,
         size_t cap)
{
    int err = option_args_give(args, o, true, why, cap);

    if (err != 0 || options_flag(o, "help") || options_flag(o, "version")
        || options_text(o, "completion") != NULL)
    {
        return err;
    }
    err = options_read_files(o, why, cap);
    if (err == 0) {
        err = options_read_environment(o, why, cap);
    }
    if (err == 0) {
        err = option_args_give(args, o, false, why, cap);
    }
    if (err != 0) {
        return err;
    }
    o->verbosity = verbosity(o);
    choose_progress(o);
    return check_all(o, why, cap);
}

int
options_read(int argc, char **argv, struct options *o, char *why, size_t cap)
{
    struct option_args args;

    memset(o, 0, sizeof(*o));
    o->settings = shoal_create(NULL);
    if (o->settings == NULL || option_table_init(&o->table) != 0) {
        snprintf(why, cap, "out of memory");
        return SHOAL_ENOMEM;
    }
    o->values = calloc(o->table.n, sizeof(o->values[0]));
    if (o->values == NULL) {
        snprintf(why, cap, "out of memory");
        return SHOAL_ENOMEM;
    }
    int err = option_args_read(&args, &o->table, argc, argv, why, cap);
    if (err == 0) {
        o->urls = argv + args.first_url;
        o->n_urls = argc - args.first_url;
        err = read_all(&args, o, why, cap);
    }
    option_args_free(&args);
    return err;
}

void
options_fini(struct options *o)
{
    for (size_t i = 0; o->values != NULL && i < o->table.n; i++) {
        free(o->values[i].text);
    }
    free(o->values);
    option_table_fini(&o->table);
    shoal_free(o->settings);
    memset(o, 0, sizeof(*o));
}
