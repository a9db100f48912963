/* throttle.h - a limit on what comes in: it is there already when it counts,
 * so it is paid for by waiting afterwards. */
#ifndef THROTTLE_H
#define THROTTLE_H

#include <stddef.h>
#include <stdint.h>

struct throttle {
    uint64_t bps;     /* bytes a second; 0: no limit */
    uint64_t paid_us; /* until then all that came is paid for */
};

/** throttle_init(t, bps, now_us). */
void throttle_init(struct throttle *t, uint64_t bps, uint64_t now_us);

/** throttle_chunk(t): how much may come in one go, bytes: about a 50th of a
 *  second's, at least 1 KiB; 0: any. */
size_t throttle_chunk(const struct throttle *t);

/** throttle_take(t, bytes, now_us): they came: milliseconds until more may. */
unsigned throttle_take(struct throttle *t, size_t bytes, uint64_t now_us);

#endif
