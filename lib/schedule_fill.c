/* schedule_fill.c - what a super peer that fills has just got. All clients
 * hear of it in the same moment, and would all ask for it there: its line would
 * carry every block to everyone, and what fills it would stand in the queue. So
 * they take turns, each block's in an order that all know; who comes later
 * finds it at those who came first. */
#include "schedule_internal.h"

#include <stdlib.h>

enum {
    TURN_MIN_MS = 20, /* news do not come sooner */
    TURN_MS = 50,     /* while it is not known how long a block takes */
    TURNS_MAX_MS = 1000
};

void
schedule_fill_fini(struct schedule *s)
{
    free(s->turns);
    free(s->left);
    free(s->masked);
}

static bool
need_memory(struct schedule *s)
{
    if (s->turns == NULL) {
        s->turns = calloc(s->map->count + 1, sizeof(*s->turns));
        s->left = calloc(s->words + 1, sizeof(*s->left));
        s->masked = calloc(s->words + 1, sizeof(*s->masked));
    }
    return s->turns != NULL && s->left != NULL && s->masked != NULL;
}

static uint64_t
turn_ms(const struct schedule *s, int source)
{
    double service = s->sources[source].service;
    double ms = service > 0 ? service : TURN_MS;

    return (uint64_t) (ms > TURN_MIN_MS ? ms : TURN_MIN_MS);
}

static bool
fills(const struct source *src)
{
    return src->kind == SOURCE_SUPER && src->id != 0 && !src->all
           && !src->gone;
}

bool
schedule_fill_is_on(const struct schedule *s)
{
    for (int i = 0; i < s->n_sources; i++) {
        if (fills(&s->sources[i])) {
            return true;
        }
    }
    return false;
}

void
schedule_fill_gained(struct schedule *s, int source, uint32_t block)
{
    if (!fills(&s->sources[source]) || !need_memory(s) || s->turns[block] != 0)
    {
        return;
    }
    uint64_t wait = schedule_owner_turn(s, block) * turn_ms(s, source);
    s->turns[block] = s->now + (wait < TURNS_MAX_MS ? wait : TURNS_MAX_MS);
    if (wait > 0) {
        s->left[block / 64] |= bit_of(block);
        s->n_left++;
    }
}

/* Those whose turn has come, of 64. */
static void
look_word(struct schedule *s, uint32_t w)
{
    for (uint64_t bits = s->left[w]; bits != 0; bits &= bits - 1) {
        uint32_t block = w * 64 + (uint32_t) __builtin_ctzll(bits);

        if (s->now >= s->turns[block]) {
            s->left[w] &= ~bit_of(block);
            s->n_left--;
        }
    }
}

static void
look(struct schedule *s)
{
    s->left_seen = s->now;
    for (uint32_t w = 0; w < s->words && s->n_left > 0; w++) {
        look_word(s, w);
    }
}

const uint64_t *
schedule_fill_mask(struct schedule *s, int source, const uint64_t *mask)
{
    const struct source *src = &s->sources[source];

    if (src->kind != SOURCE_SUPER || src->all || s->n_left == 0) {
        return mask;
    }
    if (s->left_seen != s->now) {
        look(s);
    }
    for (uint32_t w = 0; w < s->words; w++) {
        s->masked[w] = s->left[w] | (mask != NULL ? mask[w] : 0);
    }
    return s->masked;
}
