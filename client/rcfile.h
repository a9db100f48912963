/* rcfile.h - a configuration file: YAML, one mapping of option names. */
#ifndef RCFILE_H
#define RCFILE_H

#include <stddef.h>

/** What takes the values: 0, or a negative code with the reason in ${why}.
 *  ${first}: this is the first value of its key. */
typedef int rcfile_fn(void *ctx, const char *key, const char *value, int first,
                      char *why, size_t cap);

/**
 * rcfile_read(path, fn, ctx, why, cap):
 * Call ${fn} for each key of the file with its value; of a list, for each
 * value in it.
 *
 * Errors:  SHOAL_ENOTFOUND (no such file), SHOAL_EIO, SHOAL_EINVAL (not YAML,
 *          or not of that form, or a key twice), SHOAL_ENOMEM, and what ${fn}
 *          says; ${why} is `PATH:LINE: what`.
 */
int rcfile_read(const char *path, rcfile_fn *fn, void *ctx, char *why,
                size_t cap);

#endif
