/* explain_transfer.h - what happened in a transfer, for --explain. */
#ifndef EXPLAIN_TRANSFER_H
#define EXPLAIN_TRANSFER_H

#include "transfer_internal.h"

/**
 * explain(t, s, format, ...):
 * Note what happened to a source (NULL: to the download), for --explain: found
 * it, took it, why it was not used or not any more. Rates and sizes belong into
 * the words; the time is noted. Once an event, never once a block.
 */
void explain(const struct transfer *t, const struct source *s,
             const char *format, ...) __attribute__((format(printf, 3, 4)));

/** explain_tracker(t, tr, format, ...): the same of a tracker. */
void explain_tracker(const struct transfer *t, const struct tracker_state *tr,
                     const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** explain_known(s, request): its first answer to a HEAD or GET. */
void explain_known(struct source *s, const char *request);

/** explain_failed(s): it is to be dropped, for what s->state says. */
void explain_failed(const struct source *s);

/** explain_end(t): it is over: those that gave nothing. */
void explain_end(const struct transfer *t);

/** explain_rates(t, now): what sources give, when that is news. */
void explain_rates(struct transfer *t, uint64_t now);

#endif
