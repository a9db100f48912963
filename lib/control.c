/*
 * The format: lines `shoal-control 2`, `id HEX`, `url HOST/PATH`, `size
 * BYTES`, `version TEXT`, an empty line; the bitmap; the layer, 32 bytes a
 * block; SHA-256 over all of that. The URL is the identity's without its
 * query, where secrets may be; the id stands for all of it.
 */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
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
    HEAD_MAX = RESOURCE_URL_MAX + RESOURCE_VERSION_MAX + 128,
    FILE_MAX =
        HEAD_MAX + BLOCKMAP_BLOCKS_MAX / 8 + (BLOCKMAP_BLOCKS_MAX + 1) * 32
};

struct text {
    uint8_t *data;
    size_t len;
};

/* The lines up to the empty one; their length, 0 when the URL is none. */
static size_t
make_head(char head[HEAD_MAX], const struct resource *r)
{
    char url[RESOURCE_URL_MAX + 2], hex[RESOURCE_ID_HEX];

    if (resource_normalise(r->url, url, sizeof(url)) != 0) {
        return 0;
    }
    url[strcspn(url, "?")] = '\0';
    resource_id_hex(r->id, hex);
    int n = snprintf(head, HEAD_MAX,
                     "shoal-control 2\nid %s\nurl %s\nsize %" PRIu64
                     "\nversion %s\n\n",
                     hex, url, r->size, r->version);
    return n > 0 && n < HEAD_MAX ? (size_t) n : 0;
}

static int
digest(const uint8_t *data, size_t len, uint8_t sum[DIGEST_LEN])
{
    return EVP_Digest(data, len, sum, NULL, EVP_sha256(), NULL) == 1
               ? 0
               : SHOAL_ENOMEM;
}

static int
make(const struct resource *r, const struct blockmap *held,
     const uint8_t *layer, struct text *out)
{
    char head[HEAD_MAX];
    size_t n = make_head(head, r);
    size_t bits = blockmap_bytes(held);
    size_t hashes = (size_t) held->count * DIGEST_LEN;
    size_t len = n + bits + hashes;
    uint8_t *data = malloc(len + DIGEST_LEN);

    if (n == 0 || data == NULL) {
        free(data);
        return SHOAL_ENOMEM;
    }
    memcpy(data, head, n);
    memcpy(data + n, held->bits, bits);
    memcpy(data + n + bits, layer, hashes);
    if (digest(data, len, data + len) != 0) {
        free(data);
        return SHOAL_ENOMEM;
    }
    *out = (struct text){ data, len + DIGEST_LEN };
    return 0;
}

static bool
is_strong(const char *version)
{
    return strncmp(version, "etag:", 5) == 0
           || strncmp(version, "mtime:", 6) == 0;
}

/* Does the control file's head say what ours would? */
static int
compare_heads(const char *told, const char *ours, const struct resource *r)
{
    const char *told_url = strstr(told, "\nurl "),
               *our_url = strstr(ours, "\nurl ");

    if (strcmp(told, ours) == 0) {
        return 0;
    }
    if (told_url == NULL
        || strncmp(told, "shoal-control 2\n", strlen("shoal-control 2\n"))
               != 0)
    {
        return SHOAL_EINVAL;
    }
    size_t line = strcspn(our_url + 1, "\n") + 2; /* with both its ends */
    if (strncmp(told_url, our_url, line) != 0) {
        return SHOAL_ENOAGREE;
    }
    return strcmp(told_url, our_url) == 0 && is_strong(r->version)
               ? 0
               : SHOAL_EINVAL;
}

static int
parse(const struct text *t, const struct resource *r, struct blockmap *held,
      uint8_t *layer)
{
    char told[HEAD_MAX], ours[HEAD_MAX];
    uint8_t sum[DIGEST_LEN];

    if (t->len < DIGEST_LEN || digest(t->data, t->len - DIGEST_LEN, sum) != 0
        || memcmp(sum, t->data + t->len - DIGEST_LEN, DIGEST_LEN) != 0)
    {
        return SHOAL_EINVAL;
    }
    size_t len = t->len - DIGEST_LEN;
    const uint8_t *end = memmem(t->data, len, "\n\n", 2);
    size_t n = end != NULL ? (size_t) (end - t->data) + 2 : 0;
    if (n == 0 || n >= HEAD_MAX || make_head(ours, r) == 0) {
        return SHOAL_EINVAL;
    }
    memcpy(told, t->data, n);
    told[n] = '\0';
    int err = compare_heads(told, ours, r);
    if (err != 0 || held == NULL) {
        return err;
    }
    size_t bits = blockmap_bytes(held);
    size_t hashes = (size_t) held->count * DIGEST_LEN;
    if (len != n + bits + hashes) {
        return SHOAL_EINVAL;
    }
    err = blockmap_load(held, t->data + n, bits);
    if (err == 0) {
        memcpy(layer, t->data + n + bits, hashes);
    }
    return err;
}

int
control_load(const char *path, const struct resource *r, struct blockmap *held,
             uint8_t *layer)
{
    struct text t = { NULL, 0 };
    FILE *f = fopen(path, "re");
    int err = SHOAL_ENOMEM;

    if (f == NULL) {
        return errno == ENOENT ? SHOAL_ENOTFOUND : SHOAL_EIO;
    }
    t.data = malloc(FILE_MAX);
    if (t.data != NULL) {
        t.len = fread(t.data, 1, FILE_MAX, f);
        err = ferror(f) ? SHOAL_EIO : parse(&t, r, held, layer);
    }
    free(t.data);
    fclose(f);
    return err;
}

/* Written, synced and closed; errno. */
static int
write_text(const char *path, const struct text *t)
{
    FILE *f = fopen(path, "we");

    if (f == NULL) {
        return errno;
    }
    errno = 0;
    bool ok = fwrite(t->data, 1, t->len, f) == t->len && fflush(f) == 0
              && fsync(fileno(f)) == 0;
    int saved = ok ? 0 : errno;
    if (fclose(f) != 0 && ok) {
        saved = errno;
        ok = false;
    }
    return ok ? 0 : saved != 0 ? saved : EIO;
}

int
control_save(const char *path, const struct resource *r,
             const struct blockmap *held, const uint8_t *layer)
{
    struct text t;
    char *temp = NULL;

    if (make(r, held, layer, &t) != 0) {
        errno = ENOMEM;
        return SHOAL_EIO;
    }
    if (asprintf(&temp, "%s.new", path) < 0) {
        free(t.data);
        errno = ENOMEM;
        return SHOAL_EIO;
    }
    int saved = write_text(temp, &t);
    if (saved == 0 && rename(temp, path) != 0) {
        saved = errno;
    }
    if (saved != 0) {
        unlink(temp);
    }
    free(temp);
    free(t.data);
    errno = saved;
    return saved == 0 ? 0 : SHOAL_EIO;
}

void
control_remove(const char *path)
{
    char *temp;

    unlink(path);
    if (asprintf(&temp, "%s.new", path) >= 0) {
        unlink(temp);
        free(temp);
    }
}
