/* disposition.h - the file name that an answer proposes. Pure. */
#ifndef DISPOSITION_H
#define DISPOSITION_H

#include <stddef.h>

/**
 * disposition_name(value, out, cap):
 * The name in a Content-Disposition (RFC 6266; filename* goes before
 * filename), made harmless: what stands behind the last slash or backslash,
 * without dots in front, control characters and marks that change the
 * direction of writing; UTF-8. "" where there is none, or it does not fit.
 */
void disposition_name(const char *value, char *out, size_t cap);

#endif
