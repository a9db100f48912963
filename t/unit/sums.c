/* Lists of checksums: GNU's and BSD's style, and what is none of both. */

#include "unit.h"

#include "shoal.h"
#include "sums.h"

#define A  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define AA A A
#define BB B B

static const struct {
    const char *text;
    int err;
    size_t len;
    uint8_t first;
} cases[] = {
    { AA "  f.bin\n", 0, 32, 0xaa },
    { AA " *f.bin\n" BB "  other\n", 0, 32, 0xaa },
    { BB "  other\r\n" AA "  f.bin\r\n", 0, 32, 0xaa },
    { AA "  ./dir/f.bin", 0, 32, 0xaa },
    { A "  f.bin\n", 0, 16, 0xaa },
    { A "  f.bin\n" BB "  f.bin\n", 0, 32, 0xbb },
    { BB "  f.bin\n" A "  f.bin\n", 0, 32, 0xbb },
    { "SHA256 (f.bin) = " AA "\n", 0, 32, 0xaa },
    { "SHA256 (x/f.bin) = " AA, 0, 32, 0xaa },
    { "MD5 (f.bin) = " A "\nSHA512 (f.bin) = " AA BB "\n", 0, 64, 0xaa },
    { "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# f.bin: 5\n" AA
      "  f.bin\n-----BEGIN PGP SIGNATURE-----\niQ==\n",
      0, 32, 0xaa },
    { AA "\n", 0, 32, 0xaa },
    { "  " A "  \n", 0, 16, 0xaa },
    { AA "  f.bin\n" AA "  sub/f.bin\n", 0, 32, 0xaa },
    { AA "  f.bin\n" BB "  sub/f.bin\n", SHOAL_EINVAL, 0, 0 },
    { "", SHOAL_ENOTFOUND, 0, 0 },
    { "\n\n", SHOAL_ENOTFOUND, 0, 0 },
    { AA "  g.bin\n", SHOAL_ENOTFOUND, 0, 0 },
    { AA "  xf.bin\n", SHOAL_ENOTFOUND, 0, 0 },
    { AA " f.bin\n", SHOAL_ENOTFOUND, 0, 0 },
    { AA "a  f.bin\n", SHOAL_ENOTFOUND, 0, 0 },
    { "SHA256 (f.bin) = " A "\n", SHOAL_ENOTFOUND, 0, 0 },
    { "SHA3 (f.bin) = " AA "\n", SHOAL_ENOTFOUND, 0, 0 },
    { "SHA256 (f.bin) = " AA "x\n", SHOAL_ENOTFOUND, 0, 0 },
    { ") = " AA " (f.bin\n", SHOAL_ENOTFOUND, 0, 0 },
    { AA "\n" BB "\n", SHOAL_ENOTFOUND, 0, 0 },
    { "<html>404</html>", SHOAL_ENOTFOUND, 0, 0 },
};

static void
test_cases(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct checksum sum = { .len = 0 };
        int err =
            sums_find(cases[i].text, strlen(cases[i].text), "f.bin", &sum);

        unit_expect(err == cases[i].err && sum.len == cases[i].len
                        && (err != 0 || sum.value[0] == cases[i].first),
                    cases[i].text);
    }
}

static void
test_names(void **state)
{
    static const char *const lines[][2] = {
        { "\\" AA "  a\\nb\n", "a\nb" },
        { "\\" AA "  a\\\\b\n", "a\\b" },
        { "SHA256 (a (1).bin) = " AA, "a (1).bin" },
        { "SHA256 (a) = b) = " AA, "a) = b" },
        { AA "  a b \n", "a b" },
    };
    struct checksum sum;

    (void) state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        unit_expect(
            sums_find(lines[i][0], strlen(lines[i][0]), lines[i][1], &sum)
                == 0,
            lines[i][1]);
    }
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases),
                                           cmocka_unit_test(test_names) };

UNIT_MAIN(tests)
