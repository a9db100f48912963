/* The table of settings: what is read, what is refused, and how that is said.
 */
#include "unit.h"

#include "settings.h"
#include "shoal.h"

enum type {
    BOOL,
    UNSIGNED,
    BYTES,
    RATIO,
    TEXT,
    COUNT, /* of a list */
    FROM   /* of a checksum */
};

#define AT(field) offsetof(struct settings, field)

static const struct {
    const char *name, *value;
    enum type type;
    size_t at;
    double number;
    const char *text;
} good[] = {
    { "continue", NULL, BOOL, AT(resume), 1, NULL },
    { "continue", "Yes", BOOL, AT(resume), 1, NULL },
    { "continue", "off", BOOL, AT(resume), 0, NULL },
    { "output-document", "-", TEXT, AT(output_document), 0, "-" },
    { "output-document", NULL, TEXT, AT(output_document), 0, NULL },
    { "tries", "0", UNSIGNED, AT(tries), 0, NULL },
    { "tries", "inf", UNSIGNED, AT(tries), 0, NULL },
    { "tries", "7", UNSIGNED, AT(tries), 7, NULL },
    { "tries", NULL, UNSIGNED, AT(tries), SETTINGS_UNSET, NULL },
    { "timeout", "0", UNSIGNED, AT(timeout_ms), 0, NULL },
    { "timeout", "0.5", UNSIGNED, AT(timeout_ms), 500, NULL },
    { "timeout", ".25", UNSIGNED, AT(timeout_ms), 250, NULL },
    { "timeout", "1.5m", UNSIGNED, AT(timeout_ms), 90000, NULL },
    { "timeout", "2h", UNSIGNED, AT(timeout_ms), 7200000, NULL },
    { "timeout", NULL, UNSIGNED, AT(timeout_ms), SETTINGS_UNSET, NULL },
    { "seed-time", "30", UNSIGNED, AT(seed_time_ms), 1800000, NULL },
    { "seed-time", "90s", UNSIGNED, AT(seed_time_ms), 90000, NULL },
    { "seed-ratio", "1.5", RATIO, AT(seed_ratio), 1.5, NULL },
    { "seed-ratio", NULL, RATIO, AT(seed_ratio), -1, NULL },
    { "limit-rate", "0", BYTES, AT(limit_rate), 0, NULL },
    { "limit-rate", "1000", BYTES, AT(limit_rate), 1000, NULL },
    { "limit-rate", "2k", BYTES, AT(limit_rate), 2048, NULL },
    { "limit-rate", "1.5M", BYTES, AT(limit_rate), 1572864, NULL },
    { "limit-rate", "1G", BYTES, AT(limit_rate), 1073741824, NULL },
    { "max-upload-limit", NULL, BYTES, AT(max_upload_limit), 1250000, NULL },
    { "listen-port", "65535", UNSIGNED, AT(listen_port), 65535, NULL },
    { "listen-port", NULL, UNSIGNED, AT(listen_port), 0, NULL },
    { "bind-address", "::1", TEXT, AT(bind_address), 0, "::1" },
    { "header", "A: b", COUNT, AT(header), 1, NULL },
    { "header", "A:", COUNT, AT(header), 1, NULL },
    { "header", "", COUNT, AT(header), 0, NULL },
    { "tracker", "HTTP://t/peers", COUNT, AT(tracker), 1, NULL },
    { "tracker-hosts", "*.example.com", COUNT, AT(tracker_hosts), 1, NULL },
    { "resolve", "h:80:127.0.0.1,::1", COUNT, AT(resolve), 1, NULL },
    { "layer", "auto", TEXT, AT(layer), 0, "auto" },
    { "layer", "some/file", TEXT, AT(layer), 0, "some/file" },
    { "checksum", "auto", FROM, AT(checksum), CHECKSUM_AUTO, NULL },
    { "checksum", "@sums", FROM, AT(checksum), CHECKSUM_FILE, NULL },
    { "checksum", "md5=00112233445566778899aabbccddeeff", FROM, AT(checksum),
      CHECKSUM_GIVEN, NULL },
    { "checksum", NULL, FROM, AT(checksum), CHECKSUM_NONE, NULL },
};

