/* disagree.c - nodes that hold different things: an error that lists what each
 * of them shows, so that its reader can decide what the program could not. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "disagree.h"

static void add(char *text, size_t room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
add(char *text, size_t room, const char *format, ...)
{
    size_t len = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + len, room - len, format, args);
    va_end(args);
}

static bool
was_asked(const struct source *s)
{
    return s->kind == SOURCE_CDN && !s->followed
           && (s->node == NODE_KNOWN || s->node == NODE_FAILED);
}

static void
add_time(char *text, size_t room, int64_t mtime)
{
    time_t when = (time_t) mtime;
    char words[40];
    struct tm tm;

    if (mtime < 0 || gmtime_r(&when, &tm) == NULL
        || strftime(words, sizeof(words), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    {
        add(text, room, ", no Last-Modified");
    } else {
        add(text, room, ", Last-Modified %s", words);
    }
}

/* First bytes are enough to tell two of them apart. */
static void
add_digest(char *text, size_t room, const struct checksum *sum)
{
    if (sum->len >= 4) {
        add(text, room, ", %s %02x%02x%02x%02x..", sum->algorithm,
            sum->value[0], sum->value[1], sum->value[2], sum->value[3]);
    }
}

static void
add_node(char *text, size_t room, const struct source *s)
{
    const struct answer *a = &s->answer;
    uint64_t size = answer_size(a);

    if (size != ORIGIN_UNKNOWN) {
        add(text, room, "%s: %" PRIu64 " bytes, %s%s", s->name, size,
            a->etag[0] != '\0' ? "ETag " : "no ETag", a->etag);
        add_time(text, room, a->mtime);
        add_digest(text, room, &a->digest);
    } else {
        add(text, room, "%s: no size", s->name);
    }
    if (s->state[0] != '\0') {
        add(text, room, " (%s)", s->state);
    }
}

void
disagree_list(const struct transfer *t, char *text, size_t room)
{
    const char *between = "; nodes: ";
    unsigned n = 0;

    for (size_t i = 0; i < t->n_sources; i++) {
        n += was_asked(t->sources[i]);
    }
    for (size_t i = 0; n > 1 && i < t->n_sources; i++) {
        if (was_asked(t->sources[i])) {
            add(text, room, "%s", between);
            add_node(text, room, t->sources[i]);
            between = "; ";
        }
    }
}
