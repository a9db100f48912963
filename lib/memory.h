/* memory.h - a small file that a transfer fetches into memory. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct memory {
    uint8_t *data;
    size_t len, most; /* bytes; more than ${most} is SHOAL_EFULL */
};

struct transfer_ops;

/** memory_ops: for a transfer whose ctx is a struct memory. */
extern const struct transfer_ops memory_ops;

/** memory_fini(m): right on a zeroed one. */
void memory_fini(struct memory *m);

#endif
