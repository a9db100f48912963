/* recheck.h - at the end: do the nodes still show that version? */
#ifndef RECHECK_H
#define RECHECK_H

#include "transfer_internal.h"

/** recheck_passed(t): everything is here, and right as far as is known. False:
 *  nodes are asked whether they still show that version; call again when none
 *  is awaited any more. */
bool recheck_passed(struct transfer *t);
bool recheck_awaited(const struct transfer *t);

/** recheck_soon(t): to be called ten times a second: is the end so near that
 *  they are asked now? */
void recheck_soon(struct transfer *t);

/** recheck_failed(s): it broke off or stands still: perhaps for good, so that
 *  it is asked at once. */
void recheck_failed(struct source *s);

/** recheck_begin_anew(t): no node is left. True: some showed that the file
 *  changed, and the download begins anew. */
bool recheck_begin_anew(struct transfer *t);

/** The answers to JOB_RECHECK. */
int recheck_headers(const struct job *job);
void recheck_done(struct job *job);

#endif
