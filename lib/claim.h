/* claim.h - telling others which blocks are being fetched. */
#ifndef CLAIM_H
#define CLAIM_H

#include "transfer_internal.h"

/** claim_begin(job): its request, whose range is set, goes out; claim_end(job):
 *  it is over; claim_trim(job): its range may have become shorter. */
void claim_begin(struct job *job);
void claim_trim(struct job *job);
void claim_end(struct job *job);

#endif
