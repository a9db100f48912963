/* call.h - one connection to a tracker, and calls over it. The only part of
 * the super peer that knows libcurl. */
#ifndef CALL_H
#define CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct config_tracker;
struct call;

struct call_answer {
    long status; /* of HTTP */
    char *body;  /* with a NUL behind it; valid until the next call */
    size_t len;
};

/**
 * call_create(tracker, bind_address, stop):
 * Borrows all three until call_free(); ${bind_address} may be NULL. A call
 * ends within about a second of ${*stop} becoming true. NULL: out of memory.
 */
struct call *call_create(const struct config_tracker *tracker,
                         const char *bind_address, const atomic_bool *stop);
void call_free(struct call *c);

/**
 * call_post(c, query, body, timeout_ms, out):
 * POST ${body} to the tracker's URL with ${query}, which is encoded.
 *
 * Blocking:  until the answer is whole, at most ${timeout_ms}.
 * Errors:    SHOAL_ENET, SHOAL_ETLS, SHOAL_EPROTO (absurdly long),
 *            SHOAL_ENOMEM, SHOAL_ESTOPPED; call_error() has the words.
 */
int call_post(struct call *c, const char *query, const char *body,
              unsigned timeout_ms, struct call_answer *out);

/** call_error(c): why the last call failed. */
const char *call_error(const struct call *c);

#endif
