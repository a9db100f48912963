#include "option_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "progress.h"
#include "shoal.h"

static bool
is_among(const char *value, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcasecmp(value, *words) == 0) {
            return true;
        }
    }
    return false;
}

/* As the library's flags. */
bool
option_is_yes(const char *value)
{
    static const char *const words[] = { "yes", "true", "on", "1", NULL };

    return is_among(value, words);
}

bool
option_is_no(const char *value)
{
    static const char *const words[] = { "no", "false", "off", "0", NULL };

    return is_among(value, words);
}

#define STARTUP "Startup"
#define OUTPUT  "Messages and input"

static int
check_flag(const char *value)
{
    return option_is_yes(value) || option_is_no(value) ? 0 : SHOAL_EINVAL;
}

static int
check_progress(const char *value)
{
    struct progress_choice choice;

    return progress_parse(value, &choice);
}

static int
check_completion(const char *value)
{
    return strcmp(value, "bash") == 0 ? 0 : SHOAL_EINVAL;
}

static const struct option_row own[] = {
    { .name = "version",
      .letters = "V",
      .group = STARTUP,
      .help = "print the version and exit",
      .flags = OPTION_COMMAND,
      .expected = "yes or no",
      .check = check_flag },
    { .name = "help",
      .letters = "h",
      .group = STARTUP,
      .help = "print this help",
      .flags = OPTION_COMMAND,
      .expected = "yes or no",
      .check = check_flag },
    { .name = "config",
      .argument = "FILE",
      .group = STARTUP,
      .help = "read this configuration instead of the system's and the "
              "user's",
      .expected = "a file name" },
    { .name = "no-config",
      .group = STARTUP,
      .help = "read no configuration",
      .expected = "yes or no",
      .check = check_flag },
    { .name = "make-layer",
      .argument = "FILE",
      .group = STARTUP,
      .help = "write the piece layer of FILE to FILE.shoal (or to -O), and "
              "exit",
      .flags = OPTION_COMMAND,
      .expected = "a file name" },
    { .name = "completion",
      .argument = "bash",
      .group = STARTUP,
      .help = "print what completes these options in the shell",
      .flags = OPTION_COMMAND,
      .check = check_completion,
      .expected = "bash" },

    { .name = "quiet",
      .letters = "q",
      .group = OUTPUT,
      .help = "print errors only",
      .expected = "yes or no",
      .check = check_flag },
    { .name = "verbose",
      .letters = "v",
      .group = OUTPUT,
      .help = "print all that wget would (the default)",
      .expected = "yes or no",
      .check = check_flag },
    { .name = "no-verbose",
      .letters = "nv",
      .group = OUTPUT,
      .help = "print errors, and one line for each file",
      .expected = "yes or no",
      .check = check_flag },
    { .name = "output-file",
      .letters = "o",
      .argument = "FILE",
      .group = OUTPUT,
      .help = "write messages to FILE",
      .expected = "a file name" },
    { .name = "append-output",
      .letters = "a",
      .argument = "FILE",
      .group = OUTPUT,
      .help = "add messages to FILE",
      .expected = "a file name" },
    { .name = "progress",
      .argument = "bar|dot|none",
      .group = OUTPUT,
      .help = "how to show progress (default: bar on a terminal, else dot); "
              "also bar:force, dot:STYLE",
      .check = check_progress,
      .expected = "bar, bar:force, dot, dot:default, dot:binary, dot:mega, "
                  "dot:giga or none" },
    { .name = "show-progress",
      .group = OUTPUT,
      .help = "show the bar with -q and -nv, too, and without a terminal",
      .expected = "yes or no",
      .check = check_flag },
    { .name = "report",
      .argument = "json|FILE",
      .group = OUTPUT,
      .help = "write what became of all files as JSON to standard output or "
              "to FILE",
      .expected = "json or a file name" },
    { .name = "explain",
      .group = OUTPUT,
      .help = "tell at the end why each source was used or not, with times "
              "and rates",
      .expected = "yes or no",
      .check = check_flag },
    { .name = "input-file",
      .letters = "i",
      .argument = "FILE",
      .group = OUTPUT,
      .help = "download the URLs in FILE, one a line; - is standard input",
      .expected = "a file name" },
};

enum {
    OWN = sizeof(own) / sizeof(own[0])
};

static struct option_row
row_of(const struct shoal_setting *s)
{
    return (struct option_row){
        .name = s->name,
        .letters = s->letters,
        .argument = s->argument,
        .group = s->group,
        .help = s->help,
        .fallback = s->fallback,
        .flags = ((s->flags & SHOAL_SETTING_LIST) ? OPTION_LIST : 0U)
                 | ((s->flags & SHOAL_SETTING_SECRET) ? OPTION_SECRET : 0U),
    };
}

int
option_table_init(struct option_table *t)
{
    size_t n;
    const struct shoal_setting *settings = shoal_settings(&n);

    t->rows = calloc(OWN + n, sizeof(t->rows[0]));
    t->n = t->rows != NULL ? OWN + n : 0;
    if (t->rows == NULL) {
        return SHOAL_ENOMEM;
    }
    memcpy(t->rows, own, sizeof(own));
    for (size_t i = 0; i < n; i++) {
        t->rows[OWN + i] = row_of(&settings[i]);
    }
    return 0;
}

void
option_table_fini(struct option_table *t)
{
    free(t->rows);
    *t = (struct option_table){ NULL, 0 };
}

const struct option_row *
option_find(const struct option_table *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->rows[i].name, name) == 0) {
            return &t->rows[i];
        }
    }
    return NULL;
}

const struct option_row *
option_find_letters(const struct option_table *t, const char *letters)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->rows[i].letters != NULL
            && strcmp(t->rows[i].letters, letters) == 0) {
            return &t->rows[i];
        }
    }
    return NULL;
}

void
option_opposite(const struct option_table *t, const struct option_row *row,
                char out[OPTION_NAME_MAX])
{
    if (strncmp(row->name, "no-", 3) == 0) {
        snprintf(out, OPTION_NAME_MAX, "%s", row->name + 3);
    } else {
        snprintf(out, OPTION_NAME_MAX, "no-%s", row->name);
    }
    if (row->argument != NULL || (row->flags & OPTION_COMMAND) != 0
        || option_find(t, out) != NULL)
    {
        out[0] = '\0';
    }
}

void
option_variable(const struct option_row *row, char out[OPTION_NAME_MAX])
{
    snprintf(out, OPTION_NAME_MAX, "SHOAL_%s", row->name);
    for (char *c = out; *c != '\0'; c++) {
        if (*c == '-') {
            *c = '_';
        } else if (*c >= 'a' && *c <= 'z') {
            *c = (char) (*c - 'a' + 'A');
        }
    }
}
