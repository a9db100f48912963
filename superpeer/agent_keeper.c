/* agent_keeper.c - the thread that looks up the trackers' addresses, again
 * and again, and keeps a link for each. A look-up that hangs holds up nobody:
 * lookup.h has it in a thread of its own. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_internal.h"
#include "clock.h"
#include "config.h"
#include "log.h"
#include "lookup.h"
#include "resolve.h"
#include "shoal.h"
#include "url.h"

enum {
    LOOKUP_MS = 60000,     /* between two look-ups of a tracker */
    LOOKUP_SOON_MS = 3000, /* where an address does not answer, or was missing
                              in the last answer */
    BUSY_MS = 50,          /* a turn, with a look-up or an end under way */
    TURN_MS = 1000,
    MISSING_MAX = 2 /* some resolvers name a part of the addresses only */
};

struct tracker *
tracker_create(struct config *config, const struct config_tracker *conf)
{
    struct tracker *t = calloc(1, sizeof(*t));

    if (t != NULL) {
        t->config = config_ref(config);
        t->conf = conf;
    }
    return t;
}

void
tracker_free(struct tracker *t)
{
    lookup_free(t->lookup);
    config_free(t->config);
    free(t);
}

/* ---- addresses ---- */

/* Of two families, one cannot be reached from the address to be used. */
static bool
is_reachable(const struct config *c, const struct node_addr *addr)
{
    return c->bind_address == NULL
           || (strchr(c->bind_address, ':') != NULL)
                  == (strchr(addr->text, ':') != NULL);
}

/* Is the answer the whole truth, as one of the resolver need not be? */
static bool
is_fixed(const struct tracker *t)
{
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    char host[256];
    uint16_t port;
    size_t n;

    return url_split(t->conf->url, host, sizeof(host), &port) != 0
           || resolve_override(t->config->resolve, host, port, addrs, &n) == 0
           || resolve_literal(host, port, addrs, &n) == 0;
}

static struct tracker_link *
find_locked(struct tracker *t, const struct node_addr *addr)
{
    char bracketed[AGENT_ADDRESS_MAX];
    struct tracker_link *l = t->links;
    bool v6 = strchr(addr->text, ':') != NULL;

    int len = snprintf(bracketed, sizeof(bracketed), "%s%s%s:", v6 ? "[" : "",
                       addr->text, v6 ? "]" : "");
    while (l != NULL
           && (atomic_load(&l->stop)
               || strncmp(l->address, bracketed, (size_t) len) != 0))
    {
        l = l->next;
    }
    return l;
}

static size_t
links_locked(const struct agent *a)
{
    struct walk w = { NULL, NULL };
    size_t n = 0;

    while (agent_next_locked(a, &w) != NULL) {
        n++;
    }
    return n;
}

static void
add_locked(struct agent *a, struct tracker *t, const struct node_addr *addr)
{
    struct tracker_link *l = NULL;

    if (links_locked(a) < AGENT_LINKS_MAX) {
        l = link_create(a, t, addr);
    }
    if (l == NULL) {
        log_line(LOG_LEVEL_ERROR, NULL,
                 "tracker %s: address %s is left out: more than %d, or out "
                 "of memory",
                 t->conf->url, addr->text, AGENT_LINKS_MAX);
        return;
    }
    l->next = t->links;
    t->links = l;
    if (!link_start_locked(l)) {
        log_line(LOG_LEVEL_ERROR, NULL, "tracker %s: out of threads", l->name);
        atomic_store(&l->stop, true); /* and freed in the next turn */
    }
}

/* A new address gets a link, one that is gone loses it. */
static void
take_addresses_locked(struct agent *a, struct tracker *t,
                      const struct node_addr *addrs, size_t n)
{
    unsigned patience = is_fixed(t) ? 1 : MISSING_MAX;

    for (struct tracker_link *l = t->links; l != NULL; l = l->next) {
        l->missing++;
    }
    for (size_t i = 0; i < n; i++) {
        struct tracker_link *l = find_locked(t, &addrs[i]);

        if (l != NULL) {
            l->missing = 0;
        } else if (is_reachable(t->config, &addrs[i])) {
            add_locked(a, t, &addrs[i]);
        }
    }
    for (struct tracker_link *l = t->links; l != NULL; l = l->next) {
        if (l->missing >= patience && !atomic_load(&l->stop)) {
            log_line(LOG_LEVEL_INFO, NULL, "tracker %s: address is gone",
                     l->name);
            link_end_locked(l);
        }
    }
}

