#include "layer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blockmap.h"
#include "shoal.h"

struct head {
    uint64_t size, block;
    char root[DIGEST_HEX];
};

/* The value of header line `name `, up to its line feed; NULL: not there. */
static const char *
take_line(const char **text, const char *name)
{
    size_t len = strlen(name);
    const char *value = *text + len + 1;
    const char *end = strchr(*text, '\n');

    if (end == NULL || strncmp(*text, name, len) != 0 || (*text)[len] != ' ') {
        return NULL;
    }
    *text = end + 1;
    return value;
}

static int
parse_head(const char *head, uint64_t *size, uint64_t *block,
           char root[DIGEST_HEX])
{
    const char *magic = take_line(&head, "shoal-layer");
    const char *s = magic != NULL ? take_line(&head, "size") : NULL;
    const char *b = s != NULL ? take_line(&head, "block") : NULL;
    const char *r = b != NULL ? take_line(&head, "root") : NULL;
    char *end;

    if (r == NULL || strncmp(magic, "1\n", 2) != 0) {
        return SHOAL_EPROTO;
    }
    errno = 0;
    *size = strtoull(s, &end, 10);
    if (errno != 0 || *end != '\n' || *s < '0' || *s > '9') {
        return SHOAL_EPROTO;
    }
    *block = strtoull(b, &end, 10);
    size_t len = strcspn(r, "\n");
    if (errno != 0 || *end != '\n' || len >= DIGEST_HEX) {
        return SHOAL_EPROTO;
    }
    memcpy(root, r, len);
    root[len] = '\0';
    return 0;
}

/* What stands in front of the hashes, at ${*body}. */
static int
read_head(const uint8_t *data, size_t len, struct head *h,
          const uint8_t **body)
{
    const uint8_t *end = memmem(data, len, "\n\n", 2);
    char text[512];

    if (end == NULL || (size_t) (end - data) >= sizeof(text) - 1) {
        return SHOAL_EPROTO;
    }
    memcpy(text, data, (size_t) (end - data) + 1);
    text[end - data + 1] = '\0';
    *body = end + 2;
    return parse_head(text, &h->size, &h->block, h->root);
}

int
layer_size(const uint8_t *data, size_t len, uint64_t *size)
{
    const uint8_t *body;
    struct head h;
    int err = read_head(data, len, &h, &body);

    if (err == 0) {
        *size = h.size;
    }
    return err;
}

int
layer_parse(const uint8_t *data, size_t len, uint64_t size, uint8_t **hashes,
            uint8_t root[DIGEST_LEN])
{
    uint8_t computed[DIGEST_LEN];
    const uint8_t *body;
    struct head h;

    if (read_head(data, len, &h, &body) != 0) {
        return SHOAL_EPROTO;
    }
    len -= (size_t) (body - data);
    if (h.size != size) {
        return SHOAL_EVERIFY;
    }
    uint64_t count = (size + h.block - 1) / (h.block != 0 ? h.block : 1);
    if (h.block != blockmap_block_size(size) || len != count * DIGEST_LEN) {
        return SHOAL_EPROTO;
    }
    if (count == 0) {
        *hashes = NULL;
        return strcmp(h.root, "-") == 0 ? 0 : SHOAL_EPROTO;
    }
    int err = digest_root(body, (uint32_t) count, h.block, computed);
    if (err != 0) {
        return err;
    }
    if (hex_decode(h.root, root, DIGEST_LEN) != 0
        || memcmp(root, computed, DIGEST_LEN) != 0)
    {
        return SHOAL_EPROTO;
    }
    *hashes = malloc(len);
    if (*hashes == NULL) {
        return SHOAL_ENOMEM;
    }
    memcpy(*hashes, body, len);
    return 0;
}

static int
read_full(int fd, uint8_t *buf, size_t len)
{
    while (len > 0) {
        ssize_t n = read(fd, buf, len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return SHOAL_EIO;
        }
        buf += n;
        len -= (size_t) n;
    }
    return 0;
}

static int
hash_file(int fd, const struct blockmap *m, uint8_t *layer)
{
    uint8_t *buf = malloc(m->block_size);
    int err = buf != NULL ? 0 : SHOAL_ENOMEM;

    for (uint32_t i = 0; err == 0 && i < m->count; i++) {
        size_t len = blockmap_length(m, i);

        err = read_full(fd, buf, len);
        if (err == 0) {
            err = digest_block(buf, len, m->size, m->block_size,
                               layer + (size_t) i * DIGEST_LEN);
        }
    }
    free(buf);
    return err;
}

static int
write_layer(const char *path, const struct blockmap *m, const uint8_t *layer)
{
    uint8_t root[DIGEST_LEN];
    char hex[DIGEST_HEX] = "-";
    FILE *f;

    if (m->count > 0) {
        if (digest_root(layer, m->count, m->block_size, root) != 0) {
            return SHOAL_ENOMEM;
        }
        hex_encode(root, DIGEST_LEN, hex);
    }
    f = fopen(path, "we");
    if (f == NULL) {
        return SHOAL_EIO;
    }
    fprintf(f,
            "shoal-layer 1\nsize %" PRIu64 "\nblock %" PRIu64 "\nroot %s\n\n",
            m->size, m->block_size, hex);
    fwrite(layer, DIGEST_LEN, m->count, f);
    int bad = ferror(f) | fflush(f) | fsync(fileno(f));
    int saved = errno;
    bad |= fclose(f);
    errno = saved;
    if (bad != 0) {
        return errno == ENOSPC || errno == EDQUOT ? SHOAL_EFULL : SHOAL_EIO;
    }
    return 0;
}

int
layer_make(const char *path, const char *out_path, char *why, size_t cap)
{
    struct blockmap m = { 0 };
    uint8_t *layer = NULL;
    struct stat st;
    int err;

    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        snprintf(why, cap, "%s: %s", path, strerror(errno));
        return errno == ENOENT ? SHOAL_ENOTFOUND : SHOAL_EIO;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        snprintf(why, cap, "%s: not a regular file", path);
        err = SHOAL_EIO;
        goto out;
    }
    err = blockmap_init(&m, (uint64_t) st.st_size);
    layer = calloc((size_t) m.count + 1, DIGEST_LEN);
    if (err != 0 || layer == NULL) {
        snprintf(why, cap, "%s: out of memory", path);
        err = SHOAL_ENOMEM;
        goto out;
    }
    err = hash_file(fd, &m, layer);
    if (err != 0) {
        snprintf(why, cap, "%s: reading failed", path);
        goto out;
    }
    err = write_layer(out_path, &m, layer);
    if (err != 0) {
        snprintf(why, cap, "%s: %s", out_path, strerror(errno));
    }

out:
    free(layer);
    blockmap_fini(&m);
    close(fd);
    return err;
}
