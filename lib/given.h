/* given.h - what a download is given beside its URL: a list of checksums, a
 * Metalink in a file or behind a URL. */
#ifndef GIVEN_H
#define GIVEN_H

#include <stddef.h>

struct checksum;
struct given;
struct metalink_file;
struct shoal;

/** given_create(d): from d's settings; nothing is read yet. NULL: out of
 *  memory. */
struct given *given_create(struct shoal *d);

/** given_free(g): NULL is a no-op. */
void given_free(struct given *g);

/**
 * given_read(g):
 * Read what is in files. Where the Metalink is behind a URL, given_fetch() is
 * to come yet.
 * Errors:  SHOAL_EIO, SHOAL_EINVAL, SHOAL_ENOMEM; shoal_error() has the words.
 */
int given_read(struct given *g);

/** given_url(g): the URL that a Metalink is to be fetched from; NULL: none. */
const char *given_url(const struct given *g);

/**
 * given_fetch(g, url, timeout_ms): one step of it.
 * Errors:  SHOAL_EAGAIN: not done yet; as transfer_run(); SHOAL_EINVAL.
 */
int given_fetch(struct given *g, const char *url, unsigned timeout_ms);

/**
 * given_sum(g, name):
 * What the file, known as ${name} in the list of checksums, must hash to, in
 * ${out}; NULL there: nothing is given.
 * Errors:  as given_read(); SHOAL_EVERIFY: the list does not name it.
 */
int given_sum(struct given *g, const char *name, const struct checksum **out);

/** given_file(g): the Metalink's file; NULL: there is no Metalink. */
const struct metalink_file *given_file(const struct given *g);

/** given_files(g): how many the Metalink has. */
size_t given_files(const struct given *g);

/** given_mirrors(g): of the settings, then of the Metalink; NULL-terminated.
 *  NULL: out of memory. */
const char *const *given_mirrors(struct given *g);

#endif
