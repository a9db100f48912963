#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "resource.h"

enum {
    LINE_LEN = 1024, /* longer lines are cut; a pipe takes them whole */
    HEAD_LEN = 48    /* of time and level */
};

struct line {
    struct line *next;
    enum log_level level;
    size_t len;
    char head[HEAD_LEN]; /* for a file or a terminal */
    char text[];         /* id and words */
};

/* A process has one log. */
static struct {
    atomic_uint level, to;
    bool journal; /* stderr is systemd's journal */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool running, closing, writing;
    struct line *first, **end;
    size_t bytes, lost;
} state = {
    .level = LOG_LEVEL_INFO,
    .to = LOG_TO_STDERR,
    .lock = PTHREAD_MUTEX_INITIALIZER,
};

static const char *const names[] = { "error", "warn", "info", "debug" };
static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

void
log_set_level(enum log_level level)
{
    atomic_store(&state.level, (unsigned) level);
}

void
log_set_to(enum log_to to)
{
    atomic_store(&state.to, (unsigned) to);
}

/* ---- writing ---- */

static void
write_all(const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, text, len);

        if (n <= 0) {
            return; /* nobody is there to hear of it */
        }
        text += n;
        len -= (size_t) n;
    }
}

static void
emit(const struct line *l)
{
    char out[HEAD_LEN + LINE_LEN + 8];
    int n;

    if (atomic_load(&state.to) == LOG_TO_SYSLOG) {
        syslog(priorities[l->level], "%s", l->text);
        return;
    }
    if (state.journal) {
        n = snprintf(out, sizeof(out), "<%d>%s %s\n", priorities[l->level],
                     names[l->level], l->text);
    } else {
        n = snprintf(out, sizeof(out), "%s %s %s\n", l->head, names[l->level],
                     l->text);
    }
    write_all(out, (size_t) n);
}

/* ---- a line ---- */

static void
stamp(char head[HEAD_LEN])
{
    struct timespec ts;
    struct tm tm;

    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    size_t n = strftime(head, HEAD_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(head + n, HEAD_LEN - n, ".%03dZ", (int) (ts.tv_nsec / 1000000));
}

static struct line *
make_line(enum log_level level, const uint8_t *id, const char *format,
          va_list args)
{
    char text[LINE_LEN], hex[RESOURCE_ID_HEX] = "-";

    if (id != NULL) {
        resource_id_hex(id, hex);
    }
    int n = snprintf(text, sizeof(text), "%s ", hex);
    vsnprintf(text + n, sizeof(text) - (size_t) n, format, args);
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char) text[i] < 32 || text[i] == 127) {
            text[i] = '?';
        }
    }
    struct line *l = malloc(sizeof(*l) + len + 1);
    if (l != NULL) {
        l->next = NULL;
        l->level = level;
        l->len = len;
        stamp(l->head);
        memcpy(l->text, text, len + 1);
    }
    return l;
}

void
log_line(enum log_level level, const uint8_t *id, const char *format, ...)
{
    va_list args;

    if ((unsigned) level > atomic_load(&state.level)) {
        return;
    }
    va_start(args, format);
    struct line *l = make_line(level, id, format, args);
    va_end(args);
    pthread_mutex_lock(&state.lock);
    if (l == NULL || (state.running && state.bytes + l->len > LOG_QUEUE_MAX)) {
        state.lost++;
        free(l);
    } else if (!state.running) {
        emit(l); /* under the lock: lines stay whole */
        free(l);
    } else {
        *state.end = l;
        state.end = &l->next;
        state.bytes += l->len;
        pthread_cond_broadcast(&state.changed);
    }
    pthread_mutex_unlock(&state.lock);
}

/* ---- the thread ---- */

static void
emit_lost(size_t lost)
{
    struct line *l = malloc(sizeof(*l) + LINE_LEN);

    if (l != NULL) {
        l->level = LOG_LEVEL_WARN;
        stamp(l->head);
        snprintf(l->text, LINE_LEN,
                 "- log: %zu lines were lost, as nobody took them", lost);
        emit(l);
        free(l);
    }
}

/* The lock is held, and let go meanwhile. */
static void
write_first_locked(void)
{
    struct line *l = state.first;
    size_t lost = state.lost;

    state.first = l->next;
    if (state.first == NULL) {
        state.end = &state.first;
    }
    state.bytes -= l->len;
    state.lost = 0;
    state.writing = true;
    pthread_mutex_unlock(&state.lock);
    emit(l);
    free(l);
    if (lost > 0) {
        emit_lost(lost);
    }
    pthread_mutex_lock(&state.lock);
    state.writing = false;
}

static void *
write_loop(void *arg)
{
    pthread_setname_np(pthread_self(), "log");
    pthread_mutex_lock(&state.lock);
    while (!state.closing || state.first != NULL) {
        if (state.first == NULL) {
            pthread_cond_wait(&state.changed, &state.lock);
        } else {
            write_first_locked();
        }
        pthread_cond_broadcast(&state.changed);
    }
    state.running = false;
    pthread_cond_broadcast(&state.changed);
    pthread_mutex_unlock(&state.lock);
    return arg;
}

/* systemd says which file it is, as what it set may be inherited. */
static bool
is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char mine[64];
    struct stat st;

    if (stream == NULL || fstat(STDERR_FILENO, &st) != 0) {
        return false;
    }
    snprintf(mine, sizeof(mine), "%llu:%llu", (unsigned long long) st.st_dev,
             (unsigned long long) st.st_ino);
    return strcmp(stream, mine) == 0;
}

void
log_open(enum log_to to)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&state.changed, &attr);
    pthread_condattr_destroy(&attr);
    openlog("superpeer", LOG_PID, LOG_DAEMON);
    log_set_to(to);
    state.journal = is_journal();
    state.end = &state.first;
    state.closing = false;
    pthread_mutex_lock(&state.lock);
    state.running = pthread_create(&state.thread, NULL, write_loop, NULL) == 0;
    pthread_mutex_unlock(&state.lock);
}

/* A thread that is stuck in a write is left behind, with what is queued. */
void
log_close(unsigned timeout_ms)
{
    uint64_t deadline = clock_ms() + timeout_ms;
    struct timespec ts = { .tv_sec = (time_t) (deadline / 1000),
                           .tv_nsec = (long) (deadline % 1000) * 1000000 };
    int rc = 0;

    pthread_mutex_lock(&state.lock);
    bool ran = state.running;
    state.closing = true;
    if (ran) {
        pthread_cond_broadcast(&state.changed);
    }
    while (state.running && rc == 0) {
        rc = pthread_cond_timedwait(&state.changed, &state.lock, &ts);
    }
    bool ended = ran && !state.running;
    pthread_mutex_unlock(&state.lock);
    if (ended) {
        pthread_join(state.thread, NULL);
        closelog();
    }
}

const char *
log_url(const char *url, char out[LOG_URL_MAX])
{
    snprintf(out, LOG_URL_MAX, "%.*s", (int) strcspn(url, "?#"), url);
    return out;
}
