/* progress_dots.h - progress where there is no terminal: rows of dots. */
#ifndef PROGRESS_DOTS_H
#define PROGRESS_DOTS_H

struct progress;
struct progress_dots;
struct shoal_progress;

/** progress_dots_find(name): one of wget's styles; NULL: there is none. */
const struct progress_dots *progress_dots_find(const char *name);

/** progress_dots_show(p, now): the dots that came up since the last call. */
void progress_dots_show(struct progress *p, const struct shoal_progress *now);

/** progress_dots_end(p, now): the rest of the last row. */
void progress_dots_end(struct progress *p, const struct shoal_progress *now);

/* What both kinds of pictures show (progress.c). */

/** Bytes a second over the last seconds; 0: none. */
double progress_rate(const struct progress *p,
                     const struct shoal_progress *now);

/** Percent of this run's bytes that super peers and peers gave; below 0:
 *  nothing. */
int progress_peers(const struct shoal_progress *now);

/** Percent of the file; below 0: its size is not known. */
int progress_percent(const struct shoal_progress *now);

#endif
