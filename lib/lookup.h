/* lookup.h - the addresses of a host, looked up beside other work: a mute
 * resolver holds up nobody, not even the end of the program. */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#include "resolve.h"

enum {
    LOOKUP_PENDING = 1
};

struct lookup;

/**
 * lookup_start(r, url):
 * Begin for the URL's host and port; overrides in ${r} (may be NULL) and
 * literal addresses are there at once. NULL: no memory, or a bad URL.
 */
struct lookup *lookup_start(const struct resolve *r, const char *url);

/**
 * lookup_result(l, addrs, n):
 * 0 and the addresses; LOOKUP_PENDING; or SHOAL_ENET, for good.
 */
int lookup_result(struct lookup *l, struct node_addr addrs[RESOLVE_ADDRS_MAX],
                  size_t *n);

/** lookup_free(l): its thread, if one is still waiting, ends by itself. NULL
 *  is a no-op. */
void lookup_free(struct lookup *l);

#endif
