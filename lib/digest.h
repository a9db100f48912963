/* digest.h - block hashes, piece layers, roots (BEP 52), file checksums. */
#ifndef DIGEST_H
#define DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    DIGEST_LEN = 32,     /* SHA-256, bytes */
    DIGEST_HEX = 65,     /* characters with the final NUL */
    DIGEST_LEAF = 16384, /* bytes; BEP 52 "merkle tree" leaf size */
    CHECKSUM_MAX = 64    /* bytes; SHA-512 */
};

/**
 * digest_block(data, len, file_size, block_size, out):
 * The hash of one block of a file of ${file_size} bytes. A file of one block
 * at most has a shallower tree, so the file's size matters.
 *
 * Errors:  SHOAL_EINVAL (${len} is 0 or above ${block_size}), SHOAL_ENOMEM.
 */
int digest_block(const void *data, size_t len, uint64_t file_size,
                 uint64_t block_size, uint8_t out[DIGEST_LEN]);

/**
 * digest_root(layer, count, block_size, out):
 * The root over a piece layer of ${count} hashes (at least 1).
 *
 * Errors:  SHOAL_EINVAL (count 0), SHOAL_ENOMEM.
 */
int digest_root(const uint8_t *layer, uint32_t count, uint64_t block_size,
                uint8_t out[DIGEST_LEN]);

/** digest_is_zero(hash): not known yet. */
bool digest_is_zero(const uint8_t hash[DIGEST_LEN]);

/** digest_at(layer, block): its hash there. */
static inline const uint8_t *
digest_at(const uint8_t *layer, uint32_t block)
{
    return layer + (size_t) block * DIGEST_LEN;
}

static inline bool
digest_equal(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, DIGEST_LEN) == 0;
}

/** hex_encode(in, len, out): ${out} takes 2 * len + 1 characters. */
void hex_encode(const uint8_t *in, size_t len, char *out);

/** hex_digit(c): 0 to 15, or -1. */
int hex_digit(char c);

/** hex_decode(in, out, len): SHOAL_EINVAL unless exactly 2 * len digits. */
int hex_decode(const char *in, uint8_t *out, size_t len);

/** A whole-file checksum as a user or an origin tells it. */
struct checksum {
    char algorithm[16]; /* OpenSSL's name, "SHA256" */
    uint8_t value[CHECKSUM_MAX];
    size_t len;
};

/**
 * checksum_parse(text, sum):
 * From `ALG=HEX`; md5, sha-1, sha-224, sha-256, sha-384, sha-512, with or
 * without the dash, in any case. SHOAL_EINVAL.
 */
int checksum_parse(const char *text, struct checksum *sum);

/** checksum_parse_base64(name, text, sum): the value alone, in base64, of the
 *  algorithm ${name}. SHOAL_EINVAL. */
int checksum_parse_base64(const char *name, const char *text,
                          struct checksum *sum);

/**
 * checksum_parse_field(field, sum):
 * The strongest of sha-512 and sha-256 from the value of a `Repr-Digest`
 * or `Content-Digest` (RFC 9530) or `Digest` (RFC 3230) header. SHOAL_ENOTFOUND.
 */
int checksum_parse_field(const char *field, struct checksum *sum);

struct checksum_state;

/** checksum_start(sum): hash a file; NULL when out of memory. */
struct checksum_state *checksum_start(const struct checksum *sum);
void checksum_update(struct checksum_state *st, const void *data, size_t len);

/** checksum_free(st): it is not wanted any more. NULL is a no-op. */
void checksum_free(struct checksum_state *st);

/** checksum_finish(st, sum): frees ${st}; true when it is ${sum}. */
bool checksum_finish(struct checksum_state *st, const struct checksum *sum);

#endif
