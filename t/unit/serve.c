/* The block server, over real connections; its blocks are in memory. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "blockmap.h"
#include "serve.h"
#include "shoal.h"

#define ID "0123456789abcdef0123456789abcdef01234567"

enum {
    BLOCK = 65536,
    SIZE = 40 * BLOCK + 1000,
    RATE_SIZE = 64 << 20
};

struct memory {
    struct blockmap map;
    bool broken;                  /* reads fail */
    struct sockaddr_storage from; /* who asked last */
};

static uint8_t
byte_at(uint64_t off)
{
    return (uint8_t) (off * 31 + (off >> 16) * 7);
}

static int
mem_open(void *ctx, const uint8_t id[20], const struct sockaddr *from,
         struct serve_set *set)
{
    struct memory *m = ctx;

    memset(&m->from, 0, sizeof(m->from));
    if (from != NULL) {
        memcpy(&m->from, from,
               from->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                           : sizeof(struct sockaddr_in));
    }
    if (id[0] != 0x01 || id[19] != 0x67) {
        return SHOAL_ENOTFOUND;
    }
    set->handle = m;
    set->size = m->map.size;
    set->block_size = m->map.block_size;
    set->count = m->map.count;
    return 0;
}

static void
mem_close(void *ctx, struct serve_set *set)
{
    (void) ctx;
    set->handle = NULL;
}

static uint64_t
mem_held(void *ctx, const struct serve_set *set, uint64_t off, uint64_t len)
{
    struct memory *m = ctx;

    (void) set;
    return blockmap_held_from(&m->map, off, len);
}

static long
mem_read(void *ctx, const struct serve_set *set, uint64_t off, void *buf,
         size_t len)
{
    struct memory *m = ctx;
    size_t most = (size_t) (BLOCK - off % BLOCK);

    (void) set;
    if (m->broken) {
        return SHOAL_EIO;
    }
    len = len < most ? len : most;
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *) buf)[i] = byte_at(off + i);
    }
    return (long) len;
}

static int
mem_have(void *ctx, const struct serve_set *set, uint8_t *bits,
         uint64_t *cursor)
{
    struct memory *m = ctx;

    (void) set;
    memcpy(bits, m->map.bits, blockmap_bytes(&m->map));
    *cursor = m->map.held;
    return 0;
}

static int
mem_hashes(void *ctx, const struct serve_set *set, uint8_t *layer)
{
    (void) ctx;
    for (uint32_t i = 0; i < set->count * 32; i++) {
        layer[i] = (uint8_t) i;
    }
    return 0;
}

static const struct serve_ops mem_ops = { mem_open, mem_close, mem_held,
                                          mem_read, mem_have,  mem_hashes };

static struct serve *
start(struct memory *m, uint64_t size, unsigned connections, uint64_t rate)
{
    struct serve_options o = { .address = "127.0.0.1",
                               .threads = 2,
                               .max_connections = connections,
                               .max_rate = rate,
                               .ops = &mem_ops,
                               .ctx = m };
    struct serve *s;
    char why[200];

    memset(m, 0, sizeof(*m));
    assert_int_equal(blockmap_init(&m->map, size), 0);
    blockmap_fill(&m->map);
    if (serve_start(&o, &s, why, sizeof(why)) != 0) {
        fail_msg("%s", why);
    }
    return s;
}

static int
dial(uint16_t port)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval tv = { 20, 0 };

    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    assert_int_equal(connect(fd, (struct sockaddr *) &in, sizeof(in)), 0);
    return fd;
}

struct reply {
    char *text; /* head and body */
    size_t len;
    const char *body;
    size_t body_len;
};

/* Sends `request` and reads until the server closes. */
static void
ask(uint16_t port, const char *request, struct reply *out)
{
    int fd = dial(port);
    size_t cap = 4 << 20;
    ssize_t n;

    memset(out, 0, sizeof(*out));
    out->text = malloc(cap);
    assert_non_null(out->text);
    assert_int_equal(send(fd, request, strlen(request), 0),
                     (long) strlen(request));
    while ((n = recv(fd, out->text + out->len, cap - 1 - out->len, 0)) > 0) {
        out->len += (size_t) n;
    }
    out->text[out->len] = '\0';
    close(fd);
    const char *end = strstr(out->text, "\r\n\r\n");
    assert_non_null(end);
    out->body = end + 4;
    out->body_len = out->len - (size_t) (out->body - out->text);
}

