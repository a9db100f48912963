/* schedule_internal.h - what the files of the schedule share: schedule.c
 * (sources and works), schedule_index.c (which blocks are open, by rarity),
 * schedule_ranges.c (long ranges), schedule_peers.c (single blocks of peers),
 * schedule_cdn.c (the CDN in a crowd), schedule_owner.c (whose blocks they
 * are), schedule_end.c (end game), schedule_rates.c (rates, stalls),
 * schedule_gate.c (when the CDN helps although others have the blocks),
 * schedule_fill.c (what super peers that fill have just got). */
#ifndef SCHEDULE_INTERNAL_H
#define SCHEDULE_INTERNAL_H

#include "blockmap.h"
#include "schedule.h"
#include "shoal.h"

/*
 * A claim is a work's right to fetch a block. Each missing block has at most
 * one, but for the last blocks, which are asked twice. A block is *open* while
 * it is missing, has no claim and is not reserved.
 */

enum {
    LEVELS = 32, /* of rarity: 0 to 30 holders, and more */
    CLOSED = 0xff
};

struct block {
    uint16_t holders;  /* super peers and peers that have it */
    uint16_t fetchers; /* that fetch it from the CDN */
    uint8_t claims;    /* works */
    uint8_t level;     /* in which of `open` it is; CLOSED */
};

struct source {
    enum source_kind kind;
    bool gone;        /* gives nothing: schedule_drop() */
    bool all;         /* holds everything */
    uint64_t *have;   /* words; NULL: none, or all */
    uint64_t *fetch;  /* what it is fetching from the CDN; NULL: nothing */
    uint32_t held;    /* bits set in `have` */
    uint32_t n_fetch; /* in `fetch` */
    uint64_t id;      /* 0: not followed */
    bool early;       /* one of the first that were followed */
    bool claims;      /* it asks the CDN for single blocks */
    uint64_t moved;   /* when its log last did */

    unsigned active;    /* works */
    uint64_t bytes;     /* since the last tick */
    uint64_t got;       /* in all */
    double busy;        /* milliseconds of them with work */
    uint64_t busy_from; /* since when, while active */
    uint64_t byte_ms;   /* when the last byte came in */
    uint64_t silent_ms; /* that works stood still since its last block */
    double rate;        /* bytes a second, smoothed; 0: unknown */
    double service;     /* milliseconds from a request to its block; 0 */
    double latency;     /* from a request to its first byte; -1: unknown */
};

struct work {
    bool active;
    bool second; /* the other try at its block */
    int source;
    int free_next; /* while not active */
    uint32_t next, end;
    uint64_t begun;   /* when */
    uint64_t moved;   /* when it last brought a byte */
    uint64_t blocked; /* when its block began to come */
    bool answered;    /* it brought something */
};

/* schedule_gate.c */
struct gate {
    bool open;
    uint64_t until; /* when the present state is looked at again */
    uint64_t from;  /* when it began */
    unsigned tries; /* in vain, in a row */
    double before;  /* total rate before it was opened */
    uint64_t total; /* bytes of all, and of the CDN, since `from` */
    uint64_t cdn;
};

struct schedule {
    const struct blockmap *map;
    uint32_t start;
    uint32_t own_start; /* while a crowd may turn up: not where all begin */
    uint32_t limit;     /* blocks from here on are closed */
    uint32_t words;     /* of a bit set over the blocks */
    uint64_t client;
    uint32_t seniors;
    bool promoted;        /* a junior that had to go to the CDN itself */
    uint64_t patience;    /* alone, milliseconds */
    uint64_t await_until; /* a crowd may turn up */
    unsigned await_left;  /* short ranges until then */
    uint64_t dice;        /* counts choices among equals */
    uint64_t now;         /* as of the last call that told it */

    struct block *blocks;
    uint64_t *open[LEVELS];
    uint32_t n_open[LEVELS];
    uint64_t *fetched; /* bits: fetchers > 0 */
    int16_t *reserved; /* NULL; 0: not, else 2 + the CDN node that may not
                           have it, 1 where all may */

    struct source *sources;
    int n_sources;
    int n_followed; /* sources with an id that are not complete */
    int n_trading;  /* of these, clients */
    struct work *works;
    int n_works, free_work;
    unsigned cdn_active; /* works at CDN nodes */
    unsigned peers_active;

