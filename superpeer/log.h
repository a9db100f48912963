/* log.h - lines to stderr: time, level, resource id, text. */
#ifndef LOG_H
#define LOG_H

#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

/** log_set_level(level): lines above it are left out; at first INFO. */
void log_set_level(enum log_level level);

/**
 * log_line(level, id, format, ...):
 * One line; ${id} is the resource's (20 bytes) or NULL. Control characters
 * are printed as `?`. What comes from URLs must have gone through
 * log_url(): query strings hold tokens.
 */
void log_line(enum log_level level, const uint8_t *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum {
    LOG_URL_MAX = 512 /* characters of a URL that a log line holds */
};

/** log_url(url, out): the URL without its query and fragment, cut short. */
const char *log_url(const char *url, char out[LOG_URL_MAX]);

#endif
