#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

/*
 * Connections that are there and do nothing: each has got its answer, or asks
 * for one and reads nothing of it. A line says when all stand; then it waits
 * to be ended, so that a script can look at the server.
 */

enum {
    OPENING_MAX = 64 /* at once: below what a server's backlog takes */
};

struct held {
    int fd; /* -1: not yet, or no more */
    bool asked;
    bool stands;
    struct answer answer;
};

struct hold {
    struct load *load;
    struct held *all;
    unsigned opened;
    unsigned standing;
    unsigned failed;
    uint64_t last_ns; /* something came */
};

static void
stand(struct hold *h, struct held *c)
{
    c->stands = true;
    h->standing++;
    /* not asked for bytes any more; an end is told all the same */
    (void) load_watch(h->load, c->fd, EPOLLRDHUP, c);
}

static void
fail(struct hold *h, struct held *c)
{
    h->failed++;
    h->standing -= c->stands;
    c->stands = false;
    close(c->fd);
    c->fd = -1;
}

static void
ask(struct hold *h, struct held *c)
{
    char out[LOAD_REQUEST_MAX];
    uint64_t n = (uint64_t) (c - h->all);
    size_t len =
        pattern_put(h->load->request, load_k(h->load, n), out, sizeof(out));

    if (send(c->fd, out, len, MSG_NOSIGNAL) != (ssize_t) len
        || !load_watch(h->load, c->fd, EPOLLIN, c))
    {
        fail(h, c);
        return;
    }
    c->asked = true;
    answer_init(&c->answer);
}

/* An unread answer has begun: the first byte is there. */
static void
read_some(struct hold *h, struct held *c)
{
    static char buf[LOAD_READ];
    ssize_t n = recv(c->fd, buf, h->load->unread ? 1 : sizeof(buf),
                     h->load->unread ? MSG_PEEK : 0);
    enum answer_state state;

    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            fail(h, c);
        return;
    }
    if (h->load->unread) {
        stand(h, c);
        return;
    }
    state = answer_take(&c->answer, buf, (size_t) n);
    if (state == ANSWER_DONE && !c->answer.closes
        && (unsigned) c->answer.status == h->load->expect)
        stand(h, c);
    else if (state != ANSWER_MORE)
        fail(h, c);
}

static void
handle(struct hold *h, struct held *c, uint32_t events)
{
    if (c->fd < 0)
        return;
    h->last_ns = load_now_ns();
    if (c->stands || (events & (EPOLLERR | EPOLLHUP)))
        fail(h, c);
    else if (!c->asked)
        ask(h, c);
    else
        read_some(h, c);
}

static void
open_some(struct hold *h)
{
    unsigned most = h->load->connections;

    while (h->opened < most
           && h->opened < h->standing + h->failed + OPENING_MAX) {
        struct held *c = &h->all[h->opened];

        c->fd = load_connect(h->load, h->opened++, c);
        if (c->fd < 0)
            h->failed++;
    }
}

static void
wait_some(struct hold *h, int ms)
{
    struct epoll_event events[LOAD_EVENTS];
    int n = epoll_wait(h->load->epoll_fd, events, LOAD_EVENTS, ms);

    for (int i = 0; i < n; i++)
        handle(h, events[i].data.ptr, events[i].events);
}

static bool
all_stand(struct hold *h)
{
    uint64_t patience = (uint64_t) (h->load->timeout_s * 1e9);

    h->last_ns = load_now_ns();
    while (h->standing + h->failed < h->load->connections) {
        open_some(h);
        wait_some(h, 100);
        if (load_now_ns() - h->last_ns > patience)
            return false;
    }
    return true;
}

int
hold_load(struct load *l)
{
    struct hold h = { .load = l };
    uint64_t end;

    h.all = calloc(l->connections, sizeof(*h.all));
    if (h.all == NULL) {
        perror("load");
        return 1;
    }
    (void) all_stand(&h);
    printf("{\"requests\":%u,\"standing\":%u,\"errors\":%u}\n", h.opened,
           h.standing, l->connections - h.standing);
    (void) fflush(stdout);
    end = load_now_ns() + (uint64_t) (l->seconds * 1e9);
    while (load_now_ns() < end)
        wait_some(&h, 100);
    printf("{\"requests\":%u,\"standing\":%u,\"errors\":%u}\n", h.opened,
           h.standing, l->connections - h.standing);
    for (unsigned i = 0; i < l->connections; i++) {
        if (i < h.opened && h.all[i].fd >= 0)
            close(h.all[i].fd);
    }
    free(h.all);
    return fflush(stdout) == 0 ? 0 : 1;
}
