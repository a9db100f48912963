/* search.c - which CDN nodes there are: the addresses behind the URL's host,
 * and behind those of redirects. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shoal.h"
#include "transfer_internal.h"

/* A host whose addresses are on their way. */
struct search {
    struct search *next;
    struct lookup *lookup;
    char *url;
    char host[256];
    struct source *from; /* that redirected; NULL: the URL itself */
};

static bool
is_known(const struct transfer *t, const char *url, const char *addr)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && strcmp(s->url, url) == 0
            && strcmp(s->addr.text, addr) == 0)
        {
            return true;
        }
    }
    return false;
}

static int
add_node(struct transfer *t, const char *url, const struct source *from,
         const struct node_addr *addr)
{
    const struct transfer_guard *guard = t->o.guard;

    if (is_known(t, url, addr != NULL ? addr->text : "")) {
        return 0;
    }
    struct source *s = source_add(t, SOURCE_CDN, url);
    if (s == NULL) {
        return SHOAL_ENOMEM;
    }
    s->hops = from != NULL ? from->hops + 1 : 0;
    snprintf(s->name, sizeof(s->name), "%s",
             addr != NULL ? addr->text : "proxy");
    if (addr != NULL) {
        s->addr = *addr;
        s->pinned = true;
    }
    if (guard != NULL && addr != NULL
        && guard->addr(guard->ctx, (const struct sockaddr *) &addr->sa) != 0)
    {
        node_failed(s, SHOAL_EDENIED, "address not allowed");
    }
    return 0;
}

/* Does every node of that URL send us elsewhere in its turn? */
static bool
is_circle(const struct transfer *t, const struct source *from, const char *url)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s != from && strcmp(s->url, url) == 0
            && s->node != NODE_REDIRECT)
        {
            return false;
        }
    }
    return true;
}

static void
search_free(struct search *s)
{
    lookup_free(s->lookup);
    free(s->url);
    free(s);
}

/* Its addresses join the list of nodes. */
static void
found(struct transfer *t, const struct search *s,
      const struct node_addr *addrs, size_t n)
{
    size_t before = t->n_sources;
    int err = 0;

    for (size_t i = 0; err == 0 && i < n; i++) {
        err = add_node(t, s->url, s->from, &addrs[i]);
    }
    if (s->from != NULL && err == 0 && before == t->n_sources
        && is_circle(t, s->from, s->url))
    {
        node_failed(s->from, SHOAL_EHTTP, "redirects in a circle");
    } else if (s->from != NULL && err != 0) {
        node_failed(s->from, err, "redirect: %s", shoal_strerror(err));
    } else if (err != 0) {
        transfer_fail(t, err, "%s: %s", s->host, shoal_strerror(err));
    }
}

/* False: it is still on its way. */
static bool
settle(struct transfer *t, struct search *s)
{
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    const char *why = "";
    size_t n = 0;
    int err = lookup_result(s->lookup, addrs, &n, &why);

    if (err == LOOKUP_PENDING) {
        return false;
    }
    if (s->from == NULL) {
        t->start_ms = clock_ms();
    }
    if (err == 0) {
        found(t, s, addrs, n);
    } else if (s->from != NULL) {
        node_failed(s->from, err, "redirect: %s: cannot resolve: %s", s->host,
                    why);
    } else {
        transfer_fail(t, err, "%s: cannot resolve: %s", s->host, why);
    }
    return true;
}

int
search_start(struct transfer *t, const char *url, struct source *from,
             char *why, size_t cap)
{
    const struct transfer_guard *guard = t->o.guard;
    struct search *s = calloc(1, sizeof(*s));
    uint16_t port;
    int err = SHOAL_ENOMEM;

    if (s == NULL) {
        snprintf(why, cap, "out of memory");
        return err;
    }
    s->from = from;
    s->url = guard != NULL ? guard->best(guard->ctx, url) : strdup(url);
    if (s->url == NULL) {
        snprintf(why, cap, "out of memory");
    } else if (url_split(s->url, s->host, sizeof(s->host), &port) != 0) {
        snprintf(why, cap, "%.*s: not an http(s) URL",
                 (int) strcspn(url, "?#"), url);
        err = SHOAL_EINVAL;
    } else if (guard != NULL && guard->url(guard->ctx, s->url) != 0) {
        snprintf(why, cap, "%s: origin not allowed", s->host);
        err = SHOAL_EDENIED;
    } else if (guard == NULL && t->o.resolve == NULL && url_has_proxy(url)) {
        err = add_node(t, url, from, NULL);
        search_free(s);
        return err;
    } else {
        s->lookup = transfer_lookup(t, s->url);
        snprintf(why, cap, "%s: out of memory", s->host);
    }
    if (s->lookup == NULL) {
        search_free(s);
        return err;
    }
    if (settle(t, s)) {
        search_free(s);
    } else {
        s->next = t->searches;
        t->searches = s;
    }
    return 0;
}

static void
follow(struct transfer *t, struct source *s)
{
    char why[256];

    s->followed = true;
    if (s->hops + 1 > HOPS_MAX) {
        node_failed(s, SHOAL_EHTTP, "more than %d redirects", HOPS_MAX);
        return;
    }
    char *url = url_join(s->url, s->answer.location);
    if (url == NULL) {
        node_failed(s, SHOAL_EPROTO, "redirect to a bad URL");
        return;
    }
    int err = search_start(t, url, s, why, sizeof(why));
    free(url);
    if (err != 0) {
        node_failed(s, err, "redirect: %s", why);
    } else if (s->node == NODE_REDIRECT) {
        source_state(s, "redirects");
        source_drop(s);
    }
}

void
search_step(struct transfer *t)
{
    struct search **p = &t->searches;

    while (*p != NULL) {
        struct search *s = *p;

        if (settle(t, s)) {
            *p = s->next;
            search_free(s);
        } else {
            p = &s->next;
        }
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->node == NODE_REDIRECT && !s->followed)
        {
            follow(t, s);
        }
    }
}

size_t
search_pending(const struct transfer *t)
{
    size_t n = 0;

    for (const struct search *s = t->searches; s != NULL; s = s->next) {
        n++;
    }
    return n;
}

void
search_end(struct transfer *t)
{
    while (t->searches != NULL) {
        struct search *s = t->searches;

        t->searches = s->next;
        search_free(s);
    }
}
