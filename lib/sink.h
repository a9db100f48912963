/* sink.h - bytes that go out in order to a reader, who may be slow: standard
 * output, a FIFO, a device. A thread of its own writes them. */
#ifndef SINK_H
#define SINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sink;

/**
 * sink_create(path, stop):
 * For ${path}, NULL: standard output; it is opened when the first bytes are to
 * go out, and they wait for sink_go(). ${path} is copied. NULL: no memory.
 */
struct sink *sink_create(const char *path, const atomic_bool *stop);

/** sink_free(s): what did not go out yet does not. NULL is a no-op. */
void sink_free(struct sink *s);

/**
 * sink_put(s, index, data, len):
 * Keep a copy of piece ${index}, that goes out when all with smaller numbers
 * have. SHOAL_ENOMEM, or as sink_look().
 */
int sink_put(struct sink *s, uint64_t index, const void *data, size_t len);

/** sink_take(s, index, data, len): the first piece that is kept, to be freed;
 *  false: there is none. Before sink_go() only. */
bool sink_take(struct sink *s, uint64_t *index, void **data, size_t *len);

/** sink_drop(s, index): forget the piece. SHOAL_EVERIFY: it went out; then
 *  nothing more does. */
int sink_drop(struct sink *s, uint64_t index);

/** sink_go(s): what is in order goes out from now on. SHOAL_ENOMEM. */
int sink_go(struct sink *s);

/** sink_look(s, out): bytes that went out. SHOAL_EIO, SHOAL_EFULL: no more
 *  can, as errno says. */
int sink_look(struct sink *s, uint64_t *out);

/** sink_started(s): a reader may have seen something of it. */
bool sink_started(struct sink *s);

/** sink_end(s): no more comes: wait until all is out. As sink_look(), and
 *  SHOAL_ESTOPPED. */
int sink_end(struct sink *s);

#endif