static void
get(uint16_t port, const char *method, const char *path, const char *range,
    struct reply *out)
{
    char request[512];

    snprintf(request, sizeof(request),
             "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s%s%s\r\n",
             method, path, range != NULL ? "Range: " : "",
             range != NULL ? range : "", range != NULL ? "\r\n" : "");
    ask(port, request, out);
}

/* Blocks 0 to 9 and 20 to the end are held. */
static const struct {
    const char *method, *path, *range;
    int status;
    uint64_t off, len;  /* of the body */
    const char *header; /* that must be there */
} requests[] = {
    { "GET", "/blocks/" ID, "bytes=0-99", 206, 0, 100,
      "Content-Range: bytes 0-99/2622440\r\n" },
    { "GET", "/blocks/" ID, "bytes=65530-65540", 206, 65530, 11, NULL },
    { "GET", "/blocks/" ID, "bytes=655000-700000", 206, 655000, 360,
      "Content-Range: bytes 655000-655359/2622440\r\n" },
    { "GET", "/blocks/" ID, "bytes=655360-700000", 404, 0, 0, NULL },
    { "GET", "/blocks/" ID, "bytes=1310720-", 206, 1310720, 1311720,
      "Content-Range: bytes 1310720-2622439/2622440\r\n" },
    { "GET", "/blocks/" ID, "bytes=-1", 206, 2622439, 1, NULL },
    { "GET", "/blocks/" ID, "bytes=2622440-", 416, 0, 0,
      "Content-Range: bytes */2622440\r\n" },
    { "GET", "/blocks/" ID, "bytes=9999999999999999999999-", 416, 0, 0, NULL },
    { "GET", "/blocks/" ID, "bytes=0-1,5-6", 404, 0, 0, NULL },
    { "GET", "/blocks/" ID, NULL, 404, 0, 0, NULL },
    { "HEAD", "/blocks/" ID, "bytes=0-99", 206, 0, 0,
      "Content-Length: 100\r\n" },
    { "HEAD", "/blocks/" ID, NULL, 404, 0, 0, NULL },
    { "GET", "/blocks/" ID "?t=1.2", "bytes=0-0", 206, 0, 1, NULL },
    { "GET", "/blocks/0123456789ABCDEF0123456789ABCDEF01234567", "bytes=0-0",
      206, 0, 1, NULL },
    { "GET", "/blocks/ff23456789abcdef0123456789abcdef01234567", "bytes=0-0",
      404, 0, 0, NULL },
    { "GET", "/blocks/0123", NULL, 404, 0, 0, NULL },
    { "GET", "/blocks/" ID "/nothing", NULL, 404, 0, 0, NULL },
    { "GET", "/blocks/" ID "0", NULL, 404, 0, 0, NULL },
    { "GET", "/", NULL, 404, 0, 0, NULL },
    { "GET", "/blocks/../etc/passwd", NULL, 404, 0, 0, NULL },
    { "POST", "/blocks/" ID, NULL, 405, 0, 0, "Allow: GET, HEAD\r\n" },
    { "DELETE", "/blocks/" ID, NULL, 405, 0, 0, NULL },
    { "GET", "/blocks/" ID "/have", NULL, 200, 0, 0, "Content-Length: 6\r\n" },
    { "GET", "/blocks/" ID "/have", NULL, 200, 0, 0,
      "Shoal-Size: 2622440\r\n" },
    { "HEAD", "/blocks/" ID "/have", NULL, 200, 0, 0, "Shoal-Cursor: 31\r\n" },
    { "GET", "/blocks/" ID "/hashes", NULL, 200, 0, 0,
      "Content-Length: 1312\r\n" },
    { "GET", "/blocks/" ID "/hashes", "bytes=32-63", 206, 0, 0,
      "Content-Range: bytes 32-63/1312\r\n" },
    { "GET", "/blocks/" ID "/hashes", "bytes=1312-", 416, 0, 0, NULL },
};

static void
check_bytes(const struct reply *r, uint64_t off, uint64_t len)
{
    for (uint64_t k = 0; k < len; k++) {
        assert_int_equal((uint8_t) r->body[k], byte_at(off + k));
    }
}

