/* files.c - what is read from disk, or given by the user. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../superpeer/config.h"
#include "blockmap.h"
#include "control.h"
#include "digest.h"
#include "fuzz.h"
#include "layer.h"
#include "metalink.h"
#include "resource.h"
#include "shoal.h"
#include "sums.h"
#include "ticket.h"

enum {
    SIZE = 300000 /* of the file that control files and layers are of */
};

void
fuzz_control(const uint8_t *data, size_t len)
{
    struct resource r;
    struct blockmap held;
    char path[64];
    int fd = fuzz_file(data, len, path, sizeof(path));

    fuzz_check(resource_init(&r, "http://cdn.example.com/f.bin?t=1", SIZE,
                             NULL, "etag:\"1\"")
                       == 0
                   && blockmap_init(&held, SIZE) == 0,
               "memory");
    struct control_blocks blocks = { &held, calloc(held.count, DIGEST_LEN),
                                     calloc(held.count, DIGEST_LEN) };
    if (control_load(path, &r, &blocks) != 0) {
        fuzz_check(held.held == 0, "something of a file that is wrong");
    }
    free(blocks.layer);
    free(blocks.quick);
    blockmap_fini(&held);
    resource_fini(&r);
    close(fd);
}

void
fuzz_layer(const uint8_t *data, size_t len)
{
    static const uint64_t sizes[] = { 0, 1, 65536, SIZE };
    uint8_t root[DIGEST_LEN], again[DIGEST_LEN];

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *hashes = NULL;

        if (layer_parse(data, len, sizes[i], &hashes, root) == 0
            && sizes[i] > 0) {
            uint64_t block = blockmap_block_size(sizes[i]);
            uint32_t n = (uint32_t) ((sizes[i] + block - 1) / block);

            fuzz_check(digest_root(hashes, n, block, again) == 0
                           && memcmp(root, again, DIGEST_LEN) == 0,
                       "hashes that do not make up the root");
        }
        free(hashes);
    }
}

void
fuzz_metalink(const uint8_t *data, size_t len)
{
    struct metalink *m = NULL;
    char why[256] = "";

    if (metalink_parse((const char *) data, len, "de", &m, why, sizeof(why))
        != 0) {
        fuzz_check(*why != '\0', "no reason");
        return;
    }
    for (size_t i = 0; i < m->n; i++) {
        const struct metalink_file *f = &m->files[i];

        fuzz_check(*f->name != '\0' && strchr(f->name, '/') == NULL
                       && strcmp(f->name, "..") != 0,
                   "a name that leaves the folder");
        fuzz_check(f->n_urls <= METALINK_URLS_MAX, "too many");
    }
    metalink_free(m);
}

/* A name, a line feed, a list of checksums. */
void
fuzz_sums(const uint8_t *data, size_t len)
{
    const uint8_t *list = memchr(data, '\n', len);
    struct checksum sum = { 0 };

    if (list != NULL) {
        char *name = fuzz_text(data, (size_t) (list - data));
        size_t rest = len - (size_t) (list + 1 - data);

        if (sums_find((const char *) list + 1, rest, name, &sum) == 0) {
            fuzz_check(sum.len > 0 && sum.len <= CHECKSUM_MAX, "length");
        }
        free(name);
    }
}

/* The super peer's configuration. */
void
fuzz_yaml(const uint8_t *data, size_t len)
{
    struct config *config = NULL;
    char path[64], *words = NULL;
    size_t n = 0;
    int fd = fuzz_file(data, len, path, sizeof(path));
    FILE *errors = open_memstream(&words, &n);
    int err = config_load(path, errors, &config);

    fclose(errors);
    fuzz_check(err == 0 || err == SHOAL_ENOMEM || n > 0, "no reason");
    config_free(config);
    free(words);
    close(fd);
}

void
fuzz_checksum(const uint8_t *data, size_t len)
{
    char *text = fuzz_text(data, len);
    struct checksum sum = { 0 };

    if (checksum_parse(text, &sum) == 0
        || checksum_parse_field(text, &sum) == 0) {
        fuzz_check(sum.len > 0 && sum.len <= CHECKSUM_MAX, "length");
        (void) checksum_finish(checksum_start(&sum), &sum);
    }
    free(text);
}

/* A key file, an empty line, a ticket. */
void
fuzz_ticket(const uint8_t *data, size_t len)
{
    static const uint8_t id[RESOURCE_ID_LEN];
    const uint8_t *ticket = memmem(data, len, "\n\n", 2);
    size_t keys_len = ticket != NULL ? (size_t) (ticket - data) : len;
    struct ticket_keys *keys = ticket_keys_create();
    char path[64], why[256] = "", own[TICKET_TEXT_MAX];
    int fd = fuzz_file(data, keys_len, path, sizeof(path));

    if (ticket_keys_read(keys, path, why, sizeof(why)) != 0) {
        fuzz_check(*why != '\0', "no reason");
    } else if (ticket != NULL) {
        char *text = fuzz_text(ticket + 2, len - keys_len - 2);

        (void) ticket_check(keys, id, text, 1);
        fuzz_check(ticket_make(keys, id, 5, own) == 0
                       && ticket_check(keys, id, own, 1) == NULL
                       && ticket_check(keys, id, own, 99) != NULL,
                   "a ticket of our own");
        free(text);
    }
    ticket_keys_free(keys);
    close(fd);
}
