/* intake.h - a block's way from a source's stream into the store. */
#ifndef INTAKE_H
#define INTAKE_H

#include "transfer_internal.h"

/** intake_open(t): the map tells what is held. SHOAL_ENOMEM. intake_close(t):
 *  what is under way is settled first; a no-op where none is open. */
int intake_open(struct transfer *t);
void intake_close(struct transfer *t);

/** intake_buffer(t): for a block that comes in; free() or intake_block()
 *  takes it. NULL: no memory. */
uint8_t *intake_buffer(struct transfer *t);

/**
 * intake_block(job, block): it is whole in ${job->buf}, which is taken unless
 * the block is there already. It counts as held when it has been hashed,
 * judged and written, maybe later. Not 0: the transfer has failed.
 */
int intake_block(struct job *job, uint32_t block);

/** intake_settle(t): those that are hashed are judged and written. Milliseconds
 *  until it is to be called again. intake_drain(t): all that came in; waits
 *  for them. */
int intake_settle(struct transfer *t);
void intake_drain(struct transfer *t);

/** intake_need_hashes(t): somebody needs the blocks' hashes from now on; those
 *  of what is held already are made by reading it. Not 0: the transfer has
 *  failed. */
int intake_need_hashes(struct transfer *t);

/** intake_forgotten(t, block): it is not held any more. */
void intake_forgotten(struct transfer *t, uint32_t block);

/** intake_check_sum(t): all is held: does it have the checksum? SHOAL_EVERIFY;
 *  SHOAL_ESTOPPED, SHOAL_ENOMEM, or what the store says. */
int intake_check_sum(struct transfer *t);

#endif
