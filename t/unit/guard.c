/* The fetch guard: origins and addresses. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>

#include "../../superpeer/guard.h"
#include "shoal.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const origins[] = {
    "http://cdn.example.com",        "https://*.example.org",
    "https://*.dl.example.net:8443", "http://any.example.com:*",
    "http://Upper.Example.COM",      "http://[2001:db8::1]:8080",
};

static const struct {
    const char *url;
    bool allowed;
} urls[] = {
    { "http://cdn.example.com/a", true },
    { "http://cdn.example.com", true },
    { "http://cdn.example.com?x", true },
    { "http://cdn.example.com:80/a", true },
    { "http://cdn.example.com:/a", true },
    { "http://cdn.example.com:080/a", true },
    { "HTTP://CDN.Example.com/a", true },
    { "http://cdn.example.com./a", true },
    { "http://upper.example.com/a", true },
    { "https://a.example.org/", true },
    { "https://a.b.example.org/", true },
    { "https://a.dl.example.net:8443/x", true },
    { "http://any.example.com/", true },
    { "http://any.example.com:8081/", true },
    { "http://[2001:db8::1]:8080/", true },

    { "https://cdn.example.com/a", false },
    { "http://cdn.example.com:81/a", false },
    { "http://cdn.example.com:80a/a", false },
    { "http://cdn.example.com:99999/a", false },
    { "http://cdn.example.com:0/a", false },
    { "http://cdn.example.comx/a", false },
    { "http://xcdn.example.com/a", false },
    { "http://cdn.example.com.evil.net/", false },
    { "http://a.cdn.example.com/", false },
    { "https://example.org/", false },
    { "https://aexample.org/", false },
    { "https://.example.org/", false },
    { "http://a.example.org/", false },
    { "https://a.dl.example.net/x", false },
    { "https://any.example.com/", false },
    { "http://cdn.example.com@evil.net/", false },
    { "http://user@cdn.example.com/", false },
    { "http://user:pw@cdn.example.com/", false },
    { "http://evil.net/http://cdn.example.com/", false },
    { "http://evil.net#cdn.example.com", false },
    { "http://evil.net?cdn.example.com", false },
    { "http://cdn.example.com\\@evil.net/", false },
    { "http://cdn.example.com\\.evil.net/", false },
    { "http://cdn%2eexample.com/", false },
    { "http://cdn.example.com%00.evil.net/", false },
    { "http://cdn.example.com /", false },
    { " http://cdn.example.com/", false },
    { "http:/cdn.example.com/", false },
    { "http:cdn.example.com/", false },
    { "//cdn.example.com/", false },
    { "cdn.example.com/", false },
    { "ftp://cdn.example.com/", false },
    { "file:///etc/passwd", false },
    { "gopher://cdn.example.com/", false },
    { "http://", false },
    { "http:///a", false },
    { "http://:80/a", false },
    { "http://[2001:db8::1/", false },
    { "http://[2001:db8::1]x:8080/", false },
    { "http://cdn.example.com\\", false },
    { "http://cdn.example.com/\\..\\a", false },
    { "http://cdn.example.com/a\tb", false },
    { "http://cdn.example.com/a\nHost: evil.net", false },
    { "http://cdn.example.com/a\r\nx", false },
    { "http://cdn.example.com/\x7f", false },
    { "http://cdn.exam\tple.com/", false },
    { "http://cdn.example.com\n/", false },
    { "ht\ttp://cdn.example.com/", false },
    { "http://cdn.example.com../a", false },
    { "http://.cdn.example.com/a", false },
    { "http://cdn..example.com/a", false },
    { "http://cdn.example.com:65536/a", false },
    { "http://cdn.example.com:4294967376/a", false },
    { "http://cdn.example.com:-80/a", false },
    { "http://cdn.example.com:+80/a", false },
    { "http://cdn.example.com: 80/a", false },
    { "http://cdn.example.com:0x50/a", false },
    { "http://cdn.example.com:80:80/a", false },
    { "http://cdn.example.com%2f@evil.net/", false },
    { "http://cdn.example.com&@evil.net/", false },
    { "http://cdn.example.com;evil.net/", false },
    { "http://cdn.example.com,evil.net/", false },
    { "http://cdn.example.com$evil.net/", false },
    { "http://cdn\xe3\x80\x82"
      "example.com/",
      false }, /* an ideographic dot */
    { "http://\xe2\x93\x92"
      "dn.example.com/",
      false },
    { "http://xn--dn-0ga.example.com/", false },
    { "http://[cdn.example.com]/", false },
    { "http://[2001:db8::1]/", false },
    { "http://[2001:db8::1%25eth0]:8080/", false },
    { "http://[2001:db8::1%eth0]:8080/", false },
    { "http://[2001:0db8::1]:8080/", false },
    { "http://[::ffff:127.0.0.1]/", false },
    { "http://[v1.x]/", false },
    { "http://0x7f000001/", false },
    { "http://0x7f.1/", false },
    { "http://0177.0.0.1/", false },
    { "http://127.1/", false },
    { "http://0/", false },
    { "http://localhost/", false },
    { "http://any.example.com@127.0.0.1:80/", false },
    { "http://a.example.org%00.evil.net/", false },
    { "https://example.org.evil.net/", false },
    { "https://a.example.org.evil.net/", false },
    { "https://-.example.org/", true },
    { "https://a.dl.example.net:8443@evil.net/x", false },
    { "https:\\\\a.example.org\\", false },
    { "https://a.example.org:8443/", false },
    { "dict://cdn.example.com/", false },
    { "javascript:alert(1)//http://cdn.example.com/", false },
    { "http", false },
    { "http:", false },
    { "http://127.0.0.1/", false },
    { "http://2130706433/", false },
    { "http://[::1]/", false },
    { "", false },
};

