#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum {
    FAILED_MAX = 10000 /* one after the other: give up */
};

struct conn {
    int fd; /* -1: none */
    bool connected;
    bool busy;
    bool ending; /* answered, the server has to close */
    uint64_t k;
    uint64_t began_ns;
    size_t out_len;
    size_t out_pos;
    struct answer answer;
    char out[LOAD_REQUEST_MAX];
};

struct run {
    struct load *load;
    struct conn *conns;
    struct histogram *latency;
    struct range_sum *sum;
    uint64_t started; /* requests */
    uint64_t done;
    uint64_t wrong; /* another status */
    uint64_t bad;   /* another range */
    uint64_t failed;
    uint64_t streak; /* of failures */
    uint64_t opened; /* connections */
    uint64_t body;   /* bytes */
    unsigned busy;
    bool counts;      /* the time has begun */
    uint64_t warm_ns; /* when it is to begin; 0: no bytes yet */
    uint64_t cpu_ns;  /* of the server, when it began */
    uint64_t start_ns;
    uint64_t end_ns;  /* 0: none */
    uint64_t last_ns; /* something came */
};

static bool
is_over(const struct run *r, uint64_t now)
{
    if (r->load->requests && r->started >= r->load->requests)
        return true;
    return r->end_ns && now >= r->end_ns;
}

static void
drop(struct conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->connected = false;
    c->ending = false;
}

static void
finish(struct run *r, struct conn *c)
{
    c->busy = false;
    r->busy--;
}

static void
fail(struct run *r, struct conn *c)
{
    r->failed++;
    r->streak++;
    drop(c);
    finish(r, c);
}

static void
flush_out(struct run *r, struct conn *c)
{
    ssize_t n = send(c->fd, c->out + c->out_pos, c->out_len - c->out_pos,
                     MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN) {
        fail(r, c);
        return;
    }
    if (n > 0)
        c->out_pos += (size_t) n;
    if (c->out_pos < c->out_len
        && !load_watch(r->load, c->fd, EPOLLIN | EPOLLOUT, c))
        fail(r, c);
}

/* The next request, on this connection or a new one. */
static void
begin(struct run *r, struct conn *c)
{
    c->busy = true;
    r->busy++;
    c->out_pos = 0;
    c->k = load_k(r->load, r->started++);
    c->out_len = pattern_put(r->load->request, c->k, c->out, sizeof(c->out));
    c->began_ns = load_now_ns();
    answer_init(&c->answer);
    if (c->fd >= 0) {
        flush_out(r, c);
        return;
    }
    c->fd = load_connect(r->load, r->opened++, c);
    if (c->fd < 0)
        fail(r, c);
}

static void
begin_next(struct run *r, struct conn *c)
{
    while (!c->busy && r->streak < FAILED_MAX && !is_over(r, load_now_ns()))
        begin(r, c);
}

static void
answered(struct run *r, struct conn *c, bool closed)
{
    r->done++;
    r->streak = 0;
    if ((unsigned) c->answer.status != r->load->expect)
        r->wrong++;
    else if (r->load->size && !range_right(r->load, c->k, &c->answer))
        r->bad++;
    histogram_add(r->latency, load_now_ns() - c->began_ns);

    if (!closed && !r->load->keepalive) {
        /* who closes first is the same for all servers: the server */
        c->ending = true;
        return;
    }
    if (closed || c->answer.closes)
        drop(c);
    finish(r, c);
}

static void
ended(struct run *r, struct conn *c)
{
    if (c->ending) {
        drop(c);
        finish(r, c);
        return;
    }
    if (answer_end(&c->answer) == ANSWER_DONE)
        answered(r, c, true);
    else
        fail(r, c);
}

static void
start_clock(struct run *r)
{
    r->start_ns = load_now_ns();
    r->end_ns = r->load->seconds > 0
                    ? r->start_ns + (uint64_t) (r->load->seconds * 1e9)
                    : 0;
    r->body = 0;
    r->cpu_ns = r->load->meter ? meter_cpu_ns(r->load->meter) : 0;
    r->counts = true;
}

/* Once bytes come, and all connections have had time to get going. */
static void
warm_up(struct run *r)
{
    uint64_t now = load_now_ns();

    if (r->warm_ns == 0)
        r->warm_ns = now + (uint64_t) (r->load->warm_s * 1e9);
    if (now >= r->warm_ns)
        start_clock(r);
}

/* A body that is thrown away: no byte behind it is taken. */
static ssize_t
discard(struct conn *c, enum answer_state *state)
{
    size_t left = (size_t) (c->answer.body - c->answer.got);
    ssize_t n = recv(c->fd, NULL, left, MSG_TRUNC);

    if (n > 0) {
        c->answer.got += n;
        *state = c->answer.got == c->answer.body ? ANSWER_DONE : ANSWER_MORE;
    }
    return n;
}

