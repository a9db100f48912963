/* dns_names.h - what is known of host names, and who waits for them. Not
 * locked; knows no DNS. Times are clock_ms()'s. */
#ifndef DNS_NAMES_H
#define DNS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lookup.h"

enum {
    DNS_V4,
    DNS_V6,
    DNS_FAMILIES
};

enum {
    DNS_HOST_MAX = 256 /* with its NUL */
};

struct waiter {
    struct waiter *next;
    lookup_done *done;
    void *arg;
};

/** What one family's records say. */
struct dns_family {
    bool asked;      /* a query is under way */
    bool answered;   /* since the name was last asked for */
    const char *why; /* it has no addresses; static */
    struct node_addr *addrs;
    size_t n;
};

struct name {
    struct name *next, *next_waited;
    char host[DNS_HOST_MAX]; /* lower case */
    struct waiter *waiters;
    struct dns_family families[DNS_FAMILIES];
    uint64_t ttl_ms;      /* the least of all records */
    uint64_t fresh_ms;    /* until then it is known */
    uint64_t deadline_ms; /* of those who wait */
    uint64_t grace_ms;    /* when one family alone will do; 0: not yet */
    uint64_t used_ms;
};

struct names;

/** names_create(), names_free(n): nobody waits any more. */
struct names *names_create(void);
void names_free(struct names *n);

/** names_get(n, host, now): found or made. NULL: no memory, or all of too
 *  many names are being looked up. */
struct name *names_get(struct names *n, const char *host, uint64_t now);

/** names_wait(n, name, done, arg): one more waits. SHOAL_ENOMEM. */
int names_wait(struct names *n, struct name *name, lookup_done *done,
               void *arg);

/** names_waited(n): the list of those for which somebody waits, linked by
 *  next_waited. */
struct name *names_waited(const struct names *n);

/** names_unwait(n, name): nobody any more; the list of who did, taken. */
struct waiter *names_unwait(struct names *n, struct name *name);

/** names_forget(n): nothing is known from now on, nor of those that are waited
 *  for. */
void names_forget(struct names *n);

/** name_begin(name): forget what the families said. */
void name_begin(struct name *name);

/** name_is_done(name, now): enough is known, or time is over. */
bool name_is_done(const struct name *name, uint64_t now);

/** name_addresses(name, out, why): how many there are, the families by turns;
 *  0: ${why} has the words. */
size_t name_addresses(const struct name *name,
                      struct node_addr out[RESOLVE_ADDRS_MAX],
                      const char **why);

#endif
