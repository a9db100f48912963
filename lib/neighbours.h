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

/** neighbours_count(n): how many are asked. */
unsigned neighbours_count(const struct neighbours *n);

#endif
