/* Whom the block server does not let in, and whom it ends. */
#include "blockserver.h"
#include "flood.h"

#include <stdatomic.h>

#define REQUEST "GET /blocks/" ID " HTTP/1.1\r\nHost: x\r\n"

static void
wait_for_connections(const struct serve *s, unsigned n)
{
    double end = now() + 20;

    while (stats_of(s).connections != n) {
        assert_true(now() < end);
        usleep(1000);
    }
}

/* The status of a small request at ${fd}, 0: closed without an answer. */
static int
status_at(int fd)
{
    const char *request = REQUEST "Range: bytes=0-9\r\n\r\n";
    char buf[1024] = "", *end = NULL, *length;
    size_t len = 0;
    int status = 0;
    ssize_t n;

    send(fd, request, strlen(request), MSG_NOSIGNAL);
    while ((end == NULL || len < (size_t) (end - buf) + 4 + (size_t) status)
           && (n = recv(fd, buf + len, sizeof(buf) - 1 - len, 0)) > 0)
    {
        len += (size_t) n;
        end = strstr(buf, "\r\n\r\n");
        length = strstr(buf, "Content-Length: ");
        status = end != NULL && length != NULL
                     ? (int) strtol(length + 16, NULL, 10)
                     : 0;
    }
    if (len > 0) {
        assert_memory_equal(buf, "HTTP/1.1 ", 9);
        status = (int) strtol(buf + 9, NULL, 10);
    }
    if (status == 503) {
        assert_non_null(strstr(buf, "Retry-After: 1\r\n"));
        assert_non_null(strstr(buf, "Connection: close\r\n"));
    }
    return status;
}

static void
too_many_connections(void **state)
{
    struct memory m;
    struct serve *s = start(&m, SIZE, 3, 0);
    int fds[4];

    (void) state;
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(serve_port(s));
    }
    wait_for_connections(s, 3);
    fds[3] = dial(serve_port(s));
    assert_int_equal(status_at(fds[3]), 503);
    close(fds[3]);
    assert_int_equal(status_at(fds[0]), 206);
    close(fds[0]);
    wait_for_connections(s, 2);
    assert_int_equal(stats_of(s).busy, 1);
    assert_int_equal(stats_of(s).refused[SERVE_FULL], 1);
    assert_int_equal(stats_of(s).answered[5], 1);
    fds[0] = dial(serve_port(s));
    assert_int_equal(status_at(fds[0]), 206);
    for (int i = 0; i < 3; i++) {
        close(fds[i]);
    }
    serve_stop(s);
    mem_fini(&m);
}

/* Who is far above the limit is not even told so. */
static void
too_many_of_one_address(void **state)
{
    struct serve_options o = { .max_per_address = 2 };
    struct memory m;
    struct serve *s = start_as(&m, SIZE, &o);
    int fds[30], other, closed = 0;

    (void) state;
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(serve_port(s));
    }
    assert_int_equal(status_at(fds[2]), 503);
    other = dial_from(2, serve_port(s));
    assert_int_equal(status_at(other), 206);
    for (int i = 3; i < 30; i++) {
        fds[i] = dial(serve_port(s));
    }
    for (int i = 3; i < 30; i++) {
        int status = status_at(fds[i]);

        closed += status == 0;
        assert_true(status == 0 || status == 503);
    }
    assert_in_range(closed, 5, 26);
    assert_int_equal(stats_of(s).refused[SERVE_ADDRESS_FULL], 28);
    assert_int_equal(stats_of(s).refused[SERVE_FULL], 0);
    for (int i = 0; i < 30; i++) {
        close(fds[i]);
    }
    wait_for_connections(s, 1);
    fds[0] = dial(serve_port(s));
    assert_int_equal(status_at(fds[0]), 206);
    close(fds[0]);
    close(other);
    serve_stop(s);
    mem_fini(&m);
}

