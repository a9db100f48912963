/* option_files.c - options of configuration files and the environment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "rcfile.h"
#include "shoal.h"

#ifndef SHOAL_SYSTEM_CONFIG
#define SHOAL_SYSTEM_CONFIG "/etc/shoal.yaml"
#endif

enum {
    PATH_BYTES = 4096,
    REASON_MAX = 512
};

/* A file while it is read. */
struct reading {
    struct options *o;
    enum option_source from;
};

static int
take_pair(void *ctx, const char *key, const char *value, int first, char *why,
          size_t cap)
{
    struct reading *r = ctx;
    const struct option_row *row = option_find(&r->o->table, key);
    char reason[REASON_MAX] = "";

    if (row == NULL) {
        snprintf(why, cap, "%.64s: there is no such option", key);
        return SHOAL_EINVAL;
    }
    if ((row->flags & OPTION_COMMAND) != 0 || strcmp(key, "config") == 0
        || strcmp(key, "no-config") == 0)
    {
        snprintf(why, cap, "%s: is for the command line only", key);
        return SHOAL_EINVAL;
    }
    if (!first && (row->flags & OPTION_LIST) == 0) {
        snprintf(why, cap, "%s: expected one value, got a list", key);
        return SHOAL_EINVAL;
    }
    int err = options_give(r->o, row, value, r->from, reason, sizeof(reason));
    if (err != 0) {
        snprintf(why, cap, "%s: %s", key,
                 *reason != '\0' ? reason : shoal_strerror(err));
    }
    return err;
}

/* One that is there always may be missing. */
static int
read_file(struct options *o, const char *path, enum option_source from,
          char *why, size_t cap)
{
    struct reading r = { o, from };
    int err = rcfile_read(path, take_pair, &r, why, cap);

    return err == SHOAL_ENOTFOUND ? 0 : err;
}

/* "" where there is none. */
static void
user_path(char out[PATH_BYTES])
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int len = 0;

    if (xdg != NULL && *xdg == '/') { /* as its specification says */
        len = snprintf(out, PATH_BYTES, "%s/shoal/config.yaml", xdg);
    } else if (home != NULL && *home != '\0') {
        len = snprintf(out, PATH_BYTES, "%s/.config/shoal/config.yaml", home);
    }
    if (len <= 0 || len >= PATH_BYTES) {
        out[0] = '\0';
    }
}

/* The command line, then the environment; NULL: it says nothing. */
static const char *
told(const struct options *o, const char *name)
{
    const struct option_row *row = option_find(&o->table, name);
    const char *text = options_text(o, name);
    char variable[OPTION_NAME_MAX];

    option_variable(row, variable);
    if (text == NULL) {
        text = getenv(variable);
    }
    return text != NULL && *text != '\0' ? text : NULL;
}

int
options_read_files(struct options *o, char *why, size_t cap)
{
    const char *last = options_last(o, "config", "no-config");
    const char *path = told(o, "config"), *none = told(o, "no-config");
    char user[PATH_BYTES];

    if (last != NULL && strcmp(last, "config") == 0) {
        none = NULL;
    }
    if (none != NULL && !option_is_no(none)) {
        return 0;
    }
    if (path != NULL) {
        struct reading r = { o, FROM_USER };
        return rcfile_read(path, take_pair, &r, why, cap);
    }
    path = getenv("SHOAL_SYSTEM_CONFIG");
    int err = read_file(
        o, path != NULL && *path != '\0' ? path : SHOAL_SYSTEM_CONFIG,
        FROM_SYSTEM, why, cap);
    user_path(user);
    return err == 0 && *user != '\0' ? read_file(o, user, FROM_USER, why, cap)
                                     : err;
}

/* Of a list, each line is a value. */
static int
take_lines(struct options *o, const struct option_row *row, const char *text,
           char *why, size_t cap)
{
    int err = 0;

    while (err == 0 && *text != '\0') {
        size_t len = strcspn(text, "\n");
        char *line = strndup(text, len);

        if (line == NULL) {
            return SHOAL_ENOMEM;
        }
        if (len > 0) {
            err = options_give(o, row, line, FROM_ENVIRONMENT, why, cap);
        }
        free(line);
        text += len + (text[len] != '\0' ? 1 : 0);
    }
    return err;
}

static int
take_variable(struct options *o, const struct option_row *row, char *why,
              size_t cap)
{
    char variable[OPTION_NAME_MAX], reason[REASON_MAX] = "";
    int err;

    option_variable(row, variable);
    const char *text = getenv(variable);
    if (text == NULL || *text == '\0') {
        return 0;
    }
    if ((row->flags & OPTION_LIST) != 0) {
        err = take_lines(o, row, text, reason, sizeof(reason));
    } else {
        err = options_give(o, row, text, FROM_ENVIRONMENT, reason,
                           sizeof(reason));
    }
    if (err != 0) {
        snprintf(why, cap, "%s: %s", variable,
                 *reason != '\0' ? reason : shoal_strerror(err));
    }
    return err;
}

int
options_read_environment(struct options *o, char *why, size_t cap)
{
    int err = 0;

    for (size_t i = 0; err == 0 && i < o->table.n; i++) {
        const struct option_row *row = &o->table.rows[i];

        if ((row->flags & OPTION_COMMAND) == 0
            && strcmp(row->name, "config") != 0
            && strcmp(row->name, "no-config") != 0)
        {
            err = take_variable(o, row, why, cap);
        }
    }
    return err;
}
