#include "name.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "digest.h"

enum {
    LINKS_MAX = 40 /* as Linux's */
};

/* Decoded in place; what a file name must not hold stays encoded. */
static void
decode(char *s)
{
    char *out = s;

    for (; *s != '\0'; s++) {
        int c = *s == '%' && hex_digit(s[1]) >= 0 && hex_digit(s[2]) >= 0
                    ? hex_digit(s[1]) * 16 + hex_digit(s[2])
                    : 0;

        if (c >= 32 && c != 127 && c != '/') {
            *out++ = (char) c;
            s += 2;
        } else {
            *out++ = *s == '/' ? '_' : *s;
        }
    }
    *out = '\0';
}

char *
name_from_url(const char *url)
{
    const char *path = strstr(url, "://");

    path = path != NULL ? path + 3 : url;
    path += strcspn(path, "/?#");
    size_t len = strcspn(path, "?#");
    size_t start = len;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    size_t end = strcspn(path, "#");
    char *name = start < len ? strndup(path + start, end - start) : NULL;
    if (name == NULL) {
        return strdup("index.html");
    }
    decode(name);
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        free(name);
        return strdup("index.html");
    }
    return name;
}

char *
name_safe(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *last = slash != NULL ? slash + 1 : path;

    if (*last == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0) {
        return NULL;
    }
    char *name = strdup(last);

    if (name != NULL && *name == '.') {
        *name = '_'; /* hidden ones are read at login, and the like */
    }
    for (char *c = name; c != NULL && *c != '\0'; c++) {
        if ((unsigned char) *c < 32 || *c == 127 || *c == '\\') {
            *c = '_';
        }
    }
    return name;
}

char *
name_output(const char *url, const char *output, const char *directory)
{
    char *path = NULL;

    if (output != NULL) {
        return strdup(output);
    }
    char *name = name_from_url(url);
    if (name == NULL
        || asprintf(&path, "%s%s%s", directory != NULL ? directory : "",
                    directory != NULL ? "/" : "", name)
               < 0)
    {
        path = NULL;
    }
    free(name);
    return path;
}

char *
name_numbered(const char *path, unsigned i)
{
    char *name;

    if (i == 0) {
        return strdup(path);
    }
    return asprintf(&name, "%s.%u", path, i) >= 0 ? name : NULL;
}

/* Where the symbolic link at ${path} points to; NULL: it is none. */
static char *
follow(const char *path)
{
    const char *slash = strrchr(path, '/');
    char target[PATH_MAX], *name;
    ssize_t len = readlink(path, target, sizeof(target) - 1);

    if (len <= 0) {
        return NULL;
    }
    target[len] = '\0';
    if (slash == NULL || *target == '/') {
        return strdup(target);
    }
    return asprintf(&name, "%.*s%s", (int) (slash + 1 - path), path, target)
                   >= 0
               ? name
               : NULL;
}

char *
name_behind(const char *path)
{
    char *name = strdup(path);

    for (unsigned i = 0; name != NULL && i < LINKS_MAX; i++) {
        char *next = follow(name);

        if (next == NULL) {
            return name;
        }
        free(name);
        name = next;
    }
    return name;
}
