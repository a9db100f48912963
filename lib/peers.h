/* peers.h - which peers are neighbours. */
#ifndef PEERS_H
#define PEERS_H

#include "transfer_internal.h"

/** peers_start(t): from now on peers may be named. */
void peers_start(struct transfer *t);

/** peers_offer(t, addr, complete): a tracker, or it itself, named this peer,
 *  `ADDR:PORT`. */
void peers_offer(struct transfer *t, const char *addr, bool complete);

/** peers_lied(s, block_size): it does not have a block that it said it had;
 *  too many of them, and it is dropped. */
void peers_lied(struct source *s, uint64_t block_size);

/** peers_tick(t): who is asked, and who no more. */
void peers_tick(struct transfer *t);

#endif
