/* Metalink 4 files, right and hostile ones. */

#include "unit.h"

#include <stdlib.h>

#include "metalink.h"
#include "shoal.h"

#define HEAD                                       \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" \
    "<metalink xmlns=\"urn:ietf:params:xml:ns:metalink\">\n"
#define TAIL "</metalink>\n"
#define SHA1 "da39a3ee5e6b4b0d3255bfef95601890afd80709"
#define SHA256 \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct metalink *
parse(const char *xml, const char *location)
{
    struct metalink *m = NULL;
    char why[128] = "";
    int err = metalink_parse(xml, strlen(xml), location, &m, why, sizeof(why));

    if (err != 0) {
        fail_msg("%s", why);
    }
    return m;
}

static void
test_whole(void **state)
{
    struct metalink *m = parse(
        HEAD
        "<generator>x</generator>"
        "<file name=\"dir/a.iso\"><identity>x<size>5</size></identity>"
        "<size> 10000 </size>"
        "<hash type=\"sha-1\">" SHA1 "</hash>"
        "<hash type=\"sha-256\">\n" SHA256 "\n</hash>"
        "<hash type=\"whirlpool\">00</hash>"
        "<pieces length=\"8192\" type=\"sha-1\"><hash>" SHA1
        "</hash><hash>" SHA1 "</hash></pieces>"
        "<metaurl mediatype=\"torrent\">http://t.example/t</metaurl>"
        "<url>http://none.example/a</url>"
        "<url priority=\"2\" location=\"us\">http://us.example/a?x&amp;y</url>"
        "<url priority=\"2\" location=\"DE\">https://de.example/a</url>"
        "<url priority=\"1\">http://first.example/a</url>"
        "<url priority=\"1\">ftp://ftp.example/a</url>"
        "</file><file name=\"b\"/>" TAIL,
        "de");
    const struct metalink_file *f = &m->files[0];

    (void) state;
    assert_int_equal(m->n, 2);
    assert_string_equal(f->name, "a.iso");
    assert_int_equal(f->size, 10000);
    assert_string_equal(f->sum.algorithm, "SHA256");
    assert_int_equal(f->sum.value[0], 0xe3);
    assert_int_equal(f->pieces.n, 2);
    assert_int_equal(f->pieces.length, 8192);
    assert_int_equal(f->pieces.hashes[20], 0xda);
    assert_int_equal(f->n_urls, 4);
    assert_string_equal(f->urls[0].url, "http://first.example/a");
    assert_string_equal(f->urls[1].url, "https://de.example/a");
    assert_string_equal(f->urls[2].url, "http://us.example/a?x&y");
    assert_string_equal(f->urls[3].url, "http://none.example/a");
    assert_string_equal(m->files[1].name, "b");
    assert_true(m->files[1].size == METALINK_UNKNOWN);
    assert_int_equal(m->files[1].n_urls, 0);
    metalink_free(m);
}

/* Pieces that do not fit are none. */
static void
test_pieces(void **state)
{
    static const char *const bad[] = {
        "<size>9</size><pieces length=\"4096\" type=\"sha-1\"><hash>" SHA1
        "</hash><hash>" SHA1 "</hash></pieces>",
        "<pieces length=\"4096\" type=\"sha-1\"><hash>" SHA1
        "</hash></pieces>",
        "<size>9</size><pieces type=\"sha-1\"><hash>" SHA1 "</hash></pieces>",
        "<size>9</size><pieces length=\"0\" type=\"sha-1\"><hash>" SHA1
        "</hash></pieces>",
        "<size>9</size><pieces length=\"4096\" type=\"md4\"><hash>00</hash>"
        "</pieces>",
        "<size>5000</size><pieces length=\"4096\" type=\"sha-1\"><hash>" SHA1
        "</hash><hash>xx</hash></pieces>",
    };
    char xml[2048];

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(xml, sizeof(xml), HEAD "<file name=\"a\">%s</file>" TAIL,
                 bad[i]);
        struct metalink *m = parse(xml, NULL);
        assert_int_equal(m->files[0].pieces.n, 0);
        metalink_free(m);
    }
}

static const struct {
    const char *told, *name; /* NULL: refused */
} names[] = {
    { "a", "a" },
    { "../../etc/passwd", "passwd" },
    { "/etc/passwd", "passwd" },
    { "..", NULL },
    { "x/..", NULL },
    { "x/", NULL },
    { ".bashrc", "_bashrc" },
    { "a\\b", "a_b" },
    { "a&#10;b", "a_b" },
    { "a&#x7f;b", "a_b" },
    { "\xc3\xa4 b", "\xc3\xa4 b" },
};

