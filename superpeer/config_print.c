/* config_print.c - the table of settings as documentation. */
#include <inttypes.h>
#include <string.h>

#include "config_internal.h"

/* The range, for those kinds that have one. */
void
config_range(const struct setting *s, char *out, size_t cap)
{
    *out = '\0';
    if (s->take == take_duration) {
        snprintf(out, cap, " from %" PRIu64 "ms to %" PRIu64 "s", s->min,
                 s->max / 1000);
    } else if (s->take == take_count || s->take == take_bytes) {
        snprintf(out, cap, " from %" PRIu64 " to %" PRIu64, s->min, s->max);
    }
}

enum {
    TERMS_MAX = 512 /* characters */
};

/* What is expected, the default and so on, in Markdown's way of quoting. */
static void
terms(const struct setting *s, char out[TERMS_MAX])
{
    char range[64], unset[64] = "Default: none.";

    config_range(s, range, sizeof(range));
    if ((s->flags & REQUIRED) != 0) {
        snprintf(unset, sizeof(unset), "Required.");
    } else if (s->fallback != NULL) {
        snprintf(unset, sizeof(unset), "Default: `%s`.", s->fallback);
    }
    snprintf(out, TERMS_MAX, "Expects %s%s%s. %s %s",
             (s->flags & LIST) != 0 ? "a list, each item " : "", s->expected,
             range, unset,
             s->reload ? "A reload changes it."
                       : "A reload does not change it.");
}

static void
print_roff(FILE *out, const char *text)
{
    bool quoted = false;

    for (; *text != '\0'; text++) {
        if (*text == '`') {
            quoted = !quoted;
            fputs(quoted ? "\\fB" : "\\fR", out);
        } else if (*text == '-') {
            fputs("\\-", out);
        } else if (*text == '\\') {
            fputs("\\e", out);
        } else {
            fputc(*text, out);
        }
    }
    fputc('\n', out);
}

void
config_print_markdown(FILE *out)
{
    char text[TERMS_MAX];

    for (size_t i = 0; i < config_settings_count; i++) {
        const struct setting *s = &config_settings[i];

        terms(s, text);
        fprintf(out, "### `%s`\n\n%s\n\n%s\n\n", s->key, s->help, text);
    }
}

void
config_print_man(FILE *out)
{
    char text[TERMS_MAX];

    for (size_t i = 0; i < config_settings_count; i++) {
        const struct setting *s = &config_settings[i];

        terms(s, text);
        fputs(".TP\n.B ", out);
        print_roff(out, s->key);
        print_roff(out, s->help);
        print_roff(out, text);
    }
}

void
config_print_keys(FILE *out)
{
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct setting *s = &config_settings[i];

        if ((s->flags & REQUIRED) != 0) {
            fprintf(out, "  %-24s required\n", s->key);
        } else {
            fprintf(out, "  %-24s default: %s\n", s->key,
                    s->fallback != NULL ? s->fallback : "none");
        }
    }
}
