#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "shoal.h"
#include "signals.h"

enum {
    LOOK_MS = 100, /* until it is seen that nobody waits any more */
    READER_MS = 20 /* between two looks for a FIFO's reader */
};

struct piece {
    struct piece *next;
    uint64_t index;
    size_t len;
    uint8_t *data;
};

struct sink {
    char *path; /* NULL: standard output */
    const atomic_bool *stop;
    atomic_bool ended;
    pthread_t thread;
    bool running;

    /* The thread's own. */
    int fd;
    bool own; /* the open file is nobody else's, and does not block */

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    struct piece *first, *last; /* sorted */
    uint64_t next;              /* the piece that is to go out */
    uint64_t out;               /* bytes */
    bool writing;
    int error; /* errno of the write that failed */
};

struct sink *
sink_create(const char *path, const atomic_bool *stop)
{
    struct sink *s = calloc(1, sizeof(*s));
    pthread_condattr_t attr;

    if (s == NULL) {
        return NULL;
    }
    s->path = path != NULL ? strdup(path) : NULL;
    if (path != NULL && s->path == NULL) {
        free(s);
        return NULL;
    }
    s->fd = -1;
    s->stop = stop;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);
    return s;
}

static void
free_piece(struct piece *p)
{
    free(p->data);
    free(p);
}

static void
signal_all(struct sink *s)
{
    pthread_mutex_lock(&s->lock);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void
sink_free(struct sink *s)
{
    if (s == NULL) {
        return;
    }
    s->ended = true;
    signal_all(s);
    if (s->running) {
        pthread_join(s->thread, NULL);
    }
    while (s->first != NULL) {
        struct piece *p = s->first;

        s->first = p->next;
        free_piece(p);
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s->path);
    free(s);
}

/* ---- the thread ---- */

static bool
is_over(const struct sink *s)
{
    return s->ended || (s->stop != NULL && *s->stop);
}

/* The open file of a standard output is shared with whoever started us, so
 * that it has to stay as it is; a pipe can be opened once more. */
static int
open_stdout(struct sink *s)
{
    struct stat st;

    if (fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode)) {
        s->fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    }
    s->own = s->fd >= 0;
    if (s->fd < 0) {
        s->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    }
    return s->fd >= 0 ? 0 : errno;
}

static int
open_out(struct sink *s)
{
    struct timespec wait = { .tv_nsec = READER_MS * 1000000L };

    if (s->path == NULL) {
        return open_stdout(s);
    }
    s->own = true;
    while (!is_over(s)) {
        s->fd = open(s->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (s->fd >= 0 || (errno != ENXIO && errno != EINTR)) {
            return s->fd >= 0 ? 0 : errno;
        }
        nanosleep(&wait, NULL); /* a FIFO that nobody reads yet */
    }
    return ECANCELED;
}

/* What can be written at once without waiting, where there is room. */
static size_t
portion(const struct sink *s, bool regular, size_t len)
{
    return s->own || regular || len < PIPE_BUF ? len : PIPE_BUF;
}

/* errno, 0. */
static int
write_out(const struct sink *s, const uint8_t *data, size_t len)
{
    struct pollfd pfd = { .fd = s->fd, .events = POLLOUT };
    struct stat st;
    bool regular = fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode);

    while (len > 0 && !is_over(s)) {
        if (!regular && poll(&pfd, 1, LOOK_MS) <= 0) {
            continue;
        }
        ssize_t n = write(s->fd, data, portion(s, regular, len));

        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return errno;
        }
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t) n : 0;
    }
    return len > 0 ? ECANCELED : 0;
}

static struct piece *
next_locked(struct sink *s)
{
    struct piece *p = s->first;

    while (!s->ended && (p == NULL || p->index != s->next)) {
        pthread_cond_wait(&s->changed, &s->lock);
        p = s->first;
    }
    if (s->ended) {
        return NULL;
    }
    s->first = p->next;
    s->last = s->first != NULL ? s->last : NULL;
    s->next++;
    s->writing = true;
    return p;
}

