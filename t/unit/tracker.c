#include "unit.h"

#include "shoal.h"
#include "tracker.h"

#define ID   "0123456789abcdef0123456789abcdef01234567"
#define ROOT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void
whole_answer(void **state)
{
    static const char text[] =
        "{\"id\":\"" ID "\",\"interval\":2,"
        "\"digest\":{\"root\":\"" ROOT "\",\"votes\":2},"
        "\"super\":[{\"url\":\"http://192.0.2.7:9090\",\"state\":\"ready\"},"
        "{\"url\":\"https://s?t=1\",\"state\":\"filling\"},"
        "{\"url\":\"ftp://x\"},{\"state\":\"ready\"},5],"
        "\"peers\":[{\"addr\":\"192.0.2.33:40123\",\"complete\":true},"
        "{\"addr\":\"[2001:db8::5]:4000\",\"complete\":false},"
        "{\"addr\":\"evil.example/:80\"},{\"addr\":\":80\"},"
        "{\"addr\":\"1.2.3.4:\"},{\"addr\":7}]}";
    struct tracker_answer *a = malloc(sizeof(*a));
    char why[128];

    (void) state;
    assert_int_equal(tracker_parse(text, strlen(text), a, why, sizeof(why)),
                     0);
    assert_int_equal(a->interval, 2);
    assert_true(a->has_root);
    assert_int_equal(a->votes, 2);
    assert_int_equal(a->root[1], 0x11);
    assert_int_equal(a->n_super, 2);
    assert_true(a->super[0].ready);
    assert_false(a->super[1].ready);
    assert_int_equal(a->n_peers, 2);
    assert_string_equal(a->peers[1].addr, "[2001:db8::5]:4000");
    assert_true(a->peers[0].complete);
    free(a);
}

static void
rubbish(void **state)
{
    static const struct {
        const char *text;
        int err;
    } cases[] = {
        { "", SHOAL_EPROTO },
        { "<html>", SHOAL_EPROTO },
        { "[]", SHOAL_EPROTO },
        { "{}", SHOAL_EPROTO },
        { "{\"id\":5}", SHOAL_EPROTO },
        { "{\"id\":\"abc\"}", SHOAL_EPROTO },
        { "{\"id\":\"" ID "\"}", 0 },
        { "{\"id\":\"" ID "\",\"interval\":-5,\"super\":{},\"peers\":7,"
          "\"digest\":[]}",
          0 },
        { "{\"id\":\"" ID "\",\"digest\":{\"root\":\"00\",\"votes\":1}}", 0 },
        { "{\"id\":\"" ID "\",\"digest\":{\"root\":\"" ROOT "\",\"votes\":0}}",
          0 },
        { "{\"id\":\"" ID "\"", SHOAL_EPROTO },
    };
    struct tracker_answer *a = malloc(sizeof(*a));
    char why[128];

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int err = tracker_parse(cases[i].text, strlen(cases[i].text), a, why,
                                sizeof(why));

        unit_expect(err == cases[i].err, cases[i].text);
        if (err == 0) {
            assert_false(a->has_root);
            assert_int_equal(a->n_super, 0);
            assert_true(a->interval >= 1 && a->interval <= 3600);
        }
    }
    free(a);
}

static void
intervals(void **state)
{
    static const struct {
        const char *text;
        unsigned interval;
    } cases[] = {
        { "", 60 },
        { ",\"interval\":1", 1 },
        { ",\"interval\":3600", 3600 },
        { ",\"interval\":3601", 3600 },
        { ",\"interval\":4294967295", 3600 },
        { ",\"interval\":4294967296", 3600 },
        { ",\"interval\":4294967297", 3600 },
        { ",\"interval\":1000000000000000", 3600 },
        { ",\"interval\":9223372036854775807", 3600 },
        { ",\"interval\":0", 60 },
        { ",\"interval\":-1", 60 },
        { ",\"interval\":-4294967295", 60 },
        { ",\"interval\":\"5\"", 60 },
        { ",\"interval\":5.5", 60 },
    };
    struct tracker_answer *a = malloc(sizeof(*a));
    char text[128], why[128];

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text), "{\"id\":\"" ID "\"%s}", cases[i].text);
        unit_expect(tracker_parse(text, strlen(text), a, why, sizeof(why)) == 0
                        && a->interval == cases[i].interval,
                    text);
    }
    free(a);
}

static void
requests(void **state)
{
    struct resource r;
    struct tracker_ask ask = { .resource = &r, .left = 3 };

    (void) state;
    assert_int_equal(
        resource_init(&r, "http://h/a&b;c", 5, "", "etag:\"x y\""), 0);
    char *url = tracker_url("http://t/peers", &ask);
    assert_string_equal(url,
                        "http://t/peers?url=http%3A%2F%2Fh%2Fa%26b%3Bc&size=5"
                        "&version=etag%3A%22x%20y%22&left=3&got=0,0,0");
    free(url);
    ask.port = 4000;
    ask.event = "started";
    ask.got[0] = 1;
    url = tracker_url("http://t/peers?k=v", &ask);
    assert_string_equal(
        url, "http://t/peers?k=v&url=http%3A%2F%2Fh%2Fa%26b%3Bc&size=5"
             "&version=etag%3A%22x%20y%22&port=4000&left=3&event=started"
             "&got=1,0,0");
    free(url);
    ask.n_bad = 2;
    ask.bad[0] = (struct tracker_bad){ false, "192.0.2.7:9090" };
    ask.bad[1] = (struct tracker_bad){ true, "[2001:db8::5]:4000" };
    url = tracker_url("http://t/peers", &ask);
    assert_non_null(strstr(url, "&got=1,0,0&bad=dead,192.0.2.7:9090"
                                "&bad=wrong,%5B2001:db8::5%5D:4000"));
    free(url);
    resource_fini(&r);
}

/* Request lines stand in logs, this header does not. */
static void
queries_go_in_a_header(void **state)
{
    struct resource r;
    struct tracker_ask ask = { .resource = &r };
    char *line;

    (void) state;
    assert_int_equal(resource_init(&r, "http://h/a?token=x", 5, "", ""), 0);
    char *url = tracker_url("http://t/peers?k=v", &ask);
    assert_string_equal(url, "http://t/peers?k=v&size=5&left=0&got=0,0,0");
    free(url);
    assert_int_equal(tracker_header(&ask, &line), 0);
    assert_string_equal(line, "Shoal-URL: http://h/a?token=x");
    free(line);
    resource_fini(&r);
    assert_int_equal(resource_init(&r, "http://h/a", 5, "", ""), 0);
    assert_int_equal(tracker_header(&ask, &line), 0);
    assert_null(line);
    resource_fini(&r);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(whole_answer),
    cmocka_unit_test(rubbish),
    cmocka_unit_test(intervals),
    cmocka_unit_test(requests),
    cmocka_unit_test(queries_go_in_a_header),
};

UNIT_MAIN(tests)
