/* dns.h - the addresses behind host names, all of both families, from DNS
 * servers of the configuration's choice. Only dns.c knows c-ares. */
#ifndef DNS_H
#define DNS_H

#include <stddef.h>
#include <stdint.h>

#include "lookup.h"

enum {
    DNS_SERVERS_MAX = 8
};

struct dns;

struct dns_options {
    const char *servers; /* `ADDR[:PORT],..`; NULL: the system's */
    unsigned timeout_ms; /* a name takes that long at most */
};

/**
 * dns_start(options, out): copies ${options}; a thread of its own begins.
 * Errors:  SHOAL_EINVAL (servers), SHOAL_ENOMEM (memory, threads).
 */
int dns_start(const struct dns_options *options, struct dns **out);

/** dns_reload(d, options): other servers; what is known is forgotten, what is
 *  being asked is asked again. SHOAL_EINVAL, SHOAL_ENOMEM: as before. */
int dns_reload(struct dns *d, const struct dns_options *options);

/**
 * dns_hook(d): for struct transfer_options; borrows ${d}.
 * A name's addresses are known for as long as its records say, between one
 * second and five minutes. Where one family's answer does not come, the other
 * one's counts after a moment.
 */
struct lookup_hook dns_hook(struct dns *d);

/** dns_stop(d): look-ups that are not done fail at once. NULL is a no-op. */
void dns_stop(struct dns *d);

struct dns_stats {
    uint64_t lookups; /* names that were asked for */
    uint64_t cached;  /* of them, known already */
    uint64_t failed;
};

void dns_get_stats(struct dns *d, struct dns_stats *out);

#endif
