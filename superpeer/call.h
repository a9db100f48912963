/* call.h - one connection to a tracker, and calls over it. The only part of
 * the super peer that knows libcurl. */
#ifndef CALL_H
#define CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct call;
struct config_tracker;

struct call_answer {
    long status; /* of HTTP */
    char *body;  /* with a NUL behind it; valid until the next call */
    size_t len;
};

struct call_options {
    const struct config_tracker *tracker;
    const char *bind_address; /* NULL: any */
    const char *address;      /* ADDRESS:PORT, V6 in brackets: where to
                                 connect to, whatever the URL's name is */
    const atomic_bool *stop;  /* ends calls, with call_interrupt() */
};

/** call_create(options): copies them, borrows what they point to. NULL: out
 *  of memory. */
struct call *call_create(const struct call_options *options);
void call_free(struct call *c);

/** call_interrupt(c): from another thread: look at ${*stop} now. */
void call_interrupt(struct call *c);

/** call_last(c, timeout_ms): the next call goes out although ${*stop} is
 *  true, and takes no longer than that. */
void call_last(struct call *c, unsigned timeout_ms);

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