static void
check_one(uint16_t port, size_t i)
{
    char status[16];
    struct reply r;

    get(port, requests[i].method, requests[i].path, requests[i].range, &r);
    snprintf(status, sizeof(status), "HTTP/1.1 %d ", requests[i].status);
    if (strncmp(r.text, status, strlen(status)) != 0
        || (requests[i].header != NULL
            && strstr(r.text, requests[i].header) == NULL)
        || (requests[i].len > 0 && r.body_len != requests[i].len))
    {
        fail_msg("case %zu: %s\n%.*s%zu bytes", i, requests[i].path,
                 (int) (r.body - r.text), r.text, r.body_len);
    }
    check_bytes(&r, requests[i].off, requests[i].len);
    free(r.text);
}

static void
answers(void **state)
{
    struct memory m;
    struct serve *s = start(&m, SIZE, 0, 0);

    (void) state;
    for (uint32_t i = 10; i < 20; i++) {
        blockmap_clear(&m.map, i);
    }
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        check_one(serve_port(s), i);
    }
    serve_stop(s);
    blockmap_fini(&m.map);
}

static void
whole_and_bodies(void **state)
{
    static const uint8_t have[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0x80 };
    struct memory m;
    struct serve *s = start(&m, SIZE, 0, 0);
    struct reply r;

    (void) state;
    get(serve_port(s), "GET", "/blocks/" ID, NULL, &r);
    assert_non_null(strstr(r.text, "HTTP/1.1 200 "));
    assert_non_null(strstr(r.text, "Accept-Ranges: bytes\r\n"));
    assert_int_equal(r.body_len, SIZE);
    for (uint64_t i = 0; i < SIZE; i++) {
        assert_int_equal((uint8_t) r.body[i], byte_at(i));
    }
    free(r.text);
    get(serve_port(s), "GET", "/blocks/" ID "/have", NULL, &r);
    assert_int_equal(r.body_len, 6);
    assert_memory_equal(r.body, have, 6);
    free(r.text);
    get(serve_port(s), "GET", "/blocks/" ID "/hashes", "bytes=33-40", &r);
    assert_int_equal(r.body_len, 8);
    assert_int_equal(r.body[0], 33);
    assert_int_equal(r.body[7], 40);
    free(r.text);
    serve_stop(s);
    blockmap_fini(&m.map);
}

static void
empty_file(void **state)
{
    struct memory m;
    struct serve *s = start(&m, 0, 0, 0);
    struct reply r;

    (void) state;
    get(serve_port(s), "GET", "/blocks/" ID, NULL, &r);
    assert_non_null(strstr(r.text, "HTTP/1.1 200 "));
    assert_non_null(strstr(r.text, "Content-Length: 0\r\n"));
    assert_int_equal(r.body_len, 0);
    free(r.text);
    get(serve_port(s), "GET", "/blocks/" ID "/hashes", NULL, &r);
    assert_non_null(strstr(r.text, "HTTP/1.1 200 "));
    free(r.text);
    get(serve_port(s), "GET", "/blocks/" ID, "bytes=0-", &r);
    assert_non_null(strstr(r.text, "HTTP/1.1 416 "));
    free(r.text);
    serve_stop(s);
    blockmap_fini(&m.map);
}

/* A set that went away in mid-answer: the body is short, never wrong. */
static void
broken_reads_end_the_answer(void **state)
{
    struct memory m;
    struct serve *s = start(&m, SIZE, 0, 0);
    struct reply r;

    (void) state;
    m.broken = true;
    get(serve_port(s), "GET", "/blocks/" ID, NULL, &r);
    assert_int_equal(r.body_len, 0);
    free(r.text);
    serve_stop(s);
    blockmap_fini(&m.map);
}

/* Three requests in one go, over one connection. */
static void
pipelining(void **state)
{
    struct memory m;
    struct serve *s = start(&m, SIZE, 0, 0);
    struct reply r;
    unsigned found = 0;

    (void) state;
    ask(serve_port(s),
        "GET /blocks/" ID " HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9\r\n\r\n"
        "GET /blocks/" ID "/have HTTP/1.1\r\nHost: x\r\n\r\n"
        "GET /blocks/" ID " HTTP/1.1\r\nHost: x\r\nRange: bytes=5-9\r\n"
        "Connection: close\r\n\r\n",
        &r);
    for (size_t i = 0; i + 8 < r.len; i++) {
        found += memcmp(r.text + i, "HTTP/1.1", 8) == 0;
    }
    assert_int_equal(found, 3);
    free(r.text);
    serve_stop(s);
    blockmap_fini(&m.map);
}

