#include "memory.h"

#include <stdlib.h>
#include <string.h>

#include "blockmap.h"
#include "resource.h"
#include "shoal.h"
#include "store.h"
#include "transfer.h"

enum {
    PLAIN_FIRST = 65536
};

static int
store_write(void *ctx, uint32_t block, const void *data, size_t len,
            const uint8_t hash[32])
{
    struct memory *m = ctx;

    (void) hash;
    memcpy(m->data + (size_t) block * blockmap_block_size(m->len), data, len);
    return 0;
}

static int
store_read(void *ctx, uint64_t off, void *buf, size_t len)
{
    const struct memory *m = ctx;

    memcpy(buf, m->data + off, len);
    return 0;
}

static int
store_drop(void *ctx, uint32_t block)
{
    (void) ctx;
    (void) block;
    return 0;
}

static const struct store_ops store_ops = { store_write, store_read,
                                            store_drop, NULL };

static int
begin(void *ctx, const struct resource *r, struct blockmap *held,
      uint8_t *layer, struct store *store)
{
    struct memory *m = ctx;

    (void) held;
    (void) layer;
    memory_fini(m);
    if (r->size > m->most) {
        return SHOAL_EFULL;
    }
    m->data = calloc(1, (size_t) r->size + 1);
    if (m->data == NULL) {
        return SHOAL_ENOMEM;
    }
    m->len = (size_t) r->size;
    *store = (struct store){ &store_ops, m };
    return 0;
}

static int
begin_plain(void *ctx, const char *url, uint64_t size)
{
    (void) url;
    (void) size;
    memory_fini(ctx);
    return 0;
}

static int
write_plain(void *ctx, const void *data, size_t len)
{
    struct memory *m = ctx;
    size_t cap = PLAIN_FIRST;

    if (len > m->most - m->len) {
        return SHOAL_EFULL;
    }
    while (cap < m->len + len) {
        cap *= 2;
    }
    uint8_t *grown = realloc(m->data, cap);
    if (grown == NULL) {
        return SHOAL_ENOMEM;
    }
    memcpy(grown + m->len, data, len);
    m->data = grown;
    m->len += len;
    return 0;
}

const struct transfer_ops memory_ops = { .begin = begin,
                                         .begin_plain = begin_plain,
                                         .write_plain = write_plain };

void
memory_fini(struct memory *m)
{
    free(m->data);
    m->data = NULL;
    m->len = 0;
}
