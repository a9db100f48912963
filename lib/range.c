#include "range.h"

#include <stdbool.h>
#include <stddef.h>
#include <strings.h>

#include "shoal.h"

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *
skip_spaces(const char *s)
{
    while (*s == ' ' || *s == '\t') {
        s++;
    }
    return s;
}

/* Digits to a number that stops at the top; where they end, NULL if none. */
static const char *
number(const char *s, uint64_t *out)
{
    uint64_t n = 0;

    if (!is_digit(*s)) {
        return NULL;
    }
    for (; is_digit(*s); s++) {
        uint64_t digit = (uint64_t) (*s - '0');

        n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : n * 10 + digit;
    }
    *out = n;
    return s;
}

/* `-N`: the last N bytes. */
static int
suffix(const char *s, uint64_t size, uint64_t *off, uint64_t *len)
{
    uint64_t n;
    const char *end = number(s, &n);

    if (end == NULL || *skip_spaces(end) != '\0') {
        return SHOAL_ENOTFOUND;
    }
    if (n == 0 || size == 0) {
        return SHOAL_EINVAL;
    }
    *len = n < size ? n : size;
    *off = size - *len;
    return 0;
}

int
range_parse(const char *field, uint64_t size, uint64_t *off, uint64_t *len)
{
    uint64_t first, last = UINT64_MAX;

    if (field == NULL || strncasecmp(field, "bytes=", 6) != 0) {
        return SHOAL_ENOTFOUND;
    }
    const char *s = skip_spaces(field + 6);
    if (*s == '-') {
        return suffix(s + 1, size, off, len);
    }
    s = number(s, &first);
    if (s == NULL || *s++ != '-') {
        return SHOAL_ENOTFOUND;
    }
    if (is_digit(*s)) {
        s = number(s, &last);
    }
    if (*skip_spaces(s) != '\0' || last < first) {
        return SHOAL_ENOTFOUND;
    }
    if (first >= size) {
        return SHOAL_EINVAL;
    }
    *off = first;
    *len = (last < size ? last + 1 : size) - first;
    return 0;
}
