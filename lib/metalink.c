#include "metalink.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <expat.h>

#include "name.h"
#include "shoal.h"
#include "url.h"

#define NAMESPACE "urn:ietf:params:xml:ns:metalink"

enum {
    DEPTH_MAX = 16,
    TEXT_MAX = 8192,        /* bytes of one element: URLs are the longest */
    PRIORITY_NONE = 999999, /* RFC 5854 4.2.16.2: the last of all */
    PIECE_MIN = 4096
};

/* Where in the document we are. */
enum place {
    NOWHERE,
    ROOT,
    FILE_,
    SIZE,
    URL,
    HASH,
    PIECES,
    PIECE_HASH,
    OTHER /* what we do not read, with all that is in it */
};

struct reader {
    XML_Parser xml;
    struct metalink *m;
    const char *location;
    enum place at[DEPTH_MAX + 1];
    size_t depth;
    char text[TEXT_MAX + 1];
    size_t len;
    struct metalink_url url; /* under way */
    char type[32];           /* of the hash under way */
    struct pieces pieces;
    size_t cap; /* of its hashes, in pieces */
    int err;
    char why[128];
};

static void
fail(struct reader *r, int err, const char *format, ...)
{
    va_list args;

    if (r->err != 0) {
        return;
    }
    r->err = err;
    va_start(args, format);
    vsnprintf(r->why, sizeof(r->why), format, args);
    va_end(args);
    XML_StopParser(r->xml, XML_FALSE);
}

static const char *
attribute(const char **attributes, const char *name)
{
    for (; attributes[0] != NULL; attributes += 2) {
        if (strcmp(attributes[0], name) == 0) {
            return attributes[1];
        }
    }
    return NULL;
}

static struct metalink_file *
last(struct reader *r)
{
    return &r->m->files[r->m->n - 1];
}

/* A plain decimal number; false: it is none, or too large. */
static bool
read_number(const char *text, uint64_t most, uint64_t *out)
{
    char *end;

    if (*text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || n > most) {
        return false;
    }
    *out = n;
    return true;
}

static void
start_root(struct reader *r, const char **attributes)
{
    (void) r;
    (void) attributes;
}

static void
start_file(struct reader *r, const char **attributes)
{
    const char *name = attribute(attributes, "name");
    struct metalink *m = r->m;

    if (name == NULL || *name == '\0') {
        fail(r, SHOAL_EINVAL, "a file without a name");
        return;
    }
    if (m->n == METALINK_FILES_MAX) {
        fail(r, SHOAL_EINVAL, "more than %d files", METALINK_FILES_MAX);
        return;
    }
    struct metalink_file *list = realloc(m->files, (m->n + 1) * sizeof(*list));
    if (list == NULL) {
        fail(r, SHOAL_ENOMEM, "out of memory");
        return;
    }
    m->files = list;
    memset(&list[m->n], 0, sizeof(*list));
    list[m->n].size = METALINK_UNKNOWN;
    list[m->n].name = name_safe(name);
    if (list[m->n++].name == NULL) {
        fail(r, SHOAL_EINVAL, "no name for a file: '%.60s'", name);
    }
}

static void
start_url(struct reader *r, const char **attributes)
{
    const char *priority = attribute(attributes, "priority");
    const char *location = attribute(attributes, "location");
    uint64_t n;

    r->url = (struct metalink_url){ .priority = PRIORITY_NONE };
    if (priority != NULL && read_number(priority, PRIORITY_NONE, &n) && n > 0)
    {
        r->url.priority = (unsigned) n;
    }
    if (location != NULL && strlen(location) == 2) {
        r->url.location[0] = (char) tolower((unsigned char) location[0]);
        r->url.location[1] = (char) tolower((unsigned char) location[1]);
    }
}

static void
start_hash(struct reader *r, const char **attributes)
{
    const char *type = attribute(attributes, "type");

    snprintf(r->type, sizeof(r->type), "%s", type != NULL ? type : "");
}

static void
start_pieces(struct reader *r, const char **attributes)
{
    const char *length = attribute(attributes, "length");

    start_hash(r, attributes);
    free(r->pieces.hashes);
    memset(&r->pieces, 0, sizeof(r->pieces));
    r->cap = 0;
    if (length == NULL || !read_number(length, INT64_MAX, &r->pieces.length)
        || r->pieces.length < PIECE_MIN)
    {
        r->pieces.length = 0; /* they are not used */
    }
}

static void
end_nothing(struct reader *r)
{
    (void) r;
}

static void
end_size(struct reader *r)
{
    if (!read_number(r->text, INT64_MAX, &last(r)->size)) {
        fail(r, SHOAL_EINVAL, "size: not a number: '%.40s'", r->text);
    }
}

