#include "digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "shoal.h"

/* The one-shot SHA256() is used for leaves: a context a leaf costs more. */
static void
sha256(const void *data, size_t len, uint8_t out[DIGEST_LEN])
{
    SHA256(data, len, out);
}

static void
pair(const uint8_t *left, const uint8_t *right, uint8_t out[DIGEST_LEN])
{
    uint8_t both[2 * DIGEST_LEN];

    memcpy(both, left, DIGEST_LEN);
    memcpy(both + DIGEST_LEN, right, DIGEST_LEN);
    sha256(both, sizeof(both), out);
}

/*
 * The top of a tree over n nodes, filled up to `width` (a power of two) with
 * `pad`. The nodes are used up.
 */
static void
merkle(uint8_t *nodes, size_t n, size_t width, const uint8_t *pad,
       uint8_t out[DIGEST_LEN])
{
    uint8_t fill[DIGEST_LEN];

    memcpy(fill, pad, DIGEST_LEN);
    for (; width > 1; width /= 2) {
        size_t pairs = n / 2;

        for (size_t i = 0; i < pairs; i++) {
            pair(nodes + 2 * i * DIGEST_LEN, nodes + (2 * i + 1) * DIGEST_LEN,
                 nodes + i * DIGEST_LEN);
        }
        if (n % 2 != 0) {
            pair(nodes + (n - 1) * DIGEST_LEN, fill,
                 nodes + pairs * DIGEST_LEN);
        }
        n = pairs + n % 2;
        pair(fill, fill, fill);
    }
    memcpy(out, nodes, DIGEST_LEN);
}

static size_t
power_of_two(size_t n)
{
    size_t width = 1;

    while (width < n) {
        width *= 2;
    }
    return width;
}

int
digest_block(const void *data, size_t len, uint64_t file_size,
             uint64_t block_size, uint8_t out[DIGEST_LEN])
{
    static const uint8_t zero[DIGEST_LEN];
    uint8_t few[64 * DIGEST_LEN], *nodes = few;
    size_t leaves = (len + DIGEST_LEAF - 1) / DIGEST_LEAF;

    if (len == 0 || len > block_size) {
        return SHOAL_EINVAL;
    }
    if (leaves * DIGEST_LEN > sizeof(few)) {
        nodes = malloc(leaves * DIGEST_LEN);
        if (nodes == NULL) {
            return SHOAL_ENOMEM;
        }
    }
    for (size_t i = 0; i < leaves; i++) {
        size_t off = i * DIGEST_LEAF;
        size_t n = len - off < DIGEST_LEAF ? len - off : DIGEST_LEAF;

        sha256((const uint8_t *) data + off, n, nodes + i * DIGEST_LEN);
    }
    size_t width = file_size > block_size ? (size_t) (block_size / DIGEST_LEAF)
                                          : power_of_two(leaves);
    merkle(nodes, leaves, width, zero, out);
    if (nodes != few) {
        free(nodes);
    }
    return 0;
}

int
digest_root(const uint8_t *layer, uint32_t count, uint64_t block_size,
            uint8_t out[DIGEST_LEN])
{
    uint8_t pad[DIGEST_LEN] = { 0 };

    if (count == 0) {
        return SHOAL_EINVAL;
    }
    uint8_t *nodes = malloc((size_t) count * DIGEST_LEN);
    if (nodes == NULL) {
        return SHOAL_ENOMEM;
    }
    memcpy(nodes, layer, (size_t) count * DIGEST_LEN);
    for (uint64_t n = DIGEST_LEAF; n < block_size; n *= 2) {
        pair(pad, pad, pad);
    }
    merkle(nodes, count, power_of_two(count), pad, out);
    free(nodes);
    return 0;
}

bool
digest_is_zero(const uint8_t hash[DIGEST_LEN])
{
    static const uint8_t zero[DIGEST_LEN];

    return memcmp(hash, zero, DIGEST_LEN) == 0;
}

void
hex_encode(const uint8_t *in, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        *out++ = digits[in[i] >> 4];
        *out++ = digits[in[i] & 15];
    }
    *out = '\0';
}