static int
is_there(const struct settings *s, size_t i)
{
    const char *at = (const char *) s + good[i].at;
    const char *text;
    double ratio;

    switch (good[i].type) {
    case BOOL:
        return *(const bool *) at == (good[i].number != 0);
    case UNSIGNED:
        return *(const unsigned *) at == (unsigned) good[i].number;
    case BYTES:
        return *(const uint64_t *) at == (uint64_t) good[i].number;
    case RATIO:
        memcpy(&ratio, at, sizeof(ratio));
        return ratio == good[i].number;
    case COUNT:
        return ((const struct strings *) at)->n == (size_t) good[i].number;
    case FROM:
        return ((const struct checksum_setting *) at)->from
               == (enum checksum_from) good[i].number;
    case TEXT:
        text = *(char *const *) at;
        return good[i].text == NULL
                   ? text == NULL
                   : text != NULL && strcmp(text, good[i].text) == 0;
    }
    return 0;
}

static void
test_good(void **state)
{
    char why[512], label[128];

    (void) state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct settings *s = settings_create();

        snprintf(label, sizeof(label), "%s = %s", good[i].name,
                 good[i].value != NULL ? good[i].value : "(none)");
        unit_expect(
            settings_set(s, good[i].name, good[i].value, why, sizeof(why))
                == 0,
            label);
        unit_expect(is_there(s, i), label);
        settings_free(s);
    }
}

static const struct {
    const char *name, *value;
} bad[] = {
    { "continue", "perhaps" },
    { "continue", "" },
    { "output-document", "" },
    { "output-document", "a\nb" },
    { "tries", "-1" },
    { "tries", "1.5" },
    { "tries", " 1" },
    { "tries", "1000001" },
    { "max-redirect", "inf" },
    { "timeout", "" },
    { "timeout", "." },
    { "timeout", "-1" },
    { "timeout", "1x" },
    { "timeout", "1mm" },
    { "timeout", "1e3" },
    { "timeout", "0.0001" },
    { "timeout", "99999999" },
    { "timeout", "9999999999999999999999" },
    { "limit-rate", "k" },
    { "limit-rate", "1kB" },
    { "limit-rate", "1t" },
    { "limit-rate", "0.5" },
    { "limit-rate", "999999999999999G" },
    { "listen-port", "0" },
    { "listen-port", "65536" },
    { "bind-address", "localhost" },
    { "header", "no colon" },
    { "header", ": value" },
    { "header", "A b: c" },
    { "header", "A: b\r\nC: d" },
    { "tracker", "ftp://t/" },
    { "tracker-hosts", "http://h" },
    { "tracker-hosts", "*" },
    { "resolve", "h:80" },
    { "layer", "ftp://h/x" },
    { "checksum", "@" },
    { "checksum", "sha-256=00" },
    { "seed-ratio", "x" },
};

static void
test_bad(void **state)
{
    struct settings *s = settings_create(), *fresh = settings_create();
    char why[512], start[128];

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(start, sizeof(start), "%s: expected ", bad[i].name);
        unit_expect(
            settings_set(s, bad[i].name, bad[i].value, why, sizeof(why))
                == SHOAL_EINVAL,
            bad[i].value);
        unit_expect(strncmp(why, start, strlen(start)) == 0, why);
    }
    assert_memory_equal(s, fresh, sizeof(*s)); /* nothing has changed */
    settings_free(s);
    settings_free(fresh);
}

static void
test_unknown(void **state)
{
    struct settings *s = settings_create();
    char why[512];

    (void) state;
    assert_int_equal(settings_set(s, "outputs", "x", why, sizeof(why)),
                     SHOAL_ENOTFOUND);
    assert_string_equal(why, "outputs: there is no such setting");
    settings_free(s);
}

