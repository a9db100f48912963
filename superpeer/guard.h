/* guard.h - which URLs and addresses this super peer may fetch from. */
#ifndef GUARD_H
#define GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "transfer.h"

struct guard;

/** guard_create(): nothing is allowed. NULL: out of memory. */
struct guard *guard_create(void);

/** guard_ref(g): one more user, in any thread; nothing is allowed in addition
 *  from then on. ${g} itself; NULL is a no-op. */
struct guard *guard_ref(struct guard *g);

/** guard_free(g): one user less; the last one frees it. NULL is a no-op. */
void guard_free(struct guard *g);

/**
 * guard_allow_origin(g, text):
 * Allow `scheme://host[:port]`: http or https; the host as it is, or
 * `*.domain` for every name below that domain (not the domain itself); the
 * port is the scheme's where none is given, `*` means any.
 * Errors:  SHOAL_EINVAL, SHOAL_ENOMEM.
 */
int guard_allow_origin(struct guard *g, const char *text);

/**
 * guard_allow_addresses(g, text):
 * Allow the addresses of a network, `ADDRESS[/BITS]`, although they are
 * loopback, private or otherwise not for everyone.
 * Errors:  SHOAL_EINVAL (no address, bits, or bits set behind them),
 *          SHOAL_ENOMEM.
 */
int guard_allow_addresses(struct guard *g, const char *text);

/** guard_url(g, url): may it be fetched? 0 or SHOAL_EDENIED; what parsers may
 *  read differently is not. */
int guard_url(const struct guard *g, const char *url);

/** guard_best(g, url): the same with https, where that is allowed; else as it
 *  is. To be freed; NULL: out of memory. */
char *guard_best(const struct guard *g, const char *url);

/**
 * guard_address(g, sa):
 * May it be connected to? 0 or SHOAL_EDENIED. Only global unicast addresses
 * pass by themselves. IPv4 addresses inside IPv6 ones (mapped, compatible,
 * NAT64, 6to4, ISATAP) are looked at as IPv4 too.
 */
int guard_address(const struct guard *g, const struct sockaddr *sa);

/** guard_hooks(g): for struct transfer_options; borrows ${g}. */
struct transfer_guard guard_hooks(const struct guard *g);

#endif
