#include "unit.h"

#include "origin.h"

static struct answer
make(const char *text)
{
    struct answer a;

    answer_reset(&a);
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        answer_line(&a, text, len + 1);
        text += len + 1;
    }
    return a;
}

static void
plain_answer(void **state)
{
    struct answer a = make("HTTP/1.1 200 OK\r\n"
                           "content-LENGTH:  123 \r\n"
                           "ETag: \"x\"\r\n"
                           "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
                           "Shoal-Tracker: http://t/peers\r\n"
                           "Retry-After: 7\r\n");

    (void) state;
    assert_int_equal(a.status, 200);
    assert_true(answer_size(&a) == 123);
    assert_string_equal(a.etag, "\"x\"");
    assert_true(a.mtime == 1700000000);
    assert_string_equal(a.tracker, "http://t/peers");
    assert_int_equal(a.retry_after, 7);
    assert_false(a.no_share);
    assert_true(answer_agrees(&a, 123, "etag:\"x\""));
    assert_true(answer_agrees(&a, 123, "mtime:1700000000"));
    assert_true(answer_agrees(&a, 123, "text:whatever"));
    assert_true(answer_agrees(&a, 123, ""));
    assert_false(answer_agrees(&a, 124, ""));
    assert_false(answer_agrees(&a, 123, "etag:\"y\""));
    assert_false(answer_agrees(&a, 123, "mtime:1700000001"));
}

static void
retries(void **state)
{
    static const struct {
        const char *text;
        unsigned seconds;
    } cases[] = {
        { "Retry-After: 0\n", 0 },
        { "Retry-After: 120\n", 120 },
        { "Retry-After: 99999999\n", 3600 },
        { "Retry-After: soon\n", 0 },
        { "Retry-After: -1\n", 0 },
        { "Date: Tue, 14 Nov 2023 22:13:20 GMT\n"
          "Retry-After: Tue, 14 Nov 2023 22:13:50 GMT\n",
          30 },
        { "Retry-After: Tue, 14 Nov 2023 22:13:50 GMT\n"
          "Date: Tue, 14 Nov 2023 22:13:20 GMT\n",
          30 },
        { "Date: Tue, 14 Nov 2023 22:13:20 GMT\n"
          "Retry-After: Tue, 14 Nov 2023 22:13:19 GMT\n",
          0 },
        { "Date: Tue, 14 Nov 2023 22:13:20 GMT\n"
          "Retry-After: Tue, 14 Nov 2073 22:13:19 GMT\n",
          3600 },
        { "Retry-After: Tue, 14 Nov 2023 22:13:50 GMT\n", 0 },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer a = make(cases[i].text);

        unit_expect(a.retry_after == cases[i].seconds, cases[i].text);
    }
}

static void
sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
    } cases[] = {
        { "HTTP/1.1 206 P\nContent-Range: bytes 0-0/123\n", 123 },
        { "HTTP/1.1 206 P\nContent-Range: bytes 0-0/*\n", ORIGIN_UNKNOWN },
        { "HTTP/1.1 206 P\nContent-Length: 5\n", ORIGIN_UNKNOWN },
        { "HTTP/1.1 416 R\nContent-Range: bytes */0\n", 0 },
        { "HTTP/1.1 200 OK\n", ORIGIN_UNKNOWN },
        { "HTTP/1.1 200 OK\nContent-Length: -1\n", ORIGIN_UNKNOWN },
        { "HTTP/1.1 200 OK\nContent-Length: 1x\n", ORIGIN_UNKNOWN },
        { "HTTP/1.1 200 OK\nContent-Length: 9223372036854775808\n",
          ORIGIN_UNKNOWN },
        { "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Encoding: gzip\n",
          ORIGIN_UNKNOWN },
        { "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Encoding: identity\n",
          5 },
        { "HTTP/1.1 404 N\nContent-Length: 5\n", ORIGIN_UNKNOWN },
        { "HTTP/1.1 103 E\nContent-Length: 9\nHTTP/1.1 200 OK\n"
          "Content-Length: 5\n",
          5 },
        { "HTTP/1.1 206 P\nContent-Range: bytes 5-4/123\n", ORIGIN_UNKNOWN },
        { "HTTP/1.1 206 P\nContent-Range: items 0-4/123\n", ORIGIN_UNKNOWN },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer a = make(cases[i].text);

        unit_expect(answer_size(&a) == cases[i].size, cases[i].text);
    }
}

