/* ticket.h - tickets: leave to have one resource's blocks for a while, signed
 * by the tracker (docs/protocol.md "Tickets"). */
#ifndef TICKET_H
#define TICKET_H

#include <stddef.h>
#include <stdint.h>

#include "resource.h"

enum {
    TICKET_KEYS_MAX = 16,
    TICKET_KEY_MIN = 16, /* bytes */
    TICKET_KEY_MAX = 64, /* bytes; SHA-256's block: longer ones gain nothing */
    TICKET_MAC_LEN = 16, /* bytes of the HMAC that a ticket has */
    TICKET_TEXT_MAX = 53 /* EXPIRES.HMAC with the final NUL */
};

/** The keys of one super peer; any of them is good. */
struct ticket_keys;

/** ticket_keys_create(): none yet. NULL: out of memory. */
struct ticket_keys *ticket_keys_create(void);

/** ticket_keys_ref(k): held once more; ticket_keys_free() drops one. */
struct ticket_keys *ticket_keys_ref(struct ticket_keys *k);
void ticket_keys_free(struct ticket_keys *k);

/**
 * ticket_keys_read(k, path, why, cap):
 * Add the keys of a file: one a line in hex digits; empty lines and what
 * follows `#` are passed over. Not while others use ${k}.
 *
 * Errors:  SHOAL_EIO, SHOAL_EINVAL (a line that is none, no key, too many),
 *          SHOAL_ENOMEM; the words, never the key, go to ${why}.
 */
int ticket_keys_read(struct ticket_keys *k, const char *path, char *why,
                     size_t cap);

/** ticket_keys_allow(k, skew_s): a ticket is good for ${skew_s} seconds beyond
 *  its time, for clocks that differ; 0 at first. Not while others use ${k}. */
void ticket_keys_allow(struct ticket_keys *k, unsigned skew_s);

/** ticket_keys_count(k): how many. */
size_t ticket_keys_count(const struct ticket_keys *k);

/**
 * ticket_make(k, id, expires, text):
 * A ticket of the first key, good until ${expires}, seconds since 1970.
 *
 * Errors:  SHOAL_EINVAL (no key), SHOAL_ENOMEM.
 */
int ticket_make(const struct ticket_keys *k, const uint8_t id[RESOURCE_ID_LEN],
                uint64_t expires, char text[TICKET_TEXT_MAX]);

/**
 * ticket_check(k, id, text, now):
 * May who shows ${text} (NULL: nothing) have blocks of ${id} at ${now},
 * seconds since 1970? NULL: yes; else why not, a static line of text. How long
 * it takes does not tell how much of a ticket is right.
 *
 * Threads:    any.
 */
const char *ticket_check(const struct ticket_keys *k,
                         const uint8_t id[RESOURCE_ID_LEN], const char *text,
                         uint64_t now);

/** Keys that may be replaced while they are used. */
struct ticket_gate;

/** ticket_gate_create(): open to all. NULL: out of memory. */
struct ticket_gate *ticket_gate_create(void);
void ticket_gate_free(struct ticket_gate *g);

/** ticket_gate_set(g, keys): what counts from now on; NULL, or no key: it is
 *  open to all. Holds ${keys}. Threads: any. */
void ticket_gate_set(struct ticket_gate *g, struct ticket_keys *keys);

/** ticket_gate_check(g, id, text): as ticket_check(), at this time. */
const char *ticket_gate_check(struct ticket_gate *g,
                              const uint8_t id[RESOURCE_ID_LEN],
                              const char *text);

#endif
