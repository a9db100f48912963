#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

/*
 * Requests that the server holds: sent at a rate, each on a connection of its
 * own, each with its times. When the last one is sent, a line says so, so that
 * a script can look at the server while they are parked.
 */

enum {
    ANSWERS_MAX = 64 /* KiB read of a control answer */
};

struct parked {
    int fd; /* -1: not yet, or no more */
    bool sent;
    bool answered;
    uint64_t sent_ns;
    uint64_t first_ns; /* byte of the answer */
    struct answer answer;
};

struct park {
    struct load *load;
    struct parked *all;
    uint64_t count;
    uint64_t opened;
    uint64_t sent;
    uint64_t answered;
    uint64_t failed;
    uint64_t wrong;
    uint64_t most; /* open at once, all sent */
    uint64_t last_sent_ns;
    uint64_t last_ns;    /* anything came */
    uint64_t control_ns; /* sent */
    int control_status;
    int control_fd;
};

static void
drop(struct park *p, struct parked *c)
{
    if (!c->answered)
        p->failed++;
    close(c->fd);
    c->fd = -1;
}

static void
open_next(struct park *p)
{
    struct parked *c = &p->all[p->opened];

    c->fd = load_connect(p->load, p->opened++, c);
    if (c->fd < 0)
        p->failed++;
}

static void
send_request(struct park *p, struct parked *c)
{
    char out[LOAD_REQUEST_MAX];
    uint64_t n = (uint64_t) (c - p->all), now = load_now_ns();
    size_t len =
        pattern_put(p->load->request, load_k(p->load, n), out, sizeof(out));

    /* a new connection's buffer takes it whole */
    if (send(c->fd, out, len, MSG_NOSIGNAL) != (ssize_t) len
        || !load_watch(p->load, c->fd, EPOLLIN, c))
    {
        drop(p, c);
        return;
    }
    c->sent = true;
    c->sent_ns = now;
    answer_init(&c->answer);
    p->sent++;
    p->last_sent_ns = now;
    if (p->sent - p->answered > p->most)
        p->most = p->sent - p->answered;
}

static void
read_answer(struct park *p, struct parked *c)
{
    static char buf[LOAD_READ];
    uint64_t now = load_now_ns();
    ssize_t n = recv(c->fd, buf, sizeof(buf), 0);
    enum answer_state state;

    if (n < 0 && errno == EAGAIN)
        return;
    p->last_ns = now;
    if (c->first_ns == 0)
        c->first_ns = now;
    state = n > 0 ? answer_take(&c->answer, buf, (size_t) n)
                  : answer_end(&c->answer);
    if (state == ANSWER_MORE && n > 0)
        return;
    if (state == ANSWER_DONE) {
        c->answered = true;
        p->answered++;
        if ((unsigned) c->answer.status != p->load->expect)
            p->wrong++;
    }
    drop(p, c);
}

static void
handle(struct park *p, struct parked *c)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (c->fd < 0)
        return;
    if (c->sent) {
        read_answer(p, c);
        return;
    }
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) || error)
        drop(p, c);
    else
        send_request(p, c);
}

/* A whole request from a file, on a connection that is open beforehand. */
static bool
control_open(struct park *p)
{
    const struct load *l = p->load;

    p->control_fd = -1;
    if (l->control == NULL)
        return true;
    p->control_fd = socket(AF_INET, SOCK_STREAM, 0);
    return p->control_fd >= 0
           && connect(p->control_fd, (const struct sockaddr *) &l->server,
                      sizeof(l->server))
                  == 0;
}

static bool
control_send(struct park *p)
{
    char text[LOAD_REQUEST_MAX];
    FILE *f = fopen(p->load->control, "rb");
    size_t len = f ? fread(text, 1, sizeof(text), f) : 0;

    if (f)
        fclose(f);
    p->control_ns = load_now_ns();
    return len > 0
           && send(p->control_fd, text, len, MSG_NOSIGNAL) == (ssize_t) len;
}

static void
control_answer(struct park *p)
{
    struct answer a;
    char buf[1024];
    enum answer_state state = ANSWER_MORE;

    answer_init(&a);
    for (int i = 0; i < ANSWERS_MAX && state == ANSWER_MORE; i++) {
        ssize_t n = recv(p->control_fd, buf, sizeof(buf), 0);

        state = n > 0 ? answer_take(&a, buf, (size_t) n) : answer_end(&a);
    }
    p->control_status = state == ANSWER_DONE ? a.status : -1;
    close(p->control_fd);
}

