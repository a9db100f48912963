#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "get.h"
#include "input.h"
#include "jsonfile.h"
#include "options.h"
#include "shoal.h"
#include "stop.h"
#include "text.h"

enum {
    PLACE_MAX = 512 /* bytes of `FILE:LINE: ` */
};

static double
now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

/* As wget: of several failures the lowest code above 1 is told. */
static int
worse(int a, int b)
{
    if (a <= 1 || b <= 1) {
        return a > b ? a : b;
    }
    return a < b ? a : b;
}

void
session_fail(struct session *s, int status, const char *place,
             const char *what)
{
    char where[TEXT_MAX], safe[TEXT_MAX];

    text_safe(place, where, sizeof(where));
    text_safe(what, safe, sizeof(safe));
    fprintf(stderr, "shoal: %s%s\n", where, safe);
    s->status = worse(s->status, status);
    s->failed++;
}

/* As ${errno} says. */
static void
fail_file(struct session *s, const char *what, const char *path)
{
    const char *why = strerror(errno);
    char place[PLACE_MAX];

    snprintf(place, sizeof(place), "%s%.400s: ", what, path);
    session_fail(s, STATUS_FILE, place, why);
}

static void
read_lines(struct session *s, struct input *in)
{
    char place[PLACE_MAX];
    const char *url = "";

    while (url != NULL && !stop_asked()) {
        int err = input_next(in, &url);

        snprintf(place, sizeof(place), "%.400s:%lu: ", in->path, in->number);
        if (err == SHOAL_EINVAL) {
            session_fail(s, STATUS_OTHER, place,
                         "expected a URL, got a line that is too long or has "
                         "a NUL in it");
        } else if (err != 0) {
            fail_file(s, "", in->path);
            return;
        } else if (url != NULL) {
            get_url(s, url, place);
        }
    }
}

static void
read_list(struct session *s, const char *path)
{
    struct input in;

    if (input_open(&in, path) != 0) {
        fail_file(s, "", path);
        return;
    }
    unsigned before = s->urls + s->failed;
    read_lines(s, &in);
    if (s->urls + s->failed == before && s->o->verbosity > QUIET
        && !stop_asked()) {
        fprintf(stderr, "No URLs found in %s.\n", path);
    }
    input_close(&in);
}

/* As wget after several files. */
static void
sum_up(const struct session *s, double seconds)
{
    char stamp[TEXT_STAMP], bytes[TEXT_NUMBER], took[TEXT_NUMBER],
        rate[TEXT_NUMBER];

    text_stamp(stamp);
    text_took(seconds, took);
    fprintf(stderr, "FINISHED --%s--\nTotal wall clock time: %s\n", stamp,
            took);
    text_about((double) s->bytes, bytes);
    text_took(s->seconds, took);
    text_rate(s->seconds > 0 ? (double) s->bytes / s->seconds : 0, " ", rate);
    fprintf(stderr, "Downloaded: %u file%s, %s in %s (%s)", s->files,
            s->files == 1 ? "" : "s", bytes, took, rate);
    if (s->others > 0) {
        fprintf(stderr, ", %.0f%% of it from peers",
                (double) s->others * 100 / (double) s->bytes);
    }
    if (s->failed > 0) {
        fprintf(stderr, "; %u failed", s->failed);
    }
    fputc('\n', stderr);
}

static void
run_all(struct session *s)
{
    const struct options *o = s->o;
    const char *list = options_text(o, "input-file");

    if (o->n_urls == 0 && list == NULL) {
        get_url(s, NULL, ""); /* a setting names the file */
    }
    for (int i = 0; i < o->n_urls && !stop_asked(); i++) {
        get_url(s, o->urls[i], "");
        s->cut = s->cut || (stop_asked() && i + 1 < o->n_urls);
    }
    if (list != NULL) {
        s->cut = s->cut || stop_asked();
        read_list(s, list);
        s->cut = s->cut || stop_asked();
    }
}

void
session_run(struct session *s, const struct options *o)
{
    const char *report = options_text(o, "report");
    double start = now();

    memset(s, 0, sizeof(*s));
    s->o = o;
    if (report != NULL) {
        s->json = jsonfile_open(report);
        if (s->json == NULL) {
            fail_file(s, "--report: ", report);
            return;
        }
    }
    run_all(s);
    double seconds = now() - start;
    if (s->urls > 1 && o->verbosity > QUIET && !s->cut) {
        sum_up(s, seconds);
    }
    if (jsonfile_close(s->json, s->status, seconds) != 0) {
        fail_file(s, "--report: ", report);
    }
    s->json = NULL;
}
