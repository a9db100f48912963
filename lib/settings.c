/* settings.c - the values of one download by their names. */
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings_internal.h"
#include "shoal.h"

static void *
field(struct settings *s, const struct shoal_reader *row)
{
    return (char *) s + row->offset;
}

/* What is given as text in the table is what is used. */
static void
set_default(struct settings *s, const struct shoal_setting *shown)
{
    const struct shoal_reader *row = shown->reader;
    void *at = field(s, row);

    setting_clear(row, at);
    switch (row->kind) {
    case SETTING_FLAG:
        *(bool *) at = false;
        break;
    case SETTING_NUMBER:
        *(unsigned *) at = row->endless ? SETTINGS_UNSET : 0;
        break;
    case SETTING_RATE:
        *(uint64_t *) at = 0;
        break;
    case SETTING_TIME:
        *(unsigned *) at = SETTINGS_UNSET;
        break;
    case SETTING_RATIO:
        *(double *) at = -1;
        break;
    default:
        return; /* nothing */
    }
    if (shown->fallback != NULL) {
        setting_read(row, shown->fallback, at);
    }
}

struct settings *
settings_create(void)
{
    struct settings *s = calloc(1, sizeof(*s));
    size_t n;
    const struct shoal_setting *table = settings_table(&n);

    for (size_t i = 0; s != NULL && i < n; i++) {
        set_default(s, &table[i]);
    }
    return s;
}

void
settings_free(struct settings *s)
{
    size_t n;
    const struct shoal_setting *table = settings_table(&n);

    for (size_t i = 0; s != NULL && i < n; i++) {
        setting_clear(table[i].reader, field(s, table[i].reader));
    }
    free(s);
}

struct settings *
settings_copy(const struct settings *s)
{
    struct settings *copy = malloc(sizeof(*copy));
    size_t n;
    const struct shoal_setting *table = settings_table(&n);
    int err = 0;

    if (copy == NULL) {
        return NULL;
    }
    *copy = *s;
    for (size_t i = 0; i < n; i++) {
        if (setting_dup(table[i].reader, field(copy, table[i].reader)) != 0) {
            err = SHOAL_ENOMEM;
        }
    }
    if (err != 0) {
        settings_free(copy);
        return NULL;
    }
    return copy;
}

static void
explain_value(const struct shoal_setting *shown, const char *value, char *why,
              size_t cap)
{
    const char *expected = shown->reader->expected;

    if (shown->flags & SHOAL_SETTING_SECRET) {
        snprintf(why, cap, "%s: expected %s", shown->name, expected);
    } else {
        snprintf(why, cap, "%s: expected %s, got '%.256s'", shown->name,
                 expected, value);
    }
}

static int
set_row(struct settings *s, const struct shoal_setting *shown,
        const char *value)
{
    const struct shoal_reader *row = shown->reader;

    if (value == NULL && row->kind == SETTING_FLAG) {
        value = "yes";
    }
    if (value == NULL) {
        set_default(s, shown);
        return 0;
    }
    return setting_read(row, value, field(s, row));
}

int
settings_set(struct settings *s, const char *name, const char *value,
             char *why, size_t cap)
{
    size_t n;
    const struct shoal_setting *table = settings_table(&n);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(table[i].name, name) != 0) {
            continue;
        }
        int err = set_row(s, &table[i], value);
        if (err == SHOAL_EINVAL) {
            explain_value(&table[i], value, why, cap);
        } else if (err != 0) {
            snprintf(why, cap, "%s: %s", name, shoal_strerror(err));
        }
        return err;
    }
    snprintf(why, cap, "%.64s: there is no such setting", name);
    return SHOAL_ENOTFOUND;
}

int
settings_check(const struct settings *s, char *why, size_t cap)
{
    const struct {
        bool wrong;
        const char *words;
    } rules[] = {
        { s->inet4_only && s->inet6_only,
          "inet4-only and inet6-only contradict" },
        { s->listen_port != 0 && s->no_upload,
          "listen-port and no-upload contradict" },
        { s->timestamping && s->no_clobber,
          "timestamping and no-clobber contradict" },
        { s->private_key != NULL && s->certificate == NULL,
          "private-key without certificate" },
    };

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].wrong) {
            snprintf(why, cap, "%s", rules[i].words);
            return SHOAL_EINVAL;
        }
    }
    return 0;
}
