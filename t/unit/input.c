/* Lists of URLs. */
#include "unit.h"

#include <unistd.h>

#include "../../client/input.h"
#include "shoal.h"

/* All that is in a list of these bytes: `LINE=URL;`, `LINE!` for a bad one. */
static void
read_all(const char *bytes, size_t len, char *out, size_t cap)
{
    char path[] = "/tmp/shoal-input-XXXXXX";
    int fd = mkstemp(path);
    struct input in;
    const char *url = "";

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    close(fd);
    assert_int_equal(input_open(&in, path), 0);
    unlink(path);
    out[0] = '\0';
    while (url != NULL) {
        int err = input_next(&in, &url);
        size_t at = strlen(out);

        if (err != 0) {
            assert_int_equal(err, SHOAL_EINVAL);
            snprintf(out + at, cap - at, "%lu!", in.number);
        } else if (url != NULL) {
            snprintf(out + at, cap - at, "%lu=%s;", in.number, url);
        }
    }
    input_close(&in);
}

static void
lists(void **state)
{
    const struct {
        const char *bytes;
        size_t len;
        const char *out;
    } t[] = {
#define CASE(bytes, out) { (bytes), sizeof(bytes) - 1, (out) }
        CASE("", ""),
        CASE("\n\n", ""),
        CASE("http://a/", "1=http://a/;"),
        CASE("http://a/\nhttp://b/\n", "1=http://a/;2=http://b/;"),
        CASE("http://a/\r\n\r\nhttp://b/\r\n", "1=http://a/;3=http://b/;"),
        CASE("# one\n  # two\n\t http://a/#x \t\n", "3=http://a/#x;"),
        CASE("\xef\xbb\xbfhttp://a/\n", "1=http://a/;"),
        CASE("http://a/\0b\nhttp://b/\n", "1!2=http://b/;"),
        CASE("http://a/b c\n", "1=http://a/b c;"),
    };
    char out[256];

    (void) state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        read_all(t[i].bytes, t[i].len, out, sizeof(out));
        assert_string_equal(out, t[i].out);
    }
}

static void
long_lines(void **state)
{
    static char bytes[3 * INPUT_LINE_MAX], out[2 * INPUT_LINE_MAX];

    (void) state;
    memset(bytes, 'a', sizeof(bytes));
    bytes[INPUT_LINE_MAX] = '\n';
    read_all(bytes, INPUT_LINE_MAX + 1, out, sizeof(out));
    assert_int_equal(strlen(out), 2 + INPUT_LINE_MAX + 1);
    bytes[INPUT_LINE_MAX] = 'a';
    bytes[sizeof(bytes) - 3] = '\n'; /* then "aa" */
    read_all(bytes, sizeof(bytes), out, sizeof(out));
    assert_string_equal(out, "1!2=aa;");
}

static void
unreadable(void **state)
{
    struct input in;
    const char *url;

    (void) state;
    assert_int_equal(input_open(&in, "/nonexistent"), SHOAL_EIO);
    assert_int_equal(input_open(&in, "/"), 0);
    assert_int_equal(input_next(&in, &url), SHOAL_EIO);
    input_close(&in);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(lists),
    cmocka_unit_test(long_lines),
    cmocka_unit_test(unreadable),
};

UNIT_MAIN(tests)
