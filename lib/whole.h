/* whole.h - a file without a version comes in one answer. */
#ifndef WHOLE_H
#define WHOLE_H

#include "transfer_internal.h"

/** whole_wanted(t, s): what this node gives has to come in one answer, for two
 *  cannot be told to be of one version. */
bool whole_wanted(const struct transfer *t, const struct source *s);

/** whole_take(t, s, out): as schedule_take(), all of the file; what is held is
 *  forgotten. */
int whole_take(struct transfer *t, const struct source *s,
               struct schedule_range *out);

/** whole_mixed(t): everything is held, but of several answers; true: it is
 *  forgotten. */
bool whole_mixed(struct transfer *t);

#endif
