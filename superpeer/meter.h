/* meter.h - rates of what only counts up: bytes sent, CPU time. Pure. */
#ifndef METER_H
#define METER_H

#include <stdint.h>

enum {
    METER_MS = 1000 /* of less a rate says little */
};

/** Zeroed at its start. */
struct meter {
    uint64_t at_ms; /* of the last look; 0: none yet */
    uint64_t bytes;
    uint64_t cpu_us;
    uint64_t rate; /* bytes a second */
    unsigned cpu;  /* percent of all cores */
};

/**
 * meter_look(m, now_ms, bytes, cpu_us, cores):
 * Take the counts of now. ${m}->rate and ->cpu are those since the last look
 * that was taken; one that comes sooner than METER_MS after it is not.
 */
void meter_look(struct meter *m, uint64_t now_ms, uint64_t bytes,
                uint64_t cpu_us, unsigned cores);

#endif
