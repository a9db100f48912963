/* control.h - the control file beside a partial download. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdint.h>

struct blockmap;
struct resource;

/**
 * control_load(path, r, held, layer):
 * Read which blocks are held and their hashes.
 * Errors:  SHOAL_ENOTFOUND (no such file), SHOAL_EINVAL (of another
 *          resource, or damaged), SHOAL_EIO, SHOAL_ENOMEM; ${held} and
 *          ${layer} are then as before.
 */
int control_load(const char *path, const struct resource *r,
                 struct blockmap *held, uint8_t *layer);

/**
 * control_save(path, r, held, layer):
 * Replace the control file: a temporary one is written, synced and renamed.
 * Errors:  SHOAL_EIO with errno set.
 */
int control_save(const char *path, const struct resource *r,
                 const struct blockmap *held, const uint8_t *layer);

#endif
