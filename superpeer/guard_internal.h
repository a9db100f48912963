/* guard_internal.h - what URLs (guard.c) and addresses (guard_addr.c) share. */
#ifndef GUARD_INTERNAL_H
#define GUARD_INTERNAL_H

#include <stdatomic.h>
#include <stdint.h>

#include "guard.h"

struct origin;

/* IPv4 networks are kept as IPv4-mapped IPv6 ones. */
struct network {
    uint8_t addr[16];
    unsigned bits;
};

struct allowed {
    struct allowed *next;
    struct network net;
};

struct guard {
    atomic_uint refs;
    struct origin *origins;
    struct allowed *allowed;
};

#endif
