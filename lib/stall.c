#include "stall.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "clock.h"

enum {
    ROUNDS = 8, /* in the shortest limit */
    ROUND_MIN_MS = 20,
    ROUND_MAX_MS = 2000,
    ESTABLISHED = 1, /* of TCP's states, as Linux numbers them */
    CLOSE_WAIT = 8   /* the client has sent all it will, and still reads */
};

struct stall {
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    pthread_t thread;
    struct stall_limits limits;
    struct stall_conn *first;
    uint64_t taken; /* by those that are not counted any more */
    bool stopped;
    atomic_uint_fast64_t ended[STALL_ENDS];
};

/* The socket is closed by its owner, who sees that it is shut down. */
static void
end_conn(struct stall *s, struct stall_conn *c, enum stall_end why)
{
    c->ended = true;
    atomic_fetch_add(&s->ended[why], 1);
    shutdown(c->fd, SHUT_RDWR);
}

static bool
tcp_info_of(const struct stall_conn *c, struct tcp_info *out)
{
    socklen_t len = sizeof(*out);

    memset(out, 0, sizeof(*out));
    return getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, out, &len) == 0;
}

static bool
has_to_take(const struct tcp_info *info)
{
    return info->tcpi_unacked + info->tcpi_notsent_bytes > 0;
}

/* What it has not taken while there was nothing to take is no fault. */
static void
judge_window(struct stall *s, struct stall_conn *c, uint64_t now,
             const struct tcp_info *info)
{
    uint64_t wanted = s->limits.min_rate * s->limits.window_ms / 1000;
    uint64_t taken = info->tcpi_bytes_acked - c->from_bytes;

    if (c->from_ms != 0 && taken < (wanted > 0 ? wanted : 1)
        && has_to_take(info)) {
        end_conn(s, c, STALL_END_SLOW);
        return;
    }
    c->from_ms = now;
    c->from_paused_ms = atomic_load(&c->paused_ms);
    c->from_bytes = info->tcpi_bytes_acked;
}

static bool
window_is_over(const struct stall *s, const struct stall_conn *c, uint64_t now)
{
    uint64_t paused = atomic_load(&c->paused_ms) - c->from_paused_ms;

    return c->from_ms == 0 || now >= c->from_ms + s->limits.window_ms + paused;
}

static void
look_at_answer(struct stall *s, struct stall_conn *c, uint64_t now)
{
    struct tcp_info info;

    if (atomic_load(&c->paused_since_ms) == 0 && window_is_over(s, c, now)
        && tcp_info_of(c, &info))
    {
        judge_window(s, c, now, &info);
    }
}

/* The answer is in the system's hands, which may take a while. */
static void
look_at_rest(struct stall *s, struct stall_conn *c, uint64_t now)
{
    struct tcp_info info;

    if (!tcp_info_of(c, &info)) {
        return;
    }
    if (!has_to_take(&info)) {
        c->drained_ms = c->from_ms == 0 ? c->looked_since_ms : now;
        c->from_ms = 0;
        c->from_bytes = info.tcpi_bytes_received;
    } else if (window_is_over(s, c, now)) {
        judge_window(s, c, now, &info);
    }
}

/* That a request has begun shows by bytes that came in. */
static void
look_at_idle(struct stall *s, struct stall_conn *c, uint64_t now)
{
    struct tcp_info info;

    if (c->drained_ms == 0) {
        look_at_rest(s, c, now);
    } else if (c->from_ms != 0) {
        if (now > c->from_ms + s->limits.header_ms) {
            end_conn(s, c, STALL_END_HEADER);
        }
    } else if (now > c->drained_ms + s->limits.idle_ms) {
        end_conn(s, c, STALL_END_IDLE);
    } else if (s->limits.header_ms < s->limits.idle_ms && tcp_info_of(c, &info)
               && info.tcpi_bytes_received != c->from_bytes)
    {
        c->from_ms = now;
    }
}

static void
look_at(struct stall *s, struct stall_conn *c, uint64_t now)
{
    int phase = atomic_load(&c->phase);
    uint64_t since = atomic_load(&c->since_ms);

    if (phase != c->looked_phase || since != c->looked_since_ms) {
        c->looked_phase = phase;
        c->looked_since_ms = since;
        c->drained_ms = 0;
        c->from_ms = 0;
        c->from_bytes = 0;
    }
    if (phase == STALL_ANSWER) {
        look_at_answer(s, c, now);
    } else if (phase == STALL_IDLE) {
        look_at_idle(s, c, now);
    } else if (now
               > since
                     + (c->hasty_ms != 0 ? c->hasty_ms : s->limits.header_ms))
    {
        end_conn(s, c, STALL_END_HEADER);
    }
}

static void
look_at_all_locked(struct stall *s)
{
    uint64_t now = clock_ms();

    for (struct stall_conn *c = s->first; c != NULL; c = c->next) {
        if (!c->ended) {
            look_at(s, c, now);
        }
    }
}

