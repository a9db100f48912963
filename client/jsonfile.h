/* jsonfile.h - what became of all downloads, as JSON (docs/report.md). */
#ifndef JSONFILE_H
#define JSONFILE_H

#include <stddef.h>

struct jsonfile;
struct shoal_report;

/** jsonfile_open(path): `json` is standard output. NULL: ${errno} says why it
 *  cannot be written, or there is no memory. */
struct jsonfile *jsonfile_open(const char *path);

/** jsonfile_add(j, r, status): one file, and the status that it alone would
 *  end shoal with. SHOAL_ENOMEM. */
int jsonfile_add(struct jsonfile *j, const struct shoal_report *r, int status);

/** jsonfile_close(j, status, seconds): write it and free ${j}. SHOAL_EIO:
 *  ${errno} says why; SHOAL_ENOMEM. NULL is a no-op. */
int jsonfile_close(struct jsonfile *j, int status, double seconds);

#endif
