/* blockmap.h - a file's division into blocks, and which of them are held. */
#ifndef BLOCKMAP_H
#define BLOCKMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BLOCKMAP_BLOCK_MIN = 65536, /* bytes; what one TCP connection moves in
                                   a few round trips */
    BLOCKMAP_BLOCKS_MAX = 16384 /* a layer of at most 512 KiB */
};

struct blockmap {
    uint64_t size;       /* of the file, bytes */
    uint64_t block_size; /* bytes, a power of two */
    uint32_t count;      /* blocks; 0 for an empty file */
    uint32_t held;       /* how many bits are set */
    uint8_t *bits;       /* highest bit first, as BitTorrent's bitfield */
};

/** blockmap_block_size(size): bytes, see docs/protocol.md "Blocks". */
uint64_t blockmap_block_size(uint64_t size);

/** blockmap_init(m, size): nothing held. SHOAL_ENOMEM; free with _fini. */
int blockmap_init(struct blockmap *m, uint64_t size);

/** blockmap_fini(m): right on a zeroed one. */
void blockmap_fini(struct blockmap *m);

/** blockmap_bytes(m): length of ${m->bits}. */
size_t blockmap_bytes(const struct blockmap *m);

/**
 * blockmap_load(m, bits, len): take over a bitmap that came from outside.
 * SHOAL_EINVAL when its length or its spare bits are wrong; ${m} is then as
 * before.
 */
int blockmap_load(struct blockmap *m, const uint8_t *bits, size_t len);

bool blockmap_has(const struct blockmap *m, uint32_t block);
void blockmap_set(struct blockmap *m, uint32_t block);
void blockmap_clear(struct blockmap *m, uint32_t block);
void blockmap_fill(struct blockmap *m);
bool blockmap_complete(const struct blockmap *m);

/** blockmap_offset(m, block): where the block starts, bytes. */
uint64_t blockmap_offset(const struct blockmap *m, uint32_t block);

/** blockmap_length(m, block): its length; the last may be shorter. */
size_t blockmap_length(const struct blockmap *m, uint32_t block);

/**
 * blockmap_held_from(m, off, len): how many bytes from ${off} on, at most
 * ${len}, lie in held blocks without a gap.
 */
uint64_t blockmap_held_from(const struct blockmap *m, uint64_t off,
                            uint64_t len);

#endif
