#include "havelog.h"

#include <stdlib.h>
#include <string.h>

#include "shoal.h"

void
havelog_init(struct havelog *l, uint64_t cursor)
{
    memset(l, 0, sizeof(*l));
    l->first = l->end = cursor;
}

void
havelog_fini(struct havelog *l)
{
    free(l->events);
    blockmap_fini(&l->fetching);
    l->events = NULL;
}

uint32_t
havelog_event(enum havelog_kind kind, uint32_t first, uint32_t n)
{
    return (uint32_t) kind << 30 | (n - 1) << 16 | first;
}

/* A watcher may watch again at once, but not from within. */
void
havelog_ring(struct havelog *l)
{
    struct havelog_watcher *list = l->watchers;

    l->watchers = NULL;
    while (list != NULL) {
        struct havelog_watcher *w = list;

        list = w->next;
        w->watching = false;
        w->ring(w);
    }
}

/* Where there is no memory, nothing is kept: all need the bitmap. */
static void
add(struct havelog *l, uint32_t event)
{
    if (l->events == NULL) {
        l->events = malloc(HAVELOG_EVENTS * sizeof(*l->events));
    }
    l->end++;
    if (l->events == NULL) {
        l->first = l->end;
    } else {
        l->events[(l->end - 1) % HAVELOG_EVENTS] = event;
        if (l->end - l->first > HAVELOG_EVENTS) {
            l->first = l->end - HAVELOG_EVENTS;
        }
    }
    havelog_ring(l);
}

void
havelog_have(struct havelog *l, uint32_t block)
{
    if (block < l->fetching.count) {
        blockmap_clear(&l->fetching, block);
    }
    add(l, havelog_event(HAVELOG_HAVE, block, 1));
}

void
havelog_fetching(struct havelog *l, uint64_t size, uint32_t first, uint32_t n)
{
    if (n == 0
        || (l->fetching.bits == NULL
            && blockmap_init(&l->fetching, size) != 0))
    {
        return;
    }
    bool any = false;
    for (uint32_t i = first; i < first + n && i < l->fetching.count; i++) {
        any = any || !blockmap_has(&l->fetching, i);
        blockmap_set(&l->fetching, i);
    }
    if (any) {
        add(l, havelog_event(HAVELOG_FETCHING, first, n));
    }
}

void
havelog_unfetch(struct havelog *l, uint32_t first, uint32_t n)
{
    bool any = false;

    for (uint32_t i = first; i < first + n && i < l->fetching.count; i++) {
        any = any || blockmap_has(&l->fetching, i);
        blockmap_clear(&l->fetching, i);
    }
    if (any) {
        add(l, havelog_event(HAVELOG_UNFETCH, first, n));
    }
}

void
havelog_forget(struct havelog *l)
{
    free(l->events);
    l->events = NULL;
    if (l->fetching.held == 0) {
        blockmap_fini(&l->fetching);
    }
    l->first = ++l->end;
    havelog_ring(l);
}

int
havelog_since(const struct havelog *l, uint64_t since, uint32_t *out,
              size_t *n)
{
    if (since < l->first || since > l->end) {
        return SHOAL_ENOTFOUND;
    }
    *n = (size_t) (l->end - since);
    for (size_t i = 0; i < *n; i++) {
        out[i] = l->events[(since + i) % HAVELOG_EVENTS];
    }
    return 0;
}

size_t
havelog_claims(const struct havelog *l, uint32_t *out, size_t max)
{
    const struct blockmap *m = &l->fetching;
    size_t n = 0;

    for (uint32_t i = 0; i < m->count && n < max; i++) {
        uint32_t begin = i;

        while (i < m->count && blockmap_has(m, i)) {
            i++;
        }
        if (i > begin) {
            out[n++] = havelog_event(HAVELOG_FETCHING, begin, i - begin);
        }
    }
    return n;
}

void
havelog_watch(struct havelog *l, struct havelog_watcher *w)
{
    w->watching = true;
    w->prev = NULL;
    w->next = l->watchers;
    if (w->next != NULL) {
        w->next->prev = w;
    }
    l->watchers = w;
}

void
havelog_unwatch(struct havelog *l, struct havelog_watcher *w)
{
    if (!w->watching) {
        return;
    }
    w->watching = false;
    *(w->prev != NULL ? &w->prev->next : &l->watchers) = w->next;
    if (w->next != NULL) {
        w->next->prev = w->prev;
    }
}
