#include "throttle.h"

#include <limits.h>

enum {
    SECOND_US = 1000000,
    LATE_US = 50000, /* waiting ends late: that much is caught up with */
    CHUNK_MIN = 1024,
    CHUNK_MAX = 65536
};

void
throttle_init(struct throttle *t, uint64_t bps, uint64_t now_us)
{
    t->bps = bps;
    t->paid_us = now_us;
}

size_t
throttle_chunk(const struct throttle *t)
{
    uint64_t n = t->bps / 50;

    if (t->bps == 0) {
        return 0;
    }
    if (n > CHUNK_MAX) {
        return CHUNK_MAX;
    }
    return n < CHUNK_MIN ? CHUNK_MIN : (size_t) n;
}

unsigned
throttle_take(struct throttle *t, size_t bytes, uint64_t now_us)
{
    if (t->bps == 0) {
        return 0;
    }
    if (t->paid_us + LATE_US < now_us) {
        t->paid_us = now_us - LATE_US;
    }
    t->paid_us += (uint64_t) ((unsigned __int128) bytes * SECOND_US / t->bps);
    uint64_t wait = t->paid_us > now_us ? (t->paid_us - now_us) / 1000 : 0;
    return wait < UINT_MAX ? (unsigned) wait : UINT_MAX;
}
