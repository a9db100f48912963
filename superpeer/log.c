#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "resource.h"

enum {
    LINE_LEN = 1024 /* longer lines are cut */
};

static const char *const names[] = { "error", "warn", "info", "debug" };

static atomic_uint highest = LOG_LEVEL_INFO;

void
log_set_level(enum log_level level)
{
    atomic_store(&highest, (unsigned) level);
}

static size_t
head(char *line, size_t cap, enum log_level level, const uint8_t *id)
{
    char when[32], hex[RESOURCE_ID_HEX] = "-";
    struct timespec ts;
    struct tm tm;

    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
    if (id != NULL) {
        resource_id_hex(id, hex);
    }
    int n = snprintf(line, cap, "%s.%03dZ %s %s ", when,
                     (int) (ts.tv_nsec / 1000000), names[level], hex);
    return n > 0 ? (size_t) n : 0;
}

void
log_line(enum log_level level, const uint8_t *id, const char *format, ...)
{
    char line[LINE_LEN];
    va_list args;

    if ((unsigned) level > atomic_load(&highest)) {
        return;
    }
    size_t len = head(line, sizeof(line) - 1, level, id);
    va_start(args, format);
    int n = vsnprintf(line + len, sizeof(line) - 1 - len, format, args);
    va_end(args);
    if (n > 0) {
        size_t room = sizeof(line) - 2 - len;

        len += (size_t) n < room ? (size_t) n : room;
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char) line[i] < 32 || line[i] == 127) {
            line[i] = '?';
        }
    }
    line[len++] = '\n';
    fwrite(line, 1, len, stderr); /* one call: lines stay whole */
}

const char *
log_url(const char *url, char out[LOG_URL_MAX])
{
    snprintf(out, LOG_URL_MAX, "%.*s", (int) strcspn(url, "?#"), url);
    return out;
}
