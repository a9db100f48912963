/* schedule_cdn.c - the CDN in a crowd: each block is to leave it about once,
 * and to be traded from there. One block a request, few under way, and no
 * more than can be passed on. */
#include "schedule_internal.h"

#include <limits.h>
#include <string.h>

enum {
    UNDER_WAY = 2,     /* requests at all CDN nodes together */
    UNSPREAD_MAX = 4,  /* blocks of ours that nobody else has yet */
    UNSPREAD_FEW = 16, /* likewise, where few fetch any */
    LEFT_TO_OWNER = 4, /* its last ones, as long as it moves */
    MOVED_MS = 600,    /* its log did, so long ago */
    SHORT = 4,         /* blocks of a range */
    RANKED = 64,       /* of others' blocks are looked at */
    STARVE_MIN_MS = 500,
    STARVE_MS = 1500,   /* nothing comes: at the latest so long after */
    CROWD_BITS = 13,    /* so many clients, as a power of two, may starve */
    SILENT_SERVICES = 8 /* a claim that old is given up */
};

#define TURNS 0x5bd1e9955bd1e995ull /* another order than the weights' */

void
schedule_cdn_arrived(struct schedule *s, uint32_t block)
{
    if (s->blocks[block].holders == 0 && !bit_get(s->own_bits, block)) {
        s->own_bits[block / 64] |= bit_of(block);
        s->n_own_bits++;
    }
}

void
schedule_cdn_spread(struct schedule *s, uint32_t block)
{
    if (s->n_own_bits > 0 && bit_get(s->own_bits, block)) {
        s->own_bits[block / 64] &= ~bit_of(block);
        s->n_own_bits--;
    }
}

static bool
is_mine(struct schedule *s, uint32_t block)
{
    return block < s->map->count && schedule_owner_is_one(s)
           && schedule_owner_of(s, block) == OWNER_SELF;
}

/* Of a range: the block that is under way, if it is ours; of a short one all
 * that nobody else has or fetches, as it would come in vain. */
static uint32_t
kept_of(struct schedule *s, const struct work *w)
{
    uint32_t end = w->next + is_mine(s, w->next);

    while (w->end - w->next <= SHORT && end < w->end
           && s->blocks[end].holders == 0 && s->blocks[end].fetchers == 0)
    {
        end++;
    }
    return end;
}

void
schedule_cdn_join(struct schedule *s)
{
    schedule_gate_first(s);
    memset(s->own_bits, 0, s->words * sizeof(*s->own_bits));
    s->n_own_bits = 0; /* nobody was there to pass them on to */
    for (int i = 0; i < s->n_works; i++) {
        struct work *w = &s->works[i];

        if (w->active && s->sources[w->source].kind == SOURCE_CDN) {
            schedule_shrink(s, w, kept_of(s, w));
        }
    }
}

/* A client that serves nobody need not wait for others to take its blocks;
 * one that has nothing to wait for at peers goes on; and so does one that was
 * there before the others, who take old blocks of its first. */
static bool
is_paced(const struct schedule *s)
{
    uint32_t most = s->promoted ? UNSPREAD_FEW : UNSPREAD_MAX;

    return s->client != 0 && s->peers_active > 0 && s->n_own_bits >= most
           && !schedule_gate_lacks(s);
}

/* Its log moves: it fetches its blocks itself. */
static bool
is_moving(const struct schedule *s, int owner)
{
    return owner >= 0 && s->sources[owner].claims
           && s->now < s->sources[owner].moved + MOVED_MS;
}

/* Goes through the blocks that nobody has, from a word of the set on and
 * round: those that nobody fetches, or those that somebody does. */
struct walk {
    bool fetched;
    uint32_t at, left; /* the word, and how many are to come */
    uint64_t word;     /* what is left of it */
};

static struct walk
walk_from(const struct schedule *s, uint64_t place, bool fetched)
{
    uint32_t words = s->n_open[0] > 0 ? s->words : 0;

    return (struct walk){ .fetched = fetched,
                          .at = words > 0 ? (uint32_t) (place % words) : 0,
                          .left = words };
}

static bool
walk_next(const struct schedule *s, struct walk *w, uint32_t *block)
{
    while (w->word == 0) {
        if (w->left-- == 0) {
            w->left = 0;
            return false;
        }
        w->at = w->at + 1 < s->words ? w->at + 1 : 0;
        uint64_t fetched = s->fetched[w->at];
        w->word = s->open[0][w->at] & (w->fetched ? fetched : ~fetched);
    }
    *block = w->at * 64 + (uint32_t) __builtin_ctzll(w->word);
    w->word &= w->word - 1;
    return true;
}

/* The unclaimed blocks of an owner, up to LEFT_TO_OWNER + 1. */
static unsigned
left_of(struct schedule *s, int owner)
{
    struct walk w = walk_from(s, 0, false);
    unsigned n = 0;
    uint32_t block;

    while (n <= LEFT_TO_OWNER && walk_next(s, &w, &block)) {
        n += schedule_owner_of(s, block) == owner;
    }
    return n;
}

static bool
is_left_to(struct schedule *s, int owner)
{
    return is_moving(s, owner) && left_of(s, owner) <= LEFT_TO_OWNER;
}

/* The order in which an owner takes its blocks: known to all, and each one's
 * own, as who does not know the others yet takes all blocks for its own. */
