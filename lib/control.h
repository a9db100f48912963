/* control.h - the control file beside a partial download: which blocks are
 * held, and with what hashes. What was held when it was written comes first,
 * under one checksum; then a record for each block since, so that nothing
 * that was written is lost with the process. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stddef.h>
#include <stdint.h>

struct blockmap;
struct resource;

enum {
    CONTROL_RECORD = 48 /* bytes of one */
};

/** What it tells. A held block has a hash in ${layer} (32 bytes a block) or,
 *  where that is zero, one in ${quick} (QUICK_LEN bytes). */
struct control_blocks {
    struct blockmap *held;
    uint8_t *layer, *quick;
};

/** One written down, all but its records. */
struct control_text {
    uint8_t *data;
    size_t len;
    uint64_t log; /* that records behind it are made for */
};

/**
 * control_load(path, r, out):
 * It is right for ${r} when size, version and URL are; the URL's query may
 * differ (a new token) where the version is one that the origin tells, an
 * ETag or a date. Records count up to the first that is damaged. ${out} NULL:
 * only say whether it is right.
 * Errors:  SHOAL_ENOTFOUND (no such file), SHOAL_ENOAGREE (of another URL),
 *          SHOAL_EINVAL (of another version, or damaged), SHOAL_EIO,
 *          SHOAL_ENOMEM; what ${out} points to is then as before.
 */
int control_load(const char *path, const struct resource *r,
                 const struct control_blocks *out);

/** control_make(r, blocks, out): SHOAL_ENOMEM; free ${out->data}. */
int control_make(const struct resource *r, const struct control_blocks *blocks,
                 struct control_text *out);

/** control_create(path, text, sync): write it under a temporary name; its
 *  descriptor, or -1 with errno set. ${sync}: it is on disk then. */
int control_create(const char *path, const struct control_text *text,
                   int sync);

/** control_replace(path): the temporary one becomes the control file. -1 with
 *  errno set. */
int control_replace(const char *path);

/** control_record(log, block, hash, quick, out): the block is held, with
 *  either hash; both NULL: it is not any more. */
void control_record(uint64_t log, uint32_t block, const uint8_t *hash,
                    const uint8_t *quick, uint8_t out[CONTROL_RECORD]);

/** control_remove(path): it, and what a crash left of the next one. */
void control_remove(const char *path);

#endif
