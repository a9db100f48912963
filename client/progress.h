/* progress.h - the progress bar on a terminal. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown;       /* standard error is a terminal, and not --quiet */
    uint64_t last_ms; /* monotonic */
    uint64_t last_held;
    double rate; /* bytes a second, smoothed */
};

void progress_start(struct progress *p, bool quiet);

/** progress_show(p, name, held, total): bytes; total UINT64_MAX: unknown. */
void progress_show(struct progress *p, const char *name, uint64_t held,
                   uint64_t total);

/** progress_end(p): leaves the line. */
void progress_end(struct progress *p);

/** progress_bytes(n, out, cap): 1536 as `1.50K`, as wget writes sizes. */
void progress_bytes(double n, char *out, int cap);

#endif
