/* schedule.h - decides which source fetches which blocks next. Pure: state
 * and time in, decision out; no clock, no sockets. */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "transfer.h" /* enum source_kind */

struct blockmap;

/** What is left of one work: blocks [next, end). */
struct schedule_range {
    uint32_t next, end;
};

struct schedule;

/**
 * schedule_create(map, start):
 * A schedule for the blocks that ${map} lacks; ${map} is borrowed, and what
 * is set in it counts as held at once. CDN nodes begin at block ${start} and
 * wrap round. NULL: out of memory.
 */
struct schedule *schedule_create(const struct blockmap *map, uint32_t start);
void schedule_free(struct schedule *s);

/** schedule_add(s, kind): a source that holds everything if it is a CDN
 *  node, else nothing yet. Its number, from 0 up; SHOAL_ENOMEM. */
int schedule_add(struct schedule *s, enum source_kind kind);

/** schedule_have(s, source, bits): what it can give, a bitmap like the
 *  map's; NULL: everything. SHOAL_ENOMEM. */
int schedule_have(struct schedule *s, int source, const uint8_t *bits);

/** schedule_has(s, source, block): may it be given the block, as told by
 *  schedule_have() and schedule_reserve()? */
bool schedule_has(const struct schedule *s, int source, uint32_t block);

/**
 * schedule_reserve(s, block, except): only CDN nodes other than ${except}
 * (-1: any) may be given the block. SHOAL_ENOMEM.
 * schedule_release(s, block): everybody may again.
 */
int schedule_reserve(struct schedule *s, uint32_t block, int except);
void schedule_release(struct schedule *s, uint32_t block);

/** schedule_rate(s, source, rate): measured bytes a second; 0: unknown. */
void schedule_rate(struct schedule *s, int source, double rate);

/**
 * schedule_take(s, source, out):
 * Give ${source} work: unclaimed blocks, else the tail of what another is
 * slow with, else a second try at the last blocks. The work's number;
 * SHOAL_ENOTFOUND (nothing that would help), SHOAL_ENOMEM.
 */
int schedule_take(struct schedule *s, int source, struct schedule_range *out);

/** schedule_left(s, work): may have shrunk since the last call: its tail
 *  went to another source, or its next block came from elsewhere. */
struct schedule_range schedule_left(struct schedule *s, int work);

/** schedule_advance(s, work): its next block came in (right or wrong). */
void schedule_advance(struct schedule *s, int work);

/** schedule_end(s, work): it is over; what is left of it is unclaimed. */
void schedule_end(struct schedule *s, int work);

/**
 * schedule_begin_at(s, source, next, end):
 * Claim the blocks from ${next} to ${end} for a stream that is already
 * running. The work's number, or SHOAL_ENOMEM.
 */
int schedule_begin_at(struct schedule *s, int source, uint32_t next,
                      uint32_t end);

#endif
