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

/** What came of a name: 0 and its addresses, whose ports do not count, or
 *  SHOAL_ENET and ${why}, a static string. Any thread. */
typedef void lookup_done(void *arg, int err, const char *why,
                         const struct node_addr *addrs, size_t n);

/** A resolver other than getaddrinfo(3). */
struct lookup_hook {
    /** Find all addresses of ${host}; ${done} is called once, perhaps before
     *  this returns, and never later than the resolver's own end. */
    void (*start)(void *ctx, const char *host, lookup_done *done, void *arg);
    void *ctx;
};

struct lookup_options {
    const char *url;                /* http or https */
    const struct resolve *resolve;  /* overrides; NULL: none */
    int family;                     /* AF_INET, AF_INET6: no others; or
                                       AF_UNSPEC */
    const struct lookup_hook *hook; /* NULL: getaddrinfo(3) in a thread */

    /** The result is there; any thread, must not block. Not called after
     *  lookup_free(), nor for one that is there at once. NULL allowed. */
    void (*wake)(void *ctx);
    void *ctx;
};

/**
 * lookup_start(o):
 * Begin for the URL's host and port; overrides and literal addresses are
 * there at once. NULL: no memory, or a bad URL.
 */
struct lookup *lookup_start(const struct lookup_options *o);

/**
 * lookup_result(l, addrs, n, why):
 * 0 and the addresses; LOOKUP_PENDING; or SHOAL_ENET, for good, and in
 * ${why}, which may be NULL, a static string.
 */
int lookup_result(struct lookup *l, struct node_addr addrs[RESOLVE_ADDRS_MAX],
                  size_t *n, const char **why);

/** lookup_free(l): a thread that still waits ends by itself. NULL is a
 *  no-op. */
void lookup_free(struct lookup *l);

#endif
