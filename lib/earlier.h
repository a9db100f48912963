/* earlier.h - blocks that an earlier run got, or another program. */
#ifndef EARLIER_H
#define EARLIER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct control_blocks;
struct part;
struct resource;

/** What earlier_part() and earlier_seed() fill in. */
struct earlier {
    struct part *part;
    const struct resource *resource;

    /** This block is held: with either hash, or none at all. */
    void (*held)(void *ctx, uint32_t block, const uint8_t *hash,
                 const uint8_t *quick);
    void *ctx;
};

/** earlier_part(e): of the .part, as its control file tells, where the bytes
 *  still have the hashes that it tells. SHOAL_ESTOPPED, SHOAL_ENOMEM. */
int earlier_part(const struct earlier *e);

/** earlier_seed(e): as wget -c: a shorter file of that name is the beginning,
 *  whose whole blocks are copied. It stays as it is until the whole file
 *  replaces it. SHOAL_EIO, SHOAL_EFULL, SHOAL_ESTOPPED, SHOAL_ENOMEM. */
int earlier_seed(const struct earlier *e);

#endif