/* Nobody who is there is disconnected; the next one counts anew. */
static void
reload(void **state)
{
    struct serve_options o = { .max_connections = 10, .max_rate = 1 };
    struct memory m;
    struct serve *s = start_as(&m, SIZE, &o);
    struct reader r = { .port = serve_port(s), .until = now() + 20 };
    char why[200];
    int fds[3];

    (void) state;
    for (int i = 0; i < 2; i++) {
        fds[i] = dial(serve_port(s));
    }
    wait_for_connections(s, 2);
    o.max_connections = 2;
    o.max_rate = 0;
    o.idle_ms = 300;
    assert_int_equal(serve_reload(s, &o, why, sizeof(why)), 0);
    fds[2] = dial(serve_port(s));
    assert_int_equal(status_at(fds[2]), 503);
    assert_int_equal(status_at(fds[0]), 206);
    close(fds[1]);
    wait_for_connections(s, 0); /* idle: the new deadline */
    assert_int_equal(stats_of(s).ended[SERVE_IDLE], 1);
    read_until(&r, SIZE); /* in two weeks, at the rate of before */
    assert_true(r.bytes >= SIZE);
    close(fds[0]);
    close(fds[2]);
    serve_stop(s);
    mem_fini(&m);
}

/* ---- deadlines ---- */

static struct serve *
start_impatient(struct memory *m)
{
    struct serve_options o = { .idle_ms = 1200,
                               .header_ms = 400,
                               .min_rate = 100000,
                               .min_window_ms = 400 };

    return start_as(m, RATE_SIZE, &o);
}

/* Sends a byte in 20 ms until the server has enough; for how long. */
static double
send_slowly(const struct serve *s, int fd, const char *text)
{
    double begun = now();

    for (const char *c = text; stats_of(s).connections > 0; c++) {
        assert_true(now() < begun + 20);
        c = *c != '\0' ? c : text;
        send(fd, c, 1, MSG_NOSIGNAL);
        usleep(20000);
    }
    return now() - begun;
}

/* ${used}: after a request that came in time; ${quick}: comes at once,
 * ${slow}: byte for byte, again and again. */
static void
check_slow_request(bool used, const char *quick, const char *slow)
{
    struct memory m;
    struct serve *s = start_impatient(&m);
    int fd = dial(serve_port(s));

    if (used) {
        assert_int_equal(status_at(fd), 206);
        usleep(100000); /* the connection has been idle for a while */
    }
    wait_for_connections(s, 1);
    send(fd, quick, strlen(quick), 0);
    double took = send_slowly(s, fd, slow);
    assert_true(took > 0.2 && took < 10);
    assert_int_equal(stats_of(s).ended[SERVE_HEADER], 1);
    assert_int_equal(stats_of(s).ended[SERVE_IDLE], 0);
    close(fd);
    serve_stop(s);
    mem_fini(&m);
}

static void
ends_slow_requests(void **state)
{
    (void) state;
    check_slow_request(false, "", "a");
    check_slow_request(false, REQUEST, "X-A: b\r\n");
    check_slow_request(true, "", "a");
    check_slow_request(true, REQUEST, "X-A: b\r\n");
}

static void
ends_idle_connections(void **state)
{
    struct memory m;
    struct serve *s = start_impatient(&m);
    int fd = dial(serve_port(s));
    char byte;

    (void) state;
    double begun = now();
    assert_int_equal(status_at(fd), 206);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    assert_true(now() - begun > 1);
    wait_for_connections(s, 0);
    assert_int_equal(stats_of(s).ended[SERVE_IDLE], 1);
    close(fd);
    fd = dial(serve_port(s)); /* this one has to send its first request */
    begun = now();
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    assert_true(now() - begun < 1);
    wait_for_connections(s, 0);
    assert_int_equal(stats_of(s).ended[SERVE_HEADER], 1);
    close(fd);
    serve_stop(s);
    mem_fini(&m);
}