/* Outside of the loops: the macro has levels of its own. */
static void
wrong(const char *text, const char *what)
{
    fail_msg("`%s` %s", text, what);
}

static struct guard *
make_guard(void)
{
    struct guard *g = guard_create();

    assert_non_null(g);
    for (size_t i = 0; i < COUNT(origins); i++) {
        if (guard_allow_origin(g, origins[i]) != 0) {
            wrong(origins[i], "was refused");
        }
    }
    return g;
}

static void
test_urls(void **state)
{
    struct guard *g = make_guard();

    (void) state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        if ((guard_url(g, urls[i].url) == 0) != urls[i].allowed) {
            wrong(urls[i].url,
                  urls[i].allowed ? "was refused" : "was allowed");
        }
    }
    guard_free(g);
}

static void
test_long_urls(void **state)
{
    static const char host[] = "http://any.example.com/";
    struct guard *g = make_guard();
    char *url = malloc(20000);

    (void) state;
    memset(url, 'x', 19999);
    memcpy(url, host, sizeof(host) - 1);
    url[8193] = '\0';
    assert_int_equal(guard_url(g, url), SHOAL_EDENIED);
    url[8192] = '\0';
    assert_int_equal(guard_url(g, url), 0);
    memset(url, 'x', 19999);
    memcpy(url, "https://", 8);
    memcpy(url + 263, ".example.org/", sizeof(".example.org/"));
    assert_int_equal(guard_url(g, url), SHOAL_EDENIED);
    memset(url, 'x', 19999);
    memcpy(url, "https://", 8);
    memcpy(url + 251, ".example.org/", sizeof(".example.org/"));
    assert_int_equal(guard_url(g, url), 0);
    free(url);
    guard_free(g);
}

static void
test_nothing_is_allowed_at_first(void **state)
{
    struct guard *g = guard_create();

    (void) state;
    assert_int_equal(guard_url(g, "http://cdn.example.com/"), SHOAL_EDENIED);
    guard_free(g);
}

/* A job that runs keeps the guard that it began with. */
static void
test_several_users(void **state)
{
    struct guard *g = guard_create();

    (void) state;
    assert_int_equal(guard_allow_origin(g, "http://cdn.example.com"), 0);
    assert_ptr_equal(guard_ref(g), g);
    guard_free(g);
    assert_int_equal(guard_url(g, "http://cdn.example.com/"), 0);
    guard_free(g);
    assert_null(guard_ref(NULL));
}

