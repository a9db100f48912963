/* status_internal.h - the pages of the status listener. */
#ifndef STATUS_INTERNAL_H
#define STATUS_INTERNAL_H

#include <stddef.h>

#include "status.h"

enum {
    STATUS_SETS = 100, /* on one page, where nothing else is asked for */
    STATUS_SETS_MAX = 1000
};

struct status_page {
    size_t sets;   /* about that many of them */
    size_t cursor; /* where they begin */
};

/** status_json(s, page), status_metrics(s): to be freed; NULL: out of
 *  memory. */
char *status_json(const struct status_sources *s,
                  const struct status_page *page);
char *status_metrics(const struct status_sources *s);

#endif
