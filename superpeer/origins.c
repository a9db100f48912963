#include "origins.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shoal.h"
#include "url.h"

enum {
    BURST_NS = 20000000, /* of rate, that need not be waited for */
    SECOND_NS = 1000000000
};

struct origin {
    struct origin *next;
    char key[ORIGINS_KEY_MAX];
    unsigned users;
    unsigned open;    /* connections */
    unsigned waiting; /* users that have none, and want one */
    uint64_t due_ns;  /* when what was taken is paid for by the rate */
};

struct origins {
    pthread_mutex_t lock; /* of all */
    unsigned connections;
    uint64_t rate;
    struct origin *first;
};

/* Of one transfer: its own origin, and those that it was redirected to. */
struct use {
    struct use *next;
    struct origin *origin;
    unsigned open;
    bool waiting;
};

struct origins_user {
    struct origins *all;
    struct use *uses;
};

static uint64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t) ts.tv_sec * SECOND_NS + (uint64_t) ts.tv_nsec;
}

struct origins *
origins_create(void)
{
    struct origins *o = calloc(1, sizeof(*o));

    if (o != NULL) {
        pthread_mutex_init(&o->lock, NULL);
    }
    return o;
}

void
origins_free(struct origins *o)
{
    if (o == NULL) {
        return;
    }
    while (o->first != NULL) {
        struct origin *origin = o->first;

        o->first = origin->next;
        free(origin);
    }
    pthread_mutex_destroy(&o->lock);
    free(o);
}

void
origins_limit(struct origins *o, unsigned connections, uint64_t rate)
{
    pthread_mutex_lock(&o->lock);
    o->connections = connections;
    o->rate = rate;
    for (struct origin *origin = o->first; origin != NULL;
         origin = origin->next) {
        origin->due_ns = 0; /* it was reckoned with the old one */
    }
    pthread_mutex_unlock(&o->lock);
}

int
origins_key(const char *url, char key[ORIGINS_KEY_MAX])
{
    char host[256];
    uint16_t port;

    if (url_split(url, host, sizeof(host), &port) != 0) {
        return SHOAL_EINVAL;
    }
    for (char *c = host; *c != '\0'; c++) {
        *c = (char) tolower((unsigned char) *c);
    }
    snprintf(key, ORIGINS_KEY_MAX, "%s:%u", host, (unsigned) port);
    return 0;
}

static struct origin *
find(struct origins *o, const char *key)
{
    struct origin *origin = o->first;

    while (origin != NULL && strcmp(origin->key, key) != 0) {
        origin = origin->next;
    }
    return origin;
}

/* Those that nobody uses, and that owe no time, are forgotten. */
static void
sweep(struct origins *o)
{
    uint64_t now = now_ns();

    for (struct origin **p = &o->first; *p != NULL;) {
        struct origin *origin = *p;

        if (origin->users == 0 && origin->due_ns <= now) {
            *p = origin->next;
            free(origin);
        } else {
            p = &origin->next;
        }
    }
}

static struct origin *
find_or_make(struct origins *o, const char *key)
{
    struct origin *origin = find(o, key);

    if (origin != NULL) {
        return origin;
    }
    sweep(o);
    origin = calloc(1, sizeof(*origin));
    if (origin != NULL) {
        snprintf(origin->key, sizeof(origin->key), "%s", key);
        origin->next = o->first;
        o->first = origin;
    }
    return origin;
}

static struct use *
use_key(struct origins_user *u, const char *key)
{
    struct use *use = u->uses;

    while (use != NULL && strcmp(use->origin->key, key) != 0) {
        use = use->next;
    }
    if (use != NULL) {
        return use;
    }
    use = calloc(1, sizeof(*use));
    struct origin *origin = use != NULL ? find_or_make(u->all, key) : NULL;
    if (origin == NULL) {
        free(use);
        return NULL;
    }
    origin->users++;
    use->origin = origin;
    use->next = u->uses;
    u->uses = use;
    return use;
}

static struct use *
use_of(struct origins_user *u, const char *url)
{
    char key[ORIGINS_KEY_MAX];

    return origins_key(url, key) == 0 ? use_key(u, key) : NULL;
}

static void
set_waiting(struct use *use, bool waiting)
{
    if (use->waiting != waiting) {
        use->origin->waiting += waiting ? 1 : -1U;
        use->waiting = waiting;
    }
}

/* ---- hooks ---- */

static bool
hook_open(void *ctx, const char *url)
{
    struct origins_user *u = ctx;
    bool may = false;

    pthread_mutex_lock(&u->all->lock);
    struct use *use = use_of(u, url);
    if (use != NULL) {
        unsigned most = u->all->connections;
        unsigned others = use->open > 0 ? use->origin->waiting : 0;

        may = most == 0 || use->origin->open + others < most;
        set_waiting(use, !may && use->open == 0);
        use->open += may;
        use->origin->open += may;
    }
    pthread_mutex_unlock(&u->all->lock);
    return may;
}

static void
hook_close(void *ctx, const char *url)
{
    struct origins_user *u = ctx;

    pthread_mutex_lock(&u->all->lock);
    struct use *use = use_of(u, url);
    if (use != NULL && use->open > 0) {
        use->open--;
        use->origin->open--;
    }
    pthread_mutex_unlock(&u->all->lock);
}

static unsigned
hook_took(void *ctx, const char *url, size_t len)
{
    struct origins_user *u = ctx;
    uint64_t wait = 0;

    pthread_mutex_lock(&u->all->lock);
    struct use *use = u->all->rate != 0 ? use_of(u, url) : NULL;
    if (use != NULL) {
        uint64_t now = now_ns(), *due = &use->origin->due_ns;

        *due = *due > now ? *due : now;
        *due +=
            (uint64_t) ((unsigned __int128) len * SECOND_NS / u->all->rate);
        wait = *due - now > BURST_NS ? *due - now - BURST_NS : 0;
    }
    pthread_mutex_unlock(&u->all->lock);
    return (unsigned) ((wait + 999999) / 1000000);
}

struct transfer_limits
origins_hooks(struct origins_user *u)
{
    return (struct transfer_limits){ hook_open, hook_close, hook_took, u };
}

static bool
has_room_locked(struct origins *o, const char *key)
{
    const struct origin *origin = find(o, key);

    return origin == NULL || o->connections == 0
           || origin->open + origin->waiting < o->connections;
}

struct origins_user *
origins_join(struct origins *o, const char *key)
{
    struct origins_user *u = NULL;

    pthread_mutex_lock(&o->lock);
    if (has_room_locked(o, key)) {
        u = calloc(1, sizeof(*u));
    }
    if (u != NULL) {
        u->all = o;
        struct use *use = use_key(u, key);
        if (use != NULL) {
            set_waiting(use, true);
        }
    }
    pthread_mutex_unlock(&o->lock);
    return u;
}

void
origins_leave(struct origins_user *u)
{
    if (u == NULL) {
        return;
    }
    pthread_mutex_lock(&u->all->lock);
    while (u->uses != NULL) {
        struct use *use = u->uses;

        u->uses = use->next;
        set_waiting(use, false);
        use->origin->open -= use->open;
        use->origin->users--;
        free(use);
    }
    pthread_mutex_unlock(&u->all->lock);
    free(u);
}
