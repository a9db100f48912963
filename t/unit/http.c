/* Whom http.c connects to: the address that was asked for, when the guard has
 * seen it, and nobody else. */
#include "unit.h"

#include <stdbool.h>

#include "answerer.h"
#include "http.h"
#include "resolve.h"
#include "shoal.h"

/* What came of a request, and what the guard was asked. */
struct seen {
    bool deny, done;
    int err;
    unsigned status, asked;
    char addr[INET6_ADDRSTRLEN];
    uint16_t port;
};

static int
on_headers(void *ctx, const struct answer *a)
{
    ((struct seen *) ctx)->status = a->status;
    return 0;
}

static void
on_done(void *ctx, int err, const char *why)
{
    struct seen *s = ctx;

    (void) why;
    s->err = err;
    s->done = true;
}

static const struct http_handler handler = { on_headers, NULL, on_done };

static int
on_guard(void *ctx, const struct sockaddr *sa)
{
    struct seen *s = ctx;
    const struct sockaddr_in *in = (const struct sockaddr_in *) sa;

    s->asked++;
    assert_int_equal(sa->sa_family, AF_INET);
    inet_ntop(AF_INET, &in->sin_addr, s->addr, sizeof(s->addr));
    s->port = ntohs(in->sin_port);
    return s->deny ? SHOAL_EDENIED : 0;
}

static void
fetch(const char *url, const struct node_addr *addr, struct seen *s)
{
    struct http *h = http_create(NULL);
    struct http_request *r;
    struct http_options o = {
        .url = url,
        .addr = addr,
        .no_proxy = true,
        .total_ms = 10000,
        .guard = on_guard,
        .guard_ctx = s,
        .handler = &handler,
        .ctx = s,
    };

    assert_non_null(h);
    assert_int_equal(http_start(h, &o, &r), 0);
    while (!s->done) {
        assert_int_equal(http_poll(h, 100), 0);
    }
    http_free(h);
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

static void
node_at(const struct server *server, struct node_addr *addr)
{
    size_t n;

    assert_int_equal(resolve_literal("127.0.0.1", server->port, addr, &n), 0);
}

/* Whatever the URL's host and port say. */
static void
pinned_address_is_checked_and_taken(void **state)
{
    struct server server;
    struct node_addr addr;
    struct seen s = { 0 };

    (void) state;
    server_start(&server, OK);
    node_at(&server, &addr);
    fetch("http://nowhere.invalid:1/", &addr, &s);
    assert_int_equal(s.err, 0);
    assert_int_equal(s.status, 200);
    assert_int_equal(s.asked, 1);
    assert_string_equal(s.addr, "127.0.0.1");
    assert_int_equal(s.port, server.port);
    assert_int_equal(server.connections, 1);
    server_stop(&server);
}

static void
name_is_checked_after_it_was_resolved(void **state)
{
    struct server server;
    struct seen s = { .deny = true };
    char url[64];

    (void) state;
    server_start(&server, OK);
    snprintf(url, sizeof(url), "http://127.1:%u/", (unsigned) server.port);
    fetch(url, NULL, &s);
    assert_int_equal(s.err, SHOAL_EDENIED);
    assert_string_equal(s.addr, "127.0.0.1");
    assert_int_equal(s.port, server.port);
    assert_int_equal(server.connections, 0);
    server_stop(&server);
}

static void
denied_address_sees_nothing(void **state)
{
    struct server server;
    struct node_addr addr;
    struct seen s = { .deny = true };

    (void) state;
    server_start(&server, OK);
    node_at(&server, &addr);
    fetch("http://nowhere.invalid/", &addr, &s);
    assert_int_equal(s.err, SHOAL_EDENIED);
    assert_true(s.asked >= 1);
    assert_int_equal(s.status, 0);
    assert_int_equal(server.connections, 0);
    server_stop(&server);
}

/* Hops are the caller's business: it checks each. */
static void
redirects_are_not_followed(void **state)
{
    struct server server, other;
    struct node_addr addr;
    struct seen s = { 0 };
    char answer[256];

    (void) state;
    server_start(&other, OK);
    snprintf(answer, sizeof(answer),
             "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/\r\n"
             "Content-Length: 0\r\nConnection: close\r\n\r\n",
             (unsigned) other.port);
    server_start(&server, answer);
    node_at(&server, &addr);
    fetch("http://nowhere.invalid/", &addr, &s);
    assert_int_equal(s.status, 302);
    assert_int_equal(s.asked, 1);
    assert_int_equal(other.connections, 0);
    server_stop(&server);
    server_stop(&other);
}

static void
check_scheme(const char *url)
{
    struct seen s = { 0 };

    fetch(url, NULL, &s);
    unit_expect(s.err == SHOAL_EINVAL && s.asked == 0, url);
}

static void
other_schemes_are_refused(void **state)
{
    (void) state;
    check_scheme("ftp://127.0.0.1/x");
    check_scheme("file:///etc/passwd");
    check_scheme("gopher://127.0.0.1/x");
    check_scheme("dict://127.0.0.1/x");
    check_scheme("ws://127.0.0.1/x");
}

/* Connections that are counted. */
struct count {
    unsigned opened, closed;
};

static bool
on_open(void *ctx, const char *url)
{
    (void) url;
    ((struct count *) ctx)->opened++;
    return true;
}

static void
on_close(void *ctx, const char *url)
{
    (void) url;
    ((struct count *) ctx)->closed++;
}

static struct http_request *
start_counted(struct http *h, const struct node_addr *addr, unsigned total_ms,
              struct seen *s)
{
    struct http_request *r = NULL;
    struct http_options o = {
        .url = "http://nowhere.invalid/",
        .addr = addr,
        .no_proxy = true,
        .counted = true,
        .total_ms = total_ms,
        .handler = &handler,
        .ctx = s,
    };

    assert_int_equal(http_start(h, &o, &r), 0);
    return r;
}

/* One that nobody takes off: with the queue full, a further connect hangs. */
static int
listen_mute(struct node_addr *addr)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(in);
    size_t n;

    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &in, len), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &in, &len), 0);
    assert_int_equal(
        resolve_literal("127.0.0.1", ntohs(in.sin_port), addr, &n), 0);
    return fd;
}

