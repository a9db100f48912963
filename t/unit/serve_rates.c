/* The block server's upload rate, over real connections. */
#include "blockserver.h"

/* What all readers got of the rate; ${least}: of a fair share, who got the
 * least. */
static double
measure(uint64_t rate, unsigned readers, double seconds, double *least)
{
    struct memory m;
    struct serve *s = start(&m, RATE_SIZE, 0, rate);
    struct reader r[50];
    uint64_t sum = 0, min = UINT64_MAX;
    double begun = now();

    memset(r, 0, sizeof(r));
    for (unsigned i = 0; i < readers; i++) {
        r[i].port = serve_port(s);
        r[i].until = begun + seconds;
        assert_int_equal(
            pthread_create(&r[i].thread, NULL, read_for_a_while, &r[i]), 0);
    }
    for (unsigned i = 0; i < readers; i++) {
        pthread_join(r[i].thread, NULL);
        sum += r[i].bytes;
        min = r[i].bytes < min ? r[i].bytes : min;
    }
    double want = (double) rate * seconds;
    *least = (double) min * readers / want;
    serve_stop(s);
    mem_fini(&m);
    return (double) sum / want;
}

/* The bucket's start counts here: over ten seconds it is less than one per
 * cent. Nobody starves. A machine that is busy may miss it once or twice. */
static void
check_rate(uint64_t rate, unsigned readers, double seconds)
{
    double got = 0, least = 0;

    for (int i = 0; i < 3 && (got < 0.95 || got > 1.06 || least < 0.4); i++) {
        got = measure(rate, readers, seconds, &least);
        print_message("# %u readers, %llu B/s: %.3f of it; least %.2f of a "
                      "fair share\n",
                      readers, (unsigned long long) rate, got, least);
    }
    assert_true(got >= (rate > 100000000 ? 0.9 : 0.95) && got <= 1.06);
    assert_true(least >= 0.4);
}

static void
rates(void **state)
{
    (void) state;
    check_rate(64 << 10, 1, 2);
    check_rate(64 << 10, 50, 2);
    check_rate(1250000, 1, 1.5);
    check_rate(1250000, 8, 1.5);
    check_rate(125000000, 1, 1);
    check_rate(125000000, 50, 1);
}

static void
check_stop(uint64_t rate)
{
    struct memory m;
    struct serve *s = start(&m, RATE_SIZE, 0, rate);
    struct reader r[8];

    memset(r, 0, sizeof(r));
    for (int i = 0; i < 8; i++) {
        r[i].port = serve_port(s);
        r[i].until = now() + 20;
        assert_int_equal(
            pthread_create(&r[i].thread, NULL, read_for_a_while, &r[i]), 0);
    }
    usleep(300000);
    double begun = now();
    serve_stop(s);
    assert_true(now() - begun < 2);
    for (int i = 0; i < 8; i++) {
        pthread_join(r[i].thread, NULL);
    }
    mem_fini(&m);
}

/* Stopped while everybody waits for the bucket, and for long. */
static void
stops_at_once(void **state)
{
    (void) state;
    check_stop(10000);
    check_stop(1);
}

/* A bucket that takes seconds to fill is filled all the same. */
static void
slow_rates(void **state)
{
    struct memory m;
    struct serve *s = start(&m, RATE_SIZE, 0, 400);
    struct reader r = { .port = serve_port(s), .until = now() + 20 };

    (void) state;
    read_until(&r, 1024);
    assert_true(r.bytes >= 1024);
    serve_stop(s);
    mem_fini(&m);
}

/* It is the server's limit that makes this one slow. */
static void
keeps_who_is_slowed_down(void **state)
{
    struct memory m;
    struct serve_options o = { .max_rate = 1000,
                               .min_rate = 100000,
                               .min_window_ms = 500 };
    struct serve *s = start_as(&m, RATE_SIZE, &o);
    struct reader r = { .port = serve_port(s), .until = now() + 20 };

    (void) state;
    read_until(&r, 3000);
    assert_true(r.bytes >= 3000);
    serve_stop(s);
    mem_fini(&m);
}

/* Those who leave while they wait for their share get none of it: one is left
 * of a hundred, and has it all. */
static void
nothing_for_who_left(void **state)
{
    const char *request = "GET /blocks/" ID " HTTP/1.1\r\nHost: x\r\n\r\n";
    struct memory m;
    struct serve *s = start(&m, RATE_SIZE, 0, 500000);
    struct serve_stats stats;
    int fds[100];

    (void) state;
    for (int i = 0; i < 100; i++) {
        fds[i] = dial(serve_port(s));
        send(fds[i], request, strlen(request), 0);
    }
    do {
        usleep(1000);
        serve_get_stats(s, &stats);
    } while (stats.active < 100);
    for (int i = 0; i < 100; i++) {
        close(fds[i]);
    }
    struct reader r = { .port = serve_port(s), .until = now() + 1 };
    read_until(&r, UINT64_MAX);
    print_message("# %.2f of the rate\n", (double) r.bytes / 500000);
    assert_true(r.bytes > 350000);
    serve_get_stats(s, &stats);
    assert_int_equal(stats.active, 1);
    serve_stop(s);
    mem_fini(&m);
}

/* One that sends no more still reads. */
static void
answers_who_sends_no_more(void **state)
{
    const char *request = "GET /blocks/" ID " HTTP/1.1\r\nHost: x\r\n"
                          "Range: bytes=0-299999\r\n\r\n";
    struct memory m;
    struct serve *s = start(&m, RATE_SIZE, 0, 1000000);
    char text[65536];
    size_t len = 0;
    ssize_t n;

    (void) state;
    int fd = dial(serve_port(s));
    send(fd, request, strlen(request), 0);
    shutdown(fd, SHUT_WR);
    while ((n = recv(fd, text, sizeof(text), 0)) > 0) {
        if (len == 0) {
            assert_memory_equal(text, "HTTP/1.1 206 ", 13);
        }
        len += (size_t) n;
    }
    close(fd);
    assert_int_equal(n, 0);
    assert_true(len > 300000);
    serve_stop(s);
    mem_fini(&m);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(answers_who_sends_no_more),
    cmocka_unit_test(rates),
    cmocka_unit_test(stops_at_once),
    cmocka_unit_test(slow_rates),
    cmocka_unit_test(keeps_who_is_slowed_down),
    cmocka_unit_test(nothing_for_who_left),
};

UNIT_MAIN(tests)