static void
test_https_where_allowed(void **state)
{
    static const struct {
        const char *url, *best;
    } cases[] = {
        { "http://both.example.com/a?b", "https://both.example.com/a?b" },
        { "HTTP://Both.example.com:80/a", "https://both.example.com/a" },
        { "https://both.example.com/a", "https://both.example.com/a" },
        { "http://plain.example.com/a", "http://plain.example.com/a" },
        { "http://only.example.com:8443/", "https://only.example.com:8443/" },
        { "http://only.example.com/", "http://only.example.com/" },
        { "http://none.example.com/", "http://none.example.com/" },
        { "https://plain.example.com/", "https://plain.example.com/" },
        { "http://u@both.example.com/", "http://u@both.example.com/" },
        { "ftp://both.example.com/", "ftp://both.example.com/" },
    };
    struct guard *g = guard_create();

    (void) state;
    assert_int_equal(guard_allow_origin(g, "http://both.example.com"), 0);
    assert_int_equal(guard_allow_origin(g, "https://both.example.com"), 0);
    assert_int_equal(guard_allow_origin(g, "http://plain.example.com"), 0);
    assert_int_equal(guard_allow_origin(g, "https://only.example.com:8443"),
                     0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *best = guard_best(g, cases[i].url);

        assert_non_null(best);
        assert_string_equal(best, cases[i].best);
        free(best);
    }
    guard_free(g);
}

static const char *const bad_origins[] = {
    "",
    "cdn.example.com",
    "ftp://cdn.example.com",
    "http://",
    "http://cdn.example.com/path",
    "http://cdn.example.com:0",
    "http://cdn.example.com:65536",
    "http://cdn.example.com:x",
    "http://*",
    "http://*example.com",
    "http://a.*.example.com",
    "http://user@example.com",
    "http://[::1",
    "http://a b",
};

static void
test_bad_origins(void **state)
{
    struct guard *g = guard_create();

    (void) state;
    for (size_t i = 0; i < COUNT(bad_origins); i++) {
        if (guard_allow_origin(g, bad_origins[i]) != SHOAL_EINVAL) {
            wrong(bad_origins[i], "was taken");
        }
    }
    guard_free(g);
}

/* `here`: with 127.0.0.0/8, 10.1.0.0/16, fd00:1::/32 and ::1 allowed. */
static const struct {
    const char *address;
    bool anywhere, here;
} addresses[] = {
    { "8.8.8.8", true, true },
    { "1.1.1.1", true, true },
    { "172.15.255.255", true, true },
    { "172.32.0.0", true, true },
    { "100.63.255.255", true, true },
    { "100.128.0.0", true, true },
    { "192.167.255.255", true, true },
    { "223.255.255.255", true, true },
    { "2001:4860:4860::8888", true, true },
    { "2a00::1", true, true },
    { "::ffff:8.8.8.8", true, true },
    { "64:ff9b::808:808", true, true },
    { "2002:808:808::1", true, true },
    { "2001:200::1", true, true },
    { "2a00::5efe:8.8.8.8", true, true },
    { "2a00::200:5efe:8.8.8.8", true, true },
    { "9.255.255.255", true, true },
    { "11.0.0.0", true, true },
    { "126.255.255.255", true, true },
    { "128.0.0.0", true, true },
    { "169.253.255.255", true, true },
    { "169.255.0.0", true, true },
    { "198.17.255.255", true, true },
    { "198.20.0.0", true, true },

    { "127.0.0.1", false, true },
    { "127.255.255.255", false, true },
    { "10.1.2.3", false, true },
    { "::1", false, true },
    { "fd00:1::5", false, true },
    { "::ffff:127.0.0.1", false, true },
    { "64:ff9b::7f00:1", false, true },

    { "0.0.0.0", false, false },
    { "0.1.2.3", false, false },
    { "10.0.0.1", false, false },
    { "10.2.0.0", false, false },
    { "100.64.0.1", false, false },
    { "100.127.255.255", false, false },
    { "169.254.169.254", false, false },
    { "172.16.0.1", false, false },
    { "172.31.255.255", false, false },
    { "192.0.0.170", false, false },
    { "192.0.2.1", false, false },
    { "192.88.99.1", false, false },
    { "192.168.1.1", false, false },
    { "198.18.0.1", false, false },
    { "198.19.255.255", false, false },
    { "198.51.100.1", false, false },
    { "203.0.113.1", false, false },
    { "224.0.0.1", false, false },
    { "239.255.255.255", false, false },
    { "240.0.0.1", false, false },
    { "255.255.255.255", false, false },
    { "::", false, false },
    { "::2", false, false },
    { "::8.8.8.8", false, false },
    { "::10.0.0.1", false, false },
    { "::ffff:10.0.0.1", false, false },
    { "::ffff:169.254.169.254", false, false },
    { "::ffff:0.0.0.0", false, false },
    { "64:ff9b::a00:1", false, false },
    { "64:ff9b::a9fe:a9fe", false, false },
    { "64:ff9b:1::1", false, false },
    { "64:ff9b:1::808:808", false, false },
    { "64:ff9b::1:808:808", false, false },
    { "64:ff9b::", false, false },
    { "::ffff:0:8.8.8.8", false, false }, /* SIIT */
    { "2a00::5efe:10.0.0.1", false, false },
    { "2a00::200:5efe:169.254.169.254", false, false },
    { "fe80::5efe:8.8.8.8", false, false },
    { "2002:7f00:2::1", false, true },
    { "2002::1", false, false },
    { "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", false, false },
    { "2001:2::1", false, false },
    { "5f00::1", false, false },
    { "1fff:ffff::1", false, false },
    { "febf:ffff::1", false, false },
    { "ff0e::1", false, false },
    { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false, false },
    { "::ffff:255.255.255.255", false, false },
    { "2002:a00:1::1", false, false },
    { "2002:c0a8:101::1", false, false },
    { "100::1", false, false },
    { "2001::1", false, false },
    { "2001:10::1", false, false },
    { "2001:db8::1", false, false },
    { "3fff::1", false, false },
    { "4000::1", false, false },
    { "fc00::1", false, false },
    { "fd00:2::1", false, false },
    { "fe80::1", false, false },
    { "fec0::1", false, false },
    { "ff02::1", false, false },
};

