/* blame.h - what trackers are told of sources that failed or lied. */
#ifndef BLAME_H
#define BLAME_H

#include "transfer_internal.h"

struct tracker_ask;

/** blame_dead(s, err, last): a request failed; a refused dial counts at
 *  once, silence when it was the ${last} try. */
void blame_dead(struct source *s, int err, bool last);

/** blame_collect(t, tracker, ask): add the reports that this tracker was not
 *  told yet. */
void blame_collect(struct transfer *t, unsigned tracker,
                   struct tracker_ask *ask);

/** blame_done(t, tracker, heard): the request with them is over. */
void blame_done(struct transfer *t, unsigned tracker, bool heard);

#endif
