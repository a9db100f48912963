/* published.c - what origin or user say of the file beside it: the piece
 * layer, a checksum, a Metalink, mirrors in its headers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "document.h"
#include "explain_transfer.h"
#include "layer.h"
#include "metalink.h"
#include "mirror.h"
#include "name.h"
#include "pieces.h"
#include "published.h"
#include "settings.h"
#include "shoal.h"
#include "sums.h"
#include "transfer_internal.h"
#include "trust.h"

enum {
    SUM_MAX = 1 << 20, /* bytes of URL.sha256 */
    METALINK_MAX = 4 << 20,
    LINKS_MAX = 16,       /* mirrors of one answer that are looked at */
    LINKS_FROM = 1 << 20, /* a smaller file is there before they are */
    GONE_MAX = 400        /* of an URL in words */
};

/* The URL of a document in words. */
static const char *
shown(const struct document *d, char text[GONE_MAX])
{
    snprintf(text, GONE_MAX, "%.*s", (int) strcspn(d->url, "?#"), d->url);
    return text;
}

/* The file's bytes, to be freed; NULL: it cannot be read. */
static uint8_t *
slurp(const char *path, size_t *len)
{
    uint8_t *data = malloc(LAYER_FILE_MAX);
    FILE *f = fopen(path, "re");

    if (f != NULL && data != NULL) {
        *len = fread(data, 1, LAYER_FILE_MAX, f);
    } else {
        free(data);
        data = NULL;
    }
    if (f != NULL) {
        fclose(f);
    }
    return data;
}

static void
read_layer_file(struct transfer *t, const char *path)
{
    size_t len = 0;
    uint8_t *data = slurp(path, &len), *hashes = NULL;
    uint8_t root[DIGEST_LEN];
    int err = SHOAL_EIO;

    if (data != NULL) {
        err = layer_parse(data, len, t->map.size, &hashes, root);
    }
    if (err == SHOAL_EVERIFY) {
        t->other_version = true; /* the layer decides */
    } else if (err != 0) {
        transfer_fail(t, err, "%s: %s", path,
                      data == NULL ? "cannot open" : "not a piece layer file");
    } else if (hashes != NULL) {
        trust_adopt(t, hashes, root, true);
    }
    free(data);
}

/* By the user, so the file is not right without it. */
bool
published_layer_named(const struct transfer *t)
{
    return t->o.layer != NULL && strcmp(t->o.layer, "auto") != 0;
}

static bool
is_url(const char *layer)
{
    return strncmp(layer, "http://", 7) == 0
           || strncmp(layer, "https://", 8) == 0;
}

void
published_size(struct transfer *t)
{
    size_t len = 0;
    uint8_t *data;

    if (!published_layer_named(t) || is_url(t->o.layer) || t->o.size != 0) {
        return;
    }
    data = slurp(t->o.layer, &len);
    if (data != NULL) {
        (void) layer_size(data, len, &t->o.size);
    }
    free(data);
}

/* URL.SUFFIX, in front of the query. */
static char *
beside(const char *url, const char *suffix)
{
    char *text;
    int path = (int) strcspn(url, "?#");

    return asprintf(&text, "%.*s%s%s", path, url, suffix, url + path) < 0
               ? NULL
               : text;
}

static void
start_layer(struct transfer *t)
{
    const char *o = t->o.layer;
    const struct source *s = t->standard;
    char *url = NULL;

    if (published_layer_named(t)) {
        if (!is_url(o)) {
            read_layer_file(t, o);
            return;
        }
        url = strdup(o);
    } else if (s->answer.layer[0] != '\0') {
        url = url_join(s->url, s->answer.layer);
    } else if (o != NULL) {
        url = beside(s->url, ".shoal");
    }
    document_set(t, DOCUMENT_LAYER, url, published_layer_named(t));
}

bool
published_sum_wanted(const struct transfer *t)
{
    return t->o.settings != NULL
           && t->o.settings->checksum.from == CHECKSUM_AUTO;
}

/* A mirror that an answer names: a line of answer.duplicates. */
struct duplicate {
    unsigned long priority;
    bool near; /* in the country that the user prefers */
    const char *url;
};

static bool
parse_duplicate(const struct transfer *t, const char *line,
                struct duplicate *out)
{
    const struct settings *s = t->o.settings;
    const char *country = s != NULL ? s->preferred_location : NULL;
    char *geo;

    out->priority = strtoul(line, &geo, 10);
    if (geo == line || strlen(geo) < 4) {
        return false;
    }
    out->url = geo + 4; /* behind " CC " */
    out->near = country != NULL && strlen(country) == 2
                && strncasecmp(geo + 1, country, 2) == 0;
    return true;
}

static bool
is_better(const struct duplicate *a, const struct duplicate *b)
{
    return a->priority != b->priority ? a->priority < b->priority
                                      : a->near && !b->near;
}

/* Mirrors that the origin's headers name, as those of a Metalink: those with
 * the same validators first, then by priority, then by country; the list is
 * short. */
static void
add_duplicates(struct transfer *t, const struct source *s)
{
    char text[sizeof(s->answer.duplicates)], *rest = text, *line;
    struct duplicate list[LINKS_MAX], d;
    size_t n = 0;

    memcpy(text, s->answer.duplicates, sizeof(text));
    while (n < LINKS_MAX && (line = strsep(&rest, "\n")) != NULL) {
        size_t i = n;

        if (!parse_duplicate(t, line, &d)) {
            continue;
        }
        for (; i > 0 && is_better(&d, &list[i - 1]); i--) {
            list[i] = list[i - 1];
        }
        list[i] = d;
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        char *url = url_join(s->url, list[i].url);

        if (url != NULL && mirror_add(t, url) == 0) {
            explain(t, s, "names a mirror: %.*s", (int) strcspn(url, "?#"),
                    url);
        }
        free(url);
    }
}