    uint64_t *own_bits;  /* came from the CDN, and nobody else has them */
    uint32_t n_own_bits; /* those are so many */
    uint64_t owner_max;  /* the largest id of one */
    int16_t *owner;      /* a block's rendezvous owner: source, OWNER_SELF;
                            NULL: to be found out */

    uint64_t *turns;    /* of fresh blocks: from when on they may be asked of
                           super peers that fill; NULL */
    uint64_t *left;     /* bits: those for which that is to come */
    uint64_t *masked;   /* room for a set of bits */
    uint32_t n_left;    /* in `left` */
    uint64_t left_seen; /* when it was looked at */

    double fast_ms; /* service time of the third that is fastest; 0 */
    uint64_t *fast; /* blocks that sources have who are not slow; NULL */
    bool fast_known;
    double cdn_first;     /* what the CDN gave in the first moments */
    double alone_ms;      /* for so long there has been nothing else */
    double cdn_alone;     /* the CDN's rate when it was all there was */
    double crowd_best;    /* the most that came in in a crowd; fades */
    double crowd_ms;      /* for so long there has been one */
    bool in_crowd;        /* as of the last decision */
    uint64_t alone_until; /* the crowd is too slow: as if alone until then */
    unsigned starved;     /* milliseconds in a row */
    unsigned left_crowd;  /* times */
    uint64_t idle_from;   /* when the last work at a peer was over */
    uint64_t ticked;      /* when last */
    double total;         /* rate of all sources, smoothed */
    double cdn_total;     /* of CDN nodes, likewise */
    struct gate gate;
};

enum {
    OWNER_SELF = -1,
    OWNER_NONE = -2
};

static inline uint64_t
bit_of(uint32_t block)
{
    return 1ull << (block % 64);
}

static inline bool
bit_get(const uint64_t *bits, uint32_t block)
{
    return (bits[block / 64] & bit_of(block)) != 0;
}

static inline void
schedule_clock(struct schedule *s, uint64_t now)
{
    if (now > s->now) {
        s->now = now;
    }
}

/* A mixer in the manner of splitmix64: every bit of the input counts. */
static inline uint64_t
schedule_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

/** schedule_is_crowd(s): are there others that fetch the same, so that
 *  blocks are traded one by one? */
bool schedule_is_crowd(const struct schedule *s);

/** schedule_holds(s, source, block): reserved or not. */
bool schedule_holds(const struct schedule *s, int source, uint32_t block);

/** schedule_begin(s, source, next, end): a new work. SHOAL_ENOMEM. */
int schedule_begin(struct schedule *s, int source, uint32_t next,
                   uint32_t end);

/** schedule_reach(s, w): the end of the work's blocks that count now. */
uint32_t schedule_reach(const struct schedule *s, const struct work *w);

/** schedule_shrink(s, w, end): it gives up its blocks from ${end} on. */
void schedule_shrink(struct schedule *s, struct work *w, uint32_t end);

/** schedule_missing(s): blocks to come. */
uint32_t schedule_missing(const struct schedule *s);

/* schedule_index.c */
int schedule_index_init(struct schedule *s);
void schedule_index_fini(struct schedule *s);

/** schedule_index_settle(s, block): one of the things has changed that decide
 *  whether, and how rare, it is open. */
void schedule_index_settle(struct schedule *s, uint32_t block);

/** schedule_index_rarest(s, source, mask, out): an open block with the
 *  fewest holders that the source has, any of them alike; not those in ${mask}
 *  (NULL: none). */
bool schedule_index_rarest(struct schedule *s, int source,
                           const uint64_t *mask, uint32_t *out);

bool schedule_index_is_open(const struct schedule *s, uint32_t block);

/* schedule_ranges.c, schedule_peers.c, schedule_cdn.c, schedule_end.c: a work
 * for the source, or an error as of schedule_take(). */
int schedule_ranges_take(struct schedule *s, int source);
int schedule_peers_take(struct schedule *s, int source);

/** schedule_peers_has_room(s): for one more request's block in memory. */
bool schedule_peers_has_room(const struct schedule *s);
int schedule_cdn_take(struct schedule *s, int source);

