/* report.h - the table of bytes by source at the end. */
#ifndef REPORT_H
#define REPORT_H

#include <stdio.h>

struct shoal_report;

/** report_print(f, r): one row a source, one a kind, and the sum. */
void report_print(FILE *f, const struct shoal_report *r);

#endif
