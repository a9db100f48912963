/* sets_use.c - in which order sets have to go: those that nobody uses, in
 * lists. */
#include "clock.h"
#include "sets.h"
#include "sets_internal.h"

static struct sets_list *
list_of(struct sets *s, const struct cache_set *set)
{
    if (set->pinned_ms > clock_ms()) {
        return &s->pinned;
    }
    return &s->idle[set->probation];
}

void
sets_enlist(struct sets *s, struct cache_set *set)
{
    if (set->users > 0) {
        return;
    }
    struct sets_list *l = list_of(s, set);

    set->prev = l->last;
    set->next = NULL;
    *(l->last != NULL ? &l->last->next : &l->first) = set;
    l->last = set;
    l->footprint += set->footprint;
    set->list = l;
}

void
sets_delist(struct cache_set *set)
{
    struct sets_list *l = set->list;

    if (l == NULL) {
        return;
    }
    *(set->prev != NULL ? &set->prev->next : &l->first) = set->next;
    *(set->next != NULL ? &set->next->prev : &l->last) = set->prev;
    l->footprint -= set->footprint;
    set->prev = set->next = NULL;
    set->list = NULL;
}

void
sets_use(struct sets *s, struct cache_set *set)
{
    (void) s;
    set->users++;
    sets_delist(set);
}

void
sets_unuse(struct sets *s, struct cache_set *set, uint64_t now_us)
{
    set->users--;
    set->last_use_us = now_us;
    if (set->users == 0 && !set->gone) {
        sets_settle(s);
        sets_enlist(s, set);
    }
}

void
sets_pin(struct sets *s, struct cache_set *set, uint64_t until_ms)
{
    set->pinned_ms = until_ms;
    if (set->users == 0) {
        sets_delist(set);
        sets_enlist(s, set);
    }
}

void
sets_prove(struct sets *s, struct cache_set *set)
{
    if (!set->probation) {
        return;
    }
    set->probation = false;
    if (!set->gone) {
        s->probation -= set->footprint;
    }
    if (set->list == &s->idle[1]) {
        sets_delist(set);
        sets_enlist(s, set);
    }
}

/* Pins last equally long, so the first one is over first; one behind it whose
 * set was in use meanwhile may last a little longer than it had to. */
void
sets_settle(struct sets *s)
{
    uint64_t now = clock_ms();

    while (s->pinned.first != NULL && s->pinned.first->pinned_ms <= now) {
        struct cache_set *set = s->pinned.first;

        sets_delist(set);
        sets_enlist(s, set);
    }
}

uint64_t
sets_evictable(const struct sets *s)
{
    return s->idle[0].footprint + s->idle[1].footprint;
}

struct cache_set *
sets_victim(const struct sets *s, uint64_t probation)
{
    struct cache_set *proven = s->idle[0].first, *fresh = s->idle[1].first;

    if (proven == NULL || fresh == NULL) {
        return proven != NULL ? proven : fresh;
    }
    return s->probation > probation || fresh->last_use_us < proven->last_use_us
               ? fresh
               : proven;
}
