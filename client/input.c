#include "input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shoal.h"

static const char blanks[] = " \t\r\n\v\f";

int
input_open(struct input *in, const char *path)
{
    memset(in, 0, sizeof(*in));
    in->path = path;
    in->f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    return in->f != NULL ? 0 : SHOAL_EIO;
}

/* Reads to the end of the line; of one that is too long the rest is dropped.
 * Returns its length, or -1: there is no more. */
static long
read_line(struct input *in)
{
    size_t len = 0;
    int c;

    if (in->line == NULL) {
        in->line = malloc(INPUT_LINE_MAX + 2);
        if (in->line == NULL) {
            errno = ENOMEM;
            return -1;
        }
    }
    errno = 0;
    while ((c = getc(in->f)) != EOF && c != '\n') {
        if (len <= INPUT_LINE_MAX) {
            in->line[len++] = (char) c;
        }
    }
    in->line[len] = '\0';
    if (c == EOF && len == 0) {
        return -1;
    }
    in->number++;
    return (long) len;
}

/* Editors elsewhere begin a text with it. */
static char *
skip_mark(const struct input *in)
{
    return in->number == 1 && strncmp(in->line, "\xef\xbb\xbf", 3) == 0
               ? in->line + 3
               : in->line;
}

int
input_next(struct input *in, const char **url)
{
    long len;

    while ((len = read_line(in)) >= 0) {
        if (len > INPUT_LINE_MAX || strlen(in->line) != (size_t) len) {
            return SHOAL_EINVAL;
        }
        char *start = skip_mark(in);
        start += strspn(start, blanks);
        size_t end = strlen(start);
        while (end > 0 && strchr(blanks, start[end - 1]) != NULL) {
            end--;
        }
        start[end] = '\0';
        if (*start != '\0' && *start != '#') {
            *url = start;
            return 0;
        }
    }
    if (in->line == NULL || ferror(in->f)) {
        return SHOAL_EIO;
    }
    *url = NULL;
    return 0;
}

void
input_close(struct input *in)
{
    if (in->f != NULL && in->f != stdin) {
        fclose(in->f);
    }
    free(in->line);
    memset(in, 0, sizeof(*in));
}
