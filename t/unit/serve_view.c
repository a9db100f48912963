/* The block server, whose provider shows where its blocks lie, in memory or
 * not yet. */
#include "blockserver.h"

#include <stdatomic.h>

enum {
    VIEW_SIZE = 160 * BLOCK,
    MANY = 40 /* more than there are threads that wait */
};

static uint8_t store[VIEW_SIZE];
static atomic_bool cold;  /* what map() says */
static atomic_bool shown; /* map() says where they lie */
static atomic_uint mapped, ended, warmed;
static atomic_uint_fast64_t warm_until; /* what warm() has brought */
static atomic_uint waits;               /* reads that had to wait */

static atomic_bool disk_stands; /* warm() waits meanwhile */

static unsigned
view_map(void *ctx, struct serve_set *set, struct serve_view *view,
         uint64_t off, uint64_t len)
{
    (void) ctx;
    if (!shown) {
        return 0;
    }
    assert_true(view->max >= 2);
    view->pieces[0].iov_base = store + off;
    view->pieces[0].iov_len = (size_t) (len / 2);
    view->pieces[1].iov_base = store + off + len / 2;
    view->pieces[1].iov_len = (size_t) (len - len / 2);
    view->cold = cold;
    set->view = view;
    atomic_fetch_add(&mapped, 1);
    return 2;
}

static bool
view_cold(void *ctx, const struct serve_set *set, uint64_t off, uint64_t len)
{
    (void) ctx;
    (void) set;
    assert_true(len > 0 && len <= SERVE_WARM);
    return cold && off + len > warm_until;
}

static void
view_warm(void *ctx, const struct serve_set *set, uint64_t off, uint64_t len)
{
    (void) ctx;
    (void) set;
    assert_true(len > 0 && len <= SERVE_WARM);
    atomic_fetch_add(&warmed, 1);
    while (disk_stands) {
        usleep(1000);
    }
    warm_until = off + len;
}

static long
view_read(void *ctx, const struct serve_set *set, uint64_t off, void *buf,
          size_t len)
{
    atomic_fetch_add(&waits, cold && off + len > warm_until);
    return mem_ops.read(ctx, set, off, buf, len);
}

static void
view_close(void *ctx, struct serve_set *set)
{
    if (set->view != NULL) {
        atomic_fetch_add(&ended, 1);
        set->view = NULL;
    }
    mem_close(ctx, set);
}

static struct serve *
start_views(struct memory *m, uint64_t rate)
{
    static struct serve_ops ops;
    struct serve_options o = { .address = "127.0.0.1",
                               .threads = 2,
                               .max_rate = rate,
                               .ops = &ops,
                               .ctx = m };
    struct serve *s;
    char why[200];

    ops = mem_ops;
    ops.map = view_map;
    ops.cold = view_cold;
    ops.warm = view_warm;
    ops.read = view_read;
    ops.close = view_close;
    mapped = ended = warmed = waits = 0;
    warm_until = 0;
    cold = false;
    shown = true;
    for (size_t i = 0; i < sizeof(store); i++) {
        store[i] = byte_at(i);
    }
    mem_init(m, VIEW_SIZE);
    if (serve_start(&o, &s, why, sizeof(why)) != 0) {
        fail_msg("%s", why);
    }
    return s;
}

static void
stop_views(struct memory *m, struct serve *s)
{
    serve_stop(s);
    assert_int_equal(mapped, ended);
    mem_fini(m);
}

static void
send_get(int fd, const char *more)
{
    char request[300];

    snprintf(request, sizeof(request),
             "GET /blocks/" ID " HTTP/1.1\r\nHost: x\r\n"
             "Range: bytes=100-300099\r\n%s\r\n",
             more);
    assert_int_equal(send(fd, request, strlen(request), 0),
                     (long) strlen(request));
}

/* One answer of 300,000 bytes, behind its header. */
static void
read_answer(int fd)
{
    static char text[310000];
    size_t len = 0, want = sizeof(text);

    while (len < want) {
        ssize_t n = recv(fd, text + len, want - len, 0);

        assert_true(n > 0);
        len += (size_t) n;
        const char *end = memmem(text, len, "\r\n\r\n", 4);
        want = end != NULL ? (size_t) (end - text) + 4 + 300000 : want;
    }
    assert_memory_equal(text, "HTTP/1.1 206 ", 13);
    assert_memory_equal(text + len - 300000, store + 100, 300000);
}

static void
one_after_the_other(void **state)
{
    struct memory m;
    struct serve *s = start_views(&m, 0);
    int fd = dial(serve_port(s));

    (void) state;
    for (int i = 0; i < 20; i++) {
        cold = i % 2 != 0;
        send_get(fd, "");
        read_answer(fd);
    }
    close(fd);
    assert_int_equal(mapped, 20);
    assert_int_equal(warmed, 10);
    stop_views(&m, s);
}

/* Those that wait for the disk hold up nobody else. */
static void
others_go_on(void **state)
{
    struct memory m;
    struct serve *s = start_views(&m, 0);
    int waiting[MANY], fd;

    (void) state;
    cold = true;
    disk_stands = true;
    for (int i = 0; i < MANY; i++) {
        waiting[i] = dial(serve_port(s));
        send_get(waiting[i], "");
    }
    while (mapped < MANY) {
        usleep(1000);
    }
    cold = false;
    fd = dial(serve_port(s));
    send_get(fd, "");
    read_answer(fd);
    close(fd);
    assert_int_equal(mapped, MANY + 1);
    disk_stands = false;
    for (int i = 0; i < MANY; i++) {
        read_answer(waiting[i]);
        close(waiting[i]);
    }
    assert_int_equal(warmed, MANY);
    stop_views(&m, s);
}

