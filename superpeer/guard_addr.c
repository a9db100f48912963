/* guard_addr.c - which addresses may be connected to. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard_internal.h"
#include "shoal.h"

static void
map_v4(const uint8_t v4[4], uint8_t out[16])
{
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    memcpy(out + 12, v4, 4);
}

static bool
is_mapped(const uint8_t a[16])
{
    static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

    return memcmp(a, prefix, sizeof(prefix)) == 0;
}

static bool
in_network(const uint8_t a[16], const struct network *n)
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;

    if (memcmp(a, n->addr, whole) != 0) {
        return false;
    }
    return rest == 0 || ((a[whole] ^ n->addr[whole]) >> (8 - rest)) == 0;
}

static int
parse_network(const char *text, struct network *out)
{
    char addr[INET6_ADDRSTRLEN];
    uint8_t v4[4];
    unsigned bits, base = 0, most = 128;

    const char *slash = strchrnul(text, '/');
    size_t len = (size_t) (slash - text);
    if (len >= sizeof(addr)) {
        return SHOAL_EINVAL;
    }
    memcpy(addr, text, len);
    addr[len] = '\0';
    if (inet_pton(AF_INET, addr, v4) == 1) {
        map_v4(v4, out->addr);
        base = 96;
        most = 32;
    } else if (inet_pton(AF_INET6, addr, out->addr) != 1) {
        return SHOAL_EINVAL;
    }
    bits = most;
    if (*slash == '/') {
        char *end;

        bits = (unsigned) strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > most
            || end - slash > 4)
        {
            return SHOAL_EINVAL;
        }
    }
    out->bits = base + bits;
    for (unsigned i = out->bits; i < 128; i++) {
        if ((out->addr[i / 8] >> (7 - i % 8) & 1) != 0) {
            return SHOAL_EINVAL;
        }
    }
    return 0;
}

int
guard_allow_addresses(struct guard *g, const char *text)
{
    struct network net;

    if (parse_network(text, &net) != 0) {
        return SHOAL_EINVAL;
    }
    struct allowed *a = calloc(1, sizeof(*a));
    if (a == NULL) {
        return SHOAL_ENOMEM;
    }
    a->net = net;
    a->next = g->allowed;
    g->allowed = a;
    return 0;
}

static bool
is_allowed(const struct guard *g, const uint8_t a[16])
{
    for (struct allowed *n = g->allowed; n != NULL; n = n->next) {
        if (in_network(a, &n->net)) {
            return true;
        }
    }
    return false;
}

/* Not for everyone: IANA's special-purpose registries (RFC 6890 and later
 * entries), multicast and reserved space. IPv4 as mapped. */
static const struct network special[] = {
#define V4(a, b, c, bits)                                                     \
    {                                                                         \
        { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, 0 }, 96 + (bits) \
    }
    V4(0, 0, 0, 8),       /* this network, unspecified */
    V4(10, 0, 0, 8),      /* private */
    V4(100, 64, 0, 10),   /* shared by carriers */
    V4(127, 0, 0, 8),     /* loopback */
    V4(169, 254, 0, 16),  /* link-local, metadata services */
    V4(172, 16, 0, 12),   /* private */
    V4(192, 0, 0, 24),    /* protocol assignments */
    V4(192, 0, 2, 24),    /* documentation */
    V4(192, 88, 99, 24),  /* 6to4 relays */
    V4(192, 168, 0, 16),  /* private */
    V4(198, 18, 0, 15),   /* benchmarks */
    V4(198, 51, 100, 24), /* documentation */
    V4(203, 0, 113, 24),  /* documentation */
    V4(224, 0, 0, 4),     /* multicast */
    V4(240, 0, 0, 4),     /* reserved, broadcast */
#undef V4
};

/* IPv6: only 2000::/3 is global unicast, less these. */
static const struct network special6[] = {
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation */
    { { 0x20, 0x01, 0, 0 }, 23 },       /* Teredo, ORCHID, benchmarks */
    { { 0x3f, 0xff }, 20 },             /* documentation */
};

static const struct network nat64 = { { [1] = 0x64, [2] = 0xff, [3] = 0x9b },
                                      96 };

/* An IPv4 address inside, to be looked at as such. */
static bool
embedded_v4(const uint8_t a[16], uint8_t v4[4])
{
    static const struct network compatible = { { 0 }, 96 };
    static const struct network six_to_four = { { 0x20, 0x02 }, 16 };
    static const uint8_t isatap[4] = { 0, 0, 0x5e, 0xfe }; /* RFC 5214 */
    const uint8_t id[4] = { a[8] & 0xfd, a[9], a[10], a[11] };

    if (in_network(a, &six_to_four)) {
        memcpy(v4, a + 2, 4);
        return true;
    }
    if (in_network(a, &compatible) || in_network(a, &nat64)
        || memcmp(id, isatap, sizeof(id)) == 0)
    {
        memcpy(v4, a + 12, 4);
        return true;
    }
    return false;
}

static bool
in_any(const uint8_t a[16], const struct network *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (in_network(a, &list[i])) {
            return true;
        }
    }
    return false;
}

static int
check_v4(const struct guard *g, const uint8_t v4[4])
{
    uint8_t a[16];

    map_v4(v4, a);
    if (is_allowed(g, a)) {
        return 0;
    }
    return in_any(a, special, sizeof(special) / sizeof(special[0]))
               ? SHOAL_EDENIED
               : 0;
}

static int
check_v6(const struct guard *g, const uint8_t a[16])
{
    uint8_t v4[4];

    if (is_mapped(a)) {
        return check_v4(g, a + 12);
    }
    if (is_allowed(g, a)) {
        return 0;
    }
    if (embedded_v4(a, v4) && check_v4(g, v4) != 0) {
        return SHOAL_EDENIED;
    }
    if (in_network(a, &nat64)) {
        return 0;
    }
    if ((a[0] & 0xe0) != 0x20
        || in_any(a, special6, sizeof(special6) / sizeof(special6[0])))
    {
        return SHOAL_EDENIED;
    }
    return 0;
}

int
guard_address(const struct guard *g, const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *) sa;
        uint8_t v4[4];

        memcpy(v4, &in->sin_addr, 4);
        return check_v4(g, v4);
    }
    if (sa->sa_family == AF_INET6) {
        return check_v6(g,
                        ((const struct sockaddr_in6 *) sa)->sin6_addr.s6_addr);
    }
    return SHOAL_EDENIED;
}
