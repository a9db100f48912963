/* layer.h - the piece layer file (docs/protocol.md). */
#ifndef LAYER_H
#define LAYER_H

#include <stddef.h>
#include <stdint.h>

#include "digest.h"

enum {
    LAYER_FILE_MAX = 16384 * DIGEST_LEN + 1024 /* bytes */
};

/**
 * layer_parse(data, len, size, hashes, root):
 * Read a piece layer file that must be for a file of ${size} bytes; checks
 * that the hashes make up its root. ${hashes}: 32 bytes a block, to be freed
 * by the caller (NULL for an empty file).
 * Errors:  SHOAL_EPROTO (not such a file, or damaged), SHOAL_EVERIFY (for a
 *          file of another size), SHOAL_ENOMEM.
 */
int layer_parse(const uint8_t *data, size_t len, uint64_t size,
                uint8_t **hashes, uint8_t root[DIGEST_LEN]);

/** layer_size(data, len, size): how long the file is that a piece layer file
 *  is for. SHOAL_EPROTO: that is no such file. */
int layer_size(const uint8_t *data, size_t len, uint64_t *size);

/**
 * layer_make(path, out_path, why, cap):
 * Hash the file ${path} and write its piece layer file to ${out_path}.
 * Errors:  SHOAL_EIO, SHOAL_EFULL, SHOAL_ENOTFOUND, SHOAL_ENOMEM; words in
 *          ${why}.
 */
int layer_make(const char *path, const char *out_path, char *why, size_t cap);

#endif
