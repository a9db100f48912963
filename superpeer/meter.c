/* meter.c - rates of what only counts up. */
#include "meter.h"

void
meter_look(struct meter *m, uint64_t now_ms, uint64_t bytes, uint64_t cpu_us,
           unsigned cores)
{
    uint64_t past = now_ms - m->at_ms;

    if (m->at_ms != 0) {
        if (now_ms < m->at_ms || past < METER_MS) {
            return;
        }
        m->rate = bytes < m->bytes ? 0 : (bytes - m->bytes) * 1000 / past;
        uint64_t cpu = cpu_us < m->cpu_us ? 0 : cpu_us - m->cpu_us;
        cpu = cpu / 10 / past / (cores > 0 ? cores : 1);
        m->cpu = cpu > 100 ? 100 : (unsigned) cpu;
    }
    m->at_ms = now_ms;
    m->bytes = bytes;
    m->cpu_us = cpu_us;
}
