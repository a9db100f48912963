/* callers.h - who follows what we hold and serves blocks itself: from the
 * block server's threads to the transfer's. Bounded; nobody waits. */
#ifndef CALLERS_H
#define CALLERS_H

#include <stdint.h>
#include <sys/socket.h>

struct callers;

/** callers_create(): nobody. NULL: out of memory. callers_free(c): NULL is a
 *  no-op. */
struct callers *callers_create(void);
void callers_free(struct callers *c);

/**
 * callers_put(c, from, port):
 * Somebody at ${from}, IPv4 or IPv6, serves blocks at ${port} of that
 * address. Forgotten when too many wait to be looked at.
 *
 * Threads:  any.
 */
void callers_put(struct callers *c, const struct sockaddr *from,
                 uint16_t port);

/** callers_take(c, out, cap): one of them as `ADDR:PORT` or `[ADDR]:PORT`.
 *  SHOAL_ENOTFOUND. */
int callers_take(struct callers *c, char *out, size_t cap);

/** callers_wake(c, wake, ctx): ${wake}(${ctx}) is called when there is one;
 *  NULL: no more, and it is not being called after return. */
void callers_wake(struct callers *c, void (*wake)(void *ctx), void *ctx);

#endif