/* ---- look-ups ---- */

static bool
is_troubled_locked(const struct tracker *t)
{
    for (const struct tracker_link *l = t->links; l != NULL; l = l->next) {
        if (!l->connected || l->missing > 0) {
            return true;
        }
    }
    return false;
}

static void
failed_locked(struct tracker *t, uint64_t now)
{
    unsigned wait = agent_backoff_ms(t->failures++);

    t->lookup_at_ms = now + (t->links != NULL ? LOOKUP_SOON_MS : wait);
    if (t->error[0] == '\0') {
        snprintf(t->error, sizeof(t->error), "its name is not resolved");
        log_line(LOG_LEVEL_WARN, NULL, "tracker %s: %s", t->conf->url,
                 t->error);
    }
}

static void
look_locked(struct agent *a, struct tracker *t, uint64_t now)
{
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    size_t n = 0;

    if (t->lookup == NULL && now >= t->lookup_at_ms) {
        struct lookup_options o = { .url = t->conf->url,
                                    .resolve = t->config->resolve };

        t->lookup = lookup_start(&o);
        if (t->lookup == NULL) {
            failed_locked(t, now);
        }
    }
    if (t->lookup == NULL) {
        /* an address that does not answer may have been replaced */
        if (is_troubled_locked(t) && t->lookup_at_ms > now + LOOKUP_SOON_MS) {
            t->lookup_at_ms = now + LOOKUP_SOON_MS;
        }
        return;
    }
    int err = lookup_result(t->lookup, addrs, &n, NULL);
    if (err == LOOKUP_PENDING) {
        return;
    }
    lookup_free(t->lookup);
    t->lookup = NULL;
    if (err != 0) {
        failed_locked(t, now);
        return;
    }
    t->failures = 0;
    t->error[0] = '\0';
    t->lookup_at_ms = now + LOOKUP_MS;
    take_addresses_locked(a, t, addrs, n);
}

/* ---- the thread ---- */

/* Those that have ended, taken out of the list. */
static struct tracker_link *
take_ended_locked(struct tracker *t)
{
    struct tracker_link *ended = NULL, **at = &t->links;

    while (*at != NULL) {
        struct tracker_link *l = *at;

        if (atomic_load(&l->stop) && l->threads == 0) {
            *at = l->next;
            l->next = ended;
            ended = l;
        } else {
            at = &l->next;
        }
    }
    return ended;
}

static void
free_ended(struct agent *a, struct tracker_link *ended)
{
    pthread_mutex_unlock(&a->lock);
    while (ended != NULL) {
        struct tracker_link *next = ended->next;

        link_join(ended);
        link_free(ended);
        ended = next;
    }
    pthread_mutex_lock(&a->lock);
}

/* One at a time, as the lock is let go meanwhile. True: there was one. */
static bool
tidy_locked(struct agent *a)
{
    for (struct tracker **at = &a->trackers; *at != NULL; at = &(*at)->next) {
        struct tracker *t = *at;
        struct tracker_link *ended = take_ended_locked(t);

        if (ended != NULL) {
            free_ended(a, ended);
            return true;
        }
        if (t->gone && t->links == NULL) {
            *at = t->next;
            tracker_free(t);
            return true;
        }
    }
    return false;
}

static bool
is_busy_locked(const struct agent *a)
{
    for (struct tracker *t = a->trackers; t != NULL; t = t->next) {
        if (t->lookup != NULL || t->gone) {
            return true;
        }
    }
    return false;
}

static void
turn_locked(struct agent *a, uint64_t now)
{
    while (tidy_locked(a)) {
    }
    for (struct tracker *t = a->trackers; t != NULL && !a->stop; t = t->next) {
        if (!t->gone) {
            look_locked(a, t, now);
        }
    }
}

void *
agent_keep(void *arg)
{
    struct agent *a = arg;

    pthread_setname_np(pthread_self(), "keeper");
    pthread_mutex_lock(&a->lock);
    while (!a->stop) {
        uint64_t now = clock_ms();

        atomic_store(&a->keeper_moved_ms, now);
        turn_locked(a, now);
        if (!a->stop) {
            now += is_busy_locked(a) ? BUSY_MS : TURN_MS;
            agent_wait_locked(a, now);
        }
    }
    a->threads--;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    return NULL;
}
