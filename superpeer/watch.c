#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "cache.h"
#include "clock.h"
#include "notify.h"
#include "serve.h"
#include "shoal.h"

enum {
    PATIENCE_MS = 60000, /* longer than any wait for a tracker */
    TURN_MS = 1000,
    STATUS_MS = 10000, /* between two lines for systemctl status */
    KNOCK_MS = 2000,   /* the block server answers within that, or is asked
                          again in the next turn; a quarter of the patience at
                          most, so that the others are looked at in time */
    TROUBLE_MS = 60000 /* a write that failed counts that long */
};

struct watch {
    struct watch_sources s;
    uint64_t patience_ms, alive_every_ms;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    bool stop;
    uint64_t turns, sync_turns;             /* as last seen, */
    uint64_t writer_ms, sync_ms, server_ms; /* and moving */
    uint64_t failures, failed_ms;           /* of commits */
    bool failed;
};

/* ---- the block server ---- */

static bool
wait_for(int fd, short events, uint64_t deadline)
{
    struct pollfd p = { .fd = fd, .events = events };
    uint64_t now = clock_ms();

    return now < deadline && poll(&p, 1, (int) (deadline - now)) == 1;
}

/* The server's own address, and a port before it connects, so that the server
 * can be told. */
static int
bind_like(int fd, const struct addrinfo *ai)
{
    struct sockaddr_storage local;

    memcpy(&local, ai->ai_addr, ai->ai_addrlen);
    ((struct sockaddr_in *) &local)->sin_port = 0; /* where IPv6 has it */
    return bind(fd, (struct sockaddr *) &local, ai->ai_addrlen);
}

/* Of both families. */
static uint16_t
port_of(int fd)
{
    struct sockaddr_in6 local = { .sin6_family = AF_UNSPEC };
    socklen_t len = sizeof(local);

    return getsockname(fd, (struct sockaddr *) &local, &len) == 0
               ? ntohs(local.sin6_port)
               : 0;
}

/* Any answer will do, also that there are too many connections, or that this
 * is no TLS. */
static bool
ask(struct serve *serve, int fd, const struct addrinfo *ai, uint64_t deadline)
{
    static const char text[] = "GET / HTTP/1.0\r\n\r\n";
    char answer[64];

    if (bind_like(fd, ai) != 0) {
        return false;
    }
    serve_expect(serve, port_of(fd));
    if (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0 && errno != EINPROGRESS)
    {
        return false;
    }
    if (!wait_for(fd, POLLOUT, deadline)
        || send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL) < 0)
    {
        return false;
    }
    return wait_for(fd, POLLIN, deadline)
           && (recv(fd, answer, sizeof(answer), 0) >= 0
               || errno == ECONNRESET);
}

static bool
server_answers(const struct watch *w)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
    struct addrinfo *ai = NULL;
    uint64_t patience = w->patience_ms / 4;
    bool answers = false;
    char port[8];

    snprintf(port, sizeof(port), "%u", (unsigned) serve_port(w->s.serve));
    const char *host = w->s.address != NULL ? w->s.address : "127.0.0.1";
    if (getaddrinfo(host, port, &hints, &ai) != 0) {
        return false;
    }
    int fd =
        socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        answers =
            ask(w->s.serve, fd, ai,
                clock_ms() + (patience < KNOCK_MS ? patience : KNOCK_MS));
        close(fd);
    }
    freeaddrinfo(ai);
    return answers;
}

/* ---- what moves ---- */

static void
look(struct watch *w)
{
    struct cache_stats cache;

    cache_get_stats(w->s.cache, &cache);
    pthread_mutex_lock(&w->lock);
    uint64_t now = clock_ms();
    if (cache.turns != w->turns) {
        w->turns = cache.turns;
        w->writer_ms = now;
    }
    if (cache.sync_turns != w->sync_turns) {
        w->sync_turns = cache.sync_turns;
        w->sync_ms = now;
    }
    if (cache.commit_errors != w->failures) {
        w->failures = cache.commit_errors;
        w->failed_ms = now;
        w->failed = true;
    }
    pthread_mutex_unlock(&w->lock);
    if (server_answers(w)) {
        pthread_mutex_lock(&w->lock);
        w->server_ms = clock_ms();
        pthread_mutex_unlock(&w->lock);
    }
}

