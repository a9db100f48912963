#include "resource.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "digest.h"
#include "shoal.h"

/* A bounded output: once full it stays full. */
struct out {
    char *p;
    size_t len, cap;
    bool full;
};

static void
put(struct out *o, char c)
{
    if (o->len + 1 >= o->cap || o->len >= RESOURCE_URL_MAX) {
        o->full = true;
        return;
    }
    o->p[o->len++] = c;
    o->p[o->len] = '\0';
}

static void
put_escaped(struct out *o, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";

    put(o, '%');
    put(o, digits[c >> 4]);
    put(o, digits[c & 15]);
}

static bool
is_control(unsigned char c)
{
    return c < 32 || c == 127;
}

static bool
is_unreserved(unsigned char c)
{
    return (c < 128 && isalnum(c)) || c == '-' || c == '.' || c == '_'
           || c == '~';
}

static bool
must_escape(unsigned char c)
{
    return c < '!' || c > '~' || strchr("\"<>\\^`{|}", c) != NULL;
}

/* %XX: its byte, or -1 where that is no escape. */
static int
escape_value(const char *s, const char *end)
{
    if (*s != '%' || end - s < 3 || hex_digit(s[1]) < 0 || hex_digit(s[2]) < 0)
    {
        return -1;
    }
    return hex_digit(s[1]) * 16 + hex_digit(s[2]);
}

/* Path or query in one percent-encoding (step 5 of the page). */
static int
put_component(struct out *o, const char *s, const char *end)
{
    while (s < end) {
        unsigned char c = (unsigned char) *s;
        int value = escape_value(s, end);

        if (is_control(c)) {
            return SHOAL_EINVAL;
        }
        s += value >= 0 ? 3 : 1;
        c = value >= 0 ? (unsigned char) value : c;
        if (value >= 0 ? is_unreserved(c) : c != '%' && !must_escape(c)) {
            put(o, (char) c);
        } else {
            put_escaped(o, c);
        }
    }
    return 0;
}

/* RFC 3986, 5.2.4, in place on the absolute path p[0..len). */
static size_t
remove_dot_segments(char *p, size_t len)
{
    size_t in = 0, out = 0;

    while (in < len) {
        size_t end = in + 1; /* p[in] is '/' */

        while (end < len && p[end] != '/') {
            end++;
        }
        size_t seg = end - in - 1;
        bool last = end == len;

        bool up = seg == 2 && p[in + 1] == '.' && p[in + 2] == '.';
        bool here = seg == 1 && p[in + 1] == '.';

        while (up && out > 0 && p[--out] != '/') {
        }
        if (!up && !here) {
            memmove(p + out, p + in, end - in);
            out += end - in;
        } else if (last) {
            p[out++] = '/';
        }
        in = end;
    }
    p[out] = '\0';
    return out;
}

static int
put_host(struct out *o, const char *s, const char *end)
{
    bool literal = s < end && *s == '[';

    if (s == end) {
        return SHOAL_EINVAL;
    }
    if (literal && (end - s < 4 || end[-1] != ']')) {
        return SHOAL_EINVAL;
    }
    for (const char *p = s; p < end; p++) {
        unsigned char c = (unsigned char) *p;
        bool ok = c < 128
                  && (literal ? isxdigit(c) || strchr(":.[]", c) != NULL
                              : isalnum(c) || strchr("-._", c) != NULL);

        if (!ok || (literal && (c == '[') != (p == s))
            || (literal && (c == ']') != (p == end - 1)))
        {
            return SHOAL_EINVAL;
        }
        put(o, (char) tolower(c));
    }
    return 0;
}

static int
put_port(struct out *o, const char *s, const char *end, unsigned standard)
{
    unsigned port = 0;
    char text[8];

    if (s == end) {
        return 0;
    }
    for (; s < end; s++) {
        if (*s < '0' || *s > '9') {
            return SHOAL_EINVAL;
        }
        port = port * 10 + (unsigned) (*s - '0');
        if (port > 65535) {
            return SHOAL_EINVAL;
        }
    }
    if (port == 0) {
        return SHOAL_EINVAL;
    }
    if (port != standard) {
        snprintf(text, sizeof(text), ":%u", port);
        for (const char *p = text; *p != '\0'; p++) {
            put(o, *p);
        }
    }
    return 0;
}

static int
put_authority(struct out *o, const char *s, const char *end,
              unsigned standard_port)
{
    const char *colon = end;

    if (memchr(s, '@', (size_t) (end - s)) != NULL) {
        return SHOAL_EINVAL;
    }
    for (const char *p = s; p < end; p++) {
        if (*p == ']') {
            colon = end;
        } else if (*p == ':' && colon == end) {
            colon = p;
        }
    }
    int err = put_host(o, s, colon);
    if (err != 0) {
        return err;
    }
    return put_port(o, colon < end ? colon + 1 : end, end, standard_port);
}

