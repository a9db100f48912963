/* input.h - lists of URLs (-i). */
#ifndef INPUT_H
#define INPUT_H

#include <stddef.h>
#include <stdio.h>

enum {
    INPUT_LINE_MAX = 8192 /* bytes; no server takes a longer URL */
};

struct input {
    const char *path; /* `-`: standard input */
    FILE *f;
    char *line;
    unsigned long number; /* of the last line */
};

/** input_open(in, path): SHOAL_EIO: ${errno} says why. */
int input_open(struct input *in, const char *path);

/**
 * input_next(in, url):
 * The next line that is neither blank nor a comment (#), without the blanks
 * around it; valid until the next call. *url is NULL at the end of the list.
 * It waits for more lines where the list is a pipe.
 * Errors:  SHOAL_EINVAL: the line cannot be a URL, being too long or holding
 *          a NUL; the next call goes on with the next line.
 *          SHOAL_EIO: reading failed, ${errno} says why.
 */
int input_next(struct input *in, const char **url);

void input_close(struct input *in);

#endif
