#include "callers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shoal.h"

enum {
    CALLERS_MAX = 32, /* that wait to be looked at */
    CALLER_TEXT = INET6_ADDRSTRLEN + 10
};

struct callers {
    pthread_mutex_t lock; /* of all below */
    char waiting[CALLERS_MAX][CALLER_TEXT];
    size_t first, n;
    void (*wake)(void *ctx);
    void *ctx;
};

struct callers *
callers_create(void)
{
    struct callers *c = calloc(1, sizeof(*c));

    if (c != NULL) {
        pthread_mutex_init(&c->lock, NULL);
    }
    return c;
}

void
callers_free(struct callers *c)
{
    if (c != NULL) {
        pthread_mutex_destroy(&c->lock);
        free(c);
    }
}

/* An IPv4 address that came over an IPv6 socket is one all the same. */
static bool
to_text(const struct sockaddr *from, uint16_t port, char out[CALLER_TEXT])
{
    char addr[INET6_ADDRSTRLEN];

    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *) from;

        inet_ntop(AF_INET, &in->sin_addr, addr, sizeof(addr));
        snprintf(out, CALLER_TEXT, "%s:%u", addr, (unsigned) port);
        return true;
    }
    if (from->sa_family != AF_INET6) {
        return false;
    }
    const struct in6_addr *in6 =
        &((const struct sockaddr_in6 *) from)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(in6)) {
        inet_ntop(AF_INET, &in6->s6_addr[12], addr, sizeof(addr));
        snprintf(out, CALLER_TEXT, "%s:%u", addr, (unsigned) port);
        return true;
    }
    inet_ntop(AF_INET6, in6, addr, sizeof(addr));
    snprintf(out, CALLER_TEXT, "[%s]:%u", addr, (unsigned) port);
    return !IN6_IS_ADDR_LINKLOCAL(in6);
}

static bool
waits(const struct callers *c, const char *text)
{
    for (size_t i = 0; i < c->n; i++) {
        if (strcmp(c->waiting[(c->first + i) % CALLERS_MAX], text) == 0) {
            return true;
        }
    }
    return false;
}

void
callers_put(struct callers *c, const struct sockaddr *from, uint16_t port)
{
    char text[CALLER_TEXT];

    if (!to_text(from, port, text)) {
        return;
    }
    pthread_mutex_lock(&c->lock);
    if (c->n < CALLERS_MAX && !waits(c, text)) {
        memcpy(c->waiting[(c->first + c->n++) % CALLERS_MAX], text,
               sizeof(text));
        if (c->wake != NULL) {
            c->wake(c->ctx);
        }
    }
    pthread_mutex_unlock(&c->lock);
}

int
callers_take(struct callers *c, char *out, size_t cap)
{
    int err = SHOAL_ENOTFOUND;

    pthread_mutex_lock(&c->lock);
    if (c->n > 0) {
        snprintf(out, cap, "%s", c->waiting[c->first]);
        c->first = (c->first + 1) % CALLERS_MAX;
        c->n--;
        err = 0;
    }
    pthread_mutex_unlock(&c->lock);
    return err;
}

void
callers_wake(struct callers *c, void (*wake)(void *ctx), void *ctx)
{
    pthread_mutex_lock(&c->lock);
    c->wake = wake;
    c->ctx = ctx;
    pthread_mutex_unlock(&c->lock);
}
