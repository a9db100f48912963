#include <arpa/inet.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"

enum {
    FIELDS_MAX = 32,
    OPS_MAX = 8,
    ID_LEN = 20
};

enum format {
    FORMAT_DEC,
    FORMAT_IP,
    FORMAT_IP6,
    FORMAT_HEX,
    FORMAT_ID
};

struct op {
    char what;
    uint64_t n;
};

/* Literal text, then a number (but for the last). */
struct field {
    const char *text;
    size_t len;
    bool mixed;
    enum format format;
    unsigned nops;
    struct op ops[OPS_MAX];
};

struct pattern {
    char *text;
    unsigned nfields;
    struct field fields[FIELDS_MAX + 1];
};

uint64_t
pattern_mix(uint64_t n)
{
    n += 0x9e3779b97f4a7c15u;
    n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9u;
    n = (n ^ n >> 27) * 0x94d049bb133111ebu;
    return n ^ n >> 31;
}

static const char *
parse_ops(const char *p, struct field *f)
{
    while (strchr("+*/%", *p) && f->nops < OPS_MAX) {
        struct op *op = &f->ops[f->nops++];
        char *end;

        op->what = *p++;
        if (*p < '0' || *p > '9')
            return NULL;
        op->n = strtoull(p, &end, 10);
        if (op->n == 0 && (op->what == '/' || op->what == '%'))
            return NULL;
        p = end;
    }
    return p;
}

/* At a {: what stands behind the }, or NULL when this is no field. */
static const char *
parse_field(const char *p, struct field *f)
{
    static const char *const formats[] = { "}", ":ip}", ":ip6}", ":hex}",
                                           ":id}" };

    f->nops = 0;
    if (p[1] != 'k' && p[1] != 'r')
        return NULL;
    f->mixed = p[1] == 'r';
    p = parse_ops(p + 2, f);
    if (p == NULL)
        return NULL;
    for (unsigned i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        size_t len = strlen(formats[i]);

        if (strncmp(p, formats[i], len) == 0) {
            f->format = (enum format) i;
            return p + len;
        }
    }
    return NULL;
}

struct pattern *
pattern_new(const char *text)
{
    struct pattern *p = calloc(1, sizeof(*p));
    const char *s, *next;

    if (p == NULL || (p->text = strdup(text)) == NULL) {
        free(p);
        return NULL;
    }
    p->fields[0].text = p->text;
    for (s = p->text; *s;) {
        struct field *f = &p->fields[p->nfields];

        next = *s == '{' ? parse_field(s, f) : NULL;
        if (next == NULL) {
            f->len++;
            s++;
            continue;
        }
        if (++p->nfields > FIELDS_MAX) {
            pattern_free(p);
            return NULL;
        }
        p->fields[p->nfields].text = s = next;
    }
    return p;
}

void
pattern_free(struct pattern *p)
{
    if (p == NULL)
        return;
    free(p->text);
    free(p);
}

static uint64_t
compute(const struct field *f, uint64_t k)
{
    uint64_t n = f->mixed ? pattern_mix(k) : k;

    for (unsigned i = 0; i < f->nops; i++) {
        switch (f->ops[i].what) {
        case '+':
            n += f->ops[i].n;
            break;
        case '*':
            n *= f->ops[i].n;
            break;
        case '/':
            n /= f->ops[i].n;
            break;
        default:
            n %= f->ops[i].n;
        }
    }
    return n;
}

static void
make_id(uint64_t n, unsigned char id[ID_LEN])
{
    uint64_t words[3];

    for (unsigned i = 0; i < 3; i++)
        words[i] = pattern_mix(n * 3 + i);
    memcpy(id, words, ID_LEN);
}

static bool
is_plain(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
           || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_'
           || c == '~';
}

static size_t
put_id(uint64_t n, bool hex, char *out)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char id[ID_LEN];
    char *p = out;

    make_id(n, id);
    for (unsigned i = 0; i < ID_LEN; i++) {
        if (!hex && is_plain(id[i])) {
            *p++ = (char) id[i];
            continue;
        }
        if (!hex)
            *p++ = '%';
        *p++ = digits[id[i] >> 4];
        *p++ = digits[id[i] & 15];
    }
    return (size_t) (p - out);
}

static size_t
put_number(enum format format, uint64_t n, char *out, size_t room)
{
    switch (format) {
    case FORMAT_DEC:
        return (size_t) snprintf(out, room, "%" PRIu64, n);
    case FORMAT_IP:
        return (size_t) snprintf(
            out, room, "%u.%u.%u.%u", (unsigned) (n >> 24 & 255),
            (unsigned) (n >> 16 & 255), (unsigned) (n >> 8 & 255),
            (unsigned) (n & 255));
    case FORMAT_IP6:
        return (size_t) snprintf(
            out, room, "2001:db8::%x:%x:%x:%x", (unsigned) (n >> 48),
            (unsigned) (n >> 32 & 65535), (unsigned) (n >> 16 & 65535),
            (unsigned) (n & 65535));
    case FORMAT_HEX:
    case FORMAT_ID:
        break;
    }
    return put_id(n, format == FORMAT_HEX, out);
}

size_t
pattern_put(const struct pattern *p, uint64_t k, char *out, size_t room)
{
    const struct field *f;
    size_t len = 0;

    for (unsigned i = 0; i <= p->nfields; i++) {
        f = &p->fields[i];
        if (room - len < f->len + 3 * ID_LEN + 1)
            return 0;
        memcpy(out + len, f->text, f->len);
        len += f->len;
        if (i < p->nfields)
            len += put_number(f->format, compute(f, k), out + len, room - len);
    }
    return len;
}
