/* control.h - the control file beside a partial download. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdint.h>

struct blockmap;
struct resource;

/**
 * control_load(path, r, held, layer):
 * Read which blocks are held and their hashes. It is right for ${r} when
 * size, version and URL are; the URL's query may differ (a new token) where
 * the version is one that the origin tells, an ETag or a date. ${held} NULL:
 * only say whether it is.
 * Errors:  SHOAL_ENOTFOUND (no such file), SHOAL_ENOAGREE (of another URL),
 *          SHOAL_EINVAL (of another version, or damaged), SHOAL_EIO,
 *          SHOAL_ENOMEM; ${held} and ${layer} are then as before.
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

/** control_remove(path): it, and what a crash left of the next one. */
void control_remove(const char *path);

#endif
