/* What a terminal may see of names, and numbers for people. */
#include "unit.h"

#include <locale.h>

#include "../../client/text.h"

static void
safe(void **state)
{
    const struct {
        const char *in, *out;
    } t[] = {
        { "plain name.iso", "plain name.iso" },
        { "", "" },
        { "a\033[2Jb", "a\\033[2Jb" },
        { "two\nlines\r", "two\\012lines\\015" },
        { "tab\tand\177", "tab\\011and\\177" },
        { "\303\274ber \346\226\207", "\303\274ber \346\226\207" },
        { "half \303", "half \\303" },
        { "wrong \303( \377", "wrong \\303( \\377" },
        { "c1 \302\233m", "c1 \\302\\233m" },        /* CSI as one byte */
        { "\342\200\256gpj", "\\342\\200\\256gpj" }, /* right to left */
        { "\342\201\246x", "\\342\\201\\246x" },
    };
    char out[TEXT_MAX];

    (void) state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        text_safe(t[i].in, out, sizeof(out));
        assert_string_equal(out, t[i].out);
    }
    text_safe("ab\303\274", out, 5); /* never half of a character */
    assert_string_equal(out, "ab\303\274");
    text_safe("ab\303\274", out, 4);
    assert_string_equal(out, "ab");
    text_safe("ab\ncd", out, 6);
    assert_string_equal(out, "ab");
}

static void
fit(void **state)
{
    const struct {
        const char *in;
        unsigned columns;
        const char *out;
    } t[] = {
        { "abc", 5, "abc  " },
        { "abc", 2, "ab" },
        { "abc", 0, "" },
        { "\303\274\303\266", 3, "\303\274\303\266 " },
        { "\346\226\207\344\273\266", 4, "\346\226\207\344\273\266" },
        { "\346\226\207\344\273\266", 3, "\346\226\207 " }, /* two columns */
        { "a\nb", 4, "a   " },                              /* \012 is four */
    };
    char out[64];

    (void) state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        text_fit(t[i].in, t[i].columns, out, sizeof(out));
        assert_string_equal(out, t[i].out);
    }
}

static void
secrets(void **state)
{
    const struct {
        const char *in, *out;
    } t[] = {
        { "http://h/a", "http://h/a" },
        { "https://h/a?token=x#y", "https://h/a" },
        { "https://me:pass@h/a", "https://h/a" },
        { "https://me:p@ss@h/a?x@y", "https://h/a" },
        { "http://h/a@b", "http://h/a@b" },
        { "http://h?x", "http://h" },
        { "me:pass@h/a", "h/a" },
        { "x", "x" },
    };
    char out[64];

    (void) state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        text_less_secrets(t[i].in, out, sizeof(out));
        assert_string_equal(out, t[i].out);
    }
}

static void
numbers(void **state)
{
    const struct {
        void (*write)(double n, char *out);
        double n;
        const char *out;
    } t[] = {
        { text_bytes, 0, "0" },         { text_bytes, 1023, "1023" },
        { text_bytes, 1536, "1.50K" },  { text_bytes, 20e6, "19.07M" },
        { text_about, 3, "3" },         { text_about, 1536, "1.5K" },
        { text_about, 20e6, "19M" },    { text_left, 0.4, "0s" },
        { text_left, 83, "1m 23s" },    { text_left, 3599.6, "1h 0m" },
        { text_left, 90000, "1d 1h" },  { text_left, 1e12, "long" },
        { text_took, 0.004, "0.004s" }, { text_took, 0.04, "0.04s" },
        { text_took, 0.94, "0.9s" },    { text_took, 12.3, "12s" },
        { text_took, 61, "1m 1s" },
    };
    char out[TEXT_NUMBER];

    (void) state;
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        t[i].write(t[i].n, out);
        assert_string_equal(out, t[i].out);
    }
    text_rate(0, " ", out);
    assert_string_equal(out, "--.- KB/s");
    text_rate(4200000, "", out);
    assert_string_equal(out, "4.01MB/s");
    text_rate(508000000, " ", out);
    assert_string_equal(out, "484 MB/s");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safe),
        cmocka_unit_test(fit),
        cmocka_unit_test(secrets),
        cmocka_unit_test(numbers),
    };

    setlocale(LC_ALL, "C"); /* whose encoding is none: UTF-8 is taken */
    unsetenv("LC_ALL");
    unsetenv("LC_CTYPE");
    unsetenv("LANG");
    text_locale();
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
