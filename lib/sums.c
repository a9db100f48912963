#include "sums.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shoal.h"

enum {
    LINE_MAX_ = 8192,
    ALGORITHM_MAX = 16
};

/* By the number of digits, as GNU's tools tell none. */
static const char *
algorithm_of(size_t digits)
{
    switch (digits) {
    case 32:
        return "md5";
    case 40:
        return "sha1";
    case 56:
        return "sha224";
    case 64:
        return "sha256";
    case 96:
        return "sha384";
    case 128:
        return "sha512";
    default:
        return NULL;
    }
}

static bool
read_sum(const char *algorithm, const char *hex, size_t digits,
         struct checksum *sum)
{
    char text[ALGORITHM_MAX + 2 * CHECKSUM_MAX + 2];

    return algorithm != NULL && digits <= 2 * (size_t) CHECKSUM_MAX
           && snprintf(text, sizeof(text), "%s=%.*s", algorithm, (int) digits,
                       hex)
                  < (int) sizeof(text)
           && checksum_parse(text, sum) == 0;
}

static size_t
digits_at(const char *s)
{
    size_t n = 0;

    while (isxdigit((unsigned char) s[n])) {
        n++;
    }
    return n;
}

/* GNU's tools write `\\` and `\n` in names of lines that begin with `\`. */
static void
unescape(char *s)
{
    char *out = s;

    for (; *s != '\0'; s++) {
        if (s[0] == '\\' && (s[1] == '\\' || s[1] == 'n' || s[1] == 'r')) {
            s++;
            *out++ = (char) (*s == 'n' ? '\n' : *s == 'r' ? '\r' : '\\');
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
}

static bool
is_name(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');

    return strcmp(slash != NULL ? slash + 1 : path, name) == 0;
}

/* `HEX  NAME` or `HEX *NAME`. */
static bool
read_gnu(char *line, const char *name, struct checksum *sum)
{
    bool escaped = *line == '\\';
    size_t digits = digits_at(line + escaped);
    char *hex = line + escaped, *rest = hex + digits;

    if (rest[0] != ' ' || (rest[1] != ' ' && rest[1] != '*')) {
        return false;
    }
    rest += 2;
    if (escaped) {
        unescape(rest);
    }
    return is_name(rest, name)
           && read_sum(algorithm_of(digits), hex, digits, sum);
}

/* `ALG (NAME) = HEX`; the name may have brackets of its own. */
static bool
read_bsd(char *line, const char *name, struct checksum *sum)
{
    char *open = strstr(line, " ("), *close = NULL;

    for (char *at = line; (at = strstr(at, ") = ")) != NULL; at++) {
        close = at;
    }
    if (open == NULL || close == NULL || close < open
        || open - line >= ALGORITHM_MAX)
    {
        return false;
    }
    const char *hex = close + 4;
    size_t digits = digits_at(hex);
    *open = *close = '\0';
    return hex[digits] == '\0' && is_name(open + 2, name)
           && read_sum(line, hex, digits, sum);
}

static bool
read_line(const char *start, size_t len, const char *name,
          struct checksum *sum)
{
    char line[LINE_MAX_], copy[LINE_MAX_];

    while (len > 0 && (start[len - 1] == '\r' || start[len - 1] == ' ')) {
        len--;
    }
    if (len == 0 || len >= sizeof(line)) {
        return false;
    }
    memcpy(line, start, len);
    line[len] = '\0';
    memcpy(copy, line, len + 1);
    return read_gnu(line, name, sum) || read_bsd(copy, name, sum);
}

/* Nothing but a hash, which is the whole of many a FILE.sha256. */
static bool
read_bare(const char *text, size_t len, struct checksum *sum)
{
    size_t start = 0, digits = 0;

    while (len > 0 && isspace((unsigned char) text[len - 1])) {
        len--;
    }
    while (start < len && isspace((unsigned char) text[start])) {
        start++;
    }
    while (start + digits < len
           && isxdigit((unsigned char) text[start + digits])) {
        digits++;
    }
    return start + digits == len
           && read_sum(algorithm_of(digits), text + start, digits, sum);
}

/* The strongest counts; SHOAL_EINVAL: another of that strength differs. */
static int
prefer(struct checksum *best, const struct checksum *s)
{
    if (s->len == best->len && memcmp(s->value, best->value, s->len) != 0) {
        return SHOAL_EINVAL;
    }
    if (s->len > best->len) {
        *best = *s;
    }
    return 0;
}

int
sums_find(const char *text, size_t len, const char *name, struct checksum *sum)
{
    struct checksum best, s;
    int err = 0;

    memset(&best, 0, sizeof(best));
    for (size_t at = 0; err == 0 && at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end != NULL ? (size_t) (end - text) - at : len - at;

        if (read_line(text + at, n, name, &s)) {
            err = prefer(&best, &s);
        }
        at += n + 1;
    }
    if (err == 0 && best.len == 0 && !read_bare(text, len, &best)) {
        err = SHOAL_ENOTFOUND;
    }
    if (err == 0) {
        *sum = best;
    }
    return err;
}
