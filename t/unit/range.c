/* The Range header. */

#include "unit.h"

#include "range.h"
#include "shoal.h"

#define NONE SHOAL_ENOTFOUND
#define BAD  SHOAL_EINVAL

static const struct {
    const char *field;
    uint64_t size;
    int err;
    uint64_t off, len;
} cases[] = {
    { NULL, 100, NONE, 0, 0 },
    { "", 100, NONE, 0, 0 },
    { "bytes=0-0", 100, 0, 0, 1 },
    { "bytes=0-99", 100, 0, 0, 100 },
    { "bytes=0-100", 100, 0, 0, 100 },
    { "bytes=99-99", 100, 0, 99, 1 },
    { "bytes=10-", 100, 0, 10, 90 },
    { "bytes=0-", 100, 0, 0, 100 },
    { "bytes=-1", 100, 0, 99, 1 },
    { "bytes=-100", 100, 0, 0, 100 },
    { "bytes=-1000", 100, 0, 0, 100 },
    { "BYTES=1-2", 100, 0, 1, 2 },
    { "bytes= 1-2", 100, 0, 1, 2 },
    { "bytes=1-2 ", 100, 0, 1, 2 },
    { "bytes=007-008", 100, 0, 7, 2 },
    { "bytes=100-", 100, BAD, 0, 0 },
    { "bytes=100-200", 100, BAD, 0, 0 },
    { "bytes=-0", 100, BAD, 0, 0 },
    { "bytes=0-", 0, BAD, 0, 0 },
    { "bytes=-5", 0, BAD, 0, 0 },
    { "bytes=99999999999999999999999-", 100, BAD, 0, 0 },
    { "bytes=1-99999999999999999999999", 100, 0, 1, 99 },
    { "bytes=-99999999999999999999999", 100, 0, 0, 100 },
    { "bytes=0-18446744073709551615", 100, 0, 0, 100 },
    { "bytes=0-18446744073709551615", UINT64_MAX, 0, 0, UINT64_MAX },
    { "bytes=5-4", 100, NONE, 0, 0 },
    { "bytes=", 100, NONE, 0, 0 },
    { "bytes=-", 100, NONE, 0, 0 },
    { "bytes=--1", 100, NONE, 0, 0 },
    { "bytes=1", 100, NONE, 0, 0 },
    { "bytes=1-2,4-5", 100, NONE, 0, 0 },
    { "bytes=1-2-3", 100, NONE, 0, 0 },
    { "bytes=a-b", 100, NONE, 0, 0 },
    { "bytes=1-b", 100, NONE, 0, 0 },
    { "bytes=+1-2", 100, NONE, 0, 0 },
    { "bytes 1-2", 100, NONE, 0, 0 },
    { "blocks=1-2", 100, NONE, 0, 0 },
    { "bytes", 100, NONE, 0, 0 },
};

static void
check_one(size_t i)
{
    uint64_t off = 0, len = 0;

    int err = range_parse(cases[i].field, cases[i].size, &off, &len);
    if (err != cases[i].err || off != cases[i].off || len != cases[i].len) {
        fail_msg("case %zu `%s`: %d, %llu, %llu", i,
                 cases[i].field != NULL ? cases[i].field : "(none)", err,
                 (unsigned long long) off, (unsigned long long) len);
    }
}

static void
test_cases(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_one(i);
    }
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };

UNIT_MAIN(tests)
