/* standard.h - which version of the file counts. */
#ifndef STANDARD_H
#define STANDARD_H

#include "transfer_internal.h"

/** standard_open_job(t, s): the first GET under way at this node (NULL: at
 *  any), or NULL. */
struct job *standard_open_job(const struct transfer *t,
                              const struct source *s);

/** standard_step(t): decide, as soon as what is known allows it. */
void standard_step(struct transfer *t);

/** standard_usable(t): CDN nodes that may be given work, and what they give
 *  can be used. */
unsigned standard_usable(const struct transfer *t);

/** standard_more(t): in mid-download: judge late answers, ask further nodes
 *  when too few are left, fail when there is nobody left. */
void standard_more(struct transfer *t);

#endif
