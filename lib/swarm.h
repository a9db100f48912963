/* swarm.h - super peers and peers: what they have, and their layers. */
#ifndef SWARM_H
#define SWARM_H

#include "transfer_internal.h"

void swarm_start(struct transfer *t);
void swarm_tick(struct transfer *t);

/** swarm_url(t, s, what): BASE/blocks/ID${what}, in front of BASE's query if
 *  it has one (tickets); free it. NULL: no memory. */
char *swarm_url(const struct transfer *t, const struct source *s,
                const char *what);

/** swarm_lost(t, s): it does not have what it said: ask it again. */
void swarm_lost(struct transfer *t, struct source *s);

/** swarm_refused(job): a super peer says 403: its ticket has expired, or is
 *  none. It gets no work until a tracker lists it again, unless it has another
 *  URL already than the request had. */
void swarm_refused(const struct job *job);

/** swarm_renew(s, url): it is listed, with ${url}, which differs from its
 *  own in the ticket alone. Returns whether it was refused before. */
bool swarm_renew(struct source *s, const char *url);

/** swarm_checks_all(t): whoever gives a block, it can be checked. */
bool swarm_checks_all(const struct transfer *t);

/** swarm_refresh(t, s): tell the schedule what it can give. */
void swarm_refresh(struct transfer *t, struct source *s);

/** swarm_is_refusal(job, err): its answer to a small request; true: it wants
 *  another ticket. */
bool swarm_is_refusal(const struct job *job, int err);

/** The answers to JOB_TRACKER, JOB_HAVE, JOB_HASHES, JOB_DOCUMENT. */
int swarm_headers(struct job *job);
int swarm_data(struct job *job, const uint8_t *data, size_t len);
void swarm_done(struct job *job, int err, const char *why);

#endif