static void
weak_and_odd_validators(void **state)
{
    struct answer a = make("HTTP/1.1 200 OK\nETag: W/\"x\"\n"
                           "Last-Modified: yesterday\n");

    (void) state;
    assert_string_equal(a.etag, "");
    assert_true(a.mtime == -1);
    assert_string_equal(make("HTTP/1.1 200 OK\nETag: \"\xe4\"\n").etag, "");
    assert_false(answer_agrees(&a, ORIGIN_UNKNOWN, "etag:\"x\""));
}

static void
private_answers(void **state)
{
    (void) state;
    assert_true(make("HTTP/1.1 200 OK\nCache-Control: private\n").no_share);
    assert_true(make("HTTP/1.1 200 OK\nCache-Control: max-age=1, no-store\n")
                    .no_share);
    assert_false(
        make("HTTP/1.1 200 OK\nCache-Control: public, max-age=1\n").no_share);
    assert_false(make("HTTP/1.1 200 OK\nCache-Control: privately\n").no_share);
    assert_true(make("HTTP/1.1 200 OK\nCache-Control: public\n"
                     "Cache-Control: PRIVATE\n")
                    .no_share);
}

#define MD5    "1B2M2Y8AsgTpgAmY7PhCfg=="
#define SHA256 "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

/* Where a digest is the file's, and which of several counts. */
static void
digests(void **state)
{
    static const struct {
        const char *text;
        const char *algorithm; /* "": none is taken */
    } cases[] = {
        { "HTTP/1.1 206\nRepr-Digest: sha-256=:" SHA256 ":\n", "SHA256" },
        { "HTTP/1.1 206\nDigest: SHA-256=" SHA256 "\n", "SHA256" },
        { "HTTP/1.1 200\nContent-Digest: sha-256=:" SHA256 ":\n", "SHA256" },
        { "HTTP/1.1 206\nContent-Digest: sha-256=:" SHA256 ":\n", "" },
        { "HTTP/1.1 200\nContent-MD5: " MD5 "\n", "MD5" },
        { "HTTP/1.1 206\nContent-MD5: " MD5 "\n", "" },
        { "HTTP/1.1 200\nContent-MD5: " MD5 "\n"
          "x-amz-checksum-sha256: " SHA256 "\n",
          "SHA256" },
        { "HTTP/1.1 200\nx-amz-checksum-sha256: " SHA256 "\n"
          "Content-MD5: " MD5 "\n",
          "SHA256" },
        { "HTTP/1.1 206\nx-amz-checksum-sha256: " SHA256 "\n", "" },
        { "HTTP/1.1 200\nx-amz-checksum-sha256: " SHA256 "-3\n", "" },
        { "HTTP/1.1 200\nContent-MD5: rubbish\n", "" },
        { "HTTP/1.1 200\nContent-MD5: " SHA256 "\n", "" },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer a = make(cases[i].text);

        assert_string_equal(a.digest.algorithm, cases[i].algorithm);
        assert_int_equal(a.digest.len > 0, *cases[i].algorithm != '\0');
    }
}

static void
links(void **state)
{
    struct answer a = make("HTTP/1.1 200 OK\n"
                           "Link: </a.css>; rel=preload, </f.shoal>; "
                           "rel=\"piece-layer\"\n");

    (void) state;
    assert_string_equal(a.layer, "/f.shoal");
    a = make("HTTP/1.1 200 OK\nLink: </x>; rel=next\nLink: <u>; "
             "rel=piece-layer\n");
    assert_string_equal(a.layer, "u");
    a = make("HTTP/1.1 200 OK\nLink: <unclosed; rel=piece-layer\n");
    assert_string_equal(a.layer, "");
}

