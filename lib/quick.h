/* quick.h - XXH3, to tell whether bytes are still those that were written. It
 * is no proof against somebody who makes others with the same hash. */
#ifndef QUICK_H
#define QUICK_H

#include <stddef.h>
#include <stdint.h>

enum {
    QUICK_LEN = 16 /* bytes; XXH3's 128 bits in their canonical order */
};

void quick_hash(const void *data, size_t len, uint8_t out[QUICK_LEN]);

/** quick_check(data, len, seed): 64 bits. */
uint64_t quick_check(const void *data, size_t len, uint64_t seed);

#endif
