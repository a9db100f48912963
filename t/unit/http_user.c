/* What a user wants of requests, and who gets to see it. */
#include <stdbool.h>

#include "answerer.h"
#include "http.h"
#include "resolve.h"
#include "shoal.h"

#define HEAD "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n"
#define OK   HEAD "\r\n"

struct seen {
    bool done, secret;
    int err;
    unsigned status, headers;
    char lines[1024];
};

static int
on_headers(void *ctx, const struct answer *a)
{
    struct seen *s = ctx;

    s->status = a->status;
    s->secret = a->secret;
    s->headers++;
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

static void
on_line(void *ctx, const char *line, size_t len)
{
    struct seen *s = ctx;

    strncat(s->lines, line,
            len < sizeof(s->lines) - strlen(s->lines) - 1 ? len : 0);
}

static const struct http_handler handler = { on_headers, NULL, on_done };

/* To ${server}, under whatever name. */
static void
ask(struct http *h, const struct server *server, struct http_options *o,
    struct seen *s)
{
    struct node_addr addr;
    struct http_request *r;
    size_t n;

    memset(s, 0, sizeof(*s));
    assert_int_equal(resolve_literal("127.0.0.1", server->port, &addr, &n), 0);
    o->url = o->url != NULL ? o->url : "http://cdn.invalid/x";
    /* cppcheck-suppress autoVariables; it is read only in http_start() */
    o->addr = &addr;
    o->total_ms = 10000;
    o->handler = &handler;
    o->line = on_line;
    o->ctx = s;
    assert_int_equal(http_start(h, o, &r), 0);
    while (!s->done) {
        assert_int_equal(http_poll(h, 100), 0);
    }
}

/* A new file of that text. */
static void
write_file(char name[32], const char *text)
{
    snprintf(name, 32, "/tmp/shoal-unit-XXXXXX");
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

enum {
    NOBODY = 1, /* a request of a tracker's or peer's */
    OTHER = 2,  /* one across origins */
    NETRC = 4
};

/* What a request has, of the settings in fill(). */
static const struct {
    const char *name;
    const char *text; /* of the request */
    unsigned flags;
    bool there;
} cases[] = {
    { "user agent", "\r\nUser-Agent: Me/1\r\n", 0, true },
    { "user agent, elsewhere", "\r\nUser-Agent: Me/1\r\n", OTHER, true },
    { "user agent, peer", "\r\nUser-Agent: Me/1\r\n", NOBODY, false },
    { "own agent, peer", "\r\nUser-Agent: shoal/", NOBODY, true },
    { "referer", "\r\nReferer: http://ref/\r\n", 0, true },
    { "referer, peer", "\r\nReferer:", NOBODY, false },
    { "header", "\r\nX-Plain: 1\r\n", 0, true },
    { "header, elsewhere", "\r\nX-Plain: 1\r\n", OTHER, true },
    { "header, peer", "\r\nX-Plain:", NOBODY, false },
    { "header taken out", "\r\nAccept:", 0, false },
    { "secret", "\r\nX-Token: 2\r\n", 0, true },
    { "secret, elsewhere", "\r\nX-Token:", OTHER, false },
    { "secret, peer", "\r\nX-Token:", NOBODY, false },
    { "Host", "\r\nHost: vhost\r\n", 0, true },
    { "one Host", "\r\nHost: cdn.invalid\r\n", 0, false },
    { "Host, elsewhere", "\r\nHost: cdn.invalid\r\n", OTHER, true },
    { "Host, peer", "\r\nHost: cdn.invalid\r\n", NOBODY, true },
    { "proxy's alone", "\r\nProxy-Authorization:", 0, false },
    { "login", "\r\nAuthorization: Basic dTpw\r\n", 0, true },
    { "login, elsewhere", "\r\nAuthorization:", OTHER, false },
    { "login, peer", "\r\nAuthorization:", NOBODY, false },
    { "netrc", "\r\nAuthorization: Basic bjpt\r\n", NETRC, true },
    { "netrc, elsewhere", "\r\nAuthorization:", NETRC | OTHER, false },
    { "netrc, peer", "\r\nAuthorization:", NETRC | NOBODY, false },
    { "cookie", "\r\nCookie: a=1\r\n", 0, true },
    { "cookie, elsewhere", "\r\nCookie:", OTHER, false },
    { "cookie, peer", "\r\nCookie:", NOBODY, false },
    { "no other cookie", "b=2", 0, false },
};

static const char *const lines[] = { "X-Plain: 1",
                                     "Accept:",
                                     "X-Token: 2",
                                     "Host: vhost",
                                     "Proxy-Authorization: Basic eDp5",
                                     NULL };

/* For each of them one request. */
static void
all_go_where_they_may(void **state)
{
    char netrc[32], cookies[32];

    (void) state;
    write_file(netrc, "machine cdn.invalid login n password m\n"
                      "default login d password e\n");
    write_file(cookies, "vhost\tFALSE\t/\tFALSE\t0\ta\t1\n"
                        "cdn.invalid\tFALSE\t/y\tFALSE\t0\tb\t2\n"
                        "other.invalid\tFALSE\t/\tFALSE\t0\tb\t2\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned f = cases[i].flags;
        struct http *h = http_create(NULL);
        struct http_settings s;
        struct server server;
        struct seen seen;

        http_settings_init(&s);
        s.user_agent = "Me/1";
        s.referer = "http://ref/";
        s.headers = lines;
        s.user = f & NETRC ? NULL : "u";
        s.password = f & NETRC ? NULL : "p";
        s.netrc = f & NETRC ? netrc : NULL;
        assert_int_equal(http_load_cookies(h, cookies), 0);
        struct http_options o = { .settings = f & NOBODY ? NULL : &s,
                                  .credentials = f == 0 || f == NETRC,
                                  .cookies = f == 0 || f == NETRC };
        server_start(&server, OK);
        ask(h, &server, &o, &seen);
        unit_expect(seen.err == 0 && seen.status == 200, cases[i].name);
        unit_expect((strstr(server.asked[0], cases[i].text) != NULL)
                        == cases[i].there,
                    cases[i].name);
        unit_expect(seen.secret == (f == 0 || f == NETRC), cases[i].name);
        http_free(h);
        server_stop(&server);
    }
    unlink(netrc);
    unlink(cookies);
}

/* Netrc and cookies that are there, and fit nothing, are no secret. */
static void
only_what_was_sent_is_secret(void **state)
{
    struct http *h = http_create(NULL);
    struct http_settings s;
    struct server server;
    struct seen seen;
    char netrc[32], cookies[32];

    (void) state;
    write_file(netrc, "machine other.invalid login n password m\n");
    write_file(cookies, "other.invalid\tFALSE\t/\tFALSE\t0\ta\t1\n");
    http_settings_init(&s);
    s.netrc = netrc;
    assert_false(http_settings_secret(&s));
    assert_int_equal(http_load_cookies(h, cookies), 0);
    struct http_options o = { .settings = &s,
                              .credentials = true,
                              .cookies = true };
    server_start(&server, OK);
    ask(h, &server, &o, &seen);
    assert_null(strstr(server.asked[0], "Authorization:"));
    assert_null(strstr(server.asked[0], "Cookie:"));
    assert_false(seen.secret);
    /* but a cookie that comes is sent back next time */
    server.answer = HEAD "Set-Cookie: c=3\r\n\r\n";
    ask(h, &server, &o, &seen);
    assert_true(seen.secret);
    server.answer = OK;
    ask(h, &server, &o, &seen);
    assert_true(seen.secret);
    assert_non_null(strstr(server.asked[2], "\r\nCookie: c=3\r\n"));
    assert_string_equal(seen.lines, OK);
    http_free(h);
    server_stop(&server);
    unlink(netrc);
    unlink(cookies);
}

#define DIGEST                                                        \
    "HTTP/1.1 401 No\r\nContent-Length: 3\r\nConnection: close\r\n"   \
    "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"" \
    "\r\n\r\nno!"

/* Basic at once, then what is asked for; the handler hears of the end only. */
static void
digest_is_found_out(void **state)
{
    struct http *h = http_create(NULL);
    struct http_settings s;
    struct server server;
    struct seen seen;

    (void) state;
    http_settings_init(&s);
    s.user = "u";
    s.password = "p";
    struct http_options o = { .settings = &s, .credentials = true };
    server_start(&server, DIGEST);
    ask(h, &server, &o, &seen);
    assert_int_equal(seen.err, 0);
    assert_int_equal(seen.status, 401);
    assert_int_equal(seen.headers, 1);
    assert_true(server.connections >= 2 && server.connections <= 3);
    assert_non_null(strstr(server.asked[0], "\r\nAuthorization: Basic "));
    assert_non_null(
        strstr(server.asked[1], "\r\nAuthorization: Digest username=\"u\""));
    server_stop(&server);

    server_start(&server, OK); /* it is known from now on */
    server.first = DIGEST;
    ask(h, &server, &o, &seen);
    assert_int_equal(seen.status, 200);
    assert_int_equal(seen.headers, 1);
    assert_int_equal(server.connections, 2);
    assert_null(strstr(server.asked[0], "\r\nAuthorization:"));
    assert_non_null(strstr(server.asked[1], "\r\nAuthorization: Digest "));
    server_stop(&server);
    http_free(h);
}

static void
what_cannot_work_is_named(void **state)
{
    static const char *const bad[] = { "Cookie-but-no-colon", NULL };
    static const char *const range[] = { "X: y", "range: bytes=0-", NULL };
    static const struct {
        struct http_settings s;
        int err;
        const char *why;
    } wrong[] = {
        { { .headers = bad },
          SHOAL_EINVAL,
          "--header: expected 'Name: value', got 'Cookie-but-no-colon'" },
        { { .headers = range },
          SHOAL_EINVAL,
          "--header: range is set by Shoal itself" },
        { { .cookies = "/nonexistent" },
          SHOAL_EIO,
          "--load-cookies: /nonexistent: No such file or directory" },
        { { .ca = "/nonexistent" },
          SHOAL_EIO,
          "--ca-certificate: /nonexistent: No such file or directory" },
        { { .private_key = "/dev/null" },
          SHOAL_EINVAL,
          "--private-key without --certificate" },
        { { .certificate = "/dev/null" }, 0, "" },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char why[256] = "";

        assert_int_equal(http_settings_check(&wrong[i].s, why, sizeof(why)),
                         wrong[i].err);
        assert_string_equal(why, wrong[i].why);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(all_go_where_they_may),
    cmocka_unit_test(only_what_was_sent_is_secret),
    cmocka_unit_test(digest_is_found_out),
    cmocka_unit_test(what_cannot_work_is_named),
};

UNIT_MAIN(tests)
