#include "lookup.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "shoal.h"
#include "signals.h"
#include "url.h"

/* Shared by its owner and whoever looks; the last one out frees it. */
struct lookup {
    pthread_mutex_t lock;
    unsigned refs;
    bool done;
    int err;
    const char *why;
    char host[256];
    uint16_t port;
    int family;
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    size_t n;
    void (*wake)(void *ctx); /* NULL: nobody waits */
    void *ctx;
};

static void
release(struct lookup *l)
{
    pthread_mutex_lock(&l->lock);
    bool last = --l->refs == 0;
    pthread_mutex_unlock(&l->lock);
    if (last) {
        pthread_mutex_destroy(&l->lock);
        free(l);
    }
}

/* Leaves out those of another family. */
static void
sift(struct lookup *l)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n && l->family != AF_UNSPEC; i++) {
        if (l->addrs[i].sa.ss_family == l->family) {
            l->addrs[n++] = l->addrs[i];
        }
    }
    l->n = l->family != AF_UNSPEC ? n : l->n;
    if (l->err == 0 && l->n == 0) {
        l->err = SHOAL_ENET;
        l->why = l->family == AF_INET    ? "no IPv4 address"
                 : l->family == AF_INET6 ? "no IPv6 address"
                                         : "no address";
    }
}

/* Of the one who looks; lets go of it. */
static void
take_result(void *arg, int err, const char *why, const struct node_addr *addrs,
            size_t n)
{
    struct lookup *l = arg;

    pthread_mutex_lock(&l->lock);
    l->n = n < RESOLVE_ADDRS_MAX ? n : RESOLVE_ADDRS_MAX;
    for (size_t i = 0; i < l->n; i++) {
        l->addrs[i] = addrs[i];
        resolve_set_port(&l->addrs[i], l->port);
    }
    l->err = err;
    l->why = why;
    sift(l);
    l->done = true;
    if (l->wake != NULL) {
        l->wake(l->ctx);
    }
    pthread_mutex_unlock(&l->lock);
    release(l);
}

static void *
run(void *arg)
{
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    struct lookup *l = arg;
    const char *why = "";
    size_t n = 0;

    int err = resolve_lookup(NULL, l->host, l->port, addrs, &n, &why);
    take_result(l, err, why, addrs, n);
    return NULL;
}

static bool
start_thread(struct lookup *l)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t old;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    l->refs++;
    signals_block(&old);
    bool started = pthread_create(&thread, &attr, run, l) == 0;
    signals_restore(&old);
    pthread_attr_destroy(&attr);
    if (!started) {
        l->refs--;
    }
    return started;
}

struct lookup *
lookup_start(const struct lookup_options *o)
{
    struct lookup *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        return NULL;
    }
    pthread_mutex_init(&l->lock, NULL);
    l->refs = 1;
    l->family = o->family;
    if (url_split(o->url, l->host, sizeof(l->host), &l->port) != 0) {
        lookup_free(l);
        return NULL;
    }
    if (resolve_override(o->resolve, l->host, l->port, l->addrs, &l->n) == 0
        || resolve_literal(l->host, l->port, l->addrs, &l->n) == 0)
    {
        sift(l);
        l->done = true;
        return l;
    }
    l->wake = o->wake;
    l->ctx = o->ctx;
    if (o->hook != NULL) {
        l->refs++;
        o->hook->start(o->hook->ctx, l->host, take_result, l);
    } else if (!start_thread(l)) {
        lookup_free(l);
        return NULL;
    }
    return l;
}

int
lookup_result(struct lookup *l, struct node_addr addrs[RESOLVE_ADDRS_MAX],
              size_t *n, const char **why)
{
    pthread_mutex_lock(&l->lock);
    int err = l->done ? l->err : LOOKUP_PENDING;
    if (err == 0) {
        memcpy(addrs, l->addrs, l->n * sizeof(addrs[0]));
        *n = l->n;
    } else if (why != NULL) {
        *why = l->why;
    }
    pthread_mutex_unlock(&l->lock);
    return err;
}

void
lookup_free(struct lookup *l)
{
    if (l == NULL) {
        return;
    }
    pthread_mutex_lock(&l->lock);
    l->wake = NULL;
    pthread_mutex_unlock(&l->lock);
    release(l);
}
