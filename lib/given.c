#include "given.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "memory.h"
#include "metalink.h"
#include "shoal_internal.h"
#include "sums.h"
#include "transfer.h"

struct given {
    struct shoal *d;
    struct checksum sum; /* of a list */
    struct metalink *metalink;
    const struct metalink_file *file; /* of these, the one */
    const char **mirrors;
    struct transfer *transfer; /* that fetches the Metalink */
    struct memory memory;
};

struct given *
given_create(struct shoal *d)
{
    struct given *g = calloc(1, sizeof(*g));

    if (g != NULL) {
        g->d = d;
        g->memory.most = METALINK_BYTES_MAX;
    }
    return g;
}

void
given_free(struct given *g)
{
    if (g == NULL) {
        return;
    }
    transfer_free(g->transfer);
    memory_fini(&g->memory);
    metalink_free(g->metalink);
    free(g->mirrors);
    free(g);
}

/* All of a file, at most ${most} bytes; `-` is standard input. */
static int
read_file(struct shoal *d, const char *path, size_t most, char **data,
          size_t *len)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *f = standard ? stdin : fopen(path, "re");
    size_t cap = 65536, n = 0;
    char *buf = malloc(cap);

    if (f == NULL) {
        free(buf);
        return shoal_fail(d, SHOAL_EIO, "%s: %m", path);
    }
    while (buf != NULL) {
        n += fread(buf + n, 1, cap - n, f);
        if (n < cap || n > most) {
            break;
        }
        char *grown = realloc(buf, 2 * cap);
        if (grown == NULL) {
            free(buf);
        }
        buf = grown;
        cap *= 2;
    }
    bool broken = ferror(f) != 0;
    if (!standard) {
        fclose(f);
    }
    if (buf == NULL || broken || n > most) {
        free(buf);
        return broken ? shoal_fail(d, SHOAL_EIO, "%s: cannot read it", path)
               : n > most ? shoal_fail(d, SHOAL_EINVAL, "%s: too large", path)
                          : shoal_fail(d, SHOAL_ENOMEM, "out of memory");
    }
    *data = buf;
    *len = n;
    return 0;
}

static bool
is_url(const char *text)
{
    return strncasecmp(text, "http://", 7) == 0
           || strncasecmp(text, "https://", 8) == 0;
}

static int
take_metalink(struct given *g, const char *from, const char *xml, size_t len)
{
    const struct settings *s = g->d->settings;
    char why[160];
    int shown = (int) strcspn(from, "?#");
    int err = metalink_parse(xml, len, s->preferred_location, &g->metalink,
                             why, sizeof(why));

    if (err != 0) {
        return shoal_fail(g->d, err, "%.*s: %s", shown, from, why);
    }
    unsigned i = s->select_file > 0 ? s->select_file : 1;
    if (i > g->metalink->n) {
        return shoal_fail(g->d, SHOAL_EINVAL,
                          "%.*s: has no file %u, only %zu of them", shown,
                          from, i, g->metalink->n);
    }
    g->file = &g->metalink->files[i - 1];
    if (g->file->n_urls == 0 && (g->d->url == NULL || g->d->is_metalink)) {
        return shoal_fail(g->d, SHOAL_EINVAL,
                          "%.*s: no http or https URL for %s", shown, from,
                          g->file->name);
    }
    return 0;
}

int
given_read(struct given *g)
{
    const char *path = g->d->settings->input_metalink;
    char *xml = NULL;
    size_t len = 0;

    if (path == NULL || is_url(path)) {
        return 0;
    }
    int err = read_file(g->d, path, METALINK_BYTES_MAX, &xml, &len);
    if (err == 0) {
        err = take_metalink(g, path, xml, len);
    }
    free(xml);
    return err;
}

const char *
given_url(const struct given *g)
{
    const char *path = g->d->settings->input_metalink;

    return path != NULL && is_url(path) && g->metalink == NULL ? path : NULL;
}

static int
begin_fetch(struct given *g, const char *url)
{
    const struct shoal *d = g->d;
    struct transfer_options to = {
        .url = url,
        .settings = d->settings,
        .http = &d->http,
        .resolve = d->resolve,
        .bind_address = d->settings->bind_address,
        .unshared = true,
        .explain = d->explain,
        .stop = &d->cancelled,
        .ops = &memory_ops,
        .ctx = &g->memory,
    };

    g->transfer = transfer_create(&to);
    return g->transfer != NULL ? 0 : SHOAL_ENOMEM;
}

int
given_fetch(struct given *g, const char *url, unsigned timeout_ms)
{
    if (g->transfer == NULL && begin_fetch(g, url) != 0) {
        return shoal_fail(g->d, SHOAL_ENOMEM, "out of memory");
    }
    int err = transfer_step(g->transfer, timeout_ms);
    if (err == SHOAL_EAGAIN) {
        return err;
    }
    if (err != 0) {
        return shoal_fail(g->d, err, "%s", transfer_error(g->transfer));
    }
    return take_metalink(g, url, (const char *) g->memory.data, g->memory.len);
}

static int
read_sums(struct given *g, const char *name)
{
    const char *path = g->d->settings->checksum.file;
    char *text = NULL;
    size_t len = 0;
    int err = read_file(g->d, path, SUMS_BYTES_MAX, &text, &len);

    if (err != 0) {
        return err;
    }
    err = sums_find(text, len, name, &g->sum);
    free(text);
    if (err == SHOAL_EINVAL) {
        return shoal_fail(g->d, SHOAL_EVERIFY,
                          "%s: two checksums of %s that contradict", path,
                          name);
    }
    return err == 0 ? 0
                    : shoal_fail(g->d, SHOAL_EVERIFY, "%s: no checksum of %s",
                                 path, name);
}

int
given_sum(struct given *g, const char *name, const struct checksum **out)
{
    const struct checksum_setting *s = &g->d->settings->checksum;
    int err = 0;

    *out = NULL;
    if (s->from == CHECKSUM_GIVEN) {
        *out = &s->sum;
    } else if (s->from == CHECKSUM_FILE) {
        err = read_sums(g, name);
        *out = &g->sum;
    } else if (g->file != NULL && g->file->sum.len > 0) {
        *out = &g->file->sum;
    }
    return err;
}

const struct metalink_file *
given_file(const struct given *g)
{
    return g->file;
}

size_t
given_files(const struct given *g)
{
    return g->metalink != NULL ? g->metalink->n : 0;
}

const char *const *
given_mirrors(struct given *g)
{
    const struct strings *list = &g->d->settings->mirror;
    size_t more = g->file != NULL ? g->file->n_urls : 0, n = 0;

    free(g->mirrors);
    g->mirrors = calloc(list->n + more + 1, sizeof(*g->mirrors));
    for (size_t i = 0; g->mirrors != NULL && i < list->n; i++) {
        g->mirrors[n++] = list->v[i];
    }
    for (size_t i = 0; g->mirrors != NULL && i < more; i++) {
        g->mirrors[n++] = g->file->urls[i].url;
    }
    return g->mirrors;
}