static void *
release(void *arg)
{
    (void) arg;
    usleep(200000);
    disk_stands = false;
    return NULL;
}

static void
stops_while_some_wait(void **state)
{
    struct memory m;
    struct serve *s = start_views(&m, 0);
    int waiting[MANY];
    pthread_t t;

    (void) state;
    cold = true;
    disk_stands = true;
    for (int i = 0; i < MANY; i++) {
        waiting[i] = dial(serve_port(s));
        send_get(waiting[i], "");
    }
    while (mapped < MANY) {
        usleep(1000);
    }
    assert_int_equal(pthread_create(&t, NULL, release, NULL), 0);
    stop_views(&m, s);
    pthread_join(t, NULL);
    assert_true(warmed < MANY); /* the rest was not read any more */
    for (int i = 0; i < MANY; i++) {
        close(waiting[i]);
    }
}

/* Larger than what is waited for at once: nothing is read that is not in
 * memory, and others are served. */
static void
check_long(uint64_t rate)
{
    enum {
        LENGTH = 9 << 20
    };
    struct memory m;
    struct serve *s = start_views(&m, rate);
    static char text[LENGTH + 1000];
    size_t len = 0;

    cold = true;
    shown = false;
    disk_stands = true;
    int slow = dial(serve_port(s));
    const char *request = "GET /blocks/" ID " HTTP/1.1\r\nHost: x\r\n"
                          "Range: bytes=0-9437183\r\n\r\n";
    send(slow, request, strlen(request), 0);
    while (warmed < 1) {
        usleep(1000);
    }
    cold = false;
    int quick = dial(serve_port(s));
    send_get(quick, "");
    read_answer(quick);
    close(quick);
    cold = true;
    disk_stands = false;
    for (size_t want = sizeof(text); len < want;) {
        ssize_t n = recv(slow, text + len, want - len, 0);

        assert_true(n > 0);
        len += (size_t) n;
        const char *end = memmem(text, len, "\r\n\r\n", 4);
        want = end != NULL ? (size_t) (end - text) + 4 + LENGTH : want;
    }
    assert_memory_equal(text, "HTTP/1.1 206 ", 13);
    assert_memory_equal(text + len - LENGTH, store, LENGTH);
    close(slow);
    assert_int_equal(waits, 0);
    assert_int_equal(warmed, 3);
    stop_views(&m, s);
}

static void
long_ones_do_not_wait_either(void **state)
{
    (void) state;
    check_long(0);
    check_long(200 << 20);
}

static void
what_is_paced_is_copied(void **state)
{
    struct memory m;
    struct serve *s = start_views(&m, 50 << 20);
    int fd = dial(serve_port(s));

    (void) state;
    send_get(fd, "");
    read_answer(fd);
    close(fd);
    assert_int_equal(mapped, 0);
    stop_views(&m, s);
}

static void
counts_what_was_sent(void **state)
{
    struct memory m;
    struct serve *s = start_views(&m, 0);
    struct serve_stats stats;
    int fd = dial(serve_port(s));

    (void) state;
    cold = false;
    send_get(fd, "");
    read_answer(fd);
    send_get(fd, "Connection: close\r\n");
    read_answer(fd);
    while (ended < 2) {
        usleep(1000);
    }
    serve_get_stats(s, &stats);
    assert_int_equal(stats.bytes, 600000);
    close(fd);
    stop_views(&m, s);
}

/* Its reader takes some of it, and no more. */
static void
counts_what_is_under_way(void **state)
{
    struct memory m;
    struct serve *s = start_views(&m, 0);
    struct serve_stats stats;
    static char some[2 << 20];
    const char *request = "GET /blocks/" ID " HTTP/1.1\r\nHost: x\r\n\r\n";
    double begun = now();
    uint64_t before = 0;

    (void) state;
    int fd = dial(serve_port(s));
    send(fd, request, strlen(request), 0);
    assert_int_equal(recv(fd, some, sizeof(some), MSG_WAITALL), sizeof(some));
    do {
        serve_get_stats(s, &stats);
        assert_true(stats.bytes >= before && stats.bytes < VIEW_SIZE);
        before = stats.bytes;
        usleep(1000);
    } while (stats.bytes < sizeof(some) - 1000 && now() < begun + 10);
    assert_true(stats.bytes >= sizeof(some) - 1000);
    assert_int_equal(ended, 0);
    close(fd);
    while (ended < 1) {
        usleep(1000);
    }
    serve_get_stats(s, &stats);
    assert_true(stats.bytes >= before && stats.bytes < VIEW_SIZE);
    stop_views(&m, s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_after_the_other),
        cmocka_unit_test(others_go_on),
        cmocka_unit_test(stops_while_some_wait),
        cmocka_unit_test(long_ones_do_not_wait_either),
        cmocka_unit_test(what_is_paced_is_copied),
        cmocka_unit_test(counts_what_was_sent),
        cmocka_unit_test(counts_what_is_under_way),
    };

    signal(SIGPIPE, SIG_IGN);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