/* What the origin itself says; a mirror's word is no more than a mirror's. */
static void
start_links(struct transfer *t)
{
    const struct source *s = t->standard;

    if (s->mirror != 0 || t->o.want != NULL || t->map.size < LINKS_FROM) {
        return;
    }
    add_duplicates(t, s);
    if (s->answer.describedby[0] != '\0') {
        document_set(t, DOCUMENT_METALINK,
                     url_join(s->url, s->answer.describedby), false);
    }
}

void
published_start(struct transfer *t)
{
    if (t->map.count == 0 || t->standard == NULL) {
        return;
    }
    start_layer(t);
    if (published_sum_wanted(t)) {
        document_set(t, DOCUMENT_SUM, beside(t->o.url, ".sha256"), true);
    }
    start_links(t);
}

static int
take_layer(struct transfer *t, const uint8_t *data, size_t len,
           const char **why)
{
    uint8_t *hashes = NULL, root[DIGEST_LEN];
    int err = layer_parse(data, len, t->map.size, &hashes, root);

    *why = err == SHOAL_EVERIFY ? "piece layer of another size"
                                : "not a piece layer file";
    if (err == 0 && hashes != NULL) {
        trust_adopt(t, hashes, root, published_layer_named(t));
    }
    return err;
}

static int
take_sum(struct transfer *t, const uint8_t *data, size_t len, const char **why)
{
    char *url = strndup(t->o.url, strcspn(t->o.url, "?#"));
    char *name = url != NULL ? name_from_url(url) : NULL;
    struct checksum sum;
    int err = SHOAL_ENOMEM;

    if (name != NULL) {
        err = sums_find((const char *) data, len, name, &sum);
    }
    *why = err == SHOAL_EINVAL ? "two checksums of the file that contradict"
                               : "no checksum of the file in it";
    if (err == 0) {
        trust_sum(t, &sum);
    }
    free(name);
    free(url);
    return err == 0 || err == SHOAL_ENOMEM ? err : SHOAL_EVERIFY;
}

/* The one that the Metalink means by this file. */
static struct metalink_file *
pick(const struct transfer *t, struct metalink *m)
{
    char *name = name_from_url(t->o.url);
    size_t at = 0;

    while (name != NULL && m->n > 1 && at < m->n
           && strcmp(m->files[at].name, name) != 0)
    {
        at++;
    }
    free(name);
    return at < m->n && m->files[at].size == t->map.size ? &m->files[at]
                                                         : NULL;
}

static int
take_metalink(struct transfer *t, const uint8_t *data, size_t len,
              const char **why)
{
    struct metalink *m = NULL;
    char text[128];
    int err =
        metalink_parse((const char *) data, len, NULL, &m, text, sizeof(text));
    struct metalink_file *f = err == 0 && m != NULL ? pick(t, m) : NULL;

    *why = err != 0 ? "not a Metalink 4 document" : "not of this file";
    if (f == NULL) {
        metalink_free(m);
        return err != 0 ? err : SHOAL_EVERIFY;
    }
    if (t->pieces.n == 0) {
        pieces_set(t, &f->pieces);
    }
    if (t->sum.len == 0 && f->sum.len > 0) {
        trust_sum(t, &f->sum);
    }
    for (size_t i = 0; i < f->n_urls; i++) {
        mirror_add(t, f->urls[i].url);
    }
    metalink_free(m);
    return 0;
}

static const struct {
    const char *what;
    size_t most; /* bytes */
    int (*take)(struct transfer *t, const uint8_t *data, size_t len,
                const char **why);
} kinds[DOCUMENTS] = {
    [DOCUMENT_LAYER] = { "piece layer", LAYER_FILE_MAX, take_layer },
    [DOCUMENT_SUM] = { "checksum", SUM_MAX, take_sum },
    [DOCUMENT_METALINK] = { "Metalink", METALINK_MAX, take_metalink },
};

size_t
published_most(enum document_kind kind)
{
    return kinds[kind].most;
}

void
published_missing(struct transfer *t, enum document_kind kind, int err,
                  const char *why)
{
    const struct document *d = &t->documents[kind];
    char text[GONE_MAX];

    explain(t, NULL, "%s %s: %s", kinds[kind].what, shown(d, text), why);
    if (kind == DOCUMENT_SUM) {
        transfer_say(t, SHOAL_WARNING,
                     "%s: %s: the file is not checked against it",
                     shown(d, text), why);
    } else if (d->named) {
        transfer_fail(t, err, "%s: %s", shown(d, text), why);
    }
}

void
published_take(struct transfer *t, enum document_kind kind,
               const uint8_t *data, size_t len)
{
    const struct document *d = &t->documents[kind];
    const char *why = "";
    char text[GONE_MAX];
    int err = kinds[kind].take(t, data, len, &why);

    explain(t, NULL, "%s %s: %s", kinds[kind].what, shown(d, text),
            err == 0 ? "is believed" : why);
    if (kind == DOCUMENT_LAYER && d->named && err == SHOAL_EVERIFY) {
        t->other_version = true; /* the layer decides */
    } else if (err != 0 && d->named) {
        transfer_fail(t, err, "%s: %s", shown(d, text), why);
    }
}
