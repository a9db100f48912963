/* origins.h - what one origin (host and port) is asked at most, over all
 * files: connections, and bytes a second. */
#ifndef ORIGINS_H
#define ORIGINS_H

#include <stdbool.h>
#include <stdint.h>

#include "transfer.h"

enum {
    ORIGINS_KEY_MAX = 272 /* a host, a colon, a port, a zero */
};

struct origins;
struct origins_user;

/** origins_create(), origins_free(o): nobody uses it any more. */
struct origins *origins_create(void);
void origins_free(struct origins *o);

/** origins_limit(o, connections, rate): from now on; 0 is no limit.
 *  Connections that are open stay. */
void origins_limit(struct origins *o, unsigned connections, uint64_t rate);

/** origins_key(url, key): its origin, HOST:PORT. SHOAL_EINVAL. */
int origins_key(const char *url, char key[ORIGINS_KEY_MAX]);

/**
 * origins_join(o, key):
 * One transfer, whose first connection is to that origin: it has its place
 * from now on. NULL: as many as are allowed are open or awaited, or out of
 * memory.
 */
struct origins_user *origins_join(struct origins *o, const char *key);

/** origins_leave(u): its connections are closed. NULL is a no-op. */
void origins_leave(struct origins_user *u);

/**
 * origins_hooks(u): for struct transfer_options; borrows ${u}.
 * A transfer's first connection comes before another one's second. The rate
 * is one budget: who reads takes of it, who has nothing to read takes none.
 */
struct transfer_limits origins_hooks(struct origins_user *u);

#endif