static void
end_url(struct reader *r)
{
    struct metalink_file *f = last(r);
    char *url = url_clean(r->text);

    if (url == NULL || f->n_urls == METALINK_URLS_MAX) {
        free(url); /* ftp and others are no use here */
        return;
    }
    struct metalink_url *list =
        realloc(f->urls, (f->n_urls + 1) * sizeof(*list));
    if (list == NULL) {
        free(url);
        fail(r, SHOAL_ENOMEM, "out of memory");
        return;
    }
    f->urls = list;
    list[f->n_urls] = r->url;
    list[f->n_urls++].url = url;
}

/* The value of a hash in this document; false: not of a kind that is known. */
static bool
read_hash(struct reader *r, struct checksum *sum)
{
    char text[sizeof(r->type) + 2 * CHECKSUM_MAX + 2];

    return snprintf(text, sizeof(text), "%s=%s", r->type, r->text)
               < (int) sizeof(text)
           && checksum_parse(text, sum) == 0;
}

static void
end_hash(struct reader *r)
{
    struct checksum sum;

    if (read_hash(r, &sum) && sum.len > last(r)->sum.len) {
        last(r)->sum = sum;
    }
}

static void
end_piece_hash(struct reader *r)
{
    struct pieces *p = &r->pieces;
    struct checksum sum;

    if (p->length == 0) {
        return;
    }
    if (!read_hash(r, &sum) || p->n == METALINK_PIECES_MAX
        || (p->n > 0 && sum.len != p->hash_len))
    {
        p->length = 0;
        return;
    }
    if (p->n == r->cap) {
        size_t cap = r->cap != 0 ? 2 * r->cap : 64;
        uint8_t *hashes = realloc(p->hashes, cap * sum.len);

        if (hashes == NULL) {
            fail(r, SHOAL_ENOMEM, "out of memory");
            return;
        }
        p->hashes = hashes;
        r->cap = cap;
    }
    p->hash_len = sum.len;
    memcpy(p->algorithm, sum.algorithm, sizeof(p->algorithm));
    memcpy(p->hashes + p->n++ * sum.len, sum.value, sum.len);
}

static void
end_pieces(struct reader *r)
{
    struct pieces *mine = &last(r)->pieces;

    if (r->pieces.length > 0 && r->pieces.hash_len > mine->hash_len) {
        free(mine->hashes);
        *mine = r->pieces;
    } else {
        free(r->pieces.hashes);
    }
    memset(&r->pieces, 0, sizeof(r->pieces));
}

/* What is read, and in what it has to be. */
static const struct element {
    enum place in;
    const char *name;
    enum place at;
    void (*start)(struct reader *r, const char **attributes);
    void (*end)(struct reader *r);
} elements[] = {
    { NOWHERE, "metalink", ROOT, start_root, end_nothing },
    { ROOT, "file", FILE_, start_file, end_nothing },
    { FILE_, "size", SIZE, start_root, end_size },
    { FILE_, "url", URL, start_url, end_url },
    { FILE_, "hash", HASH, start_hash, end_hash },
    { FILE_, "pieces", PIECES, start_pieces, end_pieces },
    { PIECES, "hash", PIECE_HASH, start_root, end_piece_hash },
};

enum {
    ELEMENTS = sizeof(elements) / sizeof(elements[0])
};

/* What the element is where it stands; NULL: nothing that is read. */
static const struct element *
find(enum place in, const char *name)
{
    size_t space = strlen(NAMESPACE);

    if (strncmp(name, NAMESPACE " ", space + 1) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < ELEMENTS; i++) {
        if (elements[i].in == in
            && strcmp(elements[i].name, name + space + 1) == 0) {
            return &elements[i];
        }
    }
    return NULL;
}

static void
on_start(void *ctx, const char *name, const char **attributes)
{
    struct reader *r = ctx;
    enum place in = r->at[r->depth];
    const struct element *e = find(in, name);

    if (r->depth == DEPTH_MAX) {
        fail(r, SHOAL_EINVAL, "too deeply nested");
        return;
    }
    r->at[++r->depth] = e != NULL ? e->at : OTHER;
    r->len = 0;
    if (e != NULL) {
        e->start(r, attributes);
    } else if (in == NOWHERE) {
        fail(r, SHOAL_EINVAL, "not a Metalink 4 document");
    }
}

/* White space round the value is not part of it. */
static void
trim(struct reader *r)
{
    size_t start = 0;

    while (r->len > 0 && isspace((unsigned char) r->text[r->len - 1])) {
        r->len--;
    }
    r->text[r->len] = '\0';
    while (isspace((unsigned char) r->text[start])) {
        start++;
    }
    memmove(r->text, r->text + start, r->len - start + 1);
}

static void
on_end(void *ctx, const char *name)
{
    struct reader *r = ctx;
    enum place at = r->at[r->depth--];

    (void) name;
    for (size_t i = 0; i < ELEMENTS; i++) {
        if (elements[i].at == at) {
            trim(r);
            elements[i].end(r);
        }
    }
    r->len = 0;
}

