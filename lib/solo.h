/* solo.h - one CDN node after the other is read alone. */
#ifndef SOLO_H
#define SOLO_H

#include "transfer_internal.h"

/** solo_next(t): forget all, and ask the next CDN node alone for it. False:
 *  there is none that had not its turn, nor one that was not asked yet. */
bool solo_next(struct transfer *t);

/** solo_any_open(t): of some CDN node nobody knows yet what it has. */
bool solo_any_open(const struct transfer *t);

/** solo_allows(t, s): is it this node's turn, or anybody's? */
bool solo_allows(const struct transfer *t, const struct source *s);

#endif
