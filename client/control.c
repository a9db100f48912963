/*
 * The format: lines `shoal-control 1`, `id HEX`, `size BYTES`, an empty line;
 * the bitmap; the layer, 32 bytes a block; SHA-256 over all of that. The id
 * stands for URL, size and version.
 */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "blockmap.h"
#include "digest.h"
#include "resource.h"
#include "shoal.h"

enum {
    HEAD_MAX = 128
};

static int
make_head(char head[HEAD_MAX], const struct resource *r)
{
    char hex[RESOURCE_ID_HEX];

    resource_id_hex(r->id, hex);
    return snprintf(head, HEAD_MAX,
                    "shoal-control 1\nid %s\nsize %" PRIu64 "\n\n", hex,
                    r->size);
}

/* The whole file in memory: at most 530 KB. */
static uint8_t *
make(const struct resource *r, const struct blockmap *held,
     const uint8_t *layer, size_t *len)
{
    char head[HEAD_MAX];
    size_t n = (size_t) make_head(head, r);
    size_t bits = blockmap_bytes(held);
    size_t hashes = (size_t) held->count * DIGEST_LEN;
    uint8_t *data = malloc(n + bits + hashes + DIGEST_LEN);

    if (data == NULL) {
        return NULL;
    }
    memcpy(data, head, n);
    memcpy(data + n, held->bits, bits);
    memcpy(data + n + bits, layer, hashes);
    *len = n + bits + hashes + DIGEST_LEN;
    if (EVP_Digest(data, *len - DIGEST_LEN, data + *len - DIGEST_LEN, NULL,
                   EVP_sha256(), NULL)
        != 1)
    {
        free(data);
        return NULL;
    }
    return data;
}

static int
parse(const uint8_t *data, size_t len, const struct resource *r,
      struct blockmap *held, uint8_t *layer)
{
    char head[HEAD_MAX];
    size_t n = (size_t) make_head(head, r);
    size_t bits = blockmap_bytes(held);
    size_t hashes = (size_t) held->count * DIGEST_LEN;
    uint8_t sum[DIGEST_LEN];

    if (len != n + bits + hashes + DIGEST_LEN || memcmp(data, head, n) != 0) {
        return SHOAL_EINVAL;
    }
    if (EVP_Digest(data, len - DIGEST_LEN, sum, NULL, EVP_sha256(), NULL) != 1
        || memcmp(sum, data + len - DIGEST_LEN, DIGEST_LEN) != 0)
    {
        return SHOAL_EINVAL;
    }
    int err = blockmap_load(held, data + n, bits);
    if (err == 0) {
        memcpy(layer, data + n + bits, hashes);
    }
    return err;
}

int
control_load(const char *path, const struct resource *r, struct blockmap *held,
             uint8_t *layer)
{
    size_t cap = HEAD_MAX + blockmap_bytes(held)
                 + ((size_t) held->count + 1) * DIGEST_LEN;
    FILE *f = fopen(path, "re");

    if (f == NULL) {
        return errno == ENOENT ? SHOAL_ENOTFOUND : SHOAL_EIO;
    }
    uint8_t *data = malloc(cap);
    int err = SHOAL_ENOMEM;
    if (data != NULL) {
        size_t len = fread(data, 1, cap, f);

        err = ferror(f) ? SHOAL_EIO : parse(data, len, r, held, layer);
    }
    free(data);
    fclose(f);
    return err;
}

int
control_save(const char *path, const struct resource *r,
             const struct blockmap *held, const uint8_t *layer)
{
    size_t len;
    char *temp = NULL;
    uint8_t *data = make(r, held, layer, &len);
    int err = SHOAL_EIO;

    if (data == NULL || asprintf(&temp, "%s.new", path) < 0) {
        errno = ENOMEM;
        free(data);
        return SHOAL_EIO;
    }
    FILE *f = fopen(temp, "we");
    if (f != NULL) {
        size_t n = fwrite(data, 1, len, f);
        int bad = n != len || fflush(f) != 0 || fsync(fileno(f)) != 0;
        int saved = errno;

        bad |= fclose(f) != 0;
        if (!bad && rename(temp, path) == 0) {
            err = 0;
        } else {
            unlink(temp);
            errno = saved;
        }
    }
    free(temp);
    free(data);
    return err;
}
