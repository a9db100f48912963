/* schedule_owner.c - whose blocks they are: each of the CDN's blocks falls to
 * the live incomplete client with the largest hash of its id and the block.
 * All come to the same answer without talking, and where one leaves, only its
 * own blocks fall to others. Of many clients a few are owners: more of them at
 * once would only make the first blocks late. */
#include "schedule_internal.h"

#include <stdlib.h>

static uint64_t
weight(uint64_t client, uint32_t block)
{
    return schedule_mix(client ^ schedule_mix(block));
}

enum {
    OWNERS_MAX = 8
};

static bool
takes_part(const struct source *src)
{
    return src->id != 0 && !src->gone && !src->all;
}

/* Of those who know all others, the clients with the smallest ids are owners;
 * besides, whoever asks the CDN for blocks. */
static void
limit_owners(struct schedule *s)
{
    uint64_t low[OWNERS_MAX + 1] = { 0 };
    int n = 0;

    for (int i = -1; i < s->n_sources; i++) {
        uint64_t id = i < 0 ? s->client : s->sources[i].id;
        int at = n;

        if (id == 0
            || (i >= 0
                && (!takes_part(&s->sources[i]) || !s->sources[i].early)))
        {
            continue;
        }
        for (; at > 0 && low[at - 1] > id; at--) {
            low[at] = low[at - 1];
        }
        low[at] = id;
        n += n < OWNERS_MAX;
    }
    s->owner_max = n < OWNERS_MAX ? UINT64_MAX : low[OWNERS_MAX - 1];
}

static bool
is_candidate(const struct schedule *s, const struct source *src)
{
    return takes_part(src)
           && (src->early ? src->id <= s->owner_max : src->claims);
}

/* Where a tracker held its answers, all were told of all: it is known how many
 * they are, and about eight are first. */
bool
schedule_owner_is_elected(const struct schedule *s)
{
    return s->seniors < SCHEDULE_LIST
           && schedule_mix(s->client)
                  < UINT64_MAX / (s->seniors + 1) * OWNERS_MAX;
}

bool
schedule_owner_is_one(const struct schedule *s)
{
    return s->promoted
           || (s->seniors < SCHEDULE_CROWD && s->client <= s->owner_max);
}

static int
find(const struct schedule *s, uint32_t block)
{
    bool self = s->client != 0 && schedule_owner_is_one(s);
    int owner = self ? OWNER_SELF : OWNER_NONE;
    uint64_t best = self ? weight(s->client, block) : 0;

    for (int i = 0; i < s->n_sources; i++) {
        const struct source *src = &s->sources[i];

        if (!is_candidate(s, src)) {
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

unsigned
schedule_owner_rank(const struct schedule *s, uint32_t block)
{
    uint64_t mine = weight(s->client, block);
    unsigned rank = 0;

    for (int i = 0; i < s->n_sources; i++) {
        const struct source *src = &s->sources[i];

        rank += is_candidate(s, src) && weight(src->id, block) > mine;
    }
    return rank;
}

unsigned
schedule_owner_turn(const struct schedule *s, uint32_t block)
{
    uint64_t mine = s->client != 0 ? weight(s->client, block) : 0;
    unsigned turn = 0;

    for (int i = 0; i < s->n_sources; i++) {
        const struct source *src = &s->sources[i];

        turn += src->kind == SOURCE_PEER && takes_part(src)
                && weight(src->id, block) > mine;
    }
    return turn;
}

/* Who the owners are may have changed with it. */
void
schedule_owner_changed(struct schedule *s)
{
    limit_owners(s);
    free(s->owner);
    s->owner = NULL;
}
