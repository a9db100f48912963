#include "dns_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "shoal.h"

enum {
    NAMES_MAX = 1024,
    BUCKETS = 256
};

struct names {
    struct name *buckets[BUCKETS];
    struct name *waited;
    size_t count;
};

struct names *
names_create(void)
{
    return calloc(1, sizeof(struct names));
}

static void
name_free(struct name *name)
{
    for (int f = 0; f < DNS_FAMILIES; f++) {
        free(name->families[f].addrs);
    }
    free(name);
}

void
names_free(struct names *n)
{
    for (int i = 0; n != NULL && i < BUCKETS; i++) {
        while (n->buckets[i] != NULL) {
            struct name *name = n->buckets[i];

            n->buckets[i] = name->next;
            name_free(name);
        }
    }
    free(n);
}

static unsigned
bucket_of(const char *host)
{
    uint32_t hash = 2166136261; /* FNV-1a */

    for (; *host != '\0'; host++) {
        hash = (hash ^ (uint8_t) *host) * 16777619;
    }
    return hash % BUCKETS;
}

static bool
is_busy(const struct name *name)
{
    return name->waiters != NULL || name->families[DNS_V4].asked
           || name->families[DNS_V6].asked;
}

/* In a bucket, the one that nobody asked for for the longest time, unless
 * ${oldest} is older still. */
static struct name **
older_in(struct name **bucket, struct name **oldest)
{
    for (struct name **p = bucket; *p != NULL; p = &(*p)->next) {
        if (!is_busy(*p)
            && (oldest == NULL || (*p)->used_ms < (*oldest)->used_ms)) {
            oldest = p;
        }
    }
    return oldest;
}

static bool
make_room(struct names *n)
{
    struct name **oldest = NULL;

    for (int i = 0; i < BUCKETS; i++) {
        oldest = older_in(&n->buckets[i], oldest);
    }
    if (oldest == NULL) {
        return false;
    }
    struct name *name = *oldest;
    *oldest = name->next;
    name_free(name);
    n->count--;
    return true;
}

struct name *
names_get(struct names *n, const char *host, uint64_t now)
{
    char lower[DNS_HOST_MAX];
    size_t len = strlen(host);

    if (len == 0 || len >= sizeof(lower)) {
        return NULL;
    }
    memset(lower, 0, sizeof(lower));
    for (size_t i = 0; i < len; i++) {
        lower[i] = (char) tolower((unsigned char) host[i]);
    }
    struct name **bucket = &n->buckets[bucket_of(lower)];
    for (struct name *name = *bucket; name != NULL; name = name->next) {
        if (strcmp(name->host, lower) == 0) {
            name->used_ms = now;
            return name;
        }
    }
    if (n->count >= NAMES_MAX && !make_room(n)) {
        return NULL;
    }
    struct name *name = calloc(1, sizeof(*name));
    if (name == NULL) {
        return NULL;
    }
    memcpy(name->host, lower, len + 1);
    name->used_ms = now;
    name->next = *bucket;
    *bucket = name;
    n->count++;
    return name;
}

int
names_wait(struct names *n, struct name *name, lookup_done *done, void *arg)
{
    struct waiter *w = malloc(sizeof(*w));

    if (w == NULL) {
        return SHOAL_ENOMEM;
    }
    if (name->waiters == NULL) {
        name->next_waited = n->waited;
        n->waited = name;
    }
    *w = (struct waiter){ name->waiters, done, arg };
    name->waiters = w;
    return 0;
}

struct name *
names_waited(const struct names *n)
{
    return n->waited;
}

struct waiter *
names_unwait(struct names *n, struct name *name)
{
    struct waiter *list = name->waiters;
    struct name **p = &n->waited;

    name->waiters = NULL;
    while (*p != NULL && *p != name) {
        p = &(*p)->next_waited;
    }
    if (*p == name) {
        *p = name->next_waited;
    }
    return list;
}

void
names_forget(struct names *n)
{
    for (int i = 0; i < BUCKETS; i++) {
        for (struct name *name = n->buckets[i]; name != NULL;
             name = name->next) {
            name->fresh_ms = 0;
        }
    }
    for (struct name *name = n->waited; name != NULL; name = name->next_waited)
    {
        name_begin(name); /* what other servers answered is no answer now */
    }
}

void
name_begin(struct name *name)
{
    for (int f = 0; f < DNS_FAMILIES; f++) {
        struct dns_family *family = &name->families[f];

        free(family->addrs);
        family->addrs = NULL;
        family->n = 0;
        family->answered = false;
        family->why = NULL;
    }
    name->ttl_ms = UINT64_MAX;
    name->grace_ms = 0;
}

bool
name_is_done(const struct name *name, uint64_t now)
{
    const struct dns_family *f = name->families;

    return (f[DNS_V4].answered && f[DNS_V6].answered)
           || (name->grace_ms != 0 && now >= name->grace_ms)
           || now >= name->deadline_ms;
}

size_t
name_addresses(const struct name *name,
               struct node_addr out[RESOLVE_ADDRS_MAX], const char **why)
{
    const struct dns_family *v4 = &name->families[DNS_V4];
    const struct dns_family *v6 = &name->families[DNS_V6];
    size_t n = 0;

    for (size_t i = 0; i < v4->n || i < v6->n; i++) {
        if (i < v4->n && n < RESOLVE_ADDRS_MAX) {
            out[n++] = v4->addrs[i];
        }
        if (i < v6->n && n < RESOLVE_ADDRS_MAX) {
            out[n++] = v6->addrs[i];
        }
    }
    *why = v4->why != NULL   ? v4->why
           : v6->why != NULL ? v6->why
                             : "the resolver does not answer";
    return n;
}
