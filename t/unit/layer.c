#include "unit.h"

#include <unistd.h>

#include "layer.h"
#include "shoal.h"

enum {
    SIZE = 3 * 65536 + 100
};

static char *
slurp(const char *path, size_t *len)
{
    FILE *f = fopen(path, "re");
    char *data = malloc(LAYER_FILE_MAX);

    assert_non_null(f);
    *len = fread(data, 1, LAYER_FILE_MAX, f);
    fclose(f);
    return data;
}

static void
made_and_read(void **state)
{
    char path[] = "/tmp/shoal-layer-XXXXXX", out[64], why[256];
    uint8_t *hashes = NULL, root[DIGEST_LEN];
    int fd = mkstemp(path);
    size_t len;

    (void) state;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, SIZE), 0);
    snprintf(out, sizeof(out), "%s.shoal", path);
    assert_int_equal(layer_make(path, out, why, sizeof(why)), 0);
    char *data = slurp(out, &len);
    uint8_t *bytes = (uint8_t *) data;

    assert_int_equal(layer_parse(bytes, len, SIZE, &hashes, root), 0);
    free(hashes);
    assert_int_equal(layer_parse(bytes, len, SIZE + 1, &hashes, root),
                     SHOAL_EVERIFY);
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_not_equal(layer_parse(bytes, cut, SIZE, &hashes, root), 0);
    }
    data[len - 1] ^= 1; /* the hashes no longer make up the root */
    assert_int_equal(layer_parse(bytes, len, SIZE, &hashes, root),
                     SHOAL_EPROTO);
    free(data);
    assert_int_equal(layer_make(path, "/nonexistent/x", why, sizeof(why)),
                     SHOAL_EIO);
    close(fd);
    unlink(path);
    unlink(out);
    assert_int_equal(layer_make(path, out, why, sizeof(why)), SHOAL_ENOTFOUND);
}

static void
odd_files(void **state)
{
    static const char *const texts[] = {
        "",
        "\n\n",
        "shoal-layer 1\n\n",
        "shoal-layer 2\nsize 0\nblock 65536\nroot -\n\n",
        "shoal-layer 1\nsize 0\nblock 65536\nroot -\n\nx",
        "shoal-layer 1\nsize 0\nblock 0\nroot -\n\n",
        "shoal-layer 1\nsize x\nblock 65536\nroot -\n\n",
        "shoal-layer 1\nsize 0\nblock 65536\nroot 00\n\n"
    };
    static const char empty[] =
        "shoal-layer 1\nsize 0\nblock 65536\nroot -\n\n";
    uint8_t *hashes, root[DIGEST_LEN];

    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        unit_expect(layer_parse((const uint8_t *) texts[i], strlen(texts[i]),
                                0, &hashes, root)
                        != 0,
                    texts[i]);
    }
    assert_int_equal(
        layer_parse((const uint8_t *) empty, strlen(empty), 0, &hashes, root),
        0);
    assert_null(hashes);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(made_and_read),
    cmocka_unit_test(odd_files),
};

UNIT_MAIN(tests)
