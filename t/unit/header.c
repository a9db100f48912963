/* Which of a user's header lines go where. */
#include "unit.h"

#include "header.h"

static const struct {
    const char *line;
    enum header_kind kind;
} cases[] = {
    { "Accept: text/html", HEADER_PLAIN },
    { "X-Empty:", HEADER_PLAIN },
    { "x-tab:\tvalue", HEADER_PLAIN },
    { "Authorization: Basic eDp5", HEADER_SECRET },
    { "cookie: a=b", HEADER_SECRET },
    { "PRIVATE-TOKEN: t", HEADER_SECRET },
    { "X-Api-Key: k", HEADER_SECRET },
    { "X-Amz-Security-Token: k", HEADER_SECRET },
    { "Host: other.example.com", HEADER_HOST },
    { "Hostess: plain", HEADER_PLAIN },
    { "Proxy-Authorization: Basic eDp5", HEADER_PROXY },
    { "Range: bytes=0-1", HEADER_OURS },
    { "range:bytes=0-1", HEADER_OURS },
    { "If-Range: \"x\"", HEADER_OURS },
    { "If-Modified-Since: x", HEADER_OURS },
    { "Accept-Encoding: gzip", HEADER_OURS },
    { "Transfer-Encoding: chunked", HEADER_OURS },
    { "Content-Length: 7", HEADER_OURS },
    { "Connection: close", HEADER_OURS },
    { "", HEADER_BAD },
    { "Foo", HEADER_BAD },
    { ": value", HEADER_BAD },
    { "A b: value", HEADER_BAD },
    { " A: value", HEADER_BAD },
    { "A: b\r\nCookie: c", HEADER_BAD },
    { "A: b\nRange: bytes=1-1", HEADER_BAD },
    { "A\r\nB: c", HEADER_BAD },
    { "A: \x1b[2J", HEADER_BAD },
    { "A: \x7f", HEADER_BAD },
};

static void
lines_are_told_apart(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unit_expect(header_kind(cases[i].line) == cases[i].kind,
                    cases[i].line);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(lines_are_told_apart),
};

UNIT_MAIN(tests)
