/* File names that servers propose, the evil ones among them. */
#include "unit.h"

#include "disposition.h"

static const struct {
    const char *value, *name;
} cases[] = {
    { "attachment; filename=\"a.bin\"", "a.bin" },
    { "attachment; filename=a.bin", "a.bin" },
    { "attachment; FileName = a.bin ; x=y", "a.bin" },
    { "inline; filename=\"a b;c.bin\"; size=5", "a b;c.bin" },
    { "attachment; filename=\"a\\\"b.bin\"", "a\"b.bin" },
    { "attachment; x; filename=\"a.bin\"", "a.bin" },
    { "attachment;filename*=UTF-8''%e2%82%ac%20rates.txt", "€ rates.txt" },
    { "attachment; filename*=utf-8'en'a.bin; filename=b.bin", "a.bin" },
    { "attachment; filename=b.bin; filename*=UTF-8''a.bin", "a.bin" },
    { "attachment; filename*=iso-8859-1''%fcber.txt", "über.txt" },
    /* what cannot be decoded leaves the other one */
    { "attachment; filename*=UTF-8''%zz; filename=b.bin", "b.bin" },
    { "attachment; filename*=KOI8-R''x; filename=b.bin", "b.bin" },
    { "attachment; filename*=a.bin; filename=b.bin", "b.bin" },
    { "attachment", "" },
    { "filename=a.bin", "" }, /* there is no type in front */
    { "attachment; filename=", "" },
    { "attachment; filename=\"", "" },
    { "attachment; filenam=\"x\"", "" },
    /* paths and dots */
    { "attachment; filename=\"/etc/passwd\"", "passwd" },
    { "attachment; filename=\"../../x.bin\"", "x.bin" },
    { "attachment; filename=\"..\\\\..\\\\x.bin\"", "x.bin" },
    { "attachment; filename=\"C:\\x.bin\"", "x.bin" },
    { "attachment; filename=\".bashrc\"", "bashrc" },
    { "attachment; filename=\"...\"", "" },
    { "attachment; filename=\"..\"", "" },
    { "attachment; filename=\"a/..\"", "" },
    { "attachment; filename=\"x/\"", "" },
    { "attachment; filename*=UTF-8''..%2f..%2fx", "x" },
    { "attachment; filename*=UTF-8''%2e%2e%2f%2ebashrc", "bashrc" },
    { "attachment; filename=\" .bashrc\"", "bashrc" },
    { "attachment; filename=\"a.bin. . \"", "a.bin" },
    /* control characters and tricks with the direction of writing */
    { "attachment; filename*=UTF-8''a%00%0a%1b%7fb", "ab" },
    { "attachment; filename*=UTF-8''a%c2%9bb", "ab" },
    { "attachment; filename*=UTF-8''%e2%80%ae.x%e2%80%ae", "x" },
    { "attachment; filename*=UTF-8''exe%e2%80%aetxt", "exetxt" },
    { "attachment; filename=\"a\xff\xfe\"", "a__" },
    { "attachment; filename=\"a\xc0\xaf\"", "a__" },
    { "attachment; filename*=UTF-8''%c0%ae%c0%ae%c0%afx", "______x" },
};

static void
names_are_harmless(void **state)
{
    char name[256];

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        disposition_name(cases[i].value, name, sizeof(name));
        assert_string_equal(name, cases[i].name);
    }
}

static void
long_ones_are_none(void **state)
{
    char value[4096], name[256];

    (void) state;
    for (size_t len = 1; len < 3000; len += len < 1000 ? 1 : 500) {
        int n = snprintf(value, sizeof(value), "attachment; filename=");

        memset(value + n, 'x', len);
        value[(size_t) n + len] = '\0';
        disposition_name(value, name, sizeof(name));
        assert_int_equal(strlen(name), len < sizeof(name) ? len : 0);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(names_are_harmless),
    cmocka_unit_test(long_ones_are_none),
};

UNIT_MAIN(tests)
