/*
 * The format: lines `shoal-control 3`, `id HEX`, `url HOST/PATH`, `size
 * BYTES`, `version TEXT`, `log HEX`, an empty line; the bitmap of held blocks;
 * the bitmap of those whose hash is a piece layer's and no quick one; 32 bytes
 * for each held block, a quick one filled up with zeros; SHA-256 over all of
 * that. Then records: block (4 bytes, highest first), kind (1), zeros (3),
 * hash (32), check (8), which is quick_check() over the others with the log's
 * number. The URL is the identity's without its query, where secrets may be;
 * the id stands for all of it.
 */
#include "control.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "blockmap.h"
#include "digest.h"
#include "io.h"
#include "quick.h"
#include "resource.h"
#include "shoal.h"

#define FIRST_LINE "shoal-control 3\n"

enum {
    HEAD_MAX = RESOURCE_URL_MAX + RESOURCE_VERSION_MAX + 160,
    RECORDS_MAX = 65536, /* that are read; a whole file four times over */
    FILE_MAX = HEAD_MAX + BLOCKMAP_BLOCKS_MAX / 4
               + (BLOCKMAP_BLOCKS_MAX + 1) * DIGEST_LEN
               + RECORDS_MAX * CONTROL_RECORD,
    CHECKED = CONTROL_RECORD - 8
};

enum kind {
    KIND_QUICK,
    KIND_LAYER,
    KIND_DROPPED
};

/* The lines up to the empty one; their length, 0 when the URL is none. */
static size_t
make_head(char head[HEAD_MAX], const struct resource *r, uint64_t log)
{
    char url[RESOURCE_URL_MAX + 2], hex[RESOURCE_ID_HEX];

    if (resource_normalise(r->url, url, sizeof(url)) != 0) {
        return 0;
    }
    url[strcspn(url, "?")] = '\0';
    resource_id_hex(r->id, hex);
    int n = snprintf(head, HEAD_MAX,
                     FIRST_LINE "id %s\nurl %s\nsize %" PRIu64
                                "\nversion %s\nlog %016" PRIx64 "\n\n",
                     hex, url, r->size, r->version, log);
    return n > 0 && n < HEAD_MAX ? (size_t) n : 0;
}

static int
digest(const uint8_t *data, size_t len, uint8_t sum[DIGEST_LEN])
{
    return EVP_Digest(data, len, sum, NULL, EVP_sha256(), NULL) == 1
               ? 0
               : SHOAL_ENOMEM;
}

/* Two bitmaps and the hashes; where they end. */
static uint8_t *
put_blocks(uint8_t *p, const struct control_blocks *b)
{
    size_t bits = blockmap_bytes(b->held);
    uint8_t *layered = p + bits, *slot = layered + bits;

    memcpy(p, b->held->bits, bits);
    memset(layered, 0, bits);
    for (uint32_t i = 0; i < b->held->count; i++) {
        const uint8_t *hash = b->layer + (size_t) i * DIGEST_LEN;

        if (!blockmap_has(b->held, i)) {
            continue;
        }
        if (!digest_is_zero(hash)) {
            layered[i / 8] = (uint8_t) (layered[i / 8] | 0x80 >> i % 8);
            memcpy(slot, hash, DIGEST_LEN);
        } else {
            memset(slot, 0, DIGEST_LEN);
            memcpy(slot, b->quick + (size_t) i * QUICK_LEN, QUICK_LEN);
        }
        slot += DIGEST_LEN;
    }
    return slot;
}

int
control_make(const struct resource *r, const struct control_blocks *blocks,
             struct control_text *out)
{
    char head[HEAD_MAX];
    uint64_t log;

