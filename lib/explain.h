/* explain.h - a record of what happened in a download, and when: why each
 * source was used, or was not. Bounded: of a long story the first and the
 * last events are kept. */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct explain;

struct explain_event {
    uint64_t ms;      /* since explain_create() */
    const char *what; /* "": the download itself */
    const char *text;
};

/** explain_create(): NULL: out of memory. */
struct explain *explain_create(void);

/** explain_free(e): NULL is a no-op. */
void explain_free(struct explain *e);

/** explain_add(e, what, format, args): now; both are copied, and cut where
 *  they are long. Without memory it is not noted. ${e} may be NULL. */
void explain_add(struct explain *e, const char *what, const char *format,
                 va_list args) __attribute__((format(printf, 3, 0)));

/** How many events there are, and how many were left out of the middle. */
size_t explain_count(const struct explain *e);
uint64_t explain_lost(const struct explain *e);

/** explain_get(e, i): the ${i}th; its strings are valid until the next
 *  explain_add(). */
struct explain_event explain_get(const struct explain *e, size_t i);

#endif