static void
wait_done(struct http *h, const struct seen *s)
{
    while (!s->done) {
        assert_int_equal(http_poll(h, 50), 0);
    }
}

/* Each connection that was counted is given back, while others go on. */
static void
counts_come_back(void **state)
{
    struct count c = { 0 };
    struct http_sockets sockets = { on_open, on_close, &c };
    struct http *h = http_create(&sockets);
    struct node_addr refused, mute;
    struct seen s = { 0 };
    size_t n;

    (void) state;
    /* nobody listens there: it was bound and closed just now */
    int fd = listen_mute(&refused);
    close(fd);
    start_counted(h, &refused, 5000, &s);
    wait_done(h, &s);
    assert_int_equal(s.err, SHOAL_ECONNECT);
    assert_int_equal(c.opened, 1);
    assert_int_equal(c.closed, 1);

    fd = listen_mute(&mute);
    int fill[2];
    for (n = 0; n < 2; n++) { /* a backlog of 0 takes one, or two */
        fill[n] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void) !connect(fill[n], (struct sockaddr *) &mute.sa, mute.len);
    }
    memset(&s, 0, sizeof(s));
    start_counted(h, &mute, 300, &s);
    wait_done(h, &s);
    assert_int_equal(c.opened, 2);
    assert_int_equal(c.closed, 2);

    http_cancel(start_counted(h, &mute, 5000, &s));
    struct http_request *r = start_counted(h, &mute, 5000, &s);
    assert_int_equal(http_poll(h, 100), 0);
    http_cancel(r);
    assert_int_equal(http_poll(h, 0), 0);
    assert_int_equal(c.closed, c.opened);
    start_counted(h, &mute, 5000, &s);
    assert_int_equal(http_poll(h, 100), 0);
    http_free(h);
    assert_int_equal(c.closed, c.opened);
    close(fill[0]);
    close(fill[1]);
    close(fd);
}

/* One who pauses after every piece, and has enough in mid-way. */
struct eater {
    struct seen seen;
    struct http_request *r;
    size_t taken, enough;
    bool late; /* pieces came after that */
};

static int
eat(void *ctx, const uint8_t *data, size_t len)
{
    struct eater *e = ctx;

    (void) data;
    e->late = e->late || e->taken >= e->enough;
    e->taken += len;
    http_pause(e->r);
    return e->taken >= e->enough ? SHOAL_ESTOPPED : 0;
}

static const struct http_handler eater = { on_headers, eat, on_done };

static void
resume_now_and_then(struct eater *e, unsigned turn)
{
    if (!e->seen.done && turn % 4 == 3) {
        http_resume(e->r);
    }
}

/* libcurl gives out in http_resume() what came in during the pause, and if
 * that is refused it goes on behind it. */
static void
ends_when_refused_in_a_pause(void **state)
{
    enum {
        BODY = 16 << 20
    }; /* more than libcurl reads at a time */
    static char answer[BODY + 100];
    struct server server;
    struct node_addr addr;

    (void) state;
    int n = snprintf(answer, sizeof(answer),
                     "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BODY);
    memset(answer + n, 'x', BODY);
    server_start(&server, answer);
    node_at(&server, &addr);
    for (size_t enough = 1; enough < 300000; enough += 49152) {
        struct http *h = http_create(NULL);
        struct eater e = { .enough = enough };
        struct http_options o = { .url = "http://nowhere.invalid/",
                                  .addr = &addr,
                                  .no_proxy = true,
                                  .total_ms = 10000,
                                  .handler = &eater,
                                  .ctx = &e.seen };

        assert_int_equal(http_start(h, &o, &e.r), 0);
        for (unsigned i = 0; !e.seen.done; i++) {
            assert_int_equal(http_poll(h, 1), 0);
            resume_now_and_then(&e, i);
        }
        assert_int_equal(e.seen.err, SHOAL_ESTOPPED);
        assert_false(e.late);
        http_free(h);
    }
    server_stop(&server);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(pinned_address_is_checked_and_taken),
    cmocka_unit_test(name_is_checked_after_it_was_resolved),
    cmocka_unit_test(denied_address_sees_nothing),
    cmocka_unit_test(redirects_are_not_followed),
    cmocka_unit_test(other_schemes_are_refused),
    cmocka_unit_test(counts_come_back),
    cmocka_unit_test(ends_when_refused_in_a_pause),
};

UNIT_MAIN(tests)
