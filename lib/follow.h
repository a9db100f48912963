/* follow.h - news of what a peer has, by long poll. */
#ifndef FOLLOW_H
#define FOLLOW_H

#include "transfer_internal.h"

/** follow_tick(t, s, now): ask it for news, unless that is under way. */
void follow_tick(struct transfer *t, struct source *s, uint64_t now);

/** follow_lost(t, s): what it told is not so, or not known to be. */
void follow_lost(struct transfer *t, struct source *s);

/** follow_done(job, err): the answer to JOB_HAVE. */
void follow_done(struct job *job, int err);

#endif
