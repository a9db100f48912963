/* config_internal.h - what the files that read the configuration share. */
#ifndef CONFIG_INTERNAL_H
#define CONFIG_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config.h"

struct config_yaml;
struct setting;

/* The state of one reading. */
struct reader {
    const char *path;
    FILE *errors;
    unsigned faults;
    struct config *config;
    struct config_tracker *tracker; /* that is being read */
    struct config_yaml *yaml;       /* config_yaml.c's */
    size_t folder_line;             /* of cache.path */
    char why[512];                  /* more on SHOAL_EINVAL, or empty */
};

/* One kind of value: reads `text`. 0, SHOAL_EINVAL (not what is expected),
 * SHOAL_ENOMEM. */
typedef int take_fn(struct reader *r, const struct setting *s,
                    const char *text, void *at);

take_fn take_text, take_name, take_locality, take_path, take_url, take_address,
    take_listen, take_bytes, take_count, take_origin, take_network,
    take_override, take_key_file, take_server, take_duration, take_switch,
    take_choice;

enum flags {
    REQUIRED = 1,
    LIST = 2,      /* of values */
    OF_TRACKER = 4 /* offset is in struct config_tracker */
};

/* The table. `fallback` is read by the same function as the file's text. */
struct setting {
    const char *key;
    take_fn *take;
    const char *expected; /* and shown as the type */
    const char *fallback;
    const char *choices; /* of take_choice: words, by their number */
    uint64_t min, max;
    unsigned flags;
    bool reload; /* SIGHUP changes it; the others need a restart */
    size_t offset;
    const char *help;
};

extern const struct setting config_settings[];
extern const size_t config_settings_count;

/* What a kind of value is kept in. */
enum storage {
    STORED_OBJECT,  /* one that it is added to: guard, resolve, .. */
    STORED_TEXT,    /* char *, or NULL */
    STORED_NUMBER,  /* uint64_t */
    STORED_ADDRESS, /* struct config_address */
};

enum storage config_storage(const struct setting *s);

/** config_fault(r, line, key, format, ...): one line on the errors. */
void config_fault(struct reader *r, size_t line, const char *key,
                  const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** config_target(r, s): where its value goes. */
void *config_target(struct reader *r, const struct setting *s);

/** config_range(s, out, cap): " from .. to ..", for those kinds that have it. */
void config_range(const struct setting *s, char *out, size_t cap);

/** config_check_tracker(r, t, line): what its settings say together; reads its
 *  token_file. */
void config_check_tracker(struct reader *r, struct config_tracker *t,
                          size_t line);

/** config_check_ca(r, key, path, line): are there certificates? */
void config_check_ca(struct reader *r, const char *key, const char *path,
                     size_t line);

/** config_check_tls(r, line): what its settings say together; reads the
 *  files. */
void config_check_tls(struct reader *r, size_t line);

/** config_note(r, s, text): remember what was given, so that two files can be
 *  compared. SHOAL_ENOMEM. */
int config_note(struct reader *r, const struct setting *s, const char *text);

/** config_read_yaml(r, f): the whole file. SHOAL_EINVAL, SHOAL_ENOMEM. */
int config_read_yaml(struct reader *r, FILE *f);

#endif
