/* range.h - the Range header of a request (RFC 9110, 14.1.2 and 14.2). */
#ifndef RANGE_H
#define RANGE_H

#include <stdint.h>

/**
 * range_parse(field, size, off, len):
 * What ${field}, the value of a Range header or NULL, asks of a
 * representation of ${size} bytes: ${*len} bytes (at least 1) from ${*off}.
 * Numbers of any length are taken; a range that goes over the end is cut.
 *
 * Errors:  SHOAL_ENOTFOUND: no header, or one to be passed over (several
 *          ranges, another unit, no sense): answer as if there was none.
 *          SHOAL_EINVAL: starts at or behind the end: answer 416.
 */
int range_parse(const char *field, uint64_t size, uint64_t *off,
                uint64_t *len);

#endif
