/* fetch.h - blocks: who is asked for which, and what comes in. */
#ifndef FETCH_H
#define FETCH_H

#include "transfer_internal.h"

void fetch_dispatch(struct transfer *t);

/** fetch_freed(t): there is work again, for whoever had none. */
void fetch_freed(struct transfer *t);

/** fetch_due_ms(t, most): how long until one is to be looked at again. */
unsigned fetch_due_ms(const struct transfer *t, unsigned most);

/** fetch_failed(t, s, err, why): a request at it did: later again, or given
 *  up. */
void fetch_failed(struct transfer *t, struct source *s, int err,
                  const char *why);

/** fetch_adopt(t, s, job): blocks from what the first GET brought so far;
 *  ${job} (NULL when it is over) goes on as a DATA job. */
void fetch_adopt(struct transfer *t, struct source *s, struct job *job);

int fetch_headers(struct job *job);
int fetch_data(struct job *job, const uint8_t *data, size_t len);
void fetch_done(struct job *job, int err, const char *why);

/** fetch_forget(t, block): it is wrong; count it as wasted, fetch again. */
void fetch_forget(struct transfer *t, uint32_t block);

/** fetch_disown(t, s): its blocks are forgotten, unless a trusted layer says
 *  that they are right. */
void fetch_disown(struct transfer *t, const struct source *s);

void fetch_tick(struct transfer *t);

#endif
