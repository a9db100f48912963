#include "rate.h"

#include <string.h>

enum {
    CHUNK_MIN = 1024,  /* bytes; below it headers cost more than the data */
    CHUNK_MAX = 65536, /* bytes; the block server's response buffer */
    SECOND_NS = 1000000000
};

void
rate_init(struct rate *r, uint64_t bps, uint64_t now_ns)
{
    memset(r, 0, sizeof(*r));
    rate_set(r, bps);
    r->then = now_ns;
}

void
rate_set(struct rate *r, uint64_t bps)
{
    r->bps = bps;
    r->burst = bps / 20 > CHUNK_MIN ? bps / 20 : CHUNK_MIN;
    r->tokens = r->tokens < r->burst ? r->tokens : r->burst;
}

size_t
rate_chunk(const struct rate *r)
{
    uint64_t n = r->bps / 50;

    if (r->bps == 0 || n > CHUNK_MAX) {
        return CHUNK_MAX;
    }
    return n < CHUNK_MIN ? CHUNK_MIN : (size_t) n;
}

static void
refill(struct rate *r, uint64_t now_ns)
{
    uint64_t passed = now_ns > r->then ? now_ns - r->then : 0;

    /* More than a second fills any bucket, and would overflow below. */
    if (passed > SECOND_NS) {
        passed = SECOND_NS;
    }
    unsigned __int128 fresh = (unsigned __int128) passed * r->bps + r->part;
    r->tokens += (uint64_t) (fresh / SECOND_NS);
    r->part = (uint64_t) (fresh % SECOND_NS);
    if (r->tokens > r->burst) {
        r->tokens = r->burst;
    }
    r->then = now_ns;
}

size_t
rate_take(struct rate *r, size_t want, uint64_t now_ns)
{
    if (r->bps == 0) {
        return want;
    }
    refill(r, now_ns);
    size_t n = want < r->tokens ? want : (size_t) r->tokens;
    r->tokens -= n;
    return n;
}

void
rate_return(struct rate *r, size_t bytes)
{
    if (r->bps != 0) {
        r->tokens += bytes;
    }
}

uint64_t
rate_wait_ns(const struct rate *r, size_t want)
{
    if (r->bps == 0 || r->tokens >= want) {
        return 0;
    }
    return (uint64_t) ((unsigned __int128) (want - r->tokens) * SECOND_NS
                       / r->bps)
           + 1;
}
