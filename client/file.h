/* file.h - the output file: NAME.part with its control file NAME.part.ctl
 * while it grows, NAME when it is whole and checked. */
#ifndef FILE_H
#define FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resource.h"
#include "serve.h"
#include "store.h"

struct blockmap;
struct file;

/**
 * file_create(path, resume):
 * The download to ${path}; nothing is opened yet. With ${resume}, a partial
 * download of the same resource is gone on with. ${path} NULL: standard
 * output, through a nameless temporary file.
 * NULL: out of memory.
 */
struct file *file_create(const char *path, bool resume);

/** file_free(f): what is partial stays where it is. NULL is a no-op. */
void file_free(struct file *f);

/**
 * file_begin(f, r, held, layer, store):
 * Open for the resource, reserving its room on disk; see struct
 * transfer_ops. Blocks of a partial download count only when their bytes
 * still have the hashes that the control file tells.
 * Errors:  SHOAL_EIO, SHOAL_EFULL, SHOAL_ENOMEM; file_error() has the words.
 */
int file_begin(struct file *f, const struct resource *r, struct blockmap *held,
               uint8_t *layer, struct store *store);

/** file_begin_plain(f), file_write_plain(f, data, len): one stream. */
int file_begin_plain(struct file *f);
int file_write_plain(struct file *f, const void *data, size_t len);

/** file_save(f): write the control file, if blocks came since. SHOAL_EIO. */
int file_save(struct file *f);

/** file_finish(f, mtime): it is whole: give it its name, and its time unless
 *  that is -1 (seconds since 1970). SHOAL_EIO, SHOAL_EFULL. */
int file_finish(struct file *f, int64_t mtime);

/** file_abandon(f): it failed: save what can be gone on with. */
void file_abandon(struct file *f);

/** file_resumed(f): bytes that an earlier run had got. */
uint64_t file_resumed(const struct file *f);

const char *file_error(const struct file *f);

/** file_identify(f, id): serve the blocks under this id from now on. */
void file_identify(struct file *f, const uint8_t id[RESOURCE_ID_LEN]);

/** file_serve: for serve_start(); its ctx is the struct file. */
extern const struct serve_ops file_serve;

#endif
