/* Configuration files: what is read of them, and where they are wrong. */
#include "unit.h"

#include <unistd.h>

#include "../../client/rcfile.h"
#include "shoal.h"

enum {
    OUT_MAX = 1024
};

/* `key=value` with a comma behind the first value of a list, a semicolon
 * behind a value. */
static int
note(void *ctx, const char *key, const char *value, int first, char *why,
     size_t cap)
{
    char *out = ctx;
    size_t len = strlen(out);

    if (strcmp(value, "refused") == 0) {
        snprintf(why, cap, "%s: expected another", key);
        return SHOAL_EINVAL;
    }
    snprintf(out + len, OUT_MAX - len, "%s%s=%s;", first ? "" : "+", key,
             value);
    return 0;
}

static int
read_text(const char *text, char *out, char *why, size_t cap)
{
    char path[] = "/tmp/shoal-rcfile-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    out[0] = why[0] = '\0';
    int err = rcfile_read(path, note, out, why, cap);
    unlink(path);
    if (strncmp(why, path, strlen(path)) == 0) {
        memmove(why, why + strlen(path), strlen(why + strlen(path)) + 1);
    }
    return err;
}

static void
good(void **state)
{
    const struct {
        const char *text, *out;
    } t[] = {
        { "", "" },
        { "# only a comment\n", "" },
        { "tries: 5\n", "tries=5;" },
        { "---\nquiet: yes\n", "quiet=yes;" },
        { "limit-rate: 2.5M # too fast\nuser-agent: 'a: b # c'\n",
          "limit-rate=2.5M;user-agent=a: b # c;" },
        { "tracker:\n  - http://a/\n  - http://b/\n",
          "tracker=http://a/;+tracker=http://b/;" },
        { "header: [ 'A: 1', \"B: 2\" ]\n", "header=A: 1;+header=B: 2;" },
        { "tracker: []\n", "" },
        { "tries: 5\r\nquiet: on\r\n", "tries=5;quiet=on;" },
        { "user: '~'\npassword: ''\n", "user=~;password=;" },
        { "a: &x 1\nb: *x\n", "a=1;b=1;" },
    };
    char out[OUT_MAX], why[512];

    (void) state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        unit_expect(read_text(t[i].text, out, why, sizeof(why)) == 0, why);
        assert_string_equal(out, t[i].out);
    }
}

static void
bad(void **state)
{
    const struct {
        const char *text, *why;
    } t[] = {
        { "a: 1\nb: refused\n", ":2: b: expected another" },
        { "a: [ 1,\n  refused ]\n", ":2: a: expected another" },
        { "a:\n", ":1: a: expected a value, got none" },
        { "a: ~\n", ":1: a: expected a value, got none" },
        { "a: { b: 1 }\n", ":1: a: expected a value, got a mapping" },
        { "a: [ [ 1 ] ]\n", ":1: a: expected a value, got a list in a list" },
        { "a: 1\nb: 2\na: 3\n", ":3: a: given twice" },
        { "- a\n", ":1: expected lines of `option: value`" },
        { "tries\n", ":1: expected lines of `option: value`" },
        { "[ 1 ]: 2\n",
          ":1: expected an option's name, got a list or mapping" },
        { "a: \"x\\0y\"\n",
          ":1: a: expected a text, got one with a NUL in it" },
    };
    char out[OUT_MAX], why[512];

    (void) state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        assert_int_equal(read_text(t[i].text, out, why, sizeof(why)),
                         SHOAL_EINVAL);
        assert_string_equal(why, t[i].why);
    }
    assert_int_equal(read_text("a: 'x\nb: 1\n", out, why, sizeof(why)),
                     SHOAL_EINVAL);
    assert_non_null(strstr(why, ": not YAML: "));
}

static void
missing(void **state)
{
    char out[OUT_MAX] = "", why[512];

    (void) state;
    assert_int_equal(rcfile_read("/nonexistent/x", note, out, why, 512),
                     SHOAL_ENOTFOUND);
    assert_int_equal(rcfile_read("/", note, out, why, 512), SHOAL_EINVAL);
    assert_non_null(strstr(why, "/:"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(good),
    cmocka_unit_test(bad),
    cmocka_unit_test(missing),
};

UNIT_MAIN(tests)
