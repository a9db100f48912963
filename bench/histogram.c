#include <stdlib.h>

#include "load.h"

enum {
    SUB_BITS = 6,
    SUB = 1 << SUB_BITS,
    BUCKETS = (64 - SUB_BITS + 1) * SUB
};

struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[BUCKETS];
};

struct histogram *
histogram_new(void)
{
    return calloc(1, sizeof(struct histogram));
}

void
histogram_free(struct histogram *h)
{
    free(h);
}

/* Below 64 each value has its bucket; above, 64 for each power of two. */
static unsigned
bucket_of(uint64_t v)
{
    unsigned shift;

    if (v < SUB)
        return (unsigned) v;
    shift = 63 - (unsigned) __builtin_clzll(v) - SUB_BITS;
    return (shift + 1) * SUB + (unsigned) (v >> shift & (SUB - 1));
}

static uint64_t
bucket_value(unsigned b)
{
    unsigned shift;

    if (b < SUB)
        return b;
    shift = b / SUB - 1;
    return (uint64_t) (SUB + b % SUB) << shift;
}

void
histogram_add(struct histogram *h, uint64_t ns)
{
    h->buckets[bucket_of(ns)]++;
    h->count++;
    if (ns > h->max)
        h->max = ns;
}

uint64_t
histogram_at(const struct histogram *h, double share)
{
    uint64_t want = (uint64_t) (share * (double) h->count + 0.5), sum = 0;

    if (h->count == 0)
        return 0;
    if (share >= 1)
        return h->max;
    for (unsigned b = 0; b < BUCKETS; b++) {
        sum += h->buckets[b];
        if (sum >= want && sum > 0)
            return bucket_value(b);
    }
    return h->max;
}
