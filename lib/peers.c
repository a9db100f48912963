/* peers.c - which peers are sources: those that trackers name, and those that
 * ask us. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "callers.h"
#include "explain_transfer.h"
#include "follow.h"
#include "neighbours.h"
#include "node.h"
#include "peers.h"
#include "shoal.h"
#include "transfer_internal.h"

enum {
    PEERS_MAX = 30,     /* at a time, by default */
    LIES_MAX = 3,       /* blocks that it said it had, in vain */
    HONEST_BLOCKS = 16, /* that make up for one of them */
    DEAD_MS = 60000,    /* until one that failed may be asked again */
    WRONG_MS = 300000,  /* gave wrong bytes, or lied */
    IDLE_MS = 30000,    /* was of no use */
    RENEW_MS = 1000     /* at most one makes room in that time */
};

static void
addr_of(const struct source *s, char addr[NEIGHBOURS_ADDR])
{
    snprintf(addr, NEIGHBOURS_ADDR, "%s", s->url + strlen("http://"));
}

static struct source *
find(struct transfer *t, const char *url)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind == SOURCE_PEER && strcmp(s->url, url) == 0) {
            return s;
        }
    }
    return NULL;
}

static bool
has_jobs(const struct transfer *t, const struct source *s)
{
    for (const struct job *job = t->jobs; job != NULL; job = job->next) {
        if (job->source == s) {
            return true;
        }
    }
    return false;
}

/* One that gave nothing, and whose place another one may take. */
static struct source *
find_useless(struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind == SOURCE_PEER && s->drop && !s->neighbour && s->used == 0
            && (s->blame == BLAME_NONE || s->blame_told != 0)
            && s->lookup == NULL && !has_jobs(t, s))
        {
            return s;
        }
    }
    return NULL;
}

/* As it was when it was named first; what it gave is not forgotten. */
static void
revive(struct transfer *t, struct source *s)
{
    s->drop = s->banned = s->complete = false;
    s->usable = s->pinned;
    s->failures = s->lies = 0;
    s->retry_ms = s->have_ms = s->have_wait = 0;
    s->error = 0;
    s->blame = BLAME_NONE;
    s->blame_told = 0;
    s->state[0] = '\0';
    follow_lost(t, s);
}

static void
rename_source(struct source *s, const char *url)
{
    char *copy = strdup(url);

    if (copy == NULL) {
        return;
    }
    free(s->url);
    s->url = copy;
    snprintf(s->name, sizeof(s->name), "%s", url + strlen("http://"));
    s->wasted = s->wrong = 0;
    s->strikes = 0;
    s->pinned = false;
}

/* Bytes of all peers that there have been. */
static uint64_t
all_used(const struct transfer *t)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < t->n_sources; i++) {
        sum += t->sources[i]->kind == SOURCE_PEER ? t->sources[i]->used : 0;
    }
    return sum;
}

static void
begin(struct transfer *t, const char *addr, uint64_t now)
{
    char url[NEIGHBOURS_ADDR + 8];
    struct source *s, *old = NULL;

    snprintf(url, sizeof(url), "http://%s", addr);
    s = find(t, url);
    if (s == NULL && t->n_sources == SOURCES_MAX) {
        old = find_useless(t);
    }
    if (old != NULL) {
        rename_source(old, url);
        old->lookup = transfer_lookup(t, url);
        s = strcmp(old->url, url) == 0 ? old : NULL;
    }
    if (s != NULL) {
        revive(t, s);
        explain(t, s, "named again, and taken again");
    } else {
        ask_take(t, SOURCE_PEER, url, false);
        s = find(t, url);
    }
    if (s == NULL) {
        neighbours_rest(t->neighbours, addr, now, IDLE_MS);
        return;
    }
    s->neighbour = true;
    s->yield = (struct neighbours_yield){ now, s->used, all_used(t) };
}

void
peers_offer(struct transfer *t, const char *addr, bool complete)
{
    char url[NEIGHBOURS_ADDR + 8];

    if (t->neighbours != NULL
        && neighbours_offer(t->neighbours, addr, clock_ms()) && complete)
    {
        snprintf(url, sizeof(url), "http://%s", addr);
        ask_take(t, SOURCE_PEER, url, true);
    }
}

void
peers_lied(struct source *s, uint64_t block_size)
{
    if (s->kind == SOURCE_PEER
        && ++s->lies > LIES_MAX + s->used / block_size / HONEST_BLOCKS)
    {
        node_failed(s, SHOAL_EPROTO, "does not have what it says");
        s->blame = BLAME_WRONG;
    }
}

static void
let_rest(struct transfer *t, struct source *s, uint64_t now, uint64_t ms)
{
    char addr[NEIGHBOURS_ADDR];

    addr_of(s, addr);
    neighbours_rest(t->neighbours, addr, now, ms);
    s->neighbour = false;
}

static void
sort_out(struct transfer *t, uint64_t now)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->neighbour && s->drop) {
            bool wrong = s->banned || s->blame == BLAME_WRONG;

            let_rest(t, s, now, wrong ? WRONG_MS : DEAD_MS);
        }
    }
}

/* Where others could be asked, one that gives little makes room. */
static void
renew(struct transfer *t, uint64_t now)
{
    struct source *worst = NULL;
    unsigned n = neighbours_count(t->neighbours);

    if (now < t->renew_ms || !neighbours_spare(t->neighbours, now)
        || n < t->peers_max)
    {
        return;
    }
    uint64_t all = all_used(t);
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        struct neighbours_yield is = { now, s->used, all };

        if (s->neighbour && !s->drop
            && neighbours_is_poor(&s->yield, &is, n, t->map.block_size)
            && (worst == NULL || s->yield.since_ms < worst->yield.since_ms))
        {
            worst = s;
        }
    }
    if (worst != NULL) {
        t->renew_ms = now + RENEW_MS;
        source_state(worst, "gave little");
        explain(t, worst, "gave little: makes room for another peer");
        source_drop(worst);
        let_rest(t, worst, now, IDLE_MS);
    }
}

void
peers_start(struct transfer *t)
{
    t->peers_max = t->o.max_peers != 0 ? t->o.max_peers : PEERS_MAX;
    if (t->neighbours == NULL) {
        t->neighbours =
            neighbours_create(t->peers_max, clock_us() ^ t->o.client);
    }
}

void
peers_tick(struct transfer *t)
{
    uint64_t now = clock_ms();
    char addr[NEIGHBOURS_ADDR];

    if (t->neighbours == NULL || !t->has_id) {
        return;
    }
    while (t->o.callers != NULL
           && callers_take(t->o.callers, addr, sizeof(addr)) == 0)
    {
        peers_offer(t, addr, false);
    }
    sort_out(t, now);
    renew(t, now);
    while (neighbours_pick(t->neighbours, now, addr)) {
        begin(t, addr, now);
    }
}
