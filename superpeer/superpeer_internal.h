/* superpeer_internal.h - what start, stop and reload share. */
#ifndef SUPERPEER_INTERNAL_H
#define SUPERPEER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "agent.h"
#include "prefetch.h"
#include "serve.h"

struct admin_server;
struct cache;
struct config;
struct status;
struct watch;

struct superpeer {
    struct config *first_config; /* some parts borrow from it */
    struct cache *cache;
    struct serve *serve;
    struct prefetch *prefetch;
    struct agent *agent;
    struct watch *watch;
    struct status *status;
    struct admin_server *admin;
    struct agent_ops agent_ops;
    pthread_mutex_t lock;  /* of `prefetch` and `agent`, which start last, */
    struct config *config; /* and of the configuration of now */
    atomic_bool broken;    /* the cache is */
};

/** superpeer_serve_options(s, c): what the block server is told of ${c}. */
struct serve_options superpeer_serve_options(const struct superpeer *s,
                                             const struct config *c);

/** superpeer_prefetch_options(s, c): what the prefetcher is told of ${c}. */
struct prefetch_options superpeer_prefetch_options(struct superpeer *s,
                                                   const struct config *c);

#endif