/** schedule_peers_tick(s): who the fast ones are. */
void schedule_peers_tick(struct schedule *s);

/** schedule_peers_is_slow(s, source): by far not one of the fast ones. */
bool schedule_peers_is_slow(const struct schedule *s, int source);

/** The rest of another source's work that would end much sooner here. */
int schedule_end_range(struct schedule *s, int source);

/** One of the last blocks, whose request is overdue. */
int schedule_end_block(struct schedule *s, int source);

/* schedule_cdn.c */

/** schedule_cdn_arrived(s, block): a CDN node gave it. */
void schedule_cdn_arrived(struct schedule *s, uint32_t block);

/** schedule_cdn_join(s): a crowd has formed: of long ranges no more is left
 *  than the block that is under way, and that only if it is ours. */
void schedule_cdn_join(struct schedule *s);

/** schedule_cdn_spread(s, block): another client has it. */
void schedule_cdn_spread(struct schedule *s, uint32_t block);

/* schedule_owner.c */

/** schedule_owner_rank(s, block): how many would come before this client if
 *  the owner did not fetch it. */
unsigned schedule_owner_rank(const struct schedule *s, uint32_t block);

/** schedule_owner_turn(s, block): how many other clients that are followed
 *  come before this one where all want the same block of one; who serves
 *  nobody comes last. */
unsigned schedule_owner_turn(const struct schedule *s, uint32_t block);

/** schedule_owner_of(s, block): the live incomplete client to which it falls
 *  by rendezvous: a source, OWNER_SELF or OWNER_NONE. */
int schedule_owner_of(struct schedule *s, uint32_t block);

/** schedule_owner_is_one(s): may blocks fall to this client? */
bool schedule_owner_is_one(const struct schedule *s);

/** schedule_owner_is_elected(s): is this junior one of the few that go to the
 *  CDN first? */
bool schedule_owner_is_elected(const struct schedule *s);

/** schedule_owner_changed(s): somebody takes part, or does not any more. */
void schedule_owner_changed(struct schedule *s);

/* schedule_rates.c */

/** schedule_known_rate(s, source): a first guess while it is not measured; 0:
 *  nothing came. */
double schedule_known_rate(const struct schedule *s, int source);

/** schedule_rate_of(s, source): an assumption where it is unknown. */
double schedule_rate_of(const struct schedule *s, int source);

/** schedule_time(s, source, blocks): milliseconds for them at its rate. */
double schedule_time(const struct schedule *s, int source, uint32_t blocks);

/** schedule_left_ms(s, w): until the work is over; more when it stands. */
double schedule_left_ms(const struct schedule *s, const struct work *w);

/** schedule_ready_ms(s, source): until it could begin with more: it may have
 *  work yet, and its answer takes a while. */
double schedule_ready_ms(const struct schedule *s, int source);

/** schedule_service(s, source): milliseconds for a block, as measured. */
double schedule_service(const struct schedule *s, int source);

/** Works begin, bring a block, end. */
void schedule_rates_begun(struct schedule *s, int source);
void schedule_rates_ended(struct schedule *s, int source);
void schedule_rates_block(struct schedule *s, struct work *w);

/* schedule_fill.c */
void schedule_fill_fini(struct schedule *s);

/** schedule_fill_gained(s, source, block): it has the block. */
void schedule_fill_gained(struct schedule *s, int source, uint32_t block);

/** schedule_fill_is_on(s): is a super peer followed that fills? */
bool schedule_fill_is_on(const struct schedule *s);

/** schedule_fill_mask(s, source, mask): blocks that are not asked of it now:
 *  those in ${mask} (NULL: none), and of a super peer that fills those that are
 *  others' turn. Good until the next call. */
const uint64_t *schedule_fill_mask(struct schedule *s, int source,
                                   const uint64_t *mask);

/* schedule_gate.c */

/** schedule_gate_lacks(s): less comes in than the CDN gave this client when it
 *  was alone. */
bool schedule_gate_lacks(const struct schedule *s);

/** schedule_gate_first(s): the first moments with the CDN alone are over. */
void schedule_gate_first(struct schedule *s);
void schedule_gate_tick(struct schedule *s, double elapsed, uint64_t bytes,
                        uint64_t cdn);

#endif
