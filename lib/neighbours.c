#include "neighbours.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KNOWN_MAX = 512, /* addresses */
    HOST_MAX = 16,   /* of them of one host, which may name any port */
    REST_MAX_MS = 600000,
    IDLE_MS = 5000, /* in which a neighbour should have given something */
    POOR_MS = 1500, /* at least, until it is compared with others */
    POOR_BLOCKS = 2,
    USUAL_BLOCKS = 3 /* of the average neighbour, in the same time */
};

struct neighbour {
    char addr[NEIGHBOURS_ADDR];
    bool asked;
    unsigned rests;    /* in a row */
    uint64_t until_ms; /* left alone */
};

struct neighbours {
    unsigned most, asked;
    uint64_t chance;
    size_t n;
    struct neighbour list[KNOWN_MAX];
};

struct neighbours *
neighbours_create(unsigned most, uint64_t seed)
{
    struct neighbours *n = calloc(1, sizeof(*n));

    if (n != NULL) {
        n->most = most;
        n->chance = seed | 1;
    }
    return n;
}

void
neighbours_free(struct neighbours *n)
{
    free(n);
}

/* xorshift64*, by Vigna. */
static uint64_t
chance(struct neighbours *n, uint64_t below)
{
    uint64_t x = n->chance;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    n->chance = x;
    return (x * 0x2545f4914f6cdd1dull >> 16) % below;
}

static struct neighbour *
find(struct neighbours *n, const char *addr)
{
    for (size_t i = 0; i < n->n; i++) {
        if (strcmp(n->list[i].addr, addr) == 0) {
            return &n->list[i];
        }
    }
    return NULL;
}

static size_t
host_len(const char *addr)
{
    const char *colon = strrchr(addr, ':');

    return colon != NULL ? (size_t) (colon - addr) : strlen(addr);
}

static unsigned
count_host(const struct neighbours *n, const char *addr)
{
    size_t len = host_len(addr);
    unsigned count = 0;

    for (size_t i = 0; i < n->n; i++) {
        count += host_len(n->list[i].addr) == len
                 && memcmp(n->list[i].addr, addr, len) == 0;
    }
    return count;
}

static bool
is_ready(const struct neighbour *o, uint64_t now_ms)
{
    return !o->asked && now_ms >= o->until_ms;
}

/* Whose place one more takes: of those that are not asked the one that would
 * be next, as there are more of them; else the one that rests the longest
 * already. */
static struct neighbour *
room(struct neighbours *n, uint64_t now_ms)
{
    struct neighbour *best = NULL;
    unsigned ready = 0;

    if (n->n < KNOWN_MAX) {
        return &n->list[n->n++];
    }
    for (size_t i = 0; i < n->n; i++) {
        struct neighbour *o = &n->list[i];

        if (is_ready(o, now_ms) && chance(n, ++ready) == 0) {
            best = o;
        }
    }
    for (size_t i = 0; ready == 0 && i < n->n; i++) {
        struct neighbour *o = &n->list[i];

        if (!o->asked && (best == NULL || o->until_ms < best->until_ms)) {
            best = o;
        }
    }
    return best;
}

bool
neighbours_offer(struct neighbours *n, const char *addr, uint64_t now_ms)
{
    struct neighbour *o = find(n, addr);

    if (o != NULL) {
        return o->asked;
    }
    if (strlen(addr) >= NEIGHBOURS_ADDR || count_host(n, addr) >= HOST_MAX) {
        return false;
    }
    o = room(n, now_ms);
    if (o != NULL) {
        memset(o, 0, sizeof(*o));
        snprintf(o->addr, sizeof(o->addr), "%s", addr);
    }
    return false;
}

bool
neighbours_pick(struct neighbours *n, uint64_t now_ms,
                char addr[NEIGHBOURS_ADDR])
{
    struct neighbour *chosen = NULL;
    unsigned ready = 0;

    if (n->asked >= n->most) {
        return false;
    }
    for (size_t i = 0; i < n->n; i++) {
        if (is_ready(&n->list[i], now_ms) && chance(n, ++ready) == 0) {
            chosen = &n->list[i];
        }
    }
    if (chosen == NULL) {
        return false;
    }
    chosen->asked = true;
    n->asked++;
    memcpy(addr, chosen->addr, NEIGHBOURS_ADDR);
    return true;
}

bool
neighbours_spare(const struct neighbours *n, uint64_t now_ms)
{
    for (size_t i = 0; i < n->n; i++) {
        if (is_ready(&n->list[i], now_ms)) {
            return true;
        }
    }
    return false;
}

void
neighbours_rest(struct neighbours *n, const char *addr, uint64_t now_ms,
                uint64_t ms)
{
    struct neighbour *o = find(n, addr);

    if (o == NULL) {
        return;
    }
    n->asked -= o->asked;
    o->asked = false;
    for (unsigned i = 0; i < o->rests && ms < REST_MAX_MS; i++) {
        ms *= 2;
    }
    o->rests++;
    o->until_ms = now_ms + (ms < REST_MAX_MS ? ms : REST_MAX_MS);
}

unsigned
neighbours_count(const struct neighbours *n)
{
    return n->asked;
}

/* Who is known to many is asked by many: clients that follow nobody else were
 * the last ones of a thousand, by a fifth of the whole time. */
bool
neighbours_is_poor(struct neighbours_yield *y,
                   const struct neighbours_yield *now, unsigned n,
                   uint64_t block)
{
    uint64_t gave = now->used - y->used, ms = now->since_ms - y->since_ms;

    if (gave > POOR_BLOCKS * block) {
        *y = *now;
        return false;
    }
    if (gave == 0 && ms >= IDLE_MS) {
        return true;
    }
    return ms >= POOR_MS && now->all - y->all >= USUAL_BLOCKS * block * n;
}
