#include "jsonfile.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shoal.h"
#include "text.h"

enum {
    FORMAT = 1 /* higher: a reader of this one would misunderstand it */
};

struct jsonfile {
    FILE *f;
    json_t *files;
};

static const char *const kinds[SHOAL_KINDS] = {
    [SHOAL_CDN] = "cdn",
    [SHOAL_SUPER] = "super_peers",
    [SHOAL_PEER] = "peers",
};

struct jsonfile *
jsonfile_open(const char *path)
{
    struct jsonfile *j = calloc(1, sizeof(*j));

    if (j == NULL) {
        return NULL;
    }
    /* what an earlier run wrote stays there until this one ends */
    j->f = strcmp(path, "json") == 0 ? stdout : fopen(path, "ae");
    j->files = json_array();
    if (j->f == NULL || j->files == NULL) {
        int err = j->f == NULL ? errno : ENOMEM;

        json_decref(j->files);
        free(j);
        errno = err;
        return NULL;
    }
    return j;
}

/* Not all that comes in is UTF-8. */
static json_t *
text(const char *in)
{
    json_t *value = json_string(in);
    char safe[TEXT_MAX];

    if (value == NULL) {
        text_safe(in, safe, sizeof(safe));
        value = json_string(safe);
    }
    return value != NULL ? value : json_string_nocheck("?");
}

static json_t *
text_or_null(const char *in)
{
    return in != NULL && *in != '\0' ? text(in) : json_null();
}

static json_t *
size_or_null(uint64_t size)
{
    return size != SHOAL_UNKNOWN ? json_integer((json_int_t) size)
                                 : json_null();
}

/* To the millisecond: more is noise. */
static json_t *
seconds_of(double seconds)
{
    return seconds >= 0
               ? json_real((double) (int64_t) (seconds * 1000 + 0.5) / 1000)
               : json_null();
}

static json_t *
url_of(const char *url)
{
    char shown[TEXT_MAX];

    if (url == NULL) {
        return json_null();
    }
    text_less_secrets(url, shown, sizeof(shown));
    return text(shown);
}

static json_t *
by_kind(const uint64_t bytes[SHOAL_KINDS])
{
    return json_pack("{s:I, s:I, s:I}", kinds[SHOAL_CDN],
                     (json_int_t) bytes[SHOAL_CDN], kinds[SHOAL_SUPER],
                     (json_int_t) bytes[SHOAL_SUPER], kinds[SHOAL_PEER],
                     (json_int_t) bytes[SHOAL_PEER]);
}

static json_t *
source(const struct shoal_source *s)
{
    static const char *const names[SHOAL_KINDS] = { "cdn", "super_peer",
                                                    "peer" };

    return json_pack(
        "{s:s, s:o, s:o, s:I, s:I, s:I, s:b, s:I, s:o, s:o}", "kind",
        names[s->kind], "name", text(s->name), "state", text(s->state), "used",
        (json_int_t) s->used, "wasted", (json_int_t) s->wasted, "wrong_blocks",
        (json_int_t) s->wrong, "banned", s->banned, "rate",
        (json_int_t) s->rate, "first", seconds_of(s->first), "last",
        s->first >= 0 ? seconds_of(s->last) : json_null());
}

static json_t *
sources(const struct shoal_report *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->n_sources; i++) {
        json_array_append_new(list, source(&r->sources[i]));
    }
    return list;
}

static json_t *
trackers(const struct shoal_report *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->n_trackers; i++) {
        json_array_append_new(
            list, json_pack("{s:o, s:o}", "url", text(r->trackers[i].url),
                            "state", text(r->trackers[i].state)));
    }
    return list;
}

static json_t *
events(const struct shoal_report *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->n_events; i++) {
        const struct shoal_event *e = &r->events[i];

        json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "seconds",
                                              seconds_of(e->seconds), "what",
                                              text_or_null(e->what), "text",
                                              text(e->text)));
    }
    return list;
}

static json_t *
file_of(const struct shoal_report *r, int status)
{
    static const char *const trust[] = {
        [SHOAL_TRUST_NONE] = "none",
        [SHOAL_TRUST_CDN] = "cdn",
        [SHOAL_TRUST_COPY] = "super_peers",
        [SHOAL_TRUST_TRACKER] = "tracker",
        [SHOAL_TRUST_LAYER] = "layer",
        [SHOAL_TRUST_CHECKSUM] = "checksum",
        [SHOAL_TRUST_USER] = "user",
    };

    return json_pack(
        "{s:o, s:o, s:i, s:o, s:b, s:b, s:o, s:I, s:I, s:o, s:o, s:o, s:I,"
        " s:I, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:I}",
        "url", url_of(r->url), "file", text_or_null(r->file), "status", status,
        "error", text_or_null(status != 0 ? r->error : NULL), "saved",
        r->saved, "there", r->there, "size", size_or_null(r->size), "held",
        (json_int_t) r->held, "resumed", (json_int_t) r->resumed, "seconds",
        seconds_of(r->seconds), "used", by_kind(r->used), "wasted",
        by_kind(r->wasted), "uploaded", (json_int_t) r->uploaded, "retries",
        (json_int_t) r->retries, "trust", trust[r->trust], "votes",
        (json_int_t) r->votes, "version", text_or_null(r->version), "root",
        text_or_null(r->root), "sources", sources(r), "trackers", trackers(r),
        "events", events(r), "lost_events", (json_int_t) r->lost_events);
}

int
jsonfile_add(struct jsonfile *j, const struct shoal_report *r, int status)
{
    json_t *file = file_of(r, status);

    return file != NULL && json_array_append_new(j->files, file) == 0
               ? 0
               : SHOAL_ENOMEM;
}

/* A regular file is written anew, a device or pipe as it is. */
static int
rewind_file(FILE *f)
{
    struct stat st;

    if (f == stdout || fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) {
        return 0;
    }
    return ftruncate(fileno(f), 0);
}

int
jsonfile_close(struct jsonfile *j, int status, double seconds)
{
    if (j == NULL) {
        return 0;
    }
    json_t *all = json_pack("{s:i, s:s, s:i, s:o, s:O}", "format", FORMAT,
                            "shoal", shoal_version(), "status", status,
                            "seconds", seconds_of(seconds), "files", j->files);
    int err = all != NULL ? 0 : SHOAL_ENOMEM;
    if (err == 0
        && (rewind_file(j->f) != 0
            || json_dumpf(all, j->f, JSON_INDENT(2) | JSON_REAL_PRECISION(15))
                   != 0
            || fputc('\n', j->f) == EOF || fflush(j->f) != 0))
    {
        err = SHOAL_EIO;
    }
    int why = errno;
    if (j->f != stdout && fclose(j->f) != 0 && err == 0) {
        err = SHOAL_EIO;
        why = errno;
    }
    json_decref(all);
    json_decref(j->files);
    free(j);
    errno = why;
    return err;
}
