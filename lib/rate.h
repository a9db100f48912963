/* rate.h - a token bucket: so many bytes a second, whoever takes them. */
#ifndef RATE_H
#define RATE_H

#include <stddef.h>
#include <stdint.h>

/** Not locked: its owner does that. */
struct rate {
    uint64_t bps;    /* bytes a second; 0: no limit */
    uint64_t burst;  /* bytes, what may be saved up */
    uint64_t tokens; /* bytes */
    uint64_t part;   /* what is left of a byte, in 1/1e9 */
    uint64_t then;   /* ns, of the last refill */
};

/** rate_init(r, bps, now_ns): empty bucket of a 20th of a second. */
void rate_init(struct rate *r, uint64_t bps, uint64_t now_ns);

/** rate_set(r, bps): another rate from now on. */
void rate_set(struct rate *r, uint64_t bps);

/** rate_chunk(r): how much is worth handing out in one go, bytes: about a
 *  50th of a second, 1 to 64 KiB. */
size_t rate_chunk(const struct rate *r);

/** rate_take(r, want, now_ns): up to ${want} bytes; fewer, down to 0, when
 *  the bucket holds fewer. */
size_t rate_take(struct rate *r, size_t want, uint64_t now_ns);

/** rate_return(r, bytes): taken and not used. */
void rate_return(struct rate *r, size_t bytes);

/** rate_wait_ns(r, want): how long until ${want} bytes (at most the burst)
 *  are there. */
uint64_t rate_wait_ns(const struct rate *r, size_t want);

#endif
