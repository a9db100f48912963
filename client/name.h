/* name.h - under which name a download is saved. */
#ifndef NAME_H
#define NAME_H

#include <stdbool.h>

/**
 * name_from_url(url): the last part of the path, decoded, with the query, as
 * wget does; `index.html` where there is none. To be freed; NULL: no memory.
 */
char *name_from_url(const char *url);

/**
 * name_output(url, output, directory, resume):
 * The path to save to: -O's FILE, else the URL's name in -P's DIR; where that
 * stands already and nothing is to be continued, NAME.1, NAME.2 ... To be
 * freed; NULL: no memory.
 */
char *name_output(const char *url, const char *output, const char *directory,
                  bool resume);

#endif
