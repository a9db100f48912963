#include "header.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Ranges, conditions and the framing of a request are what Shoal's own
 * requests are made of. */
static const char *const ours[] = {
    "Accept-Encoding",
    "Connection",
    "Content-Length",
    "Expect",
    "If-Match",
    "If-Range",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
    "Keep-Alive",
    "Range",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
};

/* Parts of names of headers that hold secrets: Authorization, Cookie,
 * X-Api-Key, Private-Token, X-Amz-Signature and so on. */
static const char *const secrets[] = {
    "auth",  "cookie",  "token",     "key",        "secret",
    "passw", "session", "signature", "credential",
};

/* RFC 9110 "Tokens". */
static size_t
name_len(const char *line)
{
    return strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789!#$%&'*+-.^_`|~");
}

static bool
has_control(const char *s)
{
    for (; *s != '\0'; s++) {
        if (((unsigned char) *s < 32 && *s != '\t') || *s == 127) {
            return true;
        }
    }
    return false;
}

static bool
is_name(const char *line, size_t len, const char *name)
{
    return strlen(name) == len && strncasecmp(line, name, len) == 0;
}

static bool
holds(const char *line, size_t len, const char *part)
{
    size_t n = strlen(part);

    for (size_t i = 0; i + n <= len; i++) {
        if (strncasecmp(line + i, part, n) == 0) {
            return true;
        }
    }
    return false;
}

enum header_kind
header_kind(const char *line)
{
    size_t len = name_len(line);

    if (len == 0 || line[len] != ':' || has_control(line)) {
        return HEADER_BAD;
    }
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (is_name(line, len, ours[i])) {
            return HEADER_OURS;
        }
    }
    if (is_name(line, len, "Host")) {
        return HEADER_HOST;
    }
    if (is_name(line, len, "Proxy-Authorization")) {
        return HEADER_PROXY;
    }
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        if (holds(line, len, secrets[i])) {
            return HEADER_SECRET;
        }
    }
    return HEADER_PLAIN;
}