static int
check(const struct guard *g, const char *text)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        return guard_address(g, (struct sockaddr *) &in);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return guard_address(g, (struct sockaddr *) &in6);
}

static void
test_addresses(void **state)
{
    struct guard *plain = guard_create(), *wide = guard_create();

    (void) state;
    assert_int_equal(guard_allow_addresses(wide, "127.0.0.0/8"), 0);
    assert_int_equal(guard_allow_addresses(wide, "10.1.0.0/16"), 0);
    assert_int_equal(guard_allow_addresses(wide, "fd00:1::/32"), 0);
    assert_int_equal(guard_allow_addresses(wide, "::1"), 0);
    for (size_t i = 0; i < COUNT(addresses); i++) {
        if ((check(plain, addresses[i].address) == 0) != addresses[i].anywhere
            || (check(wide, addresses[i].address) == 0) != addresses[i].here)
        {
            wrong(addresses[i].address, "was judged wrongly");
        }
    }
    guard_free(plain);
    guard_free(wide);
}

static void
test_other_families(void **state)
{
    struct sockaddr sa = { .sa_family = AF_UNIX };
    struct guard *g = guard_create();

    (void) state;
    assert_int_equal(guard_address(g, &sa), SHOAL_EDENIED);
    guard_free(g);
}

static const char *const bad_networks[] = {
    "",           "10.0.0.0/33",  "10.0.0.0/",   "10.0.0.0/x",
    "10.0.0.1/8", "10.0.0",       "::/129",      "fd00::1/8",
    "host",       "10.0.0.0/8/8", "10.0.0.0/-1", "10.0.0.0/ 8",
    "1.2.3.4 ",
};

static void
test_bad_networks(void **state)
{
    struct guard *g = guard_create();

    (void) state;
    for (size_t i = 0; i < COUNT(bad_networks); i++) {
        if (guard_allow_addresses(g, bad_networks[i]) != SHOAL_EINVAL) {
            wrong(bad_networks[i], "was taken");
        }
    }
    guard_free(g);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_urls),
    cmocka_unit_test(test_long_urls),
    cmocka_unit_test(test_nothing_is_allowed_at_first),
    cmocka_unit_test(test_several_users),
    cmocka_unit_test(test_https_where_allowed),
    cmocka_unit_test(test_bad_origins),
    cmocka_unit_test(test_addresses),
    cmocka_unit_test(test_other_families),
    cmocka_unit_test(test_bad_networks),
};

UNIT_MAIN(tests)