static bool
hangs(struct watch *w, char *why, size_t cap)
{
    uint64_t patience =
        w->patience_ms > PATIENCE_MS ? w->patience_ms : PATIENCE_MS;
    uint64_t now = clock_ms();

    if (agent_idle_ms(w->s.agent) > patience) {
        snprintf(why, cap, "a thread of the agent hangs");
        return true;
    }
    pthread_mutex_lock(&w->lock);
    const char *what = now - w->writer_ms > w->patience_ms
                           ? "the cache's writer hangs"
                       : now - w->sync_ms > w->patience_ms
                           ? "a sync of the cache's file hangs"
                       : now - w->server_ms > w->patience_ms
                           ? "the block server does not answer"
                           : NULL;
    pthread_mutex_unlock(&w->lock);
    if (what != NULL) {
        snprintf(why, cap, "%s", what);
    }
    return what != NULL;
}

bool
watch_fault(struct watch *w, char *why, size_t cap)
{
    if (hangs(w, why, cap)) {
        return true;
    }
    pthread_mutex_lock(&w->lock);
    bool trouble = w->failed && clock_ms() - w->failed_ms < TROUBLE_MS;
    pthread_mutex_unlock(&w->lock);
    if (trouble) {
        snprintf(why, cap, "the cache cannot be written");
    }
    return trouble;
}

void
watch_summary(struct watch *w, char *out, size_t cap)
{
    struct cache_stats cache;
    struct serve_stats serve;

    cache_get_stats(w->s.cache, &cache);
    serve_get_stats(w->s.serve, &serve);
    snprintf(out, cap,
             "%zu sets, %" PRIu64 " of %" PRIu64 " MiB, %u uploads, %" PRIu64
             " MiB sent",
             cache.sets, cache.used >> 20, cache.size >> 20, serve.active,
             serve.bytes >> 20);
}

/* ---- the thread ---- */

static void
turn(struct watch *w, uint64_t *alive_at, uint64_t *status_at)
{
    uint64_t now = clock_ms();
    char text[256];

    look(w);
    if (w->alive_every_ms != 0 && now >= *alive_at
        && !hangs(w, text, sizeof(text)))
    {
        notify_alive();
        *alive_at = now + w->alive_every_ms;
    }
    if (now >= *status_at) {
        if (!watch_fault(w, text, sizeof(text))) {
            watch_summary(w, text, sizeof(text));
        }
        notify_status(text);
        *status_at = now + STATUS_MS;
    }
}

static uint64_t
turn_ms(const struct watch *w)
{
    return w->alive_every_ms != 0 && w->alive_every_ms < TURN_MS
               ? w->alive_every_ms
               : TURN_MS;
}

static void *
watch_loop(void *arg)
{
    struct watch *w = arg;
    uint64_t alive_at = 0, status_at = clock_ms() + STATUS_MS;

    pthread_setname_np(pthread_self(), "watch");
    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        pthread_mutex_unlock(&w->lock);
        turn(w, &alive_at, &status_at);
        uint64_t next = clock_ms() + turn_ms(w);
        struct timespec ts = { .tv_sec = (time_t) (next / 1000),
                               .tv_nsec = (long) (next % 1000) * 1000000 };
        pthread_mutex_lock(&w->lock);
        while (!w->stop
               && pthread_cond_timedwait(&w->changed, &w->lock, &ts) == 0) {
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

int
watch_start(const struct watch_sources *sources, struct watch **out)
{
    struct watch *w = calloc(1, sizeof(*w));
    uint64_t interval = notify_watchdog_ms();
    pthread_condattr_t attr;

    if (w == NULL) {
        return SHOAL_ENOMEM;
    }
    w->s = *sources;
    w->alive_every_ms = interval / 4;
    w->patience_ms = interval != 0 ? interval / 2 : PATIENCE_MS;
    w->writer_ms = w->sync_ms = w->server_ms = clock_ms();
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&w->thread, NULL, watch_loop, w) != 0) {
        pthread_cond_destroy(&w->changed);
        pthread_mutex_destroy(&w->lock);
        free(w);
        return SHOAL_ENOMEM;
    }
    *out = w;
    return 0;
}

void
watch_stop(struct watch *w)
{
    if (w == NULL) {
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
