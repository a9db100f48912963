#include "text.h"

#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

enum {
    MINUTE = 60,
    HOUR = 3600,
    DAY = 86400
};

void
text_locale(void)
{
    if (setlocale(LC_CTYPE, "") == NULL
        || strcmp(nl_langinfo(CODESET), "ANSI_X3.4-1968") == 0)
    {
        setlocale(LC_CTYPE, "C.UTF-8");
    }
}

/* Unicode's marks, embeddings, overrides and isolates: with them a name can
 * look like another one. */
static bool
turns_direction(wchar_t c)
{
    return c == 0x061c || c == 0x200e || c == 0x200f
           || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* One character of ${in}, as it is shown. */
struct glyph {
    size_t len; /* bytes of it */
    char shown[8];
    unsigned columns;
};

static void
read_glyph(const char *in, mbstate_t *state, struct glyph *g)
{
    wchar_t c;
    size_t len = mbrtowc(&c, in, strnlen(in, MB_LEN_MAX), state);
    int columns = len > 0 && len <= MB_LEN_MAX ? wcwidth(c) : -1;

    if (columns >= 0 && len < sizeof(g->shown) && iswprint((wint_t) c)
        && !turns_direction(c))
    {
        memcpy(g->shown, in, len);
        g->shown[len] = '\0';
        g->len = len;
        g->columns = (unsigned) columns;
        return;
    }
    memset(state, 0, sizeof(*state));
    snprintf(g->shown, sizeof(g->shown), "\\%03o", (unsigned char) *in);
    g->len = 1; /* the rest of it does not begin a character either */
    g->columns = 4;
}

/* Returns how many columns of at most ${columns} were taken. */
static unsigned
show(const char *in, unsigned columns, char *out, size_t cap)
{
    mbstate_t state;
    unsigned taken = 0;
    size_t at = 0;

    memset(&state, 0, sizeof(state));
    while (*in != '\0') {
        struct glyph g;

        read_glyph(in, &state, &g);
        size_t len = strlen(g.shown);
        if (taken + g.columns > columns || at + len >= cap) {
            break;
        }
        memcpy(out + at, g.shown, len);
        at += len;
        taken += g.columns;
        in += g.len;
    }
    out[at] = '\0';
    return taken;
}

void
text_safe(const char *in, char *out, size_t cap)
{
    show(in, TEXT_MAX, out, cap);
}

void
text_fit(const char *in, unsigned columns, char *out, size_t cap)
{
    unsigned taken = show(in, columns, out, cap);
    size_t len = strlen(out);

    for (; taken < columns && len + 1 < cap; taken++) {
        out[len++] = ' ';
    }
    out[len] = '\0';
}

void
text_less_secrets(const char *url, char *out, size_t cap)
{
    const char *host = strstr(url, "://"), *at;
    int scheme = host != NULL ? (int) (host + 3 - url) : 0;

    host = url + scheme;
    while ((at = memchr(host, '@', strcspn(host, "/?#"))) != NULL) {
        host = at + 1;
    }
    snprintf(out, cap, "%.*s%.*s", scheme, url, (int) strcspn(host, "?#"),
             host);
}

/* ${n} in the largest unit of which there is at least one. */
static const char *
scale(double *n)
{
    static const char *const units[] = { "", "K", "M", "G", "T", "P", "E" };
    size_t i = 0;

    for (; *n >= 1024 && i + 1 < sizeof(units) / sizeof(units[0]); i++) {
        *n /= 1024;
    }
    return units[i];
}

void
text_bytes(double n, char out[TEXT_NUMBER])
{
    const char *unit = scale(&n);

    snprintf(out, TEXT_NUMBER, "%.*f%s", *unit != '\0' ? 2 : 0, n, unit);
}

void
text_about(double n, char out[TEXT_NUMBER])
{
    const char *unit = scale(&n);

    snprintf(out, TEXT_NUMBER, "%.*f%s", *unit != '\0' && n < 9.95 ? 1 : 0, n,
             unit);
}

void
text_rate(double rate, const char *gap, char out[TEXT_NUMBER])
{
    if (rate <= 0) {
        snprintf(out, TEXT_NUMBER, "--.-%sKB/s", gap);
        return;
    }
    const char *unit = scale(&rate);
    snprintf(out, TEXT_NUMBER, "%.*f%s%sB/s",
             rate >= 99.95   ? 0
             : rate >= 9.995 ? 1
                             : 2,
             rate, gap, unit);
}

void
text_left(double seconds, char out[TEXT_NUMBER])
{
    unsigned s = seconds < 100.0 * DAY ? (unsigned) (seconds + 0.5) : 0;

    if (seconds >= 100.0 * DAY) {
        snprintf(out, TEXT_NUMBER, "long");
    } else if (s < MINUTE) {
        snprintf(out, TEXT_NUMBER, "%us", s);
    } else if (s < HOUR) {
        snprintf(out, TEXT_NUMBER, "%um %us", s / MINUTE, s % MINUTE);
    } else if (s < DAY) {
        snprintf(out, TEXT_NUMBER, "%uh %um", s / HOUR, s % HOUR / MINUTE);
    } else {
        snprintf(out, TEXT_NUMBER, "%ud %uh", s / DAY, s % DAY / HOUR);
    }
}

void
text_took(double seconds, char out[TEXT_NUMBER])
{
    if (seconds >= MINUTE) {
        text_left(seconds, out);
        return;
    }
    int digits = seconds >= 9.95 ? 0 : seconds >= 0.095 ? 1 : 2;
    if (seconds < 0.0095) {
        digits = 3;
    }
    snprintf(out, TEXT_NUMBER, "%.*fs", digits, seconds);
}

void
text_stamp(char out[TEXT_STAMP])
{
    time_t now = time(NULL);
    struct tm tm;

    memset(&tm, 0, sizeof(tm));
    localtime_r(&now, &tm);
    if (strftime(out, TEXT_STAMP, "%Y-%m-%d %H:%M:%S", &tm) == 0) {
        out[0] = '\0'; /* a year of five digits */
    }
}
