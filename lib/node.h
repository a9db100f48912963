/* node.h - asking a CDN node for its version, and its first bytes. */
#ifndef NODE_H
#define NODE_H

#include "transfer_internal.h"

/** node_probe(t, s): ask with HEAD; a GET follows where that does not help. */
void node_probe(struct transfer *t, struct source *s);

/** node_open(t, s): the first GET, from t->open_from to t->open_end. */
void node_open(struct transfer *t, struct source *s);

/** node_ask(t, s): is it of the version that is wanted? HEAD, and the first
 *  GET beside it, where there is one. */
void node_ask(struct transfer *t, struct source *s);

/** node_ask_byte(t, s): GET bytes=0-0. */
void node_ask_byte(struct transfer *t, struct source *s);

/** node_step(t): put a GET beside a HEAD that hangs. */
void node_step(struct transfer *t);

/** node_failed(s, err, ...): no use any more. */
void node_failed(struct source *s, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** node_unreached(err): it failed without an answer. */
bool node_unreached(int err);

/** node_write_plain(t, data, len): bytes of the one plain stream. */
int node_write_plain(struct transfer *t, const uint8_t *data, size_t len);

/** node_end_plain(t, s, err, why): that stream is over: the file is whole, it
 *  failed, or it is to begin anew. */
void node_end_plain(struct transfer *t, struct source *s, int err,
                    const char *why);

/** node_head_awaited(t): the file is there before the standard's HEAD, which
 *  may tell its digest; that is given a moment. */
bool node_head_awaited(const struct transfer *t);

int node_headers(struct job *job);
int node_data(struct job *job, const uint8_t *data, size_t len);
void node_done(struct job *job, int err, const char *why);

#endif