static uint64_t
turn_of(uint64_t owner, uint32_t block)
{
    return schedule_mix(owner ^ schedule_mix(TURNS ^ block));
}

/* My own unclaimed block whose turn it is. */
static bool
find_own(struct schedule *s, uint32_t *out)
{
    struct walk w = walk_from(s, 0, false);
    uint64_t first = UINT64_MAX;
    uint32_t block;
    bool any = false;

    while (walk_next(s, &w, &block)) {
        uint64_t turn = turn_of(s->client, block);

        if (turn <= first && schedule_owner_of(s, block) == OWNER_SELF) {
            first = turn;
            *out = block;
            any = true;
        }
    }
    return any;
}

/*
 * Another's, but not the last ones of an owner that moves. Clients hear of
 * each other's choice 20 to 100 ms late: so each takes blocks for which it
 * would come next, and of those the one that its owner takes last. By chance,
 * the last tenth of a file was fetched by two at once.
 */
static bool
find_others(struct schedule *s, uint32_t *out)
{
    struct walk w = walk_from(s, schedule_mix(s->client ^ s->dice++), false);
    int skip = OWNER_NONE; /* known to be left its last ones */
    unsigned best = UINT_MAX, looked = 0;
    uint64_t last = 0;
    uint32_t block;

    while (looked < RANKED && walk_next(s, &w, &block)) {
        int owner = schedule_owner_of(s, block);

        if (owner == skip && owner >= 0) {
            continue;
        }
        if (is_left_to(s, owner)) {
            skip = owner;
            continue;
        }
        unsigned rank = schedule_owner_rank(s, block);
        uint64_t turn = owner >= 0 ? turn_of(s->sources[owner].id, block) : 0;
        looked++;
        if (rank < best || (rank == best && turn >= last)) {
            best = rank;
            last = turn;
            *out = block;
        }
    }
    return best != UINT_MAX;
}

/* A block that nobody has or fetches. (In the order of the file, from a place
 * of each one's own, neighbours ran into each other: 1.35 to 1.46 copies.) */
static bool
find_unclaimed(struct schedule *s, uint32_t *out)
{
    return find_own(s, out) || find_others(s, out);
}

/*
 * Nothing comes from anybody. Many may be in that state, and one is enough:
 * waiting times by a hash, spread so that half as many wait each thirteenth
 * less: whatever their number, few are first.
 */
static bool
has_starved(const struct schedule *s)
{
    uint64_t hash = schedule_mix(s->client ^ schedule_mix(s->idle_from));
    int zeros = __builtin_clzll(hash | 1);
    double rest = (double) (hash << zeros) / 18446744073709551616.0;
    double share = 1 - (zeros + 2 - 2 * rest) / CROWD_BITS;

    share = share < 0 || schedule_owner_is_elected(s) ? 0 : share;
    return s->peers_active == 0
           && (double) (s->now - s->idle_from)
                  >= STARVE_MIN_MS + share * STARVE_MS;
}

/* One of so many leaves the CDN to others; until they are gone. */
static bool
find_starved(struct schedule *s, uint32_t *out)
{
    struct walk w = walk_from(s, schedule_mix(s->client ^ s->dice++), false);

    if (!has_starved(s) || !walk_next(s, &w, out)) {
        return false;
    }
    s->promoted = true;
    schedule_owner_changed(s);
    return true;
}

/* Is one of those who fetch the block still at it? */
static bool
is_awaited(const struct schedule *s, int node, uint32_t block)
{
    double service = schedule_service(s, node);
    double most = SILENT_SERVICES * service;

    most = most > MOVED_MS ? most : MOVED_MS;
    for (int i = 0; i < s->n_sources; i++) {
        const struct source *src = &s->sources[i];

        if (src->fetch != NULL && bit_get(src->fetch, block)
            && (double) (s->now - src->moved) < most)
        {
            return true;
        }
    }
    return false;
}

/* A block that is claimed by clients who show no more sign of life. */
static bool
find_forsaken(struct schedule *s, int node, uint32_t *out)
{
    struct walk w = walk_from(s, 0, true);

    while (walk_next(s, &w, out)) {
        if (!is_awaited(s, node, *out)) {
            return true;
        }
    }
    return false;
}

/* Only CDN nodes may be asked for these. */
static bool
find_reserved(struct schedule *s, int node, uint32_t *out)
{
    for (uint32_t i = 0; s->reserved != NULL && i < s->map->count; i++) {
        if (s->reserved[i] != 0 && s->blocks[i].claims == 0
            && !blockmap_has(s->map, i) && schedule_has(s, node, i))
        {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool
find_block(struct schedule *s, int node, uint32_t *out)
{
    if (find_reserved(s, node, out)) {
        return true;
    }
    if (!is_paced(s)
        && (schedule_owner_is_one(s) ? find_unclaimed(s, out)
                                     : find_starved(s, out)))
    {
        return true;
    }
    if (s->peers_active == 0 && find_forsaken(s, node, out)) {
        return true;
    }
    return s->gate.open && schedule_index_rarest(s, node, s->fetched, out);
}

int
schedule_cdn_take(struct schedule *s, int source)
{
    uint32_t block = 0;

    if (s->cdn_active >= UNDER_WAY) {
        return SHOAL_EBUSY;
    }
    if (find_block(s, source, &block)) {
        return schedule_begin(s, source, block, block + 1);
    }
    return schedule_end_block(s, source);
}