static void
test_names(void **state)
{
    char xml[512], why[128];

    (void) state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct metalink *m = NULL;

        snprintf(xml, sizeof(xml), HEAD "<file name=\"%s\"/>" TAIL,
                 names[i].told);
        int err = metalink_parse(xml, strlen(xml), NULL, &m, why, sizeof(why));
        if (names[i].name == NULL) {
            assert_int_equal(err, SHOAL_EINVAL);
            continue;
        }
        assert_int_equal(err, 0);
        assert_string_equal(m->files[0].name, names[i].name);
        metalink_free(m);
    }
}

static const struct {
    const char *xml, *why;
} bad[] = {
    { "", "line 1: no element found" },
    { "not XML", "line 1: syntax error" },
    { "<html/>", "line 1: not a Metalink 4 document" },
    { "<metalink/>", "line 1: not a Metalink 4 document" },
    { "<metalink xmlns=\"http://www.metalinker.org/\"/>",
      "line 1: not a Metalink 4 document" },
    { HEAD TAIL, "names no file" },
    { HEAD "<file/>" TAIL, "line 3: a file without a name" },
    { HEAD "<file name=\"a\"><size>-1</size></file>" TAIL,
      "line 3: size: not a number: '-1'" },
    { HEAD "<file name=\"a\"><size>99999999999999999999</size></file>" TAIL,
      "line 3: size: not a number: '99999999999999999999'" },
    { HEAD "<file name=\"a\">", "line 3: no element found" },
    { "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>" HEAD TAIL,
      "line 1: a document type declaration" },
    { HEAD "<file name=\"a\"><url>&a;</url></file>" TAIL,
      "line 3: undefined entity" },
};

static void
test_bad(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct metalink *m = NULL;
        char why[128] = "";
        int err = metalink_parse(bad[i].xml, strlen(bad[i].xml), NULL, &m, why,
                                 sizeof(why));

        assert_int_equal(err, SHOAL_EINVAL);
        assert_null(m);
        assert_string_equal(why, bad[i].why);
    }
}

/* Many of everything: refused, or passed over. */
static void
test_limits(void **state)
{
    size_t cap = 4 << 20, len;
    char *xml = malloc(cap), why[128];
    struct metalink *m = NULL;

    (void) state;
    len = (size_t) snprintf(xml, cap, HEAD "<file name=\"a\">");
    for (int i = 0; i < 1000; i++) {
        len += (size_t) snprintf(xml + len, cap - len,
                                 "<url>http://h%d.example/</url>", i);
    }
    len += (size_t) snprintf(xml + len, cap - len, "</file>" TAIL);
    assert_int_equal(metalink_parse(xml, len, NULL, &m, why, sizeof(why)), 0);
    assert_int_equal(m->files[0].n_urls, METALINK_URLS_MAX);
    metalink_free(m);

    len = (size_t) snprintf(xml, cap, HEAD);
    for (int i = 0; i < METALINK_FILES_MAX + 1; i++) {
        len += (size_t) snprintf(xml + len, cap - len, "<file name=\"a\"/>");
    }
    len += (size_t) snprintf(xml + len, cap - len, TAIL);
    assert_int_equal(metalink_parse(xml, len, NULL, &m, why, sizeof(why)),
                     SHOAL_EINVAL);

    len = (size_t) snprintf(xml, cap, HEAD);
    for (int i = 0; i < 100000; i++) {
        len += (size_t) snprintf(xml + len, cap - len, "<x>");
    }
    assert_int_equal(metalink_parse(xml, len, NULL, &m, why, sizeof(why)),
                     SHOAL_EINVAL);

    len = (size_t) snprintf(xml, cap, HEAD "<file name=\"a\"><url>");
    memset(xml + len, 'a', 1 << 20);
    assert_int_equal(
        metalink_parse(xml, len + (1 << 20), NULL, &m, why, sizeof(why)),
        SHOAL_EINVAL);
    free(xml);
}

static void
test_type(void **state)
{
    (void) state;
    assert_true(metalink_is_type("application/metalink4+xml"));
    assert_true(metalink_is_type("Application/Metalink4+XML; charset=utf-8"));
    assert_false(metalink_is_type("application/metalink4+xmlx"));
    assert_false(metalink_is_type("application/metalink+xml"));
    assert_false(metalink_is_type(""));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_whole),  cmocka_unit_test(test_pieces),
    cmocka_unit_test(test_names),  cmocka_unit_test(test_bad),
    cmocka_unit_test(test_limits), cmocka_unit_test(test_type),
};

UNIT_MAIN(tests)