int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char) (c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
hex_decode(const char *in, uint8_t *out, size_t len)
{
    if (strlen(in) != 2 * len) {
        return SHOAL_EINVAL;
    }
    for (size_t i = 0; i < 2 * len; i++) {
        if (hex_digit(in[i]) < 0) {
            return SHOAL_EINVAL;
        }
    }
    for (size_t i = 0; i < len; i++) {
        out[i] =
            (uint8_t) (hex_digit(in[2 * i]) * 16 + hex_digit(in[2 * i + 1]));
    }
    return 0;
}

static const struct {
    const char *name; /* as users and headers write it, without dashes */
    const char *openssl;
    size_t len;
} algorithms[] = {
    { "md5", "MD5", 16 },       { "sha1", "SHA1", 20 },
    { "sha224", "SHA224", 28 }, { "sha256", "SHA256", 32 },
    { "sha384", "SHA384", 48 }, { "sha512", "SHA512", 64 },
};

static int
find_algorithm(const char *name, size_t len, struct checksum *sum)
{
    char plain[16];
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        if (name[i] == '-') {
            continue;
        }
        if (n + 1 >= sizeof(plain)) {
            return SHOAL_EINVAL;
        }
        plain[n++] = name[i];
    }
    plain[n] = '\0';
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        if (strcasecmp(plain, algorithms[i].name) == 0) {
            snprintf(sum->algorithm, sizeof(sum->algorithm), "%s",
                     algorithms[i].openssl);
            sum->len = algorithms[i].len;
            return 0;
        }
    }
    return SHOAL_EINVAL;
}

int
checksum_parse(const char *text, struct checksum *sum)
{
    const char *equals = strchr(text, '=');
    struct checksum s;

    memset(&s, 0, sizeof(s));
    if (equals == NULL
        || find_algorithm(text, (size_t) (equals - text), &s) != 0
        || hex_decode(equals + 1, s.value, s.len) != 0)
    {
        return SHOAL_EINVAL;
    }
    *sum = s;
    return 0;
}

/* RFC 9530 puts colons round the base64, others do not. */
static int
parse_base64(const char *s, size_t len, struct checksum *sum)
{
    uint8_t out[CHECKSUM_MAX + 8];
    size_t padding = 0;

    if (len >= 2 && s[0] == ':' && s[len - 1] == ':') {
        s++;
        len -= 2;
    }
    if (len == 0 || len % 4 != 0 || len / 4 * 3 > sizeof(out)) {
        return SHOAL_EINVAL;
    }
    while (padding < 2 && s[len - 1 - padding] == '=') {
        padding++;
    }
    int n = EVP_DecodeBlock(out, (const unsigned char *) s, (int) len);
    if (n < 0 || (size_t) n - padding != sum->len) {
        return SHOAL_EINVAL;
    }
    memcpy(sum->value, out, sum->len);
    return 0;
}

int
checksum_parse_base64(const char *name, const char *text, struct checksum *sum)
{
    struct checksum s = { 0 };
    size_t len = strcspn(text, " \t");

    if (find_algorithm(name, strlen(name), &s) != 0
        || parse_base64(text, len, &s) != 0)
    {
        return SHOAL_EINVAL;
    }
    *sum = s;
    return 0;
}

int
checksum_parse_field(const char *field, struct checksum *sum)
{
    struct checksum best;

    memset(&best, 0, sizeof(best));
    while (*field != '\0') {
        struct checksum s;
        size_t skip = strspn(field, ", \t");
        size_t len = strcspn(field + skip, ",");
        const char *item = field + skip;
        const char *equals = memchr(item, '=', len);

        field = item + len;
        while (len > 0 && (item[len - 1] == ' ' || item[len - 1] == '\t')) {
            len--;
        }
        memset(&s, 0, sizeof(s));
        if (equals == NULL
            || find_algorithm(item, (size_t) (equals - item), &s) != 0
            || s.len < DIGEST_LEN)
        {
            continue;
        }
        if (parse_base64(equals + 1, len - (size_t) (equals + 1 - item), &s)
                == 0
            && s.len > best.len)
        {
            best = s;
        }
    }
    if (best.len == 0) {
        return SHOAL_ENOTFOUND;
    }
    *sum = best;
    return 0;
}

struct checksum_state {
    EVP_MD_CTX *ctx;
};

struct checksum_state *
checksum_start(const struct checksum *sum)
{
    const EVP_MD *md = EVP_get_digestbyname(sum->algorithm);
    struct checksum_state *st = malloc(sizeof(*st));

    if (st == NULL) {
        return NULL;
    }
    st->ctx = EVP_MD_CTX_new();
    if (st->ctx == NULL || EVP_DigestInit_ex(st->ctx, md, NULL) != 1) {
        EVP_MD_CTX_free(st->ctx);
        free(st);
        return NULL;
    }
    return st;
}

void
checksum_update(struct checksum_state *st, const void *data, size_t len)
{
    EVP_DigestUpdate(st->ctx, data, len);
}

void
checksum_free(struct checksum_state *st)
{
    if (st != NULL) {
        EVP_MD_CTX_free(st->ctx);
        free(st);
    }
}

bool
checksum_finish(struct checksum_state *st, const struct checksum *sum)
{
    uint8_t value[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    EVP_DigestFinal_ex(st->ctx, value, &len);
    checksum_free(st);
    return len == sum->len && memcmp(value, sum->value, len) == 0;
}
