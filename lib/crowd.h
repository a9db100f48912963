/* crowd.h - how many connections there are, in total and from one address.
 * Knows no HTTP. */
#ifndef CROWD_H
#define CROWD_H

#include <stdbool.h>
#include <sys/socket.h>

struct crowd;
struct crowd_address;

enum crowd_verdict {
    CROWD_IN,
    CROWD_FULL,        /* more than there may be in total */
    CROWD_ADDRESS_FULL /* more than there may be from that address */
};

/** crowd_create(total, per_address): ${per_address} is of one IPv4 address or
 *  IPv6 /64; 0: any number. NULL: out of memory. */
struct crowd *crowd_create(unsigned total, unsigned per_address);

/** crowd_set(c, total, per_address): from now on; who is in stays in. */
void crowd_set(struct crowd *c, unsigned total, unsigned per_address);

/** crowd_close(c): there is no room for anybody any more. */
void crowd_close(struct crowd *c);

/** crowd_room(c, sa): is there room for one more from ${sa}, be it only to
 *  be told that it is one too many? CROWD_IN, or why not. */
enum crowd_verdict crowd_room(struct crowd *c, const struct sockaddr *sa);

/** crowd_enter(c, sa, out): one more, counted whatever the verdict; leave
 *  with ${*out}, which may be NULL. */
enum crowd_verdict crowd_enter(struct crowd *c, const struct sockaddr *sa,
                               struct crowd_address **out);

void crowd_leave(struct crowd *c, struct crowd_address *a);

/** crowd_count(c): how many there are. */
unsigned crowd_count(struct crowd *c);

/** crowd_free(c): all have left. NULL is a no-op. */
void crowd_free(struct crowd *c);

#endif
