/* neighbours.h - which of the peers that somebody named are asked, at most so
 * many at a time, and which are left alone for a while. Bounded, whoever names
 * whom. Pure. */
#ifndef NEIGHBOURS_H
#define NEIGHBOURS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    NEIGHBOURS_ADDR = 72 /* bytes of `ADDR:PORT`, `[ADDR]:PORT` */
};

struct neighbours;

/** What a neighbour had given when its present time began; zeroed at first. */
struct neighbours_yield {
    uint64_t since_ms;
    uint64_t used; /* bytes */
    uint64_t all;  /* of all peers */
};

/** neighbours_create(most, seed): ${most} at a time; ${seed} is where chance
 *  begins. NULL: out of memory. neighbours_free(n): NULL is a no-op. */
struct neighbours *neighbours_create(unsigned most, uint64_t seed);
void neighbours_free(struct neighbours *n);

/** neighbours_offer(n, addr, now_ms): somebody named it. True: it is asked
 *  already. */
bool neighbours_offer(struct neighbours *n, const char *addr, uint64_t now_ms);

/**
 * neighbours_pick(n, now_ms, addr):
 * One more to ask, by chance among those that are known and not left alone.
 * False: there is none, or room for none.
 */
bool neighbours_pick(struct neighbours *n, uint64_t now_ms,
                     char addr[NEIGHBOURS_ADDR]);

/** neighbours_spare(n, now_ms): could somebody else be asked if there was
 *  room? */
bool neighbours_spare(const struct neighbours *n, uint64_t now_ms);

/** neighbours_rest(n, addr, now_ms, ms): it is not asked any more, and left
 *  alone for ${ms}, twice as long each time. */
void neighbours_rest(struct neighbours *n, const char *addr, uint64_t now_ms,
                     uint64_t ms);

/**
 * neighbours_is_poor(y, now, n, block):
 * Would another one in its place give more? ${now} is what it and all peers
 * have given by now, ${n} how many there are, ${block} a block's bytes. True
 * when it gave nothing for five seconds, or two blocks at most in a time in
 * which the average neighbour gave three. Each time it gave more, ${y} begins
 * anew.
 */
bool neighbours_is_poor(struct neighbours_yield *y,
                        const struct neighbours_yield *now, unsigned n,
                        uint64_t block);

/** neighbours_count(n): how many are asked. */
unsigned neighbours_count(const struct neighbours *n);

#endif
