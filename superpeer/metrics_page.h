/* metrics_page.h - Prometheus' text format 0.0.4, written metric by metric. */
#ifndef METRICS_PAGE_H
#define METRICS_PAGE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct prefetch_histogram;

struct metrics_page {
    FILE *f;
    const char *name; /* of the metric that is being written */
};

/** metrics_begin(p, name, type, help): its samples follow. */
void metrics_begin(struct metrics_page *p, const char *name, const char *type,
                   const char *help);

/** metrics_sample(p, label, value, n): ${value} needs no escapes. */
void metrics_sample(struct metrics_page *p, const char *label,
                    const char *value, uint64_t n);

/** metrics_one(p, name, type, help, n): one without labels. */
void metrics_one(struct metrics_page *p, const char *name, const char *type,
                 const char *help, uint64_t n);

/** metrics_histogram(p, size, h): of the files of one size. */
void metrics_histogram(struct metrics_page *p, const char *size,
                       const struct prefetch_histogram *h);

/** metrics_escape(text, out, cap): a text from outside, as the value of a
 *  label. */
void metrics_escape(const char *text, char *out, size_t cap);

/** metrics_process(p): CPU time, memory, open files. */
void metrics_process(struct metrics_page *p);

#endif
