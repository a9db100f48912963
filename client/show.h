/* show.h - what became of a download, for people. */
#ifndef SHOW_H
#define SHOW_H

#include <stdio.h>

struct shoal_report;

/** show_table(f, r): one row a source, one a kind. */
void show_table(FILE *f, const struct shoal_report *r);

/** show_saved(f, r): as wget's last line. */
void show_saved(FILE *f, const struct shoal_report *r);

/** show_saved_short(f, r): as wget's with -nv. */
void show_saved_short(FILE *f, const struct shoal_report *r);

/** show_seeded(f, r): what was given to others, seeding included. */
void show_seeded(FILE *f, const struct shoal_report *r);

/** show_explanation(f, r): what happened with each source and when. */
void show_explanation(FILE *f, const struct shoal_report *r);

/** show_kind(kind): of a source, in words. */
const char *show_kind(int kind);

/** show_trust(f, r): what bore out the bytes, in words. */
void show_trust(FILE *f, const struct shoal_report *r);

#endif
