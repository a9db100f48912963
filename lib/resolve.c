#include "resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shoal.h"

struct override {
    struct override *next;
    char *host;
    uint16_t port;
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    size_t n;
};

struct resolve {
    atomic_uint refs;
    struct override *first;
};

struct resolve *
resolve_create(void)
{
    struct resolve *r = calloc(1, sizeof(*r));

    if (r != NULL) {
        atomic_init(&r->refs, 1);
    }
    return r;
}

struct resolve *
resolve_ref(struct resolve *r)
{
    if (r != NULL) {
        atomic_fetch_add(&r->refs, 1);
    }
    return r;
}

void
resolve_free(struct resolve *r)
{
    if (r == NULL || atomic_fetch_sub(&r->refs, 1) > 1) {
        return;
    }
    while (r->first != NULL) {
        struct override *o = r->first;

        r->first = o->next;
        free(o->host);
        free(o);
    }
    free(r);
}

void
resolve_set_port(struct node_addr *a, uint16_t port)
{
    if (a->sa.ss_family == AF_INET6) {
        ((struct sockaddr_in6 *) &a->sa)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *) &a->sa)->sin_port = htons(port);
    }
}

/* A numeric address, perhaps in brackets. */
static int
parse_literal(const char *s, size_t len, uint16_t port, struct node_addr *out)
{
    struct sockaddr_in *in = (struct sockaddr_in *) &out->sa;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &out->sa;

    if (len >= 2 && s[0] == '[' && s[len - 1] == ']') {
        s++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof(out->text)) {
        return SHOAL_EINVAL;
    }
    memset(out, 0, sizeof(*out));
    memcpy(out->text, s, len);
    if (inet_pton(AF_INET, out->text, &in->sin_addr) == 1) {
        out->sa.ss_family = AF_INET;
        out->len = sizeof(*in);
    } else if (inet_pton(AF_INET6, out->text, &in6->sin6_addr) == 1) {
        out->sa.ss_family = AF_INET6;
        out->len = sizeof(*in6);
    } else {
        return SHOAL_EINVAL;
    }
    resolve_set_port(out, port);
    return 0;
}

static struct override *
find(const struct resolve *r, const char *host, uint16_t port)
{
    for (struct override *o = r->first; o != NULL; o = o->next) {
        if (o->port == port && strcasecmp(o->host, host) == 0) {
            return o;
        }
    }
    return NULL;
}

static int
parse_addrs(struct override *o, const char *list)
{
    for (;;) {
        size_t len = strcspn(list, ",");

        if (o->n == RESOLVE_ADDRS_MAX
            || parse_literal(list, len, o->port, &o->addrs[o->n]) != 0)
        {
            return SHOAL_EINVAL;
        }
        o->n++;
        if (list[len] == '\0') {
            return 0;
        }
        list += len + 1;
    }
}

/* HOST:PORT: of an override; HOST may be an IPv6 literal in brackets. */
static int
parse_head(const char *text, size_t *host_len, uint16_t *port,
           const char **list)
{
    const char *close = text[0] == '[' ? strchr(text, ']') : text;
    const char *colon = close != NULL ? strchr(close, ':') : NULL;
    char *end;

    if (colon == NULL || colon == text || colon[1] < '0' || colon[1] > '9') {
        return SHOAL_EINVAL;
    }
    unsigned long n = strtoul(colon + 1, &end, 10);
    if (*end != ':' || n == 0 || n > 65535) {
        return SHOAL_EINVAL;
    }
    *host_len = (size_t) (colon - text);
    *port = (uint16_t) n;
    *list = end + 1;
    return 0;
}

int
resolve_add(struct resolve *r, const char *text)
{
    size_t host_len;
    uint16_t port;
    const char *list;

    if (parse_head(text, &host_len, &port, &list) != 0) {
        return SHOAL_EINVAL;
    }
    char *host = strndup(text, host_len);
    if (host == NULL) {
        return SHOAL_ENOMEM;
    }
    struct override *o = find(r, host, port);
    if (o != NULL) {
        free(host);
        return parse_addrs(o, list);
    }
    o = calloc(1, sizeof(*o));
    if (o == NULL) {
        free(host);
        return SHOAL_ENOMEM;
    }
    o->host = host;
    o->port = port;
    int err = parse_addrs(o, list);
    if (err != 0) {
        free(o->host);
        free(o);
        return err;
    }
    o->next = r->first;
    r->first = o;
    return 0;
}

static bool
known(const struct node_addr *list, size_t n, const struct node_addr *a)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].text, a->text) == 0) {
            return true;
        }
    }
    return false;
}

static int
ask_resolver(const char *host, uint16_t port,
             struct node_addr out[RESOLVE_ADDRS_MAX], size_t *n,
             const char **why)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    size_t count = 0;

    int rc = getaddrinfo(host, NULL, &hints, &list);
    if (rc != 0) {
        *why = gai_strerror(rc);
        return SHOAL_ENET;
    }
    for (struct addrinfo *a = list; a != NULL; a = a->ai_next) {
        struct node_addr *node = &out[count];

        if (count == RESOLVE_ADDRS_MAX
            || (a->ai_family != AF_INET && a->ai_family != AF_INET6))
        {
            continue;
        }
        memset(node, 0, sizeof(*node));
        memcpy(&node->sa, a->ai_addr, a->ai_addrlen);
        node->len = a->ai_addrlen;
        resolve_set_port(node, port);
        if (getnameinfo(a->ai_addr, a->ai_addrlen, node->text,
                        sizeof(node->text), NULL, 0, NI_NUMERICHOST)
                == 0
            && !known(out, count, node))
        {
            count++;
        }
    }
    freeaddrinfo(list);
    if (count == 0) {
        *why = "no address";
        return SHOAL_ENET;
    }
    *n = count;
    return 0;
}

int
resolve_override(const struct resolve *r, const char *host, uint16_t port,
                 struct node_addr out[RESOLVE_ADDRS_MAX], size_t *n)
{
    const struct override *o = r != NULL ? find(r, host, port) : NULL;

    if (o == NULL) {
        return SHOAL_ENOTFOUND;
    }
    memcpy(out, o->addrs, o->n * sizeof(out[0]));
    *n = o->n;
    return 0;
}

int
resolve_literal(const char *host, uint16_t port, struct node_addr *out,
                size_t *n)
{
    int err = parse_literal(host, strlen(host), port, out);

    if (err == 0) {
        *n = 1;
    }
    return err;
}

int
resolve_lookup(const struct resolve *r, const char *host, uint16_t port,
               struct node_addr out[RESOLVE_ADDRS_MAX], size_t *n,
               const char **why)
{
    if (resolve_override(r, host, port, out, n) == 0) {
        return 0;
    }
    if (resolve_literal(host, port, out, n) == 0) {
        return 0;
    }
    return ask_resolver(host, port, out, n, why);
}