int
resource_normalise(const char *url, char *out, size_t cap)
{
    struct out o = { .p = out, .cap = cap };
    unsigned port;

    if (strlen(url) > RESOURCE_URL_MAX || cap == 0) {
        return SHOAL_EINVAL;
    }
    if (strncasecmp(url, "http://", 7) == 0) {
        url += 7;
        port = 80;
    } else if (strncasecmp(url, "https://", 8) == 0) {
        url += 8;
        port = 443;
    } else {
        return SHOAL_EINVAL;
    }
    const char *end = url + strcspn(url, "#");
    const char *path = url + strcspn(url, "/?#");
    const char *query = memchr(path, '?', (size_t) (end - path));

    int err = put_authority(&o, url, path, port);
    if (err != 0) {
        return err;
    }
    size_t start = o.len;
    if (path == end || *path != '/') {
        put(&o, '/');
    }
    err = put_component(&o, path, query != NULL ? query : end);
    if (err != 0 || o.full) {
        return SHOAL_EINVAL;
    }
    o.len = start + remove_dot_segments(o.p + start, o.len - start);

    if (query != NULL && query + 1 < end) {
        put(&o, '?');
        err = put_component(&o, query + 1, end);
    }
    for (const char *p = end; *p != '\0'; p++) {
        if (is_control((unsigned char) *p)) {
            return SHOAL_EINVAL;
        }
    }
    return err != 0 || o.full ? SHOAL_EINVAL : 0;
}

static bool
has_control(const char *s)
{
    for (; *s != '\0'; s++) {
        if (is_control((unsigned char) *s)) {
            return true;
        }
    }
    return false;
}

static int
compute_id(struct resource *r)
{
    char url[RESOURCE_URL_MAX + 2];
    char text[RESOURCE_URL_MAX + RESOURCE_VERSION_MAX + RESOURCE_PROVIDER_MAX
              + 64];
    uint8_t hash[DIGEST_LEN];

    if (resource_normalise(r->url, url, sizeof(url)) != 0) {
        return SHOAL_EINVAL;
    }
    int n = snprintf(text, sizeof(text), "shoal1\n%s\n%s\n%" PRIu64 "\n%s\n",
                     r->provider, url, r->size, r->version);
    if (n < 0 || (size_t) n >= sizeof(text)) {
        return SHOAL_EINVAL;
    }
    if (EVP_Digest(text, (size_t) n, hash, NULL, EVP_sha256(), NULL) != 1) {
        return SHOAL_ENOMEM;
    }
    memcpy(r->id, hash, RESOURCE_ID_LEN);
    return 0;
}

static int
check_version(const char *version)
{
    if (*version == '\0') {
        return 0;
    }
    if (strlen(version) > RESOURCE_VERSION_MAX || has_control(version)) {
        return SHOAL_EINVAL;
    }
    if (strncmp(version, "etag:\"", 6) == 0) {
        size_t len = strlen(version);

        return len >= 7 && version[len - 1] == '"' ? 0 : SHOAL_EINVAL;
    }
    if (strncmp(version, "mtime:", 6) == 0) {
        size_t digits = strspn(version + 6, "0123456789");

        return digits > 0 && version[6 + digits] == '\0' ? 0 : SHOAL_EINVAL;
    }
    return strncmp(version, "text:", 5) == 0 ? 0 : SHOAL_EINVAL;
}

int
resource_init(struct resource *r, const char *url, uint64_t size,
              const char *provider, const char *version)
{
    int err = SHOAL_ENOMEM;

    memset(r, 0, sizeof(*r));
    provider = provider != NULL ? provider : "";
    version = version != NULL ? version : "";
    if (size > INT64_MAX || strlen(provider) > RESOURCE_PROVIDER_MAX
        || has_control(provider) || check_version(version) != 0)
    {
        return SHOAL_EINVAL;
    }
    r->size = size;
    r->url = strdup(url);
    r->provider = strdup(provider);
    r->version = strdup(version);
    if (r->url == NULL || r->provider == NULL || r->version == NULL) {
        goto fail;
    }
    err = compute_id(r);
    if (err != 0) {
        goto fail;
    }
    return 0;

fail:
    resource_fini(r);
    return err;
}

void
resource_fini(struct resource *r)
{
    free(r->url);
    free(r->provider);
    free(r->version);
    memset(r, 0, sizeof(*r));
}

void
resource_id_hex(const uint8_t id[RESOURCE_ID_LEN], char hex[RESOURCE_ID_HEX])
{
    hex_encode(id, RESOURCE_ID_LEN, hex);
}

int
resource_id_parse(const char *hex, uint8_t id[RESOURCE_ID_LEN])
{
    return hex_decode(hex, id, RESOURCE_ID_LEN);
}
