#include "guard.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "guard_internal.h"
#include "shoal.h"

enum {
    URL_MAX = 8192, /* bytes; signed ones are long */
    HOST_MAX = 256, /* a DNS name has at most 253 characters */
    PORT_ANY = 0
};

struct origin {
    struct origin *next;
    bool https;
    bool below; /* host is what follows `*.` */
    char host[HOST_MAX];
    unsigned port;
};

struct guard *
guard_create(void)
{
    struct guard *g = calloc(1, sizeof(*g));

    if (g != NULL) {
        atomic_init(&g->refs, 1);
    }
    return g;
}

struct guard *
guard_ref(struct guard *g)
{
    if (g != NULL) {
        atomic_fetch_add(&g->refs, 1);
    }
    return g;
}

void
guard_free(struct guard *g)
{
    if (g == NULL || atomic_fetch_sub(&g->refs, 1) > 1) {
        return;
    }
    while (g->origins != NULL) {
        struct origin *o = g->origins;

        g->origins = o->next;
        free(o);
    }
    while (g->allowed != NULL) {
        struct allowed *a = g->allowed;

        g->allowed = a->next;
        free(a);
    }
    free(g);
}

/* scheme://; where the authority starts, or NULL. */
static const char *
parse_scheme(const char *s, bool *https)
{
    if (strncasecmp(s, "http://", 7) == 0) {
        *https = false;
        return s + 7;
    }
    if (strncasecmp(s, "https://", 8) == 0) {
        *https = true;
        return s + 8;
    }
    return NULL;
}

static int
parse_port(const char *s, const char *end, unsigned *port)
{
    unsigned n = 0;

    if (s == end) {
        return 0; /* `host:` means the scheme's port, as in URLs */
    }
    for (; s < end; s++) {
        if (*s < '0' || *s > '9') {
            return SHOAL_EINVAL;
        }
        n = n * 10 + (unsigned) (*s - '0');
        if (n > 65535) {
            return SHOAL_EINVAL;
        }
    }
    *port = n;
    return n != 0 ? 0 : SHOAL_EINVAL;
}

/* host[:port] from `s` to `end`; the host in lower case, a dot at its end
 * left out, so that it cannot be used to get past a pattern. */
static int
parse_authority(const char *s, const char *end, char host[HOST_MAX],
                unsigned *port)
{
    const char *stop = s;

    if (s < end && *s == '[') {
        stop = memchr(s, ']', (size_t) (end - s));
        stop = stop != NULL ? stop + 1 : s;
    } else {
        while (stop < end && *stop != ':') {
            stop++;
        }
    }
    size_t len = (size_t) (stop - s);
    if (len == 0 || len >= HOST_MAX || (stop < end && *stop != ':')) {
        return SHOAL_EINVAL;
    }
    for (size_t i = 0; i < len; i++) {
        host[i] = (char) tolower((unsigned char) s[i]);
    }
    if (len > 1 && host[len - 1] == '.') {
        len--;
    }
    host[len] = '\0';
    return stop < end ? parse_port(stop + 1, end, port) : 0;
}

/* Neither user information nor escapes, zone ids or other alphabets. */
static bool
host_is_plain(const char *host)
{
    return strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-._[]:")
           == strlen(host);
}

static int
parse_origin(const char *text, struct origin *o)
{
    const char *s = parse_scheme(text, &o->https);

    if (s == NULL) {
        return SHOAL_EINVAL;
    }
    o->port = o->https ? 443 : 80;
    const char *end = s + strlen(s);
    size_t len = (size_t) (end - s);
    if (len > 0 && end[-1] == '/') {
        end--;
        len--;
    }
    bool any_port = len > 2 && strncmp(end - 2, ":*", 2) == 0;
    if (any_port) {
        end -= 2;
    }
    if (strncmp(s, "*.", 2) == 0) {
        o->below = true;
        s += 2;
    }
    if (parse_authority(s, end, o->host, &o->port) != 0
        || !host_is_plain(o->host)) {
        return SHOAL_EINVAL;
    }
    if (any_port) {
        o->port = PORT_ANY;
    }
    return 0;
}

int
guard_allow_origin(struct guard *g, const char *text)
{
    struct origin *o = calloc(1, sizeof(*o));

    if (o == NULL) {
        return SHOAL_ENOMEM;
    }
    if (parse_origin(text, o) != 0) {
        free(o);
        return SHOAL_EINVAL;
    }
    o->next = g->origins;
    g->origins = o;
    return 0;
}

static bool
host_matches(const struct origin *o, const char *host)
{
    size_t len = strlen(host), tail = strlen(o->host);

    if (!o->below) {
        return strcmp(host, o->host) == 0;
    }
    return len > tail + 1 && host[len - tail - 1] == '.'
           && strcmp(host + len - tail, o->host) == 0;
}

/* Parsers differ in what they make of blanks, control characters and
 * backslashes: none is let through. */
static bool
has_odd_bytes(const char *url)
{
    for (; *url != '\0'; url++) {
        unsigned char c = (unsigned char) *url;

        if (c <= ' ' || c == 127 || c == '\\') {
            return true;
        }
    }
    return false;
}

int
guard_url(const struct guard *g, const char *url)
{
    char host[HOST_MAX];
    bool https;

    const char *s = parse_scheme(url, &https);
    if (s == NULL || strnlen(url, URL_MAX + 1) > URL_MAX || has_odd_bytes(url))
    {
        return SHOAL_EDENIED;
    }
    unsigned port = https ? 443 : 80;
    const char *end = s + strcspn(s, "/?#");
    if (memchr(s, '@', (size_t) (end - s)) != NULL
        || parse_authority(s, end, host, &port) != 0 || !host_is_plain(host))
    {
        return SHOAL_EDENIED;
    }
    for (struct origin *o = g->origins; o != NULL; o = o->next) {
        if (o->https == https && (o->port == PORT_ANY || o->port == port)
            && host_matches(o, host))
        {
            return 0;
        }
    }
    return SHOAL_EDENIED;
}

/* The scheme is left out of a resource's identity, as is its port. */
char *
guard_best(const struct guard *g, const char *url)
{
    char host[HOST_MAX], *text = NULL;
    unsigned port = 80;
    bool https;

    const char *s = parse_scheme(url, &https);
    const char *end = s != NULL ? s + strcspn(s, "/?#") : NULL;
    if (s == NULL || https || parse_authority(s, end, host, &port) != 0) {
        return strdup(url);
    }
    int n = port == 80 ? asprintf(&text, "https://%s%s", host, end)
                       : asprintf(&text, "https://%s:%u%s", host, port, end);
    if (n < 0) {
        return NULL;
    }
    if (guard_url(g, text) == 0) {
        return text;
    }
    free(text);
    return strdup(url);
}

static char *
hook_best(void *ctx, const char *url)
{
    return guard_best(ctx, url);
}

static int
hook_url(void *ctx, const char *url)
{
    return guard_url(ctx, url);
}

static int
hook_addr(void *ctx, const struct sockaddr *sa)
{
    return guard_address(ctx, sa);
}

struct transfer_guard
guard_hooks(const struct guard *g)
{
    struct transfer_guard hooks = { hook_url, hook_best, hook_addr,
                                    (void *) (uintptr_t) g };

    return hooks;
}
