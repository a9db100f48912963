/* schedule_index.c - the open blocks, sorted by how many hold them: sets of
 * bits, so that a choice among 16,384 blocks of 30 neighbours costs
 * microseconds, and a piece of news next to nothing. */
#include "schedule_internal.h"

#include <stdlib.h>

int
schedule_index_init(struct schedule *s)
{
    size_t count = s->map->count + 1;

    s->words = (s->map->count + 63) / 64;
    s->blocks = calloc(count, sizeof(*s->blocks));
    s->fetched = calloc(s->words + 1, sizeof(*s->fetched));
    s->own_bits = calloc(s->words + 1, sizeof(*s->own_bits));
    s->open[0] = calloc((size_t) (s->words + 1) * LEVELS, sizeof(uint64_t));
    if (s->blocks == NULL || s->fetched == NULL || s->own_bits == NULL
        || s->open[0] == NULL)
    {
        return SHOAL_ENOMEM;
    }
    for (int i = 1; i < LEVELS; i++) {
        s->open[i] = s->open[i - 1] + s->words;
    }
    for (uint32_t i = 0; i < s->map->count; i++) {
        s->blocks[i].level = CLOSED;
        schedule_index_settle(s, i);
    }
    return 0;
}

void
schedule_index_fini(struct schedule *s)
{
    free(s->blocks);
    free(s->fetched);
    free(s->own_bits);
    free(s->open[0]);
}

bool
schedule_index_is_open(const struct schedule *s, uint32_t block)
{
    return s->blocks[block].level != CLOSED && !blockmap_has(s->map, block);
}

static uint8_t
level_of(const struct schedule *s, uint32_t block)
{
    if (block >= s->limit || s->blocks[block].claims > 0
        || blockmap_has(s->map, block)
        || (s->reserved != NULL && s->reserved[block] != 0))
    {
        return CLOSED;
    }
    return (uint8_t) (s->blocks[block].holders < LEVELS
                          ? s->blocks[block].holders
                          : LEVELS - 1);
}

void
schedule_index_settle(struct schedule *s, uint32_t block)
{
    uint8_t was = s->blocks[block].level, is = level_of(s, block);

    if (was == is) {
        return;
    }
    if (was != CLOSED) {
        s->open[was][block / 64] &= ~bit_of(block);
        s->n_open[was]--;
    }
    if (is != CLOSED) {
        s->open[is][block / 64] |= bit_of(block);
        s->n_open[is]++;
    }
    s->blocks[block].level = is;
}

/* The first bit of the word at or behind a random place, and round. */
static uint32_t
any_bit(uint64_t word, uint64_t random)
{
    unsigned turn = (unsigned) (random % 64);
    uint64_t turned = turn == 0 ? word : word >> turn | word << (64 - turn);

    return ((unsigned) __builtin_ctzll(turned) + turn) % 64;
}

static bool
find_at(const struct schedule *s, const struct source *src, int level,
        const uint64_t *mask, uint64_t random, uint32_t *out)
{
    uint32_t w = (uint32_t) ((random >> 32) % s->words);

    for (uint32_t i = 0; i < s->words; i++) {
        uint64_t word = s->open[level][w];

        word &= src->all ? ~0ull : src->have[w];
        word &= mask != NULL ? ~mask[w] : ~0ull;
        if (word != 0) {
            *out = w * 64 + any_bit(word, random);
            return true;
        }
        w = w + 1 < s->words ? w + 1 : 0;
    }
    return false;
}

static bool
find_rarest(struct schedule *s, int source, const uint64_t *mask,
            uint32_t *out)
{
    const struct source *src = &s->sources[source];
    uint64_t random = schedule_mix(s->dice++);

    if (!src->all && src->have == NULL) {
        return false;
    }
    for (int level = 0; level < LEVELS; level++) {
        if (s->n_open[level] > 0 && find_at(s, src, level, mask, random, out))
        {
            return true;
        }
    }
    return false;
}

/* The map belongs to others: a block may have come into it without a work. */
bool
schedule_index_rarest(struct schedule *s, int source, const uint64_t *mask,
                      uint32_t *out)
{
    while (find_rarest(s, source, mask, out)) {
        if (!blockmap_has(s->map, *out)) {
            return true;
        }
        schedule_index_settle(s, *out);
    }
    return false;
}