static void
on_text(void *ctx, const char *text, int len)
{
    struct reader *r = ctx;
    enum place at = r->at[r->depth];

    if (at != SIZE && at != URL && at != HASH && at != PIECE_HASH) {
        return;
    }
    if ((size_t) len > TEXT_MAX - r->len) {
        fail(r, SHOAL_EINVAL, "a value is too long");
        return;
    }
    memcpy(r->text + r->len, text, (size_t) len);
    r->len += (size_t) len;
}

static void
on_doctype(void *ctx, const char *name, const char *sysid, const char *pubid,
           int internal)
{
    (void) name;
    (void) sysid;
    (void) pubid;
    (void) internal;
    fail(ctx, SHOAL_EINVAL, "a document type declaration");
}

static bool
is_better(const struct metalink_url *a, const struct metalink_url *b,
          const char *location)
{
    if (a->priority != b->priority) {
        return a->priority < b->priority;
    }
    return location != NULL && strcasecmp(a->location, location) == 0
           && strcasecmp(b->location, location) != 0;
}

/* Insertion sort: few, and what is equal keeps its order. */
static void
sort_urls(struct metalink_file *f, const char *location)
{
    for (size_t i = 1; i < f->n_urls; i++) {
        struct metalink_url u = f->urls[i];
        size_t j = i;

        for (; j > 0 && is_better(&u, &f->urls[j - 1], location); j--) {
            f->urls[j] = f->urls[j - 1];
        }
        f->urls[j] = u;
    }
}

static void
check_pieces(struct metalink_file *f)
{
    struct pieces *p = &f->pieces;

    if (p->n == 0 || f->size == METALINK_UNKNOWN
        || (f->size + p->length - 1) / p->length != p->n)
    {
        free(p->hashes);
        memset(p, 0, sizeof(*p));
    }
}

static void
settle(struct reader *r)
{
    for (size_t i = 0; i < r->m->n; i++) {
        sort_urls(&r->m->files[i], r->location);
        check_pieces(&r->m->files[i]);
    }
}

static int
run(struct reader *r, const char *xml, size_t len, char *why, size_t cap)
{
    XML_SetUserData(r->xml, r);
    XML_SetElementHandler(r->xml, on_start, on_end);
    XML_SetCharacterDataHandler(r->xml, on_text);
    XML_SetStartDoctypeDeclHandler(r->xml, on_doctype);
    if (XML_Parse(r->xml, xml, (int) len, XML_TRUE) != XML_STATUS_OK) {
        if (r->err == 0) {
            r->err = SHOAL_EINVAL;
            snprintf(r->why, sizeof(r->why), "%s",
                     XML_ErrorString(XML_GetErrorCode(r->xml)));
        }
        snprintf(why, cap, "line %lu: %s",
                 (unsigned long) XML_GetCurrentLineNumber(r->xml), r->why);
        return r->err;
    }
    if (r->m->n == 0) {
        snprintf(why, cap, "names no file");
        return SHOAL_EINVAL;
    }
    return 0;
}

int
metalink_parse(const char *xml, size_t len, const char *location,
               struct metalink **out, char *why, size_t cap)
{
    struct reader *r = calloc(1, sizeof(*r));
    struct metalink *m = calloc(1, sizeof(*m));
    int err = SHOAL_ENOMEM;

    snprintf(why, cap, "out of memory");
    if (len > METALINK_BYTES_MAX) {
        snprintf(why, cap, "larger than %d bytes", METALINK_BYTES_MAX);
        err = SHOAL_EINVAL;
    } else if (r != NULL && m != NULL) {
        r->m = m;
        r->location = location;
        r->xml = XML_ParserCreateNS(NULL, ' ');
        err = r->xml != NULL ? run(r, xml, len, why, cap) : SHOAL_ENOMEM;
    }
    if (err == 0) {
        settle(r);
        *out = m;
        m = NULL;
    }
    if (r != NULL) {
        free(r->pieces.hashes);
        XML_ParserFree(r->xml);
    }
    free(r);
    metalink_free(m);
    return err;
}

void
metalink_free(struct metalink *m)
{
    for (size_t i = 0; m != NULL && i < m->n; i++) {
        struct metalink_file *f = &m->files[i];

        for (size_t j = 0; j < f->n_urls; j++) {
            free(f->urls[j].url);
        }
        free(f->urls);
        free(f->pieces.hashes);
        free(f->name);
    }
    if (m != NULL) {
        free(m->files);
    }
    free(m);
}

bool
metalink_is_type(const char *type)
{
    static const char name[] = "application/metalink4+xml";
    size_t len = sizeof(name) - 1;

    return strncasecmp(type, name, len) == 0
           && strchr("; \t", type[len]) != NULL;
}