static uint64_t
round_ms_locked(const struct stall *s)
{
    unsigned ms = s->limits.idle_ms;

    ms = ms < s->limits.header_ms ? ms : s->limits.header_ms;
    ms = ms < s->limits.window_ms ? ms : s->limits.window_ms;
    ms /= ROUNDS;
    ms = ms > ROUND_MAX_MS ? ROUND_MAX_MS : ms;
    return ms < ROUND_MIN_MS ? ROUND_MIN_MS : ms;
}

static void *
run(void *arg)
{
    struct stall *s = arg;

    pthread_mutex_lock(&s->lock);
    while (!s->stopped) {
        uint64_t at = clock_ms() + round_ms_locked(s);
        struct timespec ts = { .tv_sec = (time_t) (at / 1000),
                               .tv_nsec = (long) (at % 1000) * 1000000 };

        if (pthread_cond_timedwait(&s->changed, &s->lock, &ts) != 0) {
            look_at_all_locked(s);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct stall *
stall_create(const struct stall_limits *limits)
{
    struct stall *s = calloc(1, sizeof(*s));
    pthread_condattr_t attr;

    if (s == NULL) {
        return NULL;
    }
    s->limits = *limits;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&s->thread, NULL, run, s) != 0) {
        pthread_cond_destroy(&s->changed);
        pthread_mutex_destroy(&s->lock);
        free(s);
        return NULL;
    }
    return s;
}

void
stall_set(struct stall *s, const struct stall_limits *limits)
{
    pthread_mutex_lock(&s->lock);
    s->limits = *limits;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void
stall_add(struct stall *s, struct stall_conn *c, int fd, unsigned hasty_ms)
{
    memset(c, 0, sizeof(*c));
    c->fd = fd;
    c->hasty_ms = hasty_ms;
    stall_enter(c, STALL_REQUEST);
    pthread_mutex_lock(&s->lock);
    c->next = s->first;
    if (c->next != NULL) {
        c->next->prev = c;
    }
    s->first = c;
    pthread_mutex_unlock(&s->lock);
}

void
stall_del(struct stall *s, struct stall_conn *c)
{
    pthread_mutex_lock(&s->lock);
    *(c->prev != NULL ? &c->prev->next : &s->first) = c->next;
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    pthread_mutex_unlock(&s->lock);
}

/* In this order: a phase is never seen with the time of the one before. */
void
stall_enter(struct stall_conn *c, enum stall_phase phase)
{
    atomic_store(&c->since_ms, clock_ms());
    atomic_store(&c->phase, (int) phase);
}

void
stall_pause(struct stall_conn *c, bool paused)
{
    uint64_t now = clock_ms();

    if (paused) {
        atomic_store(&c->paused_since_ms, now);
    } else {
        uint64_t since = atomic_load(&c->paused_since_ms);

        atomic_fetch_add(&c->paused_ms, now - since);
        atomic_store(&c->paused_since_ms, 0);
    }
}

bool
stall_has_left(const struct stall_conn *c)
{
    struct tcp_info info;

    return tcp_info_of(c, &info) && info.tcpi_state != ESTABLISHED
           && info.tcpi_state != CLOSE_WAIT;
}

void
stall_count(struct stall *s, struct stall_conn *c, uint64_t most)
{
    struct tcp_info info;

    tcp_info_of(c, &info);
    pthread_mutex_lock(&s->lock);
    c->counted_from = info.tcpi_bytes_acked;
    c->counted_most = most;
    c->counted = 0;
    pthread_mutex_unlock(&s->lock);
}

static void
count_locked(struct stall_conn *c)
{
    struct tcp_info info;

    if (c->counted_most > 0 && tcp_info_of(c, &info)) {
        uint64_t n = info.tcpi_bytes_acked - c->counted_from;

        c->counted = n < c->counted_most ? n : c->counted_most;
    }
}

void
stall_counted(struct stall *s, struct stall_conn *c, bool whole)
{
    pthread_mutex_lock(&s->lock);
    if (!whole) {
        count_locked(c);
    }
    s->taken += whole ? c->counted_most : c->counted;
    c->counted_most = 0;
    pthread_mutex_unlock(&s->lock);
}

uint64_t
stall_taken(struct stall *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t sum = s->taken;
    for (struct stall_conn *c = s->first; c != NULL; c = c->next) {
        count_locked(c);
        sum += c->counted_most > 0 ? c->counted : 0;
    }
    pthread_mutex_unlock(&s->lock);
    return sum;
}

void
stall_end_all(struct stall *s)
{
    pthread_mutex_lock(&s->lock);
    for (struct stall_conn *c = s->first; c != NULL; c = c->next) {
        c->ended = true;
        shutdown(c->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&s->lock);
}

uint64_t
stall_ended(const struct stall *s, enum stall_end why)
{
    return atomic_load(&s->ended[why]);
}

void
stall_free(struct stall *s)
{
    if (s == NULL) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->stopped = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
