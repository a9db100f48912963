/* schedule.h - decides which source fetches which blocks next. Pure: state
 * and time in, decision out; no clock, no sockets, nothing random but what
 * follows from the client's id. Times are milliseconds of one clock that never
 * goes back. The rules and why: docs/scheduling.md. */
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

/** What is to become of a work under way. */
enum schedule_verdict {
    SCHEDULE_GO_ON,
    SCHEDULE_CUT,     /* end it, nobody is to blame: it is faster elsewhere */
    SCHEDULE_STALLED, /* end it, its source failed */
    SCHEDULE_DEAD     /* likewise, a peer's, for too long to be tried again */
};

struct schedule;

/* ---- the download ---- */

/**
 * schedule_create(map, start, client):
 * A schedule for the blocks that ${map} lacks; ${map} is borrowed, and what
 * is set in it counts as held at once. Alone, CDN nodes begin at block
 * ${start} and wrap round. ${client} is what others know this client by, the
 * epoch of its block server's log (Shoal-Epoch); 0: it serves nobody.
 * NULL: out of memory.
 */
struct schedule *schedule_create(const struct blockmap *map, uint32_t start,
                                 uint64_t client);
void schedule_free(struct schedule *s);

/** schedule_lost(s, block): it is no longer held: to be fetched again. */
void schedule_lost(struct schedule *s, uint32_t block);

/** schedule_seniors(s, n): so many peers were listed when this client first
 *  asked a tracker. From SCHEDULE_CROWD on it cannot know all of them, and leaves the CDN
 *  to a few; SCHEDULE_LIST are as many as are told: there may be more. */
enum {
    SCHEDULE_CROWD = 30,
    SCHEDULE_LIST = 50
};
void schedule_seniors(struct schedule *s, uint32_t n);

/** schedule_patience(s, ms): how long a source may stand still when there is
 *  nobody else; at first 30 seconds. Nobody gets more than that. */
void schedule_patience(struct schedule *s, uint64_t ms);

/**
 * schedule_await(s, until, n):
 * A crowd may turn up until then: the next ${n} requests at CDN nodes begin
 * at a place of this client's own, and are for short ranges, which need not be
 * cut off in the middle, two at a time; at a node that is far away for two
 * long ones, so that a client alone is not slower for it.
 */
void schedule_await(struct schedule *s, uint64_t until, unsigned n);

/* ---- sources ---- */

/** schedule_add(s, kind): a source that holds everything if it is a CDN
 *  node, else nothing yet. Its number, from 0 up; SHOAL_ENOMEM. */
int schedule_add(struct schedule *s, enum source_kind kind);

/** schedule_latency(s, source, ms): the way there and back, as far as it is
 *  known before anything came. */
void schedule_latency(struct schedule *s, int source, uint64_t ms);

/** schedule_drop(s, source): it gives nothing until schedule_have(), and what it
 *  has and fetches does not count; its works are still to be ended. */
void schedule_drop(struct schedule *s, int source);

/** schedule_have(s, source, bits): what it can give, a bitmap like the
 *  map's; NULL: everything. SHOAL_ENOMEM. */
int schedule_have(struct schedule *s, int source, const uint8_t *bits);

/**
 * schedule_peer(s, source, id):
 * It is a client, or a super peer that fills, which is followed by its log: as
 * long as it is incomplete it takes part in the sharing out of the CDN's
 * blocks. ${id} is its Shoal-Epoch; 0: it is not followed any more, and what
 * it was fetching is forgotten. SHOAL_ENOMEM.
 */
int schedule_peer(struct schedule *s, int source, uint64_t id);

/** The news of its log: it has ${n} blocks from ${first} on, too; it is
 *  fetching them from the CDN (${on}), or not any more. SHOAL_ENOMEM. */
int schedule_gain(struct schedule *s, int source, uint32_t first, uint32_t n,
                  uint64_t now);
int schedule_claim(struct schedule *s, int source, uint32_t first, uint32_t n,
                   bool on, uint64_t now);

/** schedule_limit(s, block): no work is given at or beyond it; a running
 *  stream may be told to go on there. It only grows. None at first. */
void schedule_limit(struct schedule *s, uint32_t block);

/** schedule_has(s, source, block): may it be given the block, as told by
 *  schedule_have(), schedule_gain() and schedule_reserve()? */
bool schedule_has(const struct schedule *s, int source, uint32_t block);

/**
 * schedule_reserve(s, block, except): only CDN nodes other than ${except}
 * (-1: any) may be given the block. SHOAL_ENOMEM.
 * schedule_release(s, block): everybody may again.
 */
int schedule_reserve(struct schedule *s, uint32_t block, int except);
void schedule_release(struct schedule *s, uint32_t block);

/** schedule_rate(s, source): bytes a second, smoothed; 0: not known. */
double schedule_rate(const struct schedule *s, int source);

/** schedule_wanted(s, source): missing blocks that it could give. */
uint32_t schedule_wanted(const struct schedule *s, int source);

/* ---- works ---- */

/**
 * schedule_take(s, source, now, out):
 * Give ${source} one more work, a request of blocks [next, end). The work's
 * number; SHOAL_EBUSY: it has enough to do; SHOAL_ENOTFOUND: there is nothing
 * that would help, before there is news or a while has passed; SHOAL_ENOMEM.
 */
int schedule_take(struct schedule *s, int source, uint64_t now,
                  struct schedule_range *out);

/**
 * schedule_begin_at(s, source, next, end, now):
 * Claim the blocks from ${next} to ${end} for a stream that is already
 * running. The work's number, or SHOAL_ENOMEM.
 */
int schedule_begin_at(struct schedule *s, int source, uint32_t next,
                      uint32_t end, uint64_t now);

/** schedule_left(s, work): may have shrunk since the last call: its tail
 *  went to another source, or its next block came from elsewhere. Empty: to be
 *  ended, at once if it is a CDN node's. */
struct schedule_range schedule_left(struct schedule *s, int work);

/** schedule_read_on(s, work, end): nothing is left of it, but its stream goes
 *  on up to block ${end}. Has the next block become its own, since those to
 *  whom its tail went are slower, or never gave a byte? */
bool schedule_read_on(struct schedule *s, int work, uint32_t end);

/** schedule_got(s, work, bytes, now): so many bytes more came in, even in
 *  mid-block; 0: it waited for us until now. */
void schedule_got(struct schedule *s, int work, uint64_t bytes, uint64_t now);

/** schedule_advance(s, work, now): its next block came in, right or wrong. */
void schedule_advance(struct schedule *s, int work, uint64_t now);

/** schedule_end(s, work): it is over; what is left of it is unclaimed. */
void schedule_end(struct schedule *s, int work);

/** schedule_tick(s, now): ten times a second or more often: measures. */
void schedule_tick(struct schedule *s, uint64_t now);

/** schedule_judge(s, work, now): to be asked after each tick about works
 *  that do not wait for us. */
enum schedule_verdict schedule_judge(const struct schedule *s, int work,
                                     uint64_t now);

#endif
