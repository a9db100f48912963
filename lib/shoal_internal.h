/* shoal_internal.h - what the files of the public API share: shoal.c (the
 * functions of shoal.h), download.c (running it), report.c (what became of
 * it). */
#ifndef SHOAL_INTERNAL_H
#define SHOAL_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "http_settings.h"
#include "settings.h"
#include "shoal.h"

struct callers;
struct explain;
struct file;
struct given;
struct resolve;
struct serve;
struct transfer;

/** In the order of a download. */
enum stage {
    STAGE_NEW,
    STAGE_METALINK, /* it is fetched */
    STAGE_TRANSFER,
    STAGE_SEED,  /* the file is whole */
    STAGE_LEAVE, /* the trackers hear that we go */
    STAGE_DONE
};

struct shoal {
    char *url; /* as it was given; NULL */
    struct settings *settings;
    atomic_bool cancelled;
    shoal_progress_fn *on_progress;
    void *progress_ctx;
    shoal_message_fn *on_message;
    void *message_ctx;

    enum stage stage;
    int result; /* SHOAL_EAGAIN until it is known */
    char why[2048];

    /* The run: download.c. */
    char *clean;                /* URL, encoded */
    const struct checksum *sum; /* of the whole file; NULL */
    struct resolve *resolve;    /* NULL: no override */
    struct http_settings http;
    char *netrc; /* NULL: there is none */
    struct explain *explain;
    struct given *given;
    bool is_metalink; /* the URL is */
    struct file *file;
    struct callers *callers; /* peers that ask our server */
    struct serve *serve;     /* NULL: nothing is served */
    struct transfer *transfer;
    uint64_t start_ms;
    uint64_t end_ms;   /* when the file was whole, or it failed; 0: not yet */
    uint64_t tell_ms;  /* when progress is, while seeding */
    uint64_t uploaded; /* once nothing is served any more */
    bool settled;      /* the file's name is */
    bool saved, there; /* as in struct shoal_report */

    /* report.c */
    struct shoal_report report;
    struct shoal_source *sources;
    struct shoal_tracker *trackers;
    struct shoal_event *events;
    char root[65];
};

/** shoal_fail(d, err, format, ...): note the words; returns ${err}. */
int shoal_fail(struct shoal *d, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** shoal_say(d, level, format, ...): a line to the program. */
void shoal_say(const struct shoal *d, enum shoal_level level,
               const char *format, ...) __attribute__((format(printf, 3, 4)));

/** shoal_checksum(d): what the user says that the file hashes to; or NULL. */
const struct checksum *shoal_checksum(const struct shoal *d);

/** download_step(d, timeout_ms): as shoal_step(). */
int download_step(struct shoal *d, unsigned timeout_ms);

/** download_uploaded(d): bytes given to others. */
uint64_t download_uploaded(const struct shoal *d);

/** download_fini(d): from any stage. */
void download_fini(struct shoal *d);

/** report_make(d): fill in d->report. SHOAL_ENOMEM. */
int report_make(struct shoal *d);

void report_fini(struct shoal *d);

#endif
