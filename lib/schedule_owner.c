/* schedule_owner.c - whose blocks they are: each of the CDN's blocks falls to
 * the live incomplete client with the largest hash of its id and the block.
 * All come to the same answer without talking, and where one leaves, only its
 * own blocks fall to others. */
#include "schedule_internal.h"

#include <stdlib.h>

static uint64_t
weight(uint64_t client, uint32_t block)
{
    return schedule_mix(client ^ schedule_mix(block));
}

static bool
is_candidate(const struct source *src)
{
    return src->id != 0 && !src->gone && !src->all;
}

static int
find(const struct schedule *s, uint32_t block)
{
    int owner = s->client != 0 ? OWNER_SELF : OWNER_NONE;
    uint64_t best = s->client != 0 ? weight(s->client, block) : 0;

    for (int i = 0; i < s->n_sources; i++) {
        const struct source *src = &s->sources[i];

        if (!is_candidate(src)) {
            continue;
        }
        uint64_t w = weight(src->id, block);
        if (owner == OWNER_NONE || w > best) {
            owner = i;
            best = w;
        }
    }
    return owner;
}

/* No memory for it: found anew each time. */
int
schedule_owner_of(struct schedule *s, uint32_t block)
{
    if (s->owner == NULL) {
        s->owner = malloc((s->map->count + 1) * sizeof(*s->owner));
        if (s->owner == NULL) {
            return find(s, block);
        }
        for (uint32_t i = 0; i < s->map->count; i++) {
            s->owner[i] = (int16_t) find(s, i);
        }
    }
    return s->owner[block];
}

static uint64_t
weight_of(const struct schedule *s, int owner, uint32_t block)
{
    return weight(owner == OWNER_SELF ? s->client : s->sources[owner].id,
                  block);
}

void
schedule_owner_joined(struct schedule *s, int source)
{
    for (uint32_t i = 0; s->owner != NULL && i < s->map->count; i++) {
        if (s->owner[i] == OWNER_NONE
            || weight(s->sources[source].id, i) > weight_of(s, s->owner[i], i))
        {
            s->owner[i] = (int16_t) source;
        }
    }
}

void
schedule_owner_left(struct schedule *s, int source)
{
    for (uint32_t i = 0; s->owner != NULL && i < s->map->count; i++) {
        if (s->owner[i] == source) {
            s->owner[i] = (int16_t) find(s, i);
        }
    }
}
