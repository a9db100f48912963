/* resolve.h - the list of addresses behind a host name, with overrides. */
#ifndef RESOLVE_H
#define RESOLVE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    RESOLVE_ADDRS_MAX = 32 /* nodes behind one name that are looked at */
};

/** One node's address. */
struct node_addr {
    struct sockaddr_storage sa; /* with the port */
    socklen_t len;
    char text[64]; /* numeric address, no brackets, no port */
};

/** Overrides `HOST:PORT:ADDR[,ADDR]...`, as curl's --resolve. */
struct resolve;

struct resolve *resolve_create(void);

/** resolve_ref(r): one more user, in any thread; nothing is added from then
 *  on. ${r} itself; NULL is a no-op. */
struct resolve *resolve_ref(struct resolve *r);

/** resolve_free(r): one user less; the last one frees it. NULL is a no-op. */
void resolve_free(struct resolve *r);

/**
 * resolve_add(r, text): one override; ADDR may stand in brackets; a second
 * one for the same host and port adds its addresses.
 * Errors:  SHOAL_EINVAL, SHOAL_ENOMEM.
 */
int resolve_add(struct resolve *r, const char *text);

/**
 * resolve_override(r, host, port, out, n):
 * The overrides alone. SHOAL_ENOTFOUND when there is none; ${r} may be NULL.
 */
int resolve_override(const struct resolve *r, const char *host, uint16_t port,
                     struct node_addr out[RESOLVE_ADDRS_MAX], size_t *n);

/** resolve_set_port(a, port): in its socket address. */
void resolve_set_port(struct node_addr *a, uint16_t port);

/** resolve_literal(host, port, out, n): a numeric address, perhaps in
 *  brackets. SHOAL_EINVAL when it is a name. */
int resolve_literal(const char *host, uint16_t port, struct node_addr *out,
                    size_t *n);

/**
 * resolve_lookup(r, host, port, out, n):
 * The nodes behind ${host}: the overrides' (in their order), else the
 * resolver's. ${r} may be NULL. Literal addresses are taken as they are.
 *
 * Blocking: yes, in getaddrinfo(3).
 * Errors:   SHOAL_ENET; ${why}, a static string, says what the resolver said.
 */
int resolve_lookup(const struct resolve *r, const char *host, uint16_t port,
                   struct node_addr out[RESOLVE_ADDRS_MAX], size_t *n,
                   const char **why);

#endif
