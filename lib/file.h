/* file.h - the output file: NAME.part with its control file NAME.part.ctl
 * while it grows, NAME when it is whole and checked. */
#ifndef FILE_H
#define FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resource.h"
#include "serve.h"
#include "store.h"

struct blockmap;
struct checksum;
struct file;

struct file_options {
    const char *path; /* NULL: standard output */
    bool derived;     /* from the URL: PATH.1 will do as well, and nothing
                         that is there is replaced */
    bool resume;      /* -c */
    const struct checksum *checksum; /* of the whole file; NULL */
    const atomic_bool *stop;         /* NULL, or set to end soon */
};

/**
 * file_create(o):
 * The download to ${o->path}; nothing is opened yet. Standard output, and
 * what is there and no regular file, gets it as file_release() says, once and
 * in order: what went out cannot be dropped, nor begun anew (SHOAL_EVERIFY).
 * What ${o} points to is borrowed until file_free(), but for the path.
 * NULL: out of memory.
 */
struct file *file_create(const struct file_options *o);

/** file_rename(f, path): another name than ${o->path}, before anything has
 *  begun. SHOAL_ENOMEM. */
int file_rename(struct file *f, const char *path);

/** file_free(f): what is partial stays where it is. NULL is a no-op. */
void file_free(struct file *f);

/** file_promising(f): there is something that -c may go on with. */
bool file_promising(const struct file *f);

/** What file_begin() fills in. */
struct file_blocks {
    struct blockmap *held;
    uint8_t *layer;
    struct store *store;
};

/**
 * file_begin(f, r, mtime, out):
 * Open for the resource, reserving its room on disk; ${mtime} is the
 * origin's or -1; ${out}: see struct transfer_ops. Blocks of a partial
 * download count only when their bytes still have the hashes that the control
 * file tells, and when something tells that they are of this version; with -c and no partial download, the whole blocks of a shorter
 * file that is there are taken. May be called again, for another version:
 * that starts from nothing.
 * Errors:  SHOAL_EIO, SHOAL_EFULL, SHOAL_ENOMEM, SHOAL_EINVAL (-c cannot go
 *          on), SHOAL_EVERIFY, SHOAL_ESTOPPED (by the user, or file_done());
 *          file_error() has the words.
 */
int file_begin(struct file *f, const struct resource *r, int64_t mtime,
               const struct file_blocks *out);

/** file_begin_plain(f, size), file_write_plain(f, data, len): one stream,
 *  also after file_begin(); ${size} UINT64_MAX: not known. Errors as above. */
int file_begin_plain(struct file *f, uint64_t size);
int file_write_plain(struct file *f, const void *data, size_t len);

/**
 * file_release(f, checked):
 * Of what goes to no file: the bytes go out in order as they come, from now
 * on (${checked}: each is right before it is written here); or they are
 * gathered and go out when file_finish() is called. Until it is told they are
 * kept in memory. For a file: nothing.
 * Errors:  SHOAL_EIO, SHOAL_EFULL, SHOAL_ENOMEM.
 */
int file_release(struct file *f, bool checked);

/** file_window(f, out): so many bytes went out, and are here no more;
 *  UINT64_MAX: all are kept. SHOAL_EIO, SHOAL_EFULL: nobody takes more. */
int file_window(struct file *f, uint64_t *out);

/** file_sink(f): it goes to no file. */
bool file_sink(const struct file *f);

/** file_done(f): the file was at its place already, nothing is to be done. */
bool file_done(const struct file *f);

/** file_save(f): what can be gone on with after a power failure is brought up
 *  to date, in the background, when it is time; call it often. After anything
 *  else that ends this process, all that was written counts. */
void file_save(struct file *f);

/** file_finish(f, mtime): it is whole: give it its name, and its time unless
 *  that is -1 (seconds since 1970). SHOAL_EIO, SHOAL_EFULL, SHOAL_ESTOPPED. */
int file_finish(struct file *f, int64_t mtime);

/** file_abandon(f): it failed: save what can be gone on with. */
void file_abandon(struct file *f);

/** file_resumed(f): bytes that an earlier run had got. */
uint64_t file_resumed(const struct file *f);

/** file_path(f): the final name, as far as it is known; valid until the next
 *  call that may fail. `-`: standard output. */
const char *file_path(const struct file *f);

const char *file_error(const struct file *f);

/** file_identify(f, id): serve the blocks under this id from now on. */
void file_identify(struct file *f, const uint8_t id[RESOURCE_ID_LEN]);

/** file_fetching(f, first, n, on): as transfer_ops' fetching(). */
void file_fetching(struct file *f, uint32_t first, uint32_t n, bool on);

/** file_serve: for serve_start(); its ctx is the struct file. */
extern const struct serve_ops file_serve;

#endif