    arc4random_buf(&log, sizeof(log));
    size_t n = make_head(head, r, log);
    size_t len = n + 2 * blockmap_bytes(blocks->held)
                 + ((size_t) blocks->held->held + 1) * DIGEST_LEN;
    uint8_t *data = n > 0 ? malloc(len) : NULL;
    if (data == NULL) {
        return SHOAL_ENOMEM;
    }
    memcpy(data, head, n);
    uint8_t *end = put_blocks(data + n, blocks);
    if (digest(data, (size_t) (end - data), end) != 0) {
        free(data);
        return SHOAL_ENOMEM;
    }
    *out = (struct control_text){ data, len, log };
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
    if (told_url == NULL || strncmp(told, FIRST_LINE, strlen(FIRST_LINE)) != 0)
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

/** A control file that was read. */
struct parsed {
    char head[HEAD_MAX];
    size_t len; /* of the head */
    uint64_t size, log;
    struct blockmap held, layered;
    const uint8_t *slots, *records;
    size_t n_records;
};

/* A line of nothing else. */
static bool
take_number(const char *text, int base, uint64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoull(text, &end, base);
    return isxdigit((unsigned char) *text) && *end == '\n' && errno == 0;
}

static int
parse_head(const struct control_text *t, struct parsed *p)
{
    const uint8_t *end = memmem(t->data, t->len, "\n\n", 2);

    p->len = end != NULL ? (size_t) (end - t->data) + 2 : 0;
    if (p->len == 0 || p->len >= HEAD_MAX) {
        return SHOAL_EINVAL;
    }
    memcpy(p->head, t->data, p->len);
    p->head[p->len] = '\0';
    const char *size = strstr(p->head, "\nsize "),
               *log = strstr(p->head, "\nlog ");
    if (strlen(p->head) != p->len || size == NULL || log == NULL
        || !take_number(size + strlen("\nsize "), 10, &p->size)
        || !take_number(log + strlen("\nlog "), 16, &p->log))
    {
        return SHOAL_EINVAL;
    }
    return 0;
}

/* Its parts, once the checksum says that they are as they were written. */
static int
parse_blocks(const struct control_text *t, struct parsed *p)
{
    uint8_t sum[DIGEST_LEN];

    if (blockmap_init(&p->held, p->size) != 0
        || blockmap_init(&p->layered, p->size) != 0)
    {
        return SHOAL_ENOMEM;
    }
    size_t bits = blockmap_bytes(&p->held), at = p->len + 2 * bits;
    if (at > t->len || blockmap_load(&p->held, t->data + p->len, bits) != 0
        || blockmap_load(&p->layered, t->data + p->len + bits, bits) != 0)
    {
        return SHOAL_EINVAL;
    }
    p->slots = t->data + at;
    at += (size_t) p->held.held * DIGEST_LEN;
    if (at + DIGEST_LEN > t->len || digest(t->data, at, sum) != 0
        || memcmp(sum, t->data + at, DIGEST_LEN) != 0)
    {
        return SHOAL_EINVAL;
    }
    p->records = t->data + at + DIGEST_LEN;
    p->n_records = (t->len - at - DIGEST_LEN) / CONTROL_RECORD;
    return 0;
}

static void
set_hash(const struct control_blocks *out, uint32_t block, bool layered,
         const uint8_t *slot)
{
    uint8_t *hash = out->layer + (size_t) block * DIGEST_LEN;

    blockmap_set(out->held, block);
    if (layered) {
        memcpy(hash, slot, DIGEST_LEN);
    } else {
        memset(hash, 0, DIGEST_LEN);
        memcpy(out->quick + (size_t) block * QUICK_LEN, slot, QUICK_LEN);
    }
}

static bool
read_record(const uint8_t *p, uint64_t log, const struct control_blocks *out)
{
    uint32_t block;
    uint64_t check;

    memcpy(&block, p, sizeof(block));
    memcpy(&check, p + CHECKED, sizeof(check));
    block = be32toh(block);
    if (be64toh(check) != quick_check(p, CHECKED, log)
        || block >= out->held->count)
    {
        return false;
    }
    if (p[4] == KIND_DROPPED) {
        blockmap_clear(out->held, block);
    } else {
        set_hash(out, block, p[4] == KIND_LAYER, p + 8);
    }
    return true;
}

static void
take(const struct parsed *p, const struct control_blocks *out)
{
    const uint8_t *slot = p->slots;

    for (uint32_t i = 0; i < p->held.count; i++) {
        if (blockmap_has(&p->held, i)) {
            set_hash(out, i, blockmap_has(&p->layered, i), slot);
            slot += DIGEST_LEN;
        }
    }
    for (size_t i = 0; i < p->n_records; i++) {
        if (!read_record(p->records + i * CONTROL_RECORD, p->log, out)) {
            break;
        }
    }
}

static int
parse(const struct control_text *t, const struct resource *r,
      const struct control_blocks *out)
{
    char ours[HEAD_MAX];
    struct parsed p = { .len = 0 };
    int err = parse_head(t, &p);

    if (err == 0) {
        err = parse_blocks(t, &p);
    }
    if (err == 0) {
        err = make_head(ours, r, p.log) > 0 ? compare_heads(p.head, ours, r)
                                            : SHOAL_EINVAL;
    }
    if (err == 0 && out != NULL) {
        take(&p, out);
    }
    blockmap_fini(&p.held);
    blockmap_fini(&p.layered);
    return err;
}

int
control_load(const char *path, const struct resource *r,
             const struct control_blocks *out)
{
    struct control_text t = { NULL, 0, 0 };
    FILE *f = fopen(path, "re");
    int err = SHOAL_ENOMEM;

    if (f == NULL) {
        return errno == ENOENT ? SHOAL_ENOTFOUND : SHOAL_EIO;
    }
    t.data = malloc(FILE_MAX);
    if (t.data != NULL) {
        t.len = fread(t.data, 1, FILE_MAX, f);
        err = ferror(f) ? SHOAL_EIO : parse(&t, r, out);
    }
    free(t.data);
    fclose(f);
    return err;
}

/* To be freed; NULL with errno set. */
static char *
temp_name(const char *path)
{
    char *temp;

    return asprintf(&temp, "%s.new", path) >= 0 ? temp : NULL;
}

int
control_create(const char *path, const struct control_text *text, int sync)
{
    char *temp = temp_name(path);
    int fd = -1;

    if (temp == NULL) {
        errno = ENOMEM;
        return -1;
    }
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd >= 0
        && (io_write_at(fd, 0, text->data, text->len) != 0
            || (sync && fsync(fd) != 0)))
    {
        int saved = errno;

        close(fd);
        unlink(temp);
        fd = -1;
        errno = saved;
    }
    free(temp);
    return fd;
}

int
control_replace(const char *path)
{
    char *temp = temp_name(path);

    if (temp == NULL) {
        errno = ENOMEM;
        return -1;
    }
    int rc = rename(temp, path), saved = errno;
    if (rc != 0) {
        unlink(temp);
    }
    free(temp);
    errno = saved;
    return rc;
}

void
control_record(uint64_t log, uint32_t block, const uint8_t *hash,
               const uint8_t *quick, uint8_t out[CONTROL_RECORD])
{
    uint32_t number = htobe32(block);

    memset(out, 0, CONTROL_RECORD);
    memcpy(out, &number, sizeof(number));
    if (hash != NULL) {
        out[4] = KIND_LAYER;
        memcpy(out + 8, hash, DIGEST_LEN);
    } else if (quick != NULL) {
        out[4] = KIND_QUICK;
        memcpy(out + 8, quick, QUICK_LEN);
    } else {
        out[4] = KIND_DROPPED;
    }
    uint64_t check = htobe64(quick_check(out, CHECKED, log));
    memcpy(out + CHECKED, &check, sizeof(check));
}

void
control_remove(const char *path)
{
    char *temp = temp_name(path);

    unlink(path);
    if (temp != NULL) {
        unlink(temp);
        free(temp);
    }
}
