#include "disposition.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "digest.h"

enum {
    VALUE_MAX = 1024, /* bytes of a name as it is sent */
    ASK = 0x3f        /* a byte of a following UTF-8 part holds six bits */
};

/* Length of the UTF-8 sequence at ${s}, and its character; 0: it is none. */
static size_t
utf8(const unsigned char *s, uint32_t *out)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = s[0] < 0x80             ? 1
               : (s[0] & 0xe0) == 0xc0 ? 2
               : (s[0] & 0xf0) == 0xe0 ? 3
               : (s[0] & 0xf8) == 0xf0 ? 4
                                       : 0;
    uint32_t c = n <= 1 ? s[0] : s[0] & (0xffu >> (n + 1));

    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (s[i] & ASK);
    }
    if (n == 0 || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
    {
        return 0;
    }
    *out = c;
    return n;
}

/* Control characters, and marks that make a name look like another one. */
static bool
is_harmless(uint32_t c)
{
    return c >= 32 && (c < 0x7f || c >= 0xa0) && (c < 0x200b || c > 0x200f)
           && (c < 0x2028 || c > 0x202e) && (c < 0x2066 || c > 0x2069)
           && c != 0xfeff && c != 0x061c;
}

/* What is no UTF-8 becomes `_`; what is too long is no name. */
static void
copy_harmless(const char *s, char *out, size_t cap)
{
    size_t len = 0, n;

    for (; *s != '\0' && len + 4 < cap; s += n) {
        uint32_t c = '_';

        n = utf8((const unsigned char *) s, &c);
        const char *from = n != 0 ? s : "_";
        n = n != 0 ? n : 1;
        if (is_harmless(c)) {
            memcpy(out + len, from, n);
            len += n;
        }
    }
    len = *s != '\0' ? 0 : len;
    while (len > 0 && (out[len - 1] == ' ' || out[len - 1] == '.')) {
        len--;
    }
    out[len] = '\0';
}

static void
sanitise(const char *name, char *out, size_t cap)
{
    char clean[VALUE_MAX];

    copy_harmless(name, clean, sizeof(clean));
    const char *last = clean;
    for (const char *s = clean; *s != '\0'; s++) {
        if (*s == '/' || *s == '\\') {
            last = s + 1;
        }
    }
    last += strspn(last, ". ");
    size_t len = strlen(last);
    len = len < cap ? len : 0;
    memcpy(out, last, len);
    out[len] = '\0';
}

/* A quoted-string or a token, to ${out}; returns what is behind it. */
static const char *
take_value(const char *s, char out[VALUE_MAX])
{
    bool quoted = *s == '"';
    size_t len = 0;

    for (s += quoted; *s != '\0'; s++) {
        if (quoted ? *s == '"' : *s == ';') {
            break;
        }
        if (quoted && *s == '\\' && (s[1] == '"' || s[1] == '\\')) {
            s++;
        }
        if (len + 1 < VALUE_MAX) {
            out[len++] = *s;
        }
    }
    while (!quoted && len > 0 && strchr(" \t", out[len - 1]) != NULL) {
        len--;
    }
    out[len] = '\0';
    return s + (quoted && *s == '"');
}

static size_t
add_byte(char *out, size_t len, unsigned c, bool latin1)
{
    if (latin1 && c >= 0x80) {
        out[len++] = (char) (0xc0 | c >> 6);
        c = 0x80 | (c & ASK);
    }
    out[len++] = (char) c;
    return len;
}

/* One byte, perhaps as %XX; -1: that is none. */
static int
take_byte(const char **s)
{
    const char *text = *s;

    if (*text != '%') {
        *s = text + 1;
        return (unsigned char) *text;
    }
    if (hex_digit(text[1]) < 0 || hex_digit(text[2]) < 0) {
        return -1;
    }
    *s = text + 3;
    return hex_digit(text[1]) * 16 + hex_digit(text[2]);
}

/* RFC 8187: CHARSET'LANGUAGE'percent-encoded. False: it is none. */
static bool
decode(const char *s, char out[2 * VALUE_MAX])
{
    bool latin1 = strncasecmp(s, "iso-8859-1'", 11) == 0;
    const char *text = strchr(s, '\'');
    size_t len = 0;

    text = text != NULL ? strchr(text + 1, '\'') : NULL;
    if (text == NULL || (!latin1 && strncasecmp(s, "utf-8'", 6) != 0)) {
        return false;
    }
    text++;
    while (*text != '\0') {
        int c = take_byte(&text);

        if (c < 0) {
            return false;
        }
        if (c > 0) {
            len = add_byte(out, len, (unsigned) c, latin1);
        }
    }
    out[len] = '\0';
    return true;
}

void
disposition_name(const char *value, char *out, size_t cap)
{
    char text[VALUE_MAX], decoded[2 * VALUE_MAX], extended[VALUE_MAX] = "";
    const char *s = strchr(value, ';');

    *out = '\0';
    while (s != NULL && *s == ';') {
        s += 1 + strspn(s + 1, " \t");
        size_t len = strcspn(s, "=; \t");
        const char *name = s;

        s += len + strspn(s + len, " \t");
        if (*s != '=') {
            s = strchr(s, ';');
            continue;
        }
        s++;
        s = take_value(s + strspn(s, " \t"), text);
        if (len == 9 && strncasecmp(name, "filename*", 9) == 0
            && decode(text, decoded))
        {
            sanitise(decoded, extended, cap < VALUE_MAX ? cap : VALUE_MAX);
        } else if (len == 8 && strncasecmp(name, "filename", 8) == 0) {
            sanitise(text, out, cap);
        }
        s = strchr(s, ';');
    }
    if (extended[0] != '\0') {
        memcpy(out, extended, strlen(extended) + 1);
    }
}
