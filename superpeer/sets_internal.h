/* sets_internal.h - what sets.c and sets_use.c share. */
#ifndef SETS_INTERNAL_H
#define SETS_INTERNAL_H

#include "sets.h"

/** sets_enlist(s, set): behind the others of the list where it belongs, if
 *  nobody uses it. */
void sets_enlist(struct sets *s, struct cache_set *set);

/** sets_delist(set): out of its list, if it is in one. */
void sets_delist(struct cache_set *set);

#endif