static void *
run(void *arg)
{
    struct sink *s = arg;
    struct piece *p;

    pthread_mutex_lock(&s->lock);
    while (s->error == 0 && (p = next_locked(s)) != NULL) {
        pthread_mutex_unlock(&s->lock);
        int err = s->fd < 0 ? open_out(s) : 0;
        if (err == 0) {
            err = write_out(s, p->data, p->len);
        }
        size_t len = p->len;
        free_piece(p);
        pthread_mutex_lock(&s->lock);
        s->error = err;
        s->out += err == 0 ? len : 0;
        s->writing = false;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- its owner ---- */

static int
error_locked(const struct sink *s)
{
    errno = s->error;
    switch (s->error) {
    case 0:
        return 0;
    case ECANCELED:
        return SHOAL_ESTOPPED;
    case ENOSPC:
    case EDQUOT:
        return SHOAL_EFULL;
    default:
        return SHOAL_EIO;
    }
}

static void
insert_locked(struct sink *s, struct piece *p)
{
    struct piece **at = &s->first;

    if (s->last != NULL && s->last->index < p->index) {
        at = &s->last->next;
    }
    while (*at != NULL && (*at)->index < p->index) {
        at = &(*at)->next;
    }
    p->next = *at;
    *at = p;
    s->last = p->next == NULL ? p : s->last;
    if (p->index == s->next) {
        pthread_cond_broadcast(&s->changed);
    }
}

int
sink_put(struct sink *s, uint64_t index, const void *data, size_t len)
{
    struct piece *p = calloc(1, sizeof(*p));

    if (p != NULL) {
        p->data = malloc(len + 1);
    }
    if (p == NULL || p->data == NULL) {
        free(p);
        return SHOAL_ENOMEM;
    }
    p->index = index;
    p->len = len;
    memcpy(p->data, data, len);
    pthread_mutex_lock(&s->lock);
    int err = error_locked(s);
    if (err == 0) {
        insert_locked(s, p);
    }
    pthread_mutex_unlock(&s->lock);
    if (err != 0) {
        int saved = errno;

        free_piece(p);
        errno = saved;
    }
    return err;
}

bool
sink_take(struct sink *s, uint64_t *index, void **data, size_t *len)
{
    struct piece *p = s->first;

    if (p == NULL) {
        return false;
    }
    s->first = p->next;
    s->last = s->first != NULL ? s->last : NULL;
    *index = p->index;
    *data = p->data;
    *len = p->len;
    free(p);
    return true;
}

static void
remove_locked(struct sink *s, uint64_t index)
{
    struct piece **at = &s->first, *before = NULL;

    while (*at != NULL && (*at)->index < index) {
        before = *at;
        at = &before->next;
    }
    struct piece *p = *at;
    if (p == NULL || p->index != index) {
        return;
    }
    *at = p->next;
    s->last = p->next == NULL ? before : s->last;
    free_piece(p);
}

int
sink_drop(struct sink *s, uint64_t index)
{
    pthread_mutex_lock(&s->lock);
    int err = index < s->next ? SHOAL_EVERIFY : 0;
    if (err == 0) {
        remove_locked(s, index);
    } else {
        s->ended = true; /* and nothing more does */
    }
    pthread_mutex_unlock(&s->lock);
    return err;
}

int
sink_go(struct sink *s)
{
    sigset_t old;

    if (s->running) {
        return 0;
    }
    signals_block(&old); /* SIGPIPE above all: the write tells */
    s->running = pthread_create(&s->thread, NULL, run, s) == 0;
    signals_restore(&old);
    return s->running ? 0 : SHOAL_ENOMEM;
}

int
sink_look(struct sink *s, uint64_t *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->out;
    int err = error_locked(s);
    pthread_mutex_unlock(&s->lock);
    return err;
}

bool
sink_started(struct sink *s)
{
    pthread_mutex_lock(&s->lock);
    bool started = s->next > 0;
    pthread_mutex_unlock(&s->lock);
    return started;
}

static void
wait_locked(struct sink *s)
{
    uint64_t at = clock_ms() + LOOK_MS;
    struct timespec ts = { .tv_sec = (time_t) (at / 1000),
                           .tv_nsec = (long) (at % 1000) * 1000000 };

    pthread_cond_timedwait(&s->changed, &s->lock, &ts);
}

/* Whoever reads a FIFO waits for its end, even if nothing came. errno. */
static int
close_out(struct sink *s)
{
    int err = s->fd < 0 ? open_out(s) : 0;

    if (err == 0 && close(s->fd) != 0) {
        err = errno;
    }
    s->fd = -1;
    return err;
}

int
sink_end(struct sink *s)
{
    if (sink_go(s) != 0) {
        return SHOAL_ENOMEM;
    }
    pthread_mutex_lock(&s->lock);
    while (s->error == 0 && (s->first != NULL || s->writing) && !is_over(s)) {
        wait_locked(s);
    }
    if (s->error == 0 && !is_over(s)) {
        s->error = close_out(s);
    }
    int err = error_locked(s);
    if (err == 0 && is_over(s)) {
        err = SHOAL_ESTOPPED;
    }
    pthread_mutex_unlock(&s->lock);
    return err;
}
