/* sums.h - lists of checksums as sha256sum and its like write them. Pure. */
#ifndef SUMS_H
#define SUMS_H

#include <stddef.h>

#include "digest.h"

enum {
    SUMS_BYTES_MAX = 64 << 20 /* of such a list */
};

/**
 * sums_find(text, len, name, sum):
 * The checksum of the file ${name} (without folders) in lines such as
 * `HEX  NAME`, `HEX *NAME` and `SHA256 (NAME) = HEX`, whose NAME may have
 * folders, or in a text that is nothing but one `HEX`. Of several the
 * strongest. What else stands there, comments and signatures, is passed over.
 * Errors:  SHOAL_ENOTFOUND, SHOAL_EINVAL (two that contradict).
 */
int sums_find(const char *text, size_t len, const char *name,
              struct checksum *sum);

#endif
