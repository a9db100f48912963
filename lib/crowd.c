#include "crowd.h"

#include <endian.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS = 4096,    /* of pointers; a power of two */
    SPARE_TOTAL = 128, /* above the limit, to be told so */
    SPARE_ADDRESS = 8  /* the same, of one address */
};

struct crowd_address {
    struct crowd_address *next;
    uint64_t key;
    unsigned count;
};

struct crowd {
    pthread_mutex_t lock; /* of all below */
    unsigned total, per_address;
    bool closed;
    unsigned count;
    struct crowd_address *buckets[BUCKETS];
};

/* An IPv4 address, also one that came in by IPv6, or the network of an IPv6
 * address: one user has all of a /64. No IPv6 network begins with 0:1. */
static uint64_t
key_of(const struct sockaddr *sa)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) sa;
    uint32_t v4;
    uint64_t net;

    if (sa == NULL) {
        return 0;
    }
    if (sa->sa_family == AF_INET) {
        v4 = ((const struct sockaddr_in *) sa)->sin_addr.s_addr;
        return UINT64_C(1) << 32 | ntohl(v4);
    }
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        memcpy(&v4, in6->sin6_addr.s6_addr + 12, sizeof(v4));
        return UINT64_C(1) << 32 | ntohl(v4);
    }
    memcpy(&net, in6->sin6_addr.s6_addr, sizeof(net));
    return be64toh(net);
}

static struct crowd_address **
find(struct crowd *c, uint64_t key)
{
    struct crowd_address **at =
        &c->buckets[(key * UINT64_C(0x9e3779b97f4a7c15)) >> 52];

    while (*at != NULL && (*at)->key != key) {
        at = &(*at)->next;
    }
    return at;
}

static enum crowd_verdict
verdict_locked(const struct crowd *c, unsigned total, unsigned from_address,
               bool spare)
{
    if (c->closed || total >= c->total + (spare ? SPARE_TOTAL : 0)) {
        return CROWD_FULL;
    }
    if (c->per_address != 0
        && from_address >= c->per_address + (spare ? SPARE_ADDRESS : 0))
    {
        return CROWD_ADDRESS_FULL;
    }
    return CROWD_IN;
}

struct crowd *
crowd_create(unsigned total, unsigned per_address)
{
    struct crowd *c = calloc(1, sizeof(*c));

    if (c != NULL) {
        pthread_mutex_init(&c->lock, NULL);
        crowd_set(c, total, per_address);
    }
    return c;
}

void
crowd_set(struct crowd *c, unsigned total, unsigned per_address)
{
    pthread_mutex_lock(&c->lock);
    c->total = total;
    c->per_address = per_address;
    pthread_mutex_unlock(&c->lock);
}

void
crowd_close(struct crowd *c)
{
    pthread_mutex_lock(&c->lock);
    c->closed = true;
    pthread_mutex_unlock(&c->lock);
}

enum crowd_verdict
crowd_room(struct crowd *c, const struct sockaddr *sa)
{
    pthread_mutex_lock(&c->lock);
    const struct crowd_address *a = *find(c, key_of(sa));
    enum crowd_verdict v =
        verdict_locked(c, c->count, a != NULL ? a->count : 0, true);
    pthread_mutex_unlock(&c->lock);
    return v;
}

static struct crowd_address *
add_locked(struct crowd *c, uint64_t key)
{
    struct crowd_address **at = find(c, key);

    if (*at == NULL) {
        *at = calloc(1, sizeof(**at));
        if (*at == NULL) {
            return NULL;
        }
        (*at)->key = key;
    }
    (*at)->count++;
    return *at;
}

/* Where there is no memory to count an address, it is not limited. */
enum crowd_verdict
crowd_enter(struct crowd *c, const struct sockaddr *sa,
            struct crowd_address **out)
{
    pthread_mutex_lock(&c->lock);
    *out = add_locked(c, key_of(sa));
    enum crowd_verdict v = verdict_locked(
        c, c->count, *out != NULL ? (*out)->count - 1 : 0, false);
    c->count++;
    pthread_mutex_unlock(&c->lock);
    return v;
}

void
crowd_leave(struct crowd *c, struct crowd_address *a)
{
    pthread_mutex_lock(&c->lock);
    c->count--;
    if (a != NULL && --a->count == 0) {
        *find(c, a->key) = a->next;
        free(a);
    }
    pthread_mutex_unlock(&c->lock);
}

unsigned
crowd_count(struct crowd *c)
{
    pthread_mutex_lock(&c->lock);
    unsigned n = c->count;
    pthread_mutex_unlock(&c->lock);
    return n;
}

void
crowd_free(struct crowd *c)
{
    if (c == NULL) {
        return;
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
}
