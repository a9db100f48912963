/* solo.c - the file does not have its checksum, and nobody but CDN nodes gave
 * it: one of them holds other bytes under the same validators. Which one
 * cannot be told from a whole file's checksum, so each is read alone. */
#include "solo.h"
#include "fetch.h"
#include "node.h"
#include "shoal.h"
#include "transfer_internal.h"
#include "trust.h"

bool
solo_allows(const struct transfer *t, const struct source *s)
{
    return t->solo == NULL || t->solo == s || t->solo->drop;
}

/* The one that all blocks of this run are from; NULL: there is none. */
static struct source *
giver(const struct transfer *t)
{
    for (uint32_t i = 0; i < t->map.count; i++) {
        if (t->from[i] == NO_SOURCE || t->from[i] != t->from[0]) {
            return NULL;
        }
    }
    return t->map.count > 0 ? t->sources[t->from[0]] : NULL;
}

/* Nobody knows yet what it has. */
static bool
is_open(const struct transfer *t, const struct source *s)
{
    return s->kind == SOURCE_CDN && !s->drop && t->standard != NULL
           && s->mirror == t->standard->mirror
           && (s->node == NODE_NEW || s->node == NODE_PROBING
               || (s->node == NODE_KNOWN && !s->judged));
}

bool
solo_any_open(const struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        if (is_open(t, t->sources[i])) {
            return true;
        }
    }
    return false;
}

bool
solo_next(struct transfer *t)
{
    struct source *wrong = giver(t), *next = NULL;

    for (uint32_t i = 0; i < t->map.count; i++) {
        fetch_forget(t, i);
    }
    if (wrong != NULL) {
        wrong->banned = true;
        node_failed(wrong, SHOAL_EVERIFY, "wrong bytes");
    }
    for (size_t i = 0; i < t->n_sources && next == NULL; i++) {
        struct source *s = t->sources[i];

        if (trust_origin(s) && s->usable && !s->drop && s->scheduled >= 0
            && !s->had_solo)
        {
            next = s;
        }
    }
    t->solo = next;
    t->doubted = true;
    if (next != NULL) {
        next->had_solo = true;
    }
    return next != NULL || solo_any_open(t);
}