/* Takes ${bytes} at a time every 20 ms, 0: nothing; until it is ended. */
static void
check_slow_reader(size_t bytes)
{
    struct memory m;
    struct serve *s = start_impatient(&m);
    int fd = dial(serve_port(s)), small = 4096;
    double end = now() + 20;
    char buf[4096];

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    send(fd, REQUEST "\r\n", strlen(REQUEST) + 2, 0);
    wait_for_connections(s, 1);
    do {
        assert_true(now() < end);
        usleep(20000);
        recv(fd, buf, bytes, MSG_DONTWAIT);
    } while (stats_of(s).connections > 0);
    assert_int_equal(stats_of(s).ended[SERVE_MIN_RATE], 1);
    close(fd);
    serve_stop(s);
    mem_fini(&m);
}

static void
ends_slow_readers(void **state)
{
    (void) state;
    check_slow_reader(0);
    check_slow_reader(1);
    check_slow_reader(400); /* a fifth of the least */
}

/* Steady, and above the least that is asked of it, although the system's
 * buffers make large steps of it. */
static void
keeps_steady_readers(void **state)
{
    struct memory m;
    struct serve *s = start_impatient(&m);
    int fd = dial(serve_port(s)), small = 65536;
    double end = now() + 3;
    char buf[20000];

    (void) state;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    send(fd, REQUEST "\r\n", strlen(REQUEST) + 2, 0);
    while (now() < end) {
        assert_true(recv(fd, buf, sizeof(buf), 0) > 0);
        usleep(10000);
    }
    assert_int_equal(stats_of(s).ended[SERVE_MIN_RATE], 0);
    close(fd);
    serve_stop(s);
    mem_fini(&m);
}

/* An answer that went to the system as a whole takes longer than the idle
 * deadline to arrive. */
static void
keeps_who_takes_the_rest(void **state)
{
    struct serve_options o = { .idle_ms = 300, .min_window_ms = 2000 };
    struct memory m;
    struct serve *s = start_as(&m, SIZE, &o);
    const char *request = REQUEST "Range: bytes=0-299999\r\n\r\n";
    int fd = dial(serve_port(s)), small = 8192;
    char buf[4000];
    size_t sum = 0;
    double begun = now();

    (void) state;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    send(fd, request, strlen(request), 0);
    for (ssize_t n; (n = recv(fd, buf, sizeof(buf), 0)) > 0; sum += (size_t) n)
    {
        usleep(20000);
    }
    assert_true(sum > 300000);
    assert_true(now() - begun > 1);
    assert_int_equal(stats_of(s).ended[SERVE_IDLE], 1);
    close(fd);
    serve_stop(s);
    mem_fini(&m);
}

/* ---- the end ---- */

enum {
    FLOODERS = 100
};

/* libmicrohttpd 0.9.75 crashes when it has to refuse a request while its
 * daemon is being stopped. */
static void
stops_while_requests_are_refused(void **state)
{
    (void) state;
    for (int round = 0; round < 100; round++) {
        struct memory m;
        struct serve *s = start(&m, SIZE, 0, 0);
        struct flood f = { .n = FLOODERS };

        for (int i = 0; i < FLOODERS; i++) {
            f.fds[i] = dial(serve_port(s));
        }
        wait_for_connections(s, FLOODERS);
        assert_int_equal(pthread_create(&f.thread, NULL, flood, &f), 0);
        usleep(40 * (unsigned) round); /* some of them, not yet all */
        double begun = now();
        serve_stop(s);
        assert_true(now() - begun < 3);
        f.stop = true;
        pthread_join(f.thread, NULL);
        for (int i = 0; i < FLOODERS; i++) {
            close(f.fds[i]);
        }
        mem_fini(&m);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(too_many_connections),
    cmocka_unit_test(too_many_of_one_address),
    cmocka_unit_test(reload),
    cmocka_unit_test(ends_slow_requests),
    cmocka_unit_test(ends_idle_connections),
    cmocka_unit_test(ends_slow_readers),
    cmocka_unit_test(keeps_steady_readers),
    cmocka_unit_test(keeps_who_takes_the_rest),
    cmocka_unit_test(stops_while_requests_are_refused),
};

UNIT_MAIN(tests)