static void
redirects(void **state)
{
    struct answer a = make("HTTP/1.1 302 Found\nLocation: /x\n");

    (void) state;
    assert_true(answer_is_redirect(&a));
    a = make("HTTP/1.1 304 Not Modified\nLocation: /x\n");
    assert_false(answer_is_redirect(&a));
    a = make("HTTP/1.1 301 Moved\n");
    assert_false(answer_is_redirect(&a));
}

#define OLD "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT\n"
#define NEW "Last-Modified: Tue, 14 Nov 2023 22:13:21 GMT\n"

static void
standards(void **state)
{
    struct answer a = make("HTTP/1.1 200 OK\nContent-Length: 5\n" OLD);
    struct answer b = make("HTTP/1.1 200 OK\nContent-Length: 5\n" NEW);
    struct answer c = make("HTTP/1.1 200 OK\nContent-Length: 6\n" OLD);
    const struct answer *most[] = { &c, &a, &a };
    const struct answer *tie[] = { &a, &b };
    char version[RESOURCE_VERSION_MAX + 1];

    (void) state;
    assert_int_equal(origin_standard(most, 3), 1);
    assert_true(origin_majority(most, 3, 0));
    assert_false(origin_majority(most, 3, 1)); /* it could become a tie */
    assert_true(origin_majority(most + 1, 2, 1));
    assert_int_equal(origin_standard(tie, 2), 1); /* the newest */
    assert_false(origin_majority(tie, 2, 0));
    origin_version(most, 3, 1, version);
    assert_string_equal(version, "mtime:1700000000");
}

static void
versions(void **state)
{
    struct answer a = make("HTTP/1.1 200 OK\nContent-Length: 5\n"
                           "ETag: \"a\"\n" OLD);
    struct answer b = make("HTTP/1.1 200 OK\nContent-Length: 5\n"
                           "ETag: \"b\"\n" OLD);
    struct answer e = make("HTTP/1.1 200 OK\nContent-Length: 5\n"
                           "ETag: \"a\"\n");
    struct answer none = make("HTTP/1.1 200 OK\nContent-Length: 5\n");
    const struct answer *same[] = { &a, &a, &e };
    const struct answer *mixed[] = { &a, &b };
    const struct answer *bare[] = { &none, &none };
    char version[RESOURCE_VERSION_MAX + 1];

    (void) state;
    origin_version(same, 3, 0, version);
    assert_string_equal(version, "etag:\"a\"");
    origin_version(mixed, 2, 0, version); /* inode ETags: the time decides */
    assert_string_equal(version, "mtime:1700000000");
    origin_version(bare, 2, 0, version);
    assert_string_equal(version, "");
}

/* --version-id */
static void
wished(void **state)
{
    static const struct {
        const char *wish, *full, *bare;
    } cases[] = {
        { "etag", "etag:\"a\"", "" },
        { "mtime", "mtime:1700000000", "" },
        { "none", "", "" },
        { "1.0.0", "text:1.0.0", "text:1.0.0" },
    };
    struct answer full = make("HTTP/1.1 200 OK\nContent-Length: 5\n"
                              "ETag: \"a\"\n" OLD);
    struct answer bare = make("HTTP/1.1 200 OK\nContent-Length: 5\n");
    char version[RESOURCE_VERSION_MAX + 1];

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        origin_version_by(&full, cases[i].wish, version);
        assert_string_equal(version, cases[i].full);
        origin_version_by(&bare, cases[i].wish, version);
        assert_string_equal(version, cases[i].bare);
    }
}

