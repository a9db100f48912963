/* pieces.h - hashes of pieces that a Metalink gave. */
#ifndef PIECES_H
#define PIECES_H

#include "transfer_internal.h"

/** pieces_set(t, p): hashes to check by, unless they are weak; taken then. */
void pieces_set(struct transfer *t, struct pieces *p);

/** pieces_check(t): everything is held. 0: and right; SHOAL_ENOTFOUND: what is
 *  wrong was thrown away; SHOAL_EVERIFY: again and again; what the store says. */
int pieces_check(struct transfer *t);

#endif
