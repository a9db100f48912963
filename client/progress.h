/* progress.h - how far a download is: a bar on a terminal, dots elsewhere. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "text.h"

struct shoal_progress;

enum progress_style {
    PROGRESS_AUTO, /* a bar on a terminal, else dots */
    PROGRESS_BAR,  /* the same: wget's `bar`, which gives way */
    PROGRESS_FORCED_BAR,
    PROGRESS_DOT,
    PROGRESS_NONE
};

/** One row of dots: how much a dot is, and where blanks and ends are. */
struct progress_dots {
    const char *name; /* as in `dot:mega` */
    uint64_t bytes;   /* a dot */
    unsigned cluster, row;
};

struct progress_choice {
    enum progress_style style;
    const struct progress_dots *dots; /* NULL: as the size demands */
};

enum {
    PROGRESS_SAMPLES = 32,     /* at ten a second: three seconds */
    PROGRESS_COLUMNS_MAX = 500 /* what fits into TEXT_MAX */
};

struct progress {
    FILE *f;
    bool is_bar, is_dot;
    bool is_terminal; /* ${f} is one */
    bool begun;       /* there is something to end */
    unsigned columns; /* of the bar that stands there; 0: none does */
    double due;       /* when the next picture is; seconds */
    unsigned pictures;

    struct {
        double seconds;
        uint64_t bytes;
    } samples[PROGRESS_SAMPLES]; /* a ring */
    unsigned n_samples, next_sample;
    double left, left_at; /* what is told of the time left, and since when */

    const struct progress_dots *dots;
    uint64_t n_dots;
    bool in_row; /* the last one has no end yet */
};

/** progress_parse(text, out): wget's values of --progress, and `none`.
 *  Errors: SHOAL_EINVAL. */
int progress_parse(const char *text, struct progress_choice *out);

/** progress_start(p, choice, f): of one download. */
void progress_start(struct progress *p, const struct progress_choice *choice,
                    FILE *f);

/** progress_show(p, now): draws if it is time to, at most ten times a
 *  second; not on a terminal whose foreground we are not in. */
void progress_show(struct progress *p, const struct shoal_progress *now);

/** progress_interrupt(p): something else is about to be written there. */
void progress_interrupt(struct progress *p);

/** progress_end(p, now): the last picture, and the end of its line. */
void progress_end(struct progress *p, const struct shoal_progress *now);

/** progress_bar(p, now, columns, ended, out): the text of one picture, of
 *  exactly so many columns (4 to 500). */
void progress_bar(const struct progress *p, const struct shoal_progress *now,
                  unsigned columns, bool ended, char out[TEXT_MAX]);

#endif