/* Of one node, whatever the version is made of: nothing told differs. */
static void
unchanged(void **state)
{
#define FIVE "HTTP/1.1 200 OK\nContent-Length: 5\n"
#define PART "HTTP/1.1 206 P\nContent-Range: bytes 2-3/5\n"
    static const struct {
        const char *now, *earlier;
        bool same, same_version;
    } cases[] = {
        { FIVE "ETag: \"a\"\n" OLD, FIVE "ETag: \"a\"\n" OLD, true, true },
        { PART "ETag: \"a\"\n" OLD, FIVE "ETag: \"a\"\n" OLD, true, true },
        { FIVE "ETag: \"b\"\n" OLD, FIVE "ETag: \"a\"\n" OLD, false, true },
        { FIVE "ETag: \"a\"\n" NEW, FIVE "ETag: \"a\"\n" OLD, false, true },
        { FIVE "ETag: \"b\"\n", FIVE "ETag: \"a\"\n", false, false },
        { FIVE OLD, FIVE "ETag: \"a\"\n" OLD, true, true },
        { FIVE NEW, FIVE "ETag: \"a\"\n" OLD, false, false },
        { FIVE "ETag: W/\"b\"\n" OLD, FIVE "ETag: \"a\"\n" OLD, true, true },
        { FIVE, FIVE "ETag: \"a\"\n" OLD, true, true },
        { FIVE, FIVE, true, true },
        { "HTTP/1.1 206 P\nContent-Range: bytes 2-3/6\nETag: \"a\"\n",
          FIVE "ETag: \"a\"\n", false, false },
        { "HTTP/1.1 206 P\nContent-Range: bytes 2-3/*\nETag: \"a\"\n",
          FIVE "ETag: \"a\"\n", false, false },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer now = make(cases[i].now);
        struct answer earlier = make(cases[i].earlier);

        unit_expect(answer_unchanged(&now, &earlier) == cases[i].same,
                    cases[i].now);
        unit_expect(answer_unchanged(&earlier, &now) == cases[i].same,
                    cases[i].now);
        unit_expect(answer_same_version(&now, &earlier)
                        == cases[i].same_version,
                    cases[i].now);
    }
}

/* Whether nothing tells which of them is the standard. */
static void
ties(void **state)
{
    static const char *const old = "ETag: \"o\"\nLast-Modified: Tue, 14 Nov "
                                   "2023 22:13:20 GMT\n";
    static const char *const new = "ETag: \"n\"\nLast-Modified: Wed, 15 Nov "
                                   "2023 22:13:20 GMT\n";
    static const char *const x =
        "Repr-Digest: sha-256=:"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:\n";
    static const char *const y =
        "Repr-Digest: sha-256=:"
        "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:\n";
    const struct {
        const char *answers[3];
        bool tied;
    } cases[] = {
        { { old, new }, false },
        { { "ETag: \"a\"\n", "ETag: \"b\"\n" }, true },
        { { "ETag: \"a\"\n", "ETag: \"b\"\n", "ETag: \"b\"\n" }, false },
        { { "ETag: \"a\"\n", "ETag: \"a\"\n" }, false },
        { { x, y }, true },
        { { x, y, y }, false },
        { { x, x }, false },
        { { x }, false },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer made[3];
        const struct answer *list[3];
        size_t n = 0;

        for (; n < 3 && cases[i].answers[n] != NULL; n++) {
            made[n] = make(cases[i].answers[n]);
            list[n] = &made[n];
        }
        unit_expect(origin_tied(list, n, origin_standard(list, n))
                        == cases[i].tied,
                    cases[i].answers[n - 1]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(plain_answer),
    cmocka_unit_test(retries),
    cmocka_unit_test(sizes),
    cmocka_unit_test(weak_and_odd_validators),
    cmocka_unit_test(private_answers),
    cmocka_unit_test(digests),
    cmocka_unit_test(links),
    cmocka_unit_test(redirects),
    cmocka_unit_test(standards),
    cmocka_unit_test(versions),
    cmocka_unit_test(wished),
    cmocka_unit_test(unchanged),
    cmocka_unit_test(ties),
};

UNIT_MAIN(tests)
