/* output.h - under which name a download is saved, and whether at all: what a
 * file that is there already means (-nc, -N), and names that servers give
 * (--content-disposition). */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

struct shoal;

/**
 * output_open(d):
 * d->file for the name that follows from settings and URL; nothing is written
 * yet. d->there: it is there, and is to be left alone, which was said.
 * Errors:  SHOAL_ENOMEM, noted in ${d}.
 */
int output_open(struct shoal *d);

/** output_resumes(d): what is there may be all that is needed: the origin is
 *  asked about the file before it is asked for it. */
bool output_resumes(const struct shoal *d);

/**
 * output_settle(d, size):
 * The origin has answered: its name for the file, and its time, count from
 * here on. ${size} UINT64_MAX: not known.
 * Errors:  SHOAL_ESTOPPED: d->there, as above; SHOAL_ENOMEM.
 */
int output_settle(struct shoal *d, uint64_t size);

#endif
