/* report.h - the table of bytes by source at the end. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct transfer;

/** What the report says beside the transfer's own figures. */
struct report {
    const char *name; /* of the file */
    double seconds;
    uint64_t resumed;  /* bytes of an earlier run */
    uint64_t uploaded; /* bytes served to others */
    bool saved;        /* it stands under its name */
};

/** report_print(f, t, r): one row a source, one a kind, and the sum. */
void report_print(FILE *f, const struct transfer *t, const struct report *r);

#endif
