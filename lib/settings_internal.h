/* settings_internal.h - what settings.c (values by name) and settings_table.c
 * (the table) share with settings_values.c (one reader a kind of value). */
#ifndef SETTINGS_INTERNAL_H
#define SETTINGS_INTERNAL_H

#include "settings.h"

enum setting_kind {
    SETTING_FLAG,    /* bool */
    SETTING_TEXT,    /* char * */
    SETTING_LIST,    /* struct strings */
    SETTING_NUMBER,  /* unsigned */
    SETTING_RATE,    /* uint64_t, bytes a second */
    SETTING_TIME,    /* unsigned, milliseconds */
    SETTING_RATIO,   /* double */
    SETTING_CHECKSUM /* struct checksum_setting */
};

/** How a value is read: the library's half of a row of the table. */
struct shoal_reader {
    enum setting_kind kind;
    size_t offset; /* in struct settings */
    const char *expected;
    int (*check)(const char *value); /* of texts and lists; NULL: any */
    unsigned min, max;               /* numbers; of a list, max values */
    bool endless;                    /* a number: `inf` is 0 */
    unsigned unit_ms;                /* of a time without a suffix */
};

/**
 * setting_read(row, value, at):
 * Read ${value}, not NULL, into ${at}, whose old value is freed.
 * Errors:  SHOAL_EINVAL, SHOAL_ENOMEM; nothing has changed.
 */
int setting_read(const struct shoal_reader *row, const char *value, void *at);

/** setting_clear(row, at): free what it holds and leave nothing. */
void setting_clear(const struct shoal_reader *row, void *at);

/** setting_dup(row, at): ${at} is a bytewise copy: give it memory of its own.
 *  SHOAL_ENOMEM; then it holds nothing. */
int setting_dup(const struct shoal_reader *row, void *at);

/* What texts must look like: 0, or SHOAL_EINVAL. */
int check_address(const char *value);
int check_header(const char *value);
int check_host_pattern(const char *value);
int check_layer(const char *value);
int check_resolve(const char *value);
int check_url(const char *value);
int check_version(const char *value);

#endif
