/* log.h - lines: time, level, resource id, text; to stderr or syslog, written
 * by a thread of its own, so that nobody waits for who reads them. */
#ifndef LOG_H
#define LOG_H

#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

enum log_to {
    LOG_TO_STDERR,
    LOG_TO_SYSLOG
};

/**
 * log_open(to):
 * Begin to write lines in a thread; before, and where none can be started,
 * who logs writes them. Where stderr is the journal, lines have its prefix
 * for the level instead of the time. While nobody reads, LOG_QUEUE_MAX bytes
 * of lines are kept; of those above, one line says how many there were.
 */
void log_open(enum log_to to);

enum {
    LOG_QUEUE_MAX = 256 << 10
};

/** log_set_level(level): lines above it are left out; at first INFO. */
void log_set_level(enum log_level level);

/** log_set_to(to): where lines go from now on. */
void log_set_to(enum log_to to);

/** log_close(timeout_ms): write what is queued, or give it up. */
void log_close(unsigned timeout_ms);

/**
 * log_line(level, id, format, ...):
 * One line; ${id} is the resource's (20 bytes), or NULL: `-`. Control
 * characters are printed as `?`. Does not block. What comes from URLs must
 * have gone through log_url(): query strings hold tokens.
 */
void log_line(enum log_level level, const uint8_t *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

enum {
    LOG_URL_MAX = 512 /* characters of a URL that a log line holds */
};

/** log_url(url, out): the URL without its query and fragment, cut short. */
const char *log_url(const char *url, char out[LOG_URL_MAX]);

#endif
