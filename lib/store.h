/* store.h - where blocks go and come from: the client's output file, the
 * super peer's cache. */
#ifndef STORE_H
#define STORE_H

#include <stddef.h>
#include <stdint.h>

struct store_ops {
    /**
     * Keep ${data}, which is whole and checked, as block ${block} with its
     * hash; NULL: nobody needs it so far. The data is borrowed.
     * Errors:  SHOAL_EFULL, SHOAL_EIO; the transfer then ends with that.
     */
    int (*write)(void *ctx, uint32_t block, const void *data, size_t len,
                 const uint8_t hash[32]);

    /** Copy ${len} bytes at ${off}, all in held blocks. SHOAL_EIO. Also called
     *  in another thread, never when write() may touch these bytes. */
    int (*read)(void *ctx, uint64_t off, void *buf, size_t len);

    /** Forget block ${block}: it turned out to be wrong. SHOAL_EVERIFY: it
     *  was given away already; the transfer then ends with that. */
    int (*drop)(void *ctx, uint32_t block);

    /** The hash of a held block, which write() was not told. NULL: it always
     *  is. */
    void (*hashed)(void *ctx, uint32_t block, const uint8_t hash[32]);
};

struct store {
    const struct store_ops *ops;
    void *ctx;
};

#endif
