/* stream.h - blocks that go out in order, to a reader who may be slow. */
#ifndef STREAM_H
#define STREAM_H

#include "transfer_internal.h"

/** stream_begin(t): the output was opened. */
void stream_begin(struct transfer *t);

/** stream_step(t): once a turn: what may go out, and how far sources go. */
void stream_step(struct transfer *t);

/** stream_pause(job): bytes came in: it has to wait for the reader, if so. */
void stream_pause(struct job *job);

/** stream_waits(job): it still has to. */
bool stream_waits(const struct job *job);

/** stream_refuses(t, layer): it contradicts what went out; then CDN nodes are
 *  believed, which alone gave that. */
bool stream_refuses(const struct transfer *t, const uint8_t *layer);

/** stream_forget(t): all is of the wrong version. The transfer ends where
 *  some of it went out. */
void stream_forget(struct transfer *t);

#endif