static void
huge_headers(void **state)
{
    struct memory m;
    struct serve *s = start(&m, SIZE, 0, 0);
    char *request = malloc(30000);
    struct reply r;

    (void) state;
    assert_non_null(request);
    snprintf(request, 30000,
             "GET / HTTP/1.1\r\nHost: x\r\nX: %020000d\r\n\r\n", 0);
    ask(serve_port(s), request, &r);
    assert_non_null(strstr(r.text, "HTTP/1.1 4"));
    free(r.text);
    free(request);
    serve_stop(s);
    blockmap_fini(&m.map);
}

static void
too_many_connections(void **state)
{
    struct memory m;
    struct serve *s = start(&m, SIZE, 3, 0);
    struct serve_stats stats;
    struct reply r;
    int fds[3];

    (void) state;
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(serve_port(s));
    }
    do {
        usleep(1000);
        serve_get_stats(s, &stats);
    } while (stats.connections < 3);
    get(serve_port(s), "GET", "/blocks/" ID, "bytes=0-9", &r);
    assert_non_null(strstr(r.text, "HTTP/1.1 503 "));
    assert_non_null(strstr(r.text, "Retry-After: 1\r\n"));
    free(r.text);
    close(fds[0]);
    do {
        usleep(1000);
        serve_get_stats(s, &stats);
    } while (stats.connections > 2);
    assert_int_equal(stats.busy, 1);
    get(serve_port(s), "GET", "/blocks/" ID, "bytes=0-9", &r);
    assert_non_null(strstr(r.text, "HTTP/1.1 206 "));
    free(r.text);
    close(fds[1]);
    close(fds[2]);
    serve_stop(s);
    blockmap_fini(&m.map);
}

static double
now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

struct reader {
    pthread_t thread;
    uint16_t port;
    double until;
    uint64_t bytes;
};

static void
read_until(struct reader *r, uint64_t enough)
{
    const char *request = "GET /blocks/" ID " HTTP/1.1\r\nHost: x\r\n\r\n";
    char buf[16384];

    int fd = dial(r->port);
    if (send(fd, request, strlen(request), 0) < 0) {
        return;
    }
    while (now() < r->until && r->bytes < enough) {
        ssize_t n = recv(fd, buf, sizeof(buf), 0);

        if (n <= 0) {
            break;
        }
        r->bytes += (uint64_t) n;
    }
    close(fd);
}

static void *
read_for_a_while(void *arg)
{
    read_until(arg, UINT64_MAX);
    return NULL;
}

/* Within some per cent, bursts at the start included, and nobody starves. */
static void
check_rate(uint64_t rate, unsigned readers, double seconds)
{
    struct memory m;
    struct serve *s = start(&m, RATE_SIZE, 0, rate);
    struct reader r[50];
    uint64_t sum = 0, least = UINT64_MAX;
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
        least = r[i].bytes < least ? r[i].bytes : least;
    }
    double want = (double) rate * seconds;
    print_message("# %u readers, %llu B/s: %.3f of it; least %.2f of a fair "
                  "share\n",
                  readers, (unsigned long long) rate, (double) sum / want,
                  (double) least * readers / want);
    assert_true((double) sum > want * 0.9 && (double) sum < want * 1.08);
    assert_true((double) least > want / readers * 0.5);
    serve_stop(s);
    blockmap_fini(&m.map);
}

static void
rates(void **state)
{
    (void) state;
    check_rate(64 << 10, 1, 3);
    check_rate(1250000, 1, 2);
    check_rate(1250000, 8, 2);
    check_rate(20 << 20, 50, 2);
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
    blockmap_fini(&m.map);
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
    blockmap_fini(&m.map);
}

static struct serve *
start_impatient(struct memory *m, uint64_t rate)
{
    struct serve_options o = { .address = "127.0.0.1",
                               .threads = 2,
                               .max_rate = rate,
                               .stall_ms = 500,
                               .ops = &mem_ops,
                               .ctx = m };
    struct serve *s;
    char why[200];

    memset(m, 0, sizeof(*m));
    assert_int_equal(blockmap_init(&m->map, RATE_SIZE), 0);
    blockmap_fill(&m->map);
    assert_int_equal(serve_start(&o, &s, why, sizeof(why)), 0);
    return s;
}

static bool
is_connected(const struct serve *s)
{
    struct serve_stats stats;

    serve_get_stats(s, &stats);
    return stats.connections > 0;
}

