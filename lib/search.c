/* search.c - which CDN nodes there are: the addresses behind the URL's host,
 * and behind those of redirects. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain_transfer.h"
#include "node.h"
#include "search.h"
#include "shoal.h"
#include "transfer_internal.h"

/* A host whose addresses are on their way. */
struct search {
    struct search *next;
    struct lookup *lookup;
    char *url;
    char host[256];
    uint16_t port;
    struct source *from; /* that redirected; NULL: nobody */
    unsigned mirror;
    uint64_t start_ms;
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

/* The URL's own nodes go by their address; of mirrors the host matters. */
static void
name_node(struct source *s, const struct search *q, const char *addr)
{
    if (q->mirror == 0) {
        snprintf(s->name, sizeof(s->name), "%s", addr);
    } else if (strcmp(q->host, addr) == 0) {
        snprintf(s->name, sizeof(s->name), "%s:%u", q->host, q->port);
    } else {
        snprintf(s->name, sizeof(s->name), "%s:%u %s", q->host, q->port, addr);
    }
}

static int
add_node(struct transfer *t, const struct search *q,
         const struct node_addr *addr)
{
    const struct transfer_guard *guard = t->o.guard;

    if (is_known(t, q->url, addr != NULL ? addr->text : "")) {
        return 0;
    }
    struct source *s = source_add(t, SOURCE_CDN, q->url);
    if (s == NULL) {
        return SHOAL_ENOMEM;
    }
    s->mirror = q->mirror;
    s->hops = q->from != NULL ? q->from->hops + 1 : 0;
    s->was_secure =
        url_is_secure(q->url) || (q->from != NULL && q->from->was_secure);
    name_node(s, q, addr != NULL ? addr->text : "proxy");
    if (addr != NULL) {
        s->addr = *addr;
        s->pinned = true;
    }
    explain(t, s, "found: %s %s", q->from != NULL ? "redirected to" : "behind",
            q->host);
    if (guard != NULL && addr != NULL
        && guard->addr(guard->ctx, (const struct sockaddr *) &addr->sa) != 0)
    {
        node_failed(s, SHOAL_EDENIED, "address not allowed");
    }
    return 0;
}

/* Where somebody else may have the file it is one source less, for the
 * report; else the end. */
static void
fail(struct transfer *t, const struct search *q, int err, const char *why)
{
    struct source *s;

    if (q->from != NULL) {
        node_failed(q->from, err, "redirect: %s", why);
        return;
    }
    s = t->n_mirrors > 0 ? source_add(t, SOURCE_CDN, q->url) : NULL;
    if (s == NULL) {
        transfer_fail(t, err, "%s", why);
        return;
    }
    s->mirror = q->mirror;
    snprintf(s->name, sizeof(s->name), "%s", q->host);
    node_failed(s, err, "%s", why);
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
    if (s == NULL) {
        return;
    }
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
        err = add_node(t, s, &addrs[i]);
    }
    if (s->from != NULL && err == 0 && before == t->n_sources
        && is_circle(t, s->from, s->url))
    {
        node_failed(s->from, SHOAL_EHTTP, "redirects in a circle");
    } else if (err != 0) {
        fail(t, s, err, shoal_strerror(err));
    }
}

/* The resolver's own patience is the limit, unless the user has less. */
static bool
took_too_long(const struct transfer *t, const struct search *s)
{
    unsigned most = t->user.dns_ms;

    return most != HTTP_UNSET && most != 0 && clock_ms() - s->start_ms > most;
}

/* False: it is still on its way. */
static bool
settle(struct transfer *t, struct search *s)
{
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    char text[512];
    const char *why = "";
    size_t n = 0;
    int err = lookup_result(s->lookup, addrs, &n, &why);

    if (err == LOOKUP_PENDING && !took_too_long(t, s)) {
        return false;
    }
    if (err == LOOKUP_PENDING) {
        err = SHOAL_ENET;
        why = "no answer in time";
    }
    if (s->from == NULL && s->mirror == 0) {
        t->start_ms = clock_ms();
    }
    if (err == 0) {
        found(t, s, addrs, n);
    } else {
        snprintf(text, sizeof(text), "%s: cannot resolve: %s", s->host, why);
        fail(t, s, err, text);
    }
    return true;
}

