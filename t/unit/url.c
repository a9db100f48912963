/* URLs: whose origin is whose, and what of them may be shown. */
#include "unit.h"

#include <stdbool.h>

#include "url.h"

static const struct {
    const char *a, *b;
    bool origin, cookie_port;
} pairs[] = {
    { "http://a/x", "http://A/y?z", true, true },
    { "http://a/x", "http://a:80/", true, true },
    { "https://a/", "https://a:443/", true, true },
    { "http://a:8080/", "http://a:8080/b", true, true },
    { "http://[::1]:8/", "http://[::1]:8/x", true, true },
    { "http://a/", "https://a/", false, true },
    { "http://a:443/", "https://a/", false, true },
    { "http://a/", "http://b/", false, true },
    { "http://a/", "http://a.b/", false, true },
    { "http://a/", "http://a:8080/", false, false },
    { "http://a:8080/", "https://a/", false, false },
    { "http://a/", "http://a@b/", false, true },
    { "http://a/", "nonsense://a/", false, false },
};

static void
origins_are_told_apart(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        unit_expect(url_same_origin(pairs[i].a, pairs[i].b) == pairs[i].origin,
                    pairs[i].b);
        unit_expect(url_same_origin(pairs[i].b, pairs[i].a) == pairs[i].origin,
                    pairs[i].b);
        unit_expect(url_cookie_port(pairs[i].a, pairs[i].b)
                        == pairs[i].cookie_port,
                    pairs[i].b);
    }
}

static const struct {
    const char *url, *bare, *user, *password, *shown;
} users[] = {
    { "http://a/x?y=z", "http://a/x?y=z", NULL, NULL, "http://a/x" },
    { "http://u:p@a:1/x", "http://a:1/x", "u", "p", "http://a:1/x" },
    { "http://u@a/#f", "http://a/#f", "u", NULL, "http://a/" },
    { "http://u%40h:p%3a%2f@a/", "http://a/", "u@h", "p:/", "http://a/" },
    { "http://a/x@y?z@q", "http://a/x@y?z@q", NULL, NULL, "http://a/x@y" },
    { "https://:p@a/", "https://a/", "", "p", "https://a/" },
};

/* NULL is as good as "". */
static bool
is_same(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static void
users_are_taken_out(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        const char *want = users[i].user, *word = users[i].password;
        char *bare, *user, *password, shown[64];

        unit_expect(url_take_user(users[i].url, &bare, &user, &password) == 0,
                    users[i].url);
        unit_expect(strcmp(bare, users[i].bare) == 0, bare);
        unit_expect(is_same(user, want), users[i].url);
        unit_expect(is_same(password, word), users[i].url);
        url_shown(users[i].url, shown, sizeof(shown));
        assert_string_equal(shown, users[i].shown);
        free(bare);
        free(user);
        free(password);
    }
}

static const struct {
    const char *http, *https, *none, *url;
    bool has;
} proxies[] = {
    { NULL, NULL, NULL, "http://a/", false },
    { "http://p:1", NULL, NULL, "http://a/", true },
    { "http://p:1", NULL, NULL, "https://a/", false },
    { NULL, "http://p:1", NULL, "https://a/", true },
    { "http://p:1", NULL, "a", "http://a/", false },
    { "http://p:1", NULL, "b, a", "http://a:8/", false },
    { "http://p:1", NULL, ".x.org", "http://a.x.org/", false },
    { "http://p:1", NULL, "x.org", "http://a.X.org/", false },
    { "http://p:1", NULL, "x.org", "http://ax.org/", true },
    { "http://p:1", NULL, "*", "http://a/", false },
    { "http://p:1", NULL, "2.3.4", "http://1.2.3.4/", true },
    { "http://p:1", NULL, "1.2.3.4", "http://1.2.3.4/", false },
    { "http://p:1", NULL, "1.2.3.0/24", "http://1.2.3.4/", true },
};

static void
set_or_unset(const char *name, const char *value)
{
    if (value != NULL) {
        setenv(name, value, 1);
    } else {
        unsetenv(name);
    }
}

static void
proxies_are_known(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(proxies) / sizeof(proxies[0]); i++) {
        set_or_unset("http_proxy", proxies[i].http);
        set_or_unset("https_proxy", proxies[i].https);
        set_or_unset("no_proxy", proxies[i].none);
        set_or_unset("NO_PROXY", NULL);
        set_or_unset("all_proxy", NULL);
        set_or_unset("ALL_PROXY", NULL);
        set_or_unset("HTTPS_PROXY", NULL);
        unit_expect(url_has_proxy(proxies[i].url) == proxies[i].has,
                    proxies[i].url);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(origins_are_told_apart),
    cmocka_unit_test(users_are_taken_out),
    cmocka_unit_test(proxies_are_known),
};

UNIT_MAIN(tests)
