#include "blockmap.h"

#include <stdlib.h>
#include <string.h>

#include "shoal.h"

uint64_t
blockmap_block_size(uint64_t size)
{
    uint64_t block = BLOCKMAP_BLOCK_MIN;

    while (size / block + (size % block != 0) > BLOCKMAP_BLOCKS_MAX) {
        block *= 2;
    }
    return block;
}

int
blockmap_init(struct blockmap *m, uint64_t size)
{
    memset(m, 0, sizeof(*m));
    m->size = size;
    m->block_size = blockmap_block_size(size);
    m->count = (uint32_t) (size / m->block_size + (size % m->block_size != 0));
    m->bits = calloc(1, blockmap_bytes(m) + 1);
    return m->bits != NULL ? 0 : SHOAL_ENOMEM;
}

void
blockmap_fini(struct blockmap *m)
{
    free(m->bits);
    memset(m, 0, sizeof(*m));
}

size_t
blockmap_bytes(const struct blockmap *m)
{
    return (m->count + 7) / 8;
}

int
blockmap_load(struct blockmap *m, const uint8_t *bits, size_t len)
{
    uint32_t held = 0;

    if (len != blockmap_bytes(m)) {
        return SHOAL_EINVAL;
    }
    if (m->count % 8 != 0 && (bits[len - 1] & (0xff >> (m->count % 8))) != 0) {
        return SHOAL_EINVAL;
    }
    for (size_t i = 0; i < len; i++) {
        held += (uint32_t) __builtin_popcount(bits[i]);
    }
    memcpy(m->bits, bits, len);
    m->held = held;
    return 0;
}

bool
blockmap_has(const struct blockmap *m, uint32_t block)
{
    return (m->bits[block / 8] & (0x80 >> (block % 8))) != 0;
}

void
blockmap_set(struct blockmap *m, uint32_t block)
{
    if (!blockmap_has(m, block)) {
        m->bits[block / 8] |= (uint8_t) (0x80 >> (block % 8));
        m->held++;
    }
}

void
blockmap_clear(struct blockmap *m, uint32_t block)
{
    if (blockmap_has(m, block)) {
        m->bits[block / 8] &= (uint8_t) ~(0x80 >> (block % 8));
        m->held--;
    }
}

void
blockmap_fill(struct blockmap *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        blockmap_set(m, i);
    }
}

bool
blockmap_complete(const struct blockmap *m)
{
    return m->held == m->count;
}

uint64_t
blockmap_offset(const struct blockmap *m, uint32_t block)
{
    return block * m->block_size;
}

size_t
blockmap_length(const struct blockmap *m, uint32_t block)
{
    uint64_t off = blockmap_offset(m, block);
    uint64_t left = m->size - off;

    return (size_t) (left < m->block_size ? left : m->block_size);
}

uint64_t
blockmap_held_from(const struct blockmap *m, uint64_t off, uint64_t len)
{
    if (off >= m->size) {
        return 0;
    }
    if (len > m->size - off) {
        len = m->size - off;
    }
    uint64_t end = off;
    for (uint32_t i = (uint32_t) (off / m->block_size);
         end < off + len && blockmap_has(m, i); i++)
    {
        end = blockmap_offset(m, i) + blockmap_length(m, i);
    }
    return end - off < len ? end - off : len;
}
