/* patience.h - how long is waited, and how often it is tried again. */
#ifndef PATIENCE_H
#define PATIENCE_H

#include "transfer_internal.h"

/** patience_connect_ms(t, ms): how long a connection may take to come about:
 *  ${ms}, unless the user wants less; patience_alone_ms(t, ms): likewise where
 *  there is but one node: as the user wants. */
unsigned patience_connect_ms(const struct transfer *t, unsigned ms);
unsigned patience_alone_ms(const struct transfer *t, unsigned ms);

/** patience_idle_ms(t, ms): the same for a request that brings nothing. */
uint64_t patience_idle_ms(const struct transfer *t, uint64_t ms);

/**
 * patience_try(t, most, wait_ms):
 * A try of the file failed, and nobody else has it. True: it may be tried
 * again, after ${wait_ms}. ${most}: how often, where the user does not say.
 */
bool patience_try(struct transfer *t, unsigned most, uint64_t *wait_ms);

/** patience_given(t): the user said how often. */
bool patience_given(const struct transfer *t);

/** patience_status(status): may an answer with it be another one soon? */
bool patience_status(unsigned status);

/** patience_retry_after(t, a): what the answer asks for, milliseconds, as far
 *  as it is heeded; 0: it does not ask. */
uint64_t patience_retry_after(const struct transfer *t,
                              const struct answer *a);

/** patience_round(t): all CDN nodes have failed, and nothing is known of the
 *  file yet. True: they are, or will be, asked once more. */
bool patience_round(struct transfer *t);

#endif