/* What was given is in no message, wherever that goes. */
static void
test_secret(void **state)
{
    struct settings *s = settings_create();
    char why[512];

    (void) state;
    assert_int_equal(settings_set(s, "password", "hush\n", why, sizeof(why)),
                     SHOAL_EINVAL);
    assert_null(strstr(why, "hush"));
    assert_non_null(strstr(why, "password: expected"));
    settings_free(s);
}

static void
test_lists(void **state)
{
    struct settings *s = settings_create();
    char why[512];

    (void) state;
    for (int i = 0; i < SETTINGS_TRACKERS; i++) {
        assert_int_equal(
            settings_set(s, "tracker", "http://t/", why, sizeof(why)), 0);
    }
    assert_int_equal(settings_set(s, "tracker", "http://t/", why, sizeof(why)),
                     SHOAL_EINVAL);
    assert_int_equal(s->tracker.n, SETTINGS_TRACKERS);
    assert_null(s->tracker.v[SETTINGS_TRACKERS]);
    assert_int_equal(settings_set(s, "tracker", NULL, why, sizeof(why)), 0);
    assert_int_equal(s->tracker.n, 0);
    settings_free(s);
}

static void
test_copy(void **state)
{
    struct settings *s = settings_create();
    char why[512];

    (void) state;
    settings_set(s, "user", "me", why, sizeof(why));
    settings_set(s, "header", "A: b", why, sizeof(why));
    settings_set(s, "header", "C: d", why, sizeof(why));
    settings_set(s, "checksum", "@sums", why, sizeof(why));
    settings_set(s, "tries", "3", why, sizeof(why));
    struct settings *copy = settings_copy(s);
    settings_free(s);
    assert_string_equal(copy->user, "me");
    assert_int_equal(copy->header.n, 2);
    assert_string_equal(copy->header.v[1], "C: d");
    assert_null(copy->header.v[2]);
    assert_string_equal(copy->checksum.file, "sums");
    assert_int_equal(copy->tries, 3);
    settings_free(copy);
}

static void
test_check(void **state)
{
    static const char *const pairs[][4] = {
        { "inet4-only", NULL, "inet6-only", NULL },
        { "listen-port", "9", "no-upload", NULL },
        { "timestamping", NULL, "no-clobber", NULL },
    };
    char why[512];

    (void) state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct settings *s = settings_create();
        const char *const *p = pairs[i];

        settings_set(s, p[0], p[1], why, sizeof(why));
        unit_expect(settings_check(s, why, sizeof(why)) == 0, p[0]);
        settings_set(s, p[2], p[3], why, sizeof(why));
        unit_expect(settings_check(s, why, sizeof(why)) == SHOAL_EINVAL, p[2]);
        unit_expect(strstr(why, p[0]) != NULL && strstr(why, p[2]) != NULL,
                    why);
        settings_free(s);
    }
}

static int
is_same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static void
check_row(const struct shoal_setting *t, size_t i)
{
    const struct shoal_setting *r = &t[i];

    unit_expect(r->group != NULL, r->name);
    unit_expect(r->help != NULL && strchr(r->help, '\n') == NULL, r->name);
    for (size_t k = 0; k < i; k++) {
        unit_expect(!is_same(r->name, t[k].name), r->name);
        unit_expect(!is_same(r->letters, t[k].letters), r->name);
        unit_expect(!is_same(r->group, t[k].group)
                        || is_same(r->group, t[k + 1].group),
                    r->name); /* those of one group are together */
    }
}

/* Help, completion and configuration files rely on it. */
static void
test_table(void **state)
{
    size_t n;
    const struct shoal_setting *t = settings_table(&n);

    (void) state;
    for (size_t i = 0; i < n; i++) {
        check_row(t, i);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_good),    cmocka_unit_test(test_bad),
    cmocka_unit_test(test_unknown), cmocka_unit_test(test_secret),
    cmocka_unit_test(test_lists),   cmocka_unit_test(test_copy),
    cmocka_unit_test(test_check),   cmocka_unit_test(test_table),
};

UNIT_MAIN(tests)