static ssize_t
take(struct run *r, struct conn *c, enum answer_state *state)
{
    static char buf[LOAD_READ];
    int64_t got = c->answer.got;
    size_t room = r->load->discard ? ANSWER_HEAD_MAX / 2 : sizeof(buf);
    ssize_t n;

    if (r->load->discard && c->answer.body > got)
        return discard(c, state);
    n = recv(c->fd, buf, room, 0);
    if (n > 0) {
        *state = answer_take(&c->answer, buf, (size_t) n);
        got = c->answer.got - got;
        range_sum_add(r->sum, buf + n - got, (size_t) got);
    }
    return n;
}

static void
readable(struct run *r, struct conn *c)
{
    enum answer_state state = ANSWER_MORE;
    int64_t got = c->answer.got;
    ssize_t n = take(r, c, &state);

    if (!r->counts && n > 0)
        warm_up(r);
    r->body += (uint64_t) (c->answer.got - got);
    if (n < 0) {
        if (errno != EAGAIN)
            fail(r, c);
        return;
    }
    if (n == 0) {
        ended(r, c);
        return;
    }
    if (c->ending) {
        fail(r, c);
        return;
    }
    switch (state) {
    case ANSWER_DONE:
        answered(r, c, false);
        break;
    case ANSWER_BAD:
        fail(r, c);
        break;
    case ANSWER_MORE:
        break;
    }
}

static void
handle(struct run *r, struct conn *c, uint32_t events)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (c->fd < 0)
        return;
    if (!c->busy) {
        /* the server ends an idle connection */
        drop(c);
        return;
    }
    if (!c->connected) {
        if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) || error) {
            fail(r, c);
            return;
        }
        c->connected = true;
        if (load_watch(r->load, c->fd, EPOLLIN, c))
            flush_out(r, c);
        else
            fail(r, c);
        return;
    }
    if (events & EPOLLOUT) {
        if (load_watch(r->load, c->fd, EPOLLIN, c))
            flush_out(r, c);
        else
            fail(r, c);
        return;
    }
    readable(r, c);
}

static double
us(const struct run *r, double share)
{
    return (double) histogram_at(r->latency, share) / 1e3;
}

static void
print(const struct run *r, double seconds)
{
    printf("{\"requests\":%" PRIu64 ",\"seconds\":%.6f,\"per_second\":%.1f,"
           "\"wrong_status\":%" PRIu64 ",\"wrong_range\":%" PRIu64
           ",\"errors\":%" PRIu64 ",\"connections\":%" PRIu64
           ",\"body_bytes\":%" PRIu64
           ",\"latency_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,"
           "\"max\":%.1f}",
           r->done, seconds, seconds > 0 ? (double) r->done / seconds : 0,
           r->wrong, r->bad, r->failed, r->opened, r->body, us(r, 0.5),
           us(r, 0.9), us(r, 0.99), us(r, 1));
    if (r->load->meter)
        printf(",\"cpu_ns\":%" PRIu64,
               meter_cpu_ns(r->load->meter) - r->cpu_ns);
    range_sum_print(r->sum, stdout);
    puts("}");
}

static bool
is_cut(const struct run *r)
{
    return r->load->cut && r->end_ns && load_now_ns() >= r->end_ns;
}

static void
loop(struct run *r)
{
    struct epoll_event events[LOAD_EVENTS];
    uint64_t patience = (uint64_t) (r->load->timeout_s * 1e9);
    int n;

    while (r->busy > 0 && !is_cut(r)) {
        n = epoll_wait(r->load->epoll_fd, events, LOAD_EVENTS,
                       r->load->spin ? 0 : 100);
        for (int i = 0; i < n; i++) {
            handle(r, events[i].data.ptr, events[i].events);
            begin_next(r, events[i].data.ptr);
        }
        if (n > 0)
            r->last_ns = load_now_ns();
        else if (load_now_ns() - r->last_ns > patience) {
            r->failed += r->busy;
            return;
        }
    }
}

static void
run(struct run *r)
{
    struct load *l = r->load;

    start_clock(r);
    r->last_ns = r->start_ns;
    if (l->cut) {
        r->counts = false;
        r->end_ns = 0;
    }
    for (unsigned i = 0; i < l->connections; i++)
        r->conns[i].fd = -1;
    for (unsigned i = 0; i < l->connections; i++)
        begin_next(r, &r->conns[i]);
    loop(r);
    print(r, (double) (load_now_ns() - r->start_ns) / 1e9);
    for (unsigned i = 0; i < l->connections; i++)
        drop(&r->conns[i]);
}

int
run_load(struct load *l)
{
    struct run r = { .load = l };
    int status = 1;

    r.conns = calloc(l->connections, sizeof(*r.conns));
    r.latency = histogram_new();
    r.sum = l->sum ? range_sum_new() : NULL;
    if (r.conns && r.latency && (r.sum || !l->sum)) {
        run(&r);
        status = fflush(stdout) == 0 ? 0 : 1;
    } else {
        perror("load");
    }
    free(r.conns);
    histogram_free(r.latency);
    range_sum_free(r.sum);
    return status;
}
