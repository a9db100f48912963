/* sample.h - do the nodes of one version hold the same bytes? */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "transfer_internal.h"

/** sample_step(t): nodes are asked, and those are left whose bytes differ from
 *  what most hold; or the transfer ends, for nothing decides. */
void sample_step(struct transfer *t);

/** sample_awaited(t): everything is here, and an answer may still tell that
 *  some of it is wrong. */
bool sample_awaited(const struct transfer *t);

/** The answers to JOB_SAMPLE. */
int sample_headers(const struct job *job);
int sample_data(struct job *job, const uint8_t *data, size_t len);
void sample_done(struct job *job, int err);

#endif
