#include "lookup.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "shoal.h"
#include "url.h"

/* Shared by its owner and its thread; the last one out frees it. */
struct lookup {
    pthread_mutex_t lock;
    unsigned refs;
    bool done;
    int err;
    char host[256];
    uint16_t port;
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    size_t n;
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

static void *
run(void *arg)
{
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    struct lookup *l = arg;
    const char *why;
    size_t n = 0;

    int err = resolve_lookup(NULL, l->host, l->port, addrs, &n, &why);
    pthread_mutex_lock(&l->lock);
    if (err == 0) {
        memcpy(l->addrs, addrs, n * sizeof(addrs[0]));
        l->n = n;
    }
    l->err = err;
    l->done = true;
    pthread_mutex_unlock(&l->lock);
    release(l);
    return NULL;
}

static bool
start_thread(struct lookup *l)
{
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    l->refs++;
    bool started = pthread_create(&thread, &attr, run, l) == 0;
    pthread_attr_destroy(&attr);
    if (!started) {
        l->refs--;
    }
    return started;
}

struct lookup *
lookup_start(const struct resolve *r, const char *url)
{
    struct lookup *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        return NULL;
    }
    pthread_mutex_init(&l->lock, NULL);
    l->refs = 1;
    if (url_split(url, l->host, sizeof(l->host), &l->port) != 0) {
        lookup_free(l);
        return NULL;
    }
    if (resolve_override(r, l->host, l->port, l->addrs, &l->n) == 0
        || resolve_literal(l->host, l->port, l->addrs, &l->n) == 0)
    {
        l->done = true;
        return l;
    }
    if (!start_thread(l)) {
        lookup_free(l);
        return NULL;
    }
    return l;
}

int
lookup_result(struct lookup *l, struct node_addr addrs[RESOLVE_ADDRS_MAX],
              size_t *n)
{
    pthread_mutex_lock(&l->lock);
    int err = l->done ? l->err : LOOKUP_PENDING;
    if (err == 0) {
        memcpy(addrs, l->addrs, l->n * sizeof(addrs[0]));
        *n = l->n;
    }
    pthread_mutex_unlock(&l->lock);
    return err;
}

void
lookup_free(struct lookup *l)
{
    if (l != NULL) {
        release(l);
    }
}
