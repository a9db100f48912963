/* ask.h - asking trackers. */
#ifndef ASK_H
#define ASK_H

#include "transfer_internal.h"

/** ask_take(t, kind, url, complete): a super peer or peer that somebody
 *  named. */
void ask_take(struct transfer *t, enum source_kind kind, const char *url,
              bool complete);

/** ask_start(t): the trackers to ask: the user's, and the origin's. */
void ask_start(struct transfer *t);
void ask_tick(struct transfer *t);

/** ask_bare_len(url): how long it is without its ticket, which changes. */
size_t ask_bare_len(const char *url);

/** ask_soon(t): the trackers that answer are asked again before it is time. */
void ask_soon(struct transfer *t);
void ask_done(struct job *job, int err, const char *why);

/** ask_seed(t): it is over, and this host stays on their lists: they hear that
 *  it holds all. */
void ask_seed(struct transfer *t);

/** ask_leave(t, timeout_ms): as transfer_leave(). */
int ask_leave(struct transfer *t, unsigned timeout_ms);

#endif
