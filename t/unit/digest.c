#include "unit.h"

#include "blockmap.h"
#include "digest.h"
#include "shoal.h"

static void
make_layer(const uint8_t *data, const struct blockmap *m, uint8_t *layer)
{
    for (uint32_t i = 0; i < m->count; i++) {
        assert_int_equal(digest_block(data + blockmap_offset(m, i),
                                      blockmap_length(m, i), m->size,
                                      m->block_size,
                                      layer + (size_t) i * DIGEST_LEN),
                         0);
    }
}

static void
tree_vectors(void **state)
{
    FILE *f = unit_vectors("digest.txt");
    char line[1024];
    unsigned n = 0;

    (void) state;
    while (fgets(line, sizeof(line), f) != NULL) {
        char *v[4] = { 0 }, hex[DIGEST_HEX], text[128];
        uint8_t root[DIGEST_LEN];
        struct checksum sum;
        struct blockmap m;

        if (line[0] == '#') {
            continue;
        }
        unit_fields(line, v, 4);
        size_t size = strtoull(v[0], NULL, 10);
        uint8_t *data = malloc(size);
        assert_non_null(data);
        for (size_t i = 0; i < size; i++) {
            data[i] = (uint8_t) (7 * i + i / 251);
        }
        assert_int_equal(blockmap_init(&m, size), 0);
        assert_true(m.block_size == strtoull(v[1], NULL, 10));
        uint8_t *layer = calloc(m.count, DIGEST_LEN);
        assert_non_null(layer);
        make_layer(data, &m, layer);
        assert_int_equal(digest_root(layer, m.count, m.block_size, root), 0);
        hex_encode(root, DIGEST_LEN, hex);
        assert_string_equal(hex, v[2]);

        snprintf(text, sizeof(text), "sha-256=%s", v[3]);
        assert_int_equal(checksum_parse(text, &sum), 0);
        struct checksum_state *st = checksum_start(&sum);
        checksum_update(st, layer, (size_t) m.count * DIGEST_LEN);
        assert_true(checksum_finish(st, &sum));
        free(layer);
        free(data);
        blockmap_fini(&m);
        n++;
    }
    fclose(f);
    assert_true(n >= 12);
}

static void
bad_blocks(void **state)
{
    uint8_t out[DIGEST_LEN], data[1] = { 0 };

    (void) state;
    assert_int_equal(digest_block(data, 0, 1, 65536, out), SHOAL_EINVAL);
    assert_int_equal(digest_block(data, 65537, 1, 65536, out), SHOAL_EINVAL);
    assert_int_equal(digest_root(data, 0, 65536, out), SHOAL_EINVAL);
}

static void
checksums(void **state)
{
    static const struct {
        const char *text;
        int err;
    } cases[] = {
        { "md5=d41d8cd98f00b204e9800998ecf8427e", 0 },
        { "SHA1=da39a3ee5e6b4b0d3255bfef95601890afd80709", 0 },
        { "sha-1=DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", 0 },
        { "sha-256=e3b0c44298fc1c149afbf4c8996fb924"
          "27ae41e4649b934ca495991b7852b855",
          0 },
        { "sha-256=e3b0", SHOAL_EINVAL },
        { "sha-256=", SHOAL_EINVAL },
        { "sha-256", SHOAL_EINVAL },
        { "crc32=00000000", SHOAL_EINVAL },
        { "=00", SHOAL_EINVAL },
        { "sha-25666666666666666=00", SHOAL_EINVAL },
        { "md5=d41d8cd98f00b204e9800998ecf8427x", SHOAL_EINVAL },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct checksum sum;

        assert_int_equal(checksum_parse(cases[i].text, &sum), cases[i].err);
        if (cases[i].err == 0) { /* all of them of no bytes */
            assert_true(checksum_finish(checksum_start(&sum), &sum));
            struct checksum_state *st = checksum_start(&sum);
            checksum_update(st, "x", 1);
            assert_false(checksum_finish(st, &sum));
        }
    }
}

static void
digest_fields(void **state)
{
    static const char empty[] = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    char text[256];
    struct checksum sum;

    (void) state;
    snprintf(text, sizeof(text), "md5=xx, SHA-256=%s", empty);
    assert_int_equal(checksum_parse_field(text, &sum), 0);
    assert_true(checksum_finish(checksum_start(&sum), &sum));
    snprintf(text, sizeof(text), "sha-256=:%s: , sha-512=:short:", empty);
    assert_int_equal(checksum_parse_field(text, &sum), 0);
    assert_int_equal(sum.len, 32);
    assert_int_equal(checksum_parse_field("", &sum), SHOAL_ENOTFOUND);
    assert_int_equal(checksum_parse_field("sha-256=", &sum), SHOAL_ENOTFOUND);
    assert_int_equal(checksum_parse_field("unixsum=1,,=,", &sum),
                     SHOAL_ENOTFOUND);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(tree_vectors),
    cmocka_unit_test(bad_blocks),
    cmocka_unit_test(checksums),
    cmocka_unit_test(digest_fields),
};

UNIT_MAIN(tests)
