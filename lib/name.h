/* name.h - under which name a download is saved. */
#ifndef NAME_H
#define NAME_H

/**
 * name_from_url(url): the last part of the path, decoded, with the query, as
 * wget does; `index.html` where there is none. To be freed; NULL: no memory.
 */
char *name_from_url(const char *url);

/**
 * name_safe(path): the last part of a path that a stranger told, without
 * control characters, and not hidden; NULL: there is none (`..`), or no
 * memory. To be freed.
 */
char *name_safe(const char *path);

/**
 * name_output(url, output, directory):
 * The path to save to: -O's FILE, else the URL's name in -P's DIR. To be
 * freed; NULL: no memory.
 */
char *name_output(const char *url, const char *output, const char *directory);

/** name_numbered(path, i): ${path}, or PATH.1, PATH.2 ... To be freed. */
char *name_numbered(const char *path, unsigned i);

/** name_behind(path): the file that a symbolic link leads to, whether it is
 *  there or not; ${path} itself where it is none. To be freed; NULL: no
 *  memory. */
char *name_behind(const char *path);

#endif
