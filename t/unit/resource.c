#include "unit.h"

#include "resource.h"
#include "shoal.h"

/* Fields: URL, size, provider, version, canonical URL or `error`, id. */
static void
check_identity(char *v[6])
{
    char url[RESOURCE_URL_MAX + 2], hex[RESOURCE_ID_HEX];
    struct resource r;

    for (size_t i = 0; i < 4; i++) {
        unit_unescape(v[i]);
    }
    int err = resource_init(&r, v[0], strtoull(v[1], NULL, 10), v[2], v[3]);
    if (strcmp(v[4], "error") == 0) {
        unit_expect(err == SHOAL_EINVAL, v[0]);
        return;
    }
    unit_expect(err == 0, v[0]);
    assert_int_equal(resource_normalise(v[0], url, sizeof(url)), 0);
    assert_string_equal(url, v[4]);
    resource_id_hex(r.id, hex);
    assert_string_equal(hex, v[5]);
    resource_fini(&r);
}

static void
identity_vectors(void **state)
{
    FILE *f = unit_vectors("identity.txt");
    char line[8192], *v[6] = { 0 };
    unsigned n = 0;

    (void) state;
    while (fgets(line, sizeof(line), f) != NULL) {
        if (line[0] != '#') {
            unit_fields(line, v, 6);
            check_identity(v);
            n++;
        }
    }
    fclose(f);
    assert_true(n >= 30);
}

static void
normalising_twice_changes_nothing(void **state)
{
    static const char *const urls[] = { "http://a/%7e/../%2F%2f?%41%zz",
                                        "http://a//.//..///x/",
                                        "http://[::A]:1/%%%",
                                        "http://a/?%3f%20 x" };
    char once[RESOURCE_URL_MAX + 2], again[RESOURCE_URL_MAX + 2];
    char full[RESOURCE_URL_MAX + 16];

    (void) state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        assert_int_equal(resource_normalise(urls[i], once, sizeof(once)), 0);
        snprintf(full, sizeof(full), "http://%s", once);
        assert_int_equal(resource_normalise(full, again, sizeof(again)), 0);
        assert_string_equal(once, again);
    }
}

static void
lengths(void **state)
{
    char url[RESOURCE_URL_MAX + 64], out[RESOURCE_URL_MAX + 2];
    char version[RESOURCE_VERSION_MAX + 8];
    struct resource r;

    (void) state;
    memset(url, 'a', sizeof(url));
    memcpy(url, "http://h/", 9);
    url[RESOURCE_URL_MAX] = '\0';
    assert_int_equal(resource_normalise(url, out, sizeof(out)), 0);
    url[RESOURCE_URL_MAX] = 'a';
    url[RESOURCE_URL_MAX + 1] = '\0';
    assert_int_equal(resource_normalise(url, out, sizeof(out)), SHOAL_EINVAL);

    /* 2,000 spaces are 6,000 bytes once encoded */
    memset(url + 9, ' ', 2000);
    url[2009] = '\0';
    assert_int_equal(resource_normalise(url, out, sizeof(out)), SHOAL_EINVAL);
    assert_int_equal(resource_normalise("http://h/abc", out, 5), SHOAL_EINVAL);

    memset(version, 'v', sizeof(version));
    memcpy(version, "text:", 5);
    version[RESOURCE_VERSION_MAX] = '\0';
    assert_int_equal(resource_init(&r, "http://h/", 1, NULL, version), 0);
    resource_fini(&r);
    version[RESOURCE_VERSION_MAX] = 'v';
    version[RESOURCE_VERSION_MAX + 1] = '\0';
    assert_int_equal(resource_init(&r, "http://h/", 1, NULL, version),
                     SHOAL_EINVAL);
}

static void
ids(void **state)
{
    uint8_t id[RESOURCE_ID_LEN];
    char hex[RESOURCE_ID_HEX];

    (void) state;
    assert_int_equal(
        resource_id_parse("00112233445566778899aabbccddeeff0a0B0c0D", id), 0);
    resource_id_hex(id, hex);
    assert_string_equal(hex, "00112233445566778899aabbccddeeff0a0b0c0d");
    assert_int_equal(resource_id_parse("0011", id), SHOAL_EINVAL);
    assert_int_equal(
        resource_id_parse("00112233445566778899aabbccddeeff0a0B0c0g", id),
        SHOAL_EINVAL);
    assert_int_equal(
        resource_id_parse("00112233445566778899aabbccddeeff0a0B0c0D1", id),
        SHOAL_EINVAL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(identity_vectors),
    cmocka_unit_test(normalising_twice_changes_nothing),
    cmocka_unit_test(lengths),
    cmocka_unit_test(ids),
};

UNIT_MAIN(tests)
