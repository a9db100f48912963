/* The block server's upload rate, over real connections. */
#include "blockserver.h"

enum {
    READERS_MAX = 50,
    SIDE_MAX = 5,      /* rates that are measured side by side */
    SAMPLES_MAX = 300, /* of what has come, every 50 ms */
    SAMPLE_US = 50000
};

/* The first half second is the buffers'. */
static const double window_s = 10, begin_s = 0.5, end_s = 11.3;

/* One rate, and what came of it. */
struct measure {
    uint64_t rate; /* bytes a second */
    unsigned readers;
    struct memory memory;
    struct serve *serve;
    struct reader reader[READERS_MAX];
    double at[SAMPLES_MAX];
    uint64_t sum[SAMPLES_MAX];
    double low, high; /* of the rate, over any window */
    double least;     /* of a fair share, who got the least */
};

static void
begin(struct measure *m)
{
    double begun = now();

    m->serve = start(&m->memory, 2 * (uint64_t) RATE_SIZE, 0, m->rate);
    memset(m->reader, 0, sizeof(m->reader));
    for (unsigned i = 0; i < m->readers; i++) {
        struct reader *r = &m->reader[i];

        r->port = serve_port(m->serve);
        r->until = begun + end_s + 1;
        assert_int_equal(pthread_create(&r->thread, NULL, read_for_a_while, r),
                         0);
    }
}

static void
sample(struct measure *m, unsigned i)
{
    m->sum[i] = 0;
    m->at[i] = now();
    for (unsigned k = 0; k < m->readers; k++) {
        m->sum[i] += atomic_load(&m->reader[k].bytes);
    }
}

static void
end(struct measure *m)
{
    uint64_t sum = 0, least = UINT64_MAX;

    for (unsigned i = 0; i < m->readers; i++) {
        uint64_t n;

        pthread_join(m->reader[i].thread, NULL);
        n = m->reader[i].bytes;
        sum += n;
        least = n < least ? n : least;
    }
    m->least = (double) least * m->readers / (double) sum;
    serve_stop(m->serve);
    mem_fini(&m->memory);
}

/* Every window that begins and ends at a sample. */
static void
slide(struct measure *m, unsigned n)
{
    m->low = 1e9;
    m->high = 0;
    for (unsigned i = 0, k = 0; i < n; i++) {
        while (k < n && m->at[k] - m->at[i] < window_s) {
            k++;
        }
        if (k == n) {
            break;
        }
        double got = (double) (m->sum[k] - m->sum[i])
                     / ((double) m->rate * (m->at[k] - m->at[i]));
        m->low = got < m->low ? got : m->low;
        m->high = got > m->high ? got : m->high;
    }
}

static void
measure(struct measure *m, unsigned count)
{
    double begun = now();
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++) {
        begin(&m[i]);
    }
    usleep((useconds_t) (begin_s * 1e6));
    while (now() < begun + end_s && n < SAMPLES_MAX) {
        for (unsigned i = 0; i < count; i++) {
            sample(&m[i], n);
        }
        n++;
        usleep(SAMPLE_US);
    }
    for (unsigned i = 0; i < count; i++) {
        end(&m[i]);
        slide(&m[i], n);
        print_message("# %u readers, %llu B/s: %.4f to %.4f of it over any "
                      "%.0f s; least %.2f of a fair share\n",
                      m[i].readers, (unsigned long long) m[i].rate, m[i].low,
                      m[i].high, window_s, m[i].least);
    }
}

static bool
is_kept(const struct measure *m)
{
    return m->low >= 0.95 && m->high <= 1.05 && m->least >= 0.4;
}

/* Nobody starves either. A machine that is busy may miss it once. */
static void
check_rates(const struct measure *which, unsigned count)
{
    static struct measure m[SIDE_MAX];
    bool kept = false;

    for (int i = 0; i < 2 && !kept; i++) {
        memcpy(m, which, count * sizeof(*m));
        measure(m, count);
        kept = true;
        for (unsigned k = 0; k < count; k++) {
            kept = kept && is_kept(&m[k]);
        }
    }
    assert_true(kept);
}

static void
rates(void **state)
{
    static const struct measure which[] = {
        { .rate = 64 << 10, .readers = 1 },
        { .rate = 64 << 10, .readers = 50 },
        { .rate = 1250000, .readers = 8 },
        { .rate = 125000000, .readers = 1 },
        { .rate = 125000000, .readers = 50 },
    };

    (void) state;
    check_rates(which, sizeof(which) / sizeof(which[0]));
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
