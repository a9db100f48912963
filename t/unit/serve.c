/* The block server: requests and answers. */
#include "blockserver.h"

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
    { "HEAD", "/blocks/" ID "/have", NULL, 200, 0, 0,
      "Shoal-Cursor: 1000\r\n" },
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
    mem_fini(&m);
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
    mem_fini(&m);
}

static void
who_comes_early_waits(void **state)
{
    static const char request[] =
        "GET /blocks/" ID "/have HTTP/1.0\r\nHost: x\r\n\r\n";
    struct memory m;
    struct serve_options o = {
        .address = "127.0.0.1", .threads = 2, .ops = &mem_ops, .ctx = &m
    };
    struct serve_stats stats;
    struct serve *s;
    char why[200], status[9] = "";

    (void) state;
    mem_init(&m, SIZE);
    assert_int_equal(serve_listen(&o, &s, why, sizeof(why)), 0);
    int fd = dial(serve_port(s));
    assert_int_equal(send(fd, request, sizeof(request) - 1, 0),
                     sizeof(request) - 1);
    serve_get_stats(s, &stats);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(serve_run(s, why, sizeof(why)), 0);
    assert_int_equal(serve_run(s, why, sizeof(why)), 0);
    assert_int_equal(recv(fd, status, 8, MSG_WAITALL), 8);
    assert_memory_equal(status, "HTTP/1.", 7);
    close(fd);
    serve_stop(s);
    assert_int_equal(serve_listen(&o, &s, why, sizeof(why)), 0);
    serve_stop(s); /* it never ran */
    mem_fini(&m);
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
    mem_fini(&m);
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
    mem_fini(&m);
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
    mem_fini(&m);
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
    mem_fini(&m);
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
    mem_fini(&m);
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
    mem_init(&m, SIZE);
    assert_int_equal(serve_start(&o, &s, why, sizeof(why)), 0);
    get(serve_port(s), "GET", "/blocks/" ID "/have", NULL, &r);
    assert_non_null(strstr(r.text, "HTTP/1.1 200 "));
    free(r.text);
    serve_stop(s);
    mem_fini(&m);
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
    mem_fini(&m);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(answers),
    cmocka_unit_test(whole_and_bodies),
    cmocka_unit_test(who_comes_early_waits),
    cmocka_unit_test(empty_file),
    cmocka_unit_test(broken_reads_end_the_answer),
    cmocka_unit_test(pipelining),
    cmocka_unit_test(huge_headers),
    cmocka_unit_test(says_why_it_cannot_listen),
    cmocka_unit_test(ipv4_and_ipv6),
    cmocka_unit_test(says_who_asks),
};

UNIT_MAIN(tests)
