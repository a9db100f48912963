#include "unit.h"

#include "resolve.h"
#include "shoal.h"

static void
overrides(void **state)
{
    static const struct {
        const char *text;
        int err;
    } cases[] = {
        { "h:80:127.0.0.1", 0 },
        { "h:80:127.0.0.1,127.0.0.2", 0 },
        { "h:80:[::1],::2", 0 },
        { "[::1]:80:127.0.0.1", 0 },
        { "", SHOAL_EINVAL },
        { "h", SHOAL_EINVAL },
        { "h:80", SHOAL_EINVAL },
        { "h:80:", SHOAL_EINVAL },
        { "h:80:127.0.0.1,", SHOAL_EINVAL },
        { "h:80:name", SHOAL_EINVAL },
        { "h:0:127.0.0.1", SHOAL_EINVAL },
        { "h:65536:127.0.0.1", SHOAL_EINVAL },
        { "h:x:127.0.0.1", SHOAL_EINVAL },
        { ":80:127.0.0.1", SHOAL_EINVAL },
        { "[::1:80:127.0.0.1", SHOAL_EINVAL },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct resolve *r = resolve_create();

        assert_non_null(r);
        unit_expect(resolve_add(r, cases[i].text) == cases[i].err,
                    cases[i].text);
        resolve_free(r);
    }
}

static void
lookups(void **state)
{
    struct resolve *r = resolve_create();
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    const char *why = "";
    size_t n = 0;

    (void) state;
    assert_int_equal(resolve_add(r, "H.example:80:127.0.0.2,127.0.0.1"), 0);
    assert_int_equal(resolve_add(r, "h.example:80:[::1]"), 0);
    assert_int_equal(resolve_lookup(r, "h.EXAMPLE", 80, addrs, &n, &why), 0);
    assert_int_equal(n, 3);
    assert_string_equal(addrs[0].text, "127.0.0.2"); /* in their order */
    assert_string_equal(addrs[1].text, "127.0.0.1");
    assert_string_equal(addrs[2].text, "::1");
    assert_int_equal(resolve_override(r, "h.example", 81, addrs, &n),
                     SHOAL_ENOTFOUND);
    assert_int_equal(resolve_lookup(NULL, "192.0.2.1", 81, addrs, &n, &why),
                     0);
    assert_int_equal(n, 1);
    assert_int_equal(
        resolve_lookup(NULL, "no-such-host.invalid", 80, addrs, &n, &why),
        SHOAL_ENET);
    assert_true(strlen(why) > 0);
    assert_ptr_equal(resolve_ref(r), r);
    resolve_free(r);
    assert_int_equal(resolve_override(r, "h.example", 80, addrs, &n), 0);
    resolve_free(r);
    assert_null(resolve_ref(NULL));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(overrides),
    cmocka_unit_test(lookups),
};

UNIT_MAIN(tests)