static bool
is_over(struct park *p)
{
    return p->answered + p->failed == p->count;
}

/* What is due by the clock; false when the control call failed. */
static bool
work(struct park *p, uint64_t start, bool *said)
{
    uint64_t now = load_now_ns();

    while (p->opened < p->count
           && (double) (now - start) * p->load->rate
                  >= (double) p->opened * 1e9)
    {
        open_next(p);
        now = load_now_ns();
    }
    if (*said || p->sent + p->failed < p->count)
        return true;
    if (now - p->last_sent_ns < (uint64_t) (p->load->settle_ms * 1e6))
        return true;
    *said = true;
    printf("{\"sent\":%" PRIu64 ",\"waiting\":%" PRIu64 "}\n", p->sent,
           p->sent - p->answered);
    fflush(stdout);
    return p->load->control == NULL || control_send(p);
}

/* The clock decides when to send: no sleeping while there is more. */
static bool
loop(struct park *p)
{
    struct epoll_event events[LOAD_EVENTS];
    uint64_t patience = (uint64_t) (p->load->timeout_s * 1e9);
    uint64_t start = load_now_ns();
    bool said = false;
    int n;

    p->last_ns = start;
    while (!is_over(p) || !said) {
        if (!work(p, start, &said))
            return false;
        n = epoll_wait(p->load->epoll_fd, events, LOAD_EVENTS,
                       p->load->delay_ms > 0 || !said ? 0 : 10);
        for (int i = 0; i < n; i++)
            handle(p, events[i].data.ptr);
        if (n == 0 && p->opened == p->count
            && load_now_ns() - p->last_ns > patience
            && load_now_ns() - p->last_sent_ns > patience)
        {
            p->failed = p->count - p->answered;
            return true;
        }
    }
    return true;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return x < y ? -1 : x > y;
}

/* From the request, or from the control call, to the first byte; in ms. */
static double
waited(const struct park *p, const struct parked *c)
{
    uint64_t from = p->control_ns ? p->control_ns : c->sent_ns;

    return ((double) c->first_ns - (double) from) / 1e6 - p->load->delay_ms;
}

static void
print(struct park *p, double *ms)
{
    uint64_t n = 0, early = 0, last = 0;

    for (uint64_t i = 0; i < p->count; i++) {
        if (!p->all[i].answered)
            continue;
        ms[n] = waited(p, &p->all[i]);
        early += ms[n++] < 0;
        if (p->all[i].first_ns > last)
            last = p->all[i].first_ns;
    }
    qsort(ms, n, sizeof(*ms), compare);

    printf("{\"requests\":%" PRIu64 ",\"answered\":%" PRIu64
           ",\"wrong_status\":%" PRIu64 ",\"errors\":%" PRIu64
           ",\"most_open\":%" PRIu64 ",\"early\":%" PRIu64
           ",\"control_status\":%d,\"last_answer_at\":%.6f,"
           "\"ms\":{\"min\":%.4f,\"p50\":%.4f,\"p99\":%.4f,\"max\":%.4f}",
           p->count, p->answered, p->wrong, p->failed, p->most, early,
           p->control_status, (double) last / 1e9, n ? ms[0] : 0,
           n ? ms[n / 2] : 0, n ? ms[(n - 1) * 99 / 100] : 0,
           n ? ms[n - 1] : 0);
    if (p->load->values) {
        fputs(",\"values\":[", stdout);
        for (uint64_t i = 0; i < n; i++)
            printf("%s%.4f", i ? "," : "", ms[i]);
        putchar(']');
    }
    puts("}");
}

int
park_load(struct load *l)
{
    struct park p = { .load = l, .count = l->requests };
    double *ms = calloc(p.count, sizeof(*ms));
    int status = 1;

    p.all = calloc(p.count, sizeof(*p.all));
    if (p.all == NULL || ms == NULL || !control_open(&p)) {
        perror("load");
        goto out;
    }
    for (uint64_t i = 0; i < p.count; i++)
        p.all[i].fd = -1;
    if (!loop(&p)) {
        perror("load: control");
        goto out;
    }
    if (l->control)
        control_answer(&p);
    print(&p, ms);
    status = fflush(stdout) == 0 ? 0 : 1;
out:
    for (uint64_t i = 0; p.all && i < p.count; i++) {
        if (p.all[i].fd > 0)
            close(p.all[i].fd);
    }
    free(p.all);
    free(ms);
    return status;
}
