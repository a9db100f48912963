/* help.h - what is printed of the table of options. */
#ifndef HELP_H
#define HELP_H

#include <stdio.h>

struct option_table;

/** help_print(f, t): --help, by groups. */
void help_print(FILE *f, const struct option_table *t);

/** help_completion(f, t): a script for bash(1) that completes the options,
 *  their words, files and folders. */
void help_completion(FILE *f, const struct option_table *t);

#endif