/* 0: its lookup has begun, or none is needed. */
static int
begin(struct transfer *t, struct search *s, const char *url, char *why,
      size_t cap)
{
    const struct transfer_guard *guard = t->o.guard;

    url_shown(url, s->host, sizeof(s->host)); /* as far as it is a name */
    s->url = guard != NULL ? guard->best(guard->ctx, url) : strdup(url);
    if (s->url == NULL) {
        snprintf(why, cap, "out of memory");
        return SHOAL_ENOMEM;
    }
    if (url_split(s->url, s->host, sizeof(s->host), &s->port) != 0) {
        char shown[256];

        url_shown(url, shown, sizeof(shown));
        snprintf(why, cap, "%s: not an http(s) URL", shown);
        return SHOAL_EINVAL;
    }
    if (guard != NULL && guard->url(guard->ctx, s->url) != 0) {
        snprintf(why, cap, "%s: origin not allowed", s->host);
        return SHOAL_EDENIED;
    }
    if (guard == NULL && t->o.resolve == NULL && !t->user.no_proxy
        && url_has_proxy(url))
    {
        int err = add_node(t, s, NULL);

        snprintf(why, cap, "%s", shoal_strerror(err));
        return err;
    }
    s->lookup = transfer_lookup(t, s->url);
    snprintf(why, cap, "%s: out of memory", s->host);
    return s->lookup != NULL ? 0 : SHOAL_ENOMEM;
}

void
search_start(struct transfer *t, const char *url, struct source *from,
             unsigned mirror)
{
    struct search *s = calloc(1, sizeof(*s));
    char why[512];

    if (s == NULL) {
        transfer_fail(t, SHOAL_ENOMEM, "out of memory");
        return;
    }
    s->from = from;
    s->mirror = from != NULL ? from->mirror : mirror;
    s->start_ms = clock_ms();
    int err = begin(t, s, url, why, sizeof(why));
    if (err != 0) {
        fail(t, s, err, why);
    }
    if (err != 0 || s->lookup == NULL || settle(t, s)) {
        search_free(s);
        return;
    }
    s->next = t->searches;
    t->searches = s;
}

/* A name and password that an answer puts into a URL are not ours; a guard
 * wants to see them. */
static int
join(const struct transfer *t, const char *base, const char *location,
     char **out)
{
    char *url = url_join(base, location), *user, *password;

    if (url != NULL && t->o.guard != NULL) {
        *out = url;
        return 0;
    }
    int err =
        url != NULL ? url_take_user(url, out, &user, &password) : SHOAL_EINVAL;

    free(url);
    if (err == 0) {
        free(user);
        free(password);
    }
    return err;
}

static void
follow(struct transfer *t, struct source *s)
{
    char *url;

    s->followed = true;
    if (s->hops >= t->user.redirects) {
        node_failed(s, SHOAL_EHTTP, "more than %u redirects",
                    t->user.redirects);
        return;
    }
    if (join(t, s->url, s->answer.location, &url) != 0) {
        node_failed(s, SHOAL_EPROTO, "redirect to a bad URL");
        return;
    }
    search_start(t, url, s, 0);
    free(url);
    if (s->node == NODE_REDIRECT) {
        source_state(s, "redirects");
        explain(t, s, "redirects");
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

bool
search_looks(const struct transfer *t, unsigned mirror)
{
    for (const struct search *s = t->searches; s != NULL; s = s->next) {
        if (s->mirror == mirror) {
            return true;
        }
    }
    return false;
}

size_t
search_pending(const struct transfer *t, bool mirrors)
{
    size_t n = 0;

    for (const struct search *s = t->searches; s != NULL; s = s->next) {
        n += (s->mirror != 0) == mirrors;
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