/* Moves by the byte, one way or the other, until the server has enough. */
static void
check_trickle(bool reads)
{
    const char *request = "GET /blocks/" ID " HTTP/1.1\r\nHost: x\r\n\r\n";
    struct memory m;
    struct serve *s = start_impatient(&m, 0);
    int fd = dial(serve_port(s));
    double end = now() + 15;
    char byte;

    send(fd, request, reads ? strlen(request) : 10, 0);
    do {
        usleep(20000);
        if (reads) {
            recv(fd, &byte, 1, MSG_DONTWAIT);
        } else {
            send(fd, "a", 1, MSG_NOSIGNAL);
        }
    } while (is_connected(s) && now() < end);
    assert_false(is_connected(s));
    close(fd);
    serve_stop(s);
    blockmap_fini(&m.map);
}

static void
disconnects_who_stalls(void **state)
{
    (void) state;
    check_trickle(true);
    check_trickle(false);
}

/* It is the server's limit that makes this one slow. */
static void
keeps_who_is_slowed_down(void **state)
{
    struct memory m;
    struct serve *s = start_impatient(&m, 1000);
    struct reader r = { .port = serve_port(s), .until = now() + 20 };

    (void) state;
    read_until(&r, 3000);
    assert_true(r.bytes >= 3000);
    serve_stop(s);
    blockmap_fini(&m.map);
}

static void
says_why_it_cannot_listen(void **state)
{
    struct memory m;
    struct serve *s = start(&m, SIZE, 0, 0), *other;
    struct serve_options o = { .address = "127.0.0.1",
                               .port = serve_port(s),
                               .ops = &mem_ops,
                               .ctx = &m };
    char why[200];

    (void) state;
    assert_int_equal(serve_start(&o, &other, why, sizeof(why)), SHOAL_ENET);
    assert_non_null(strstr(why, "Address already in use"));
    o.address = "localhost";
    assert_int_equal(serve_start(&o, &other, why, sizeof(why)), SHOAL_ENET);
    assert_non_null(strstr(why, "not a numeric address"));
    serve_stop(s);
    blockmap_fini(&m.map);
}

static void
ipv4_and_ipv6(void **state)
{
    struct memory m;
    struct serve_options o = { .ops = &mem_ops, .ctx = &m };
    struct serve *s;
    struct reply r;
    char why[200];

    (void) state;
    memset(&m, 0, sizeof(m));
    assert_int_equal(blockmap_init(&m.map, SIZE), 0);
    assert_int_equal(serve_start(&o, &s, why, sizeof(why)), 0);
    get(serve_port(s), "GET", "/blocks/" ID "/have", NULL, &r);
    assert_non_null(strstr(r.text, "HTTP/1.1 200 "));
    free(r.text);
    serve_stop(s);
    blockmap_fini(&m.map);
}

/* An IPv4 asker at a socket of both families: ::ffff:127.0.0.1. */
static void
says_who_asks(void **state)
{
    static const uint8_t mapped[16] = {
        [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1
    };
    struct memory m;
    struct serve *s = start(&m, SIZE, 0, 0);
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct reply r;

    (void) state;
    get(serve_port(s), "GET", "/blocks/" ID "/have", NULL, &r);
    free(r.text);
    memcpy(&in, &m.from, sizeof(in));
    assert_int_equal(in.sin_family, AF_INET);
    assert_int_equal(in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    serve_stop(s);
    struct serve_options o = { .ops = &mem_ops, .ctx = &m };
    char why[200];
    assert_int_equal(serve_start(&o, &s, why, sizeof(why)), 0);
    get(serve_port(s), "GET", "/blocks/" ID, "bytes=0-0", &r);
    free(r.text);
    memcpy(&in6, &m.from, sizeof(in6));
    assert_int_equal(in6.sin6_family, AF_INET6);
    assert_memory_equal(&in6.sin6_addr, mapped, sizeof(mapped));
    serve_stop(s);
    blockmap_fini(&m.map);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(answers),
    cmocka_unit_test(whole_and_bodies),
    cmocka_unit_test(empty_file),
    cmocka_unit_test(broken_reads_end_the_answer),
    cmocka_unit_test(pipelining),
    cmocka_unit_test(huge_headers),
    cmocka_unit_test(too_many_connections),
    cmocka_unit_test(rates),
    cmocka_unit_test(stops_at_once),
    cmocka_unit_test(slow_rates),
    cmocka_unit_test(disconnects_who_stalls),
    cmocka_unit_test(keeps_who_is_slowed_down),
    cmocka_unit_test(says_why_it_cannot_listen),
    cmocka_unit_test(ipv4_and_ipv6),
    cmocka_unit_test(says_who_asks),
};

UNIT_MAIN(tests)
