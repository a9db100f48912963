/* job.h - a transfer's requests. */
#ifndef JOB_H
#define JOB_H

#include "transfer_internal.h"

/**
 * job_start(t, kind, source, options): ${options} need only what differs
 * from the usual: url, range, head, addr, total_ms. NULL: failed.
 */
struct job *job_start(struct transfer *t, enum job_kind kind,
                      struct source *source, struct http_options *options);

/** job_create(t, kind, source): one without a request. NULL: no memory. */
struct job *job_create(struct transfer *t, enum job_kind kind,
                       struct source *source);

/** job_took(job, len): bytes of the file came in; it may have to wait. */
void job_took(struct job *job, size_t len);

/** job_resume_due(t): those whose time has come go on. Milliseconds until the
 *  next one's. */
int job_resume_due(struct transfer *t);

/** job_end(job): cancel the request and free the job. */
void job_end(struct job *job);

/** job_end_all(t): all of them. */
void job_end_all(struct transfer *t);

/** job_keep(job, data, len): append to buf, at most body_max. */
int job_keep(struct job *job, const uint8_t *data, size_t len);

#endif
