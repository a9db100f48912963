#include "get.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "jsonfile.h"
#include "options.h"
#include "progress.h"
#include "session.h"
#include "shoal.h"
#include "show.h"
#include "stop.h"
#include "text.h"

/* One download under way. */
struct get {
    struct session *s;
    const struct options *o;
    struct shoal *d;
    struct progress progress;
    bool announced; /* size and name are said */
    bool concluded; /* and what became of it */
    bool seeding;   /* it is served to others since */
};

static int
status_of(int err)
{
    switch (err) {
    case 0:
        return 0;
    case SHOAL_EIO:
    case SHOAL_EFULL:
        return STATUS_FILE;
    case SHOAL_ENET:
    case SHOAL_ECONNECT:
        return STATUS_NETWORK;
    case SHOAL_ETLS:
        return STATUS_TLS;
    case SHOAL_EAUTH:
        return STATUS_LOGIN;
    case SHOAL_EPROTO:
    case SHOAL_ENOAGREE:
        return STATUS_PROTOCOL;
    case SHOAL_ENOTFOUND:
    case SHOAL_EHTTP:
        return STATUS_SERVER;
    case SHOAL_EVERIFY:
        return STATUS_VERIFY;
    default:
        return STATUS_OTHER;
    }
}

static bool
is_asked_only(const struct get *g)
{
    return options_flag(g->o, "spider");
}

static void
announce(struct get *g, const struct shoal_progress *now)
{
    char name[TEXT_MAX], size[TEXT_NUMBER];

    g->announced = true;
    if (g->o->verbosity < NORMAL) {
        return;
    }
    if (now->size == SHOAL_UNKNOWN) {
        fputs("Length: unspecified\n", stderr);
    } else {
        text_about((double) now->size, size);
        fprintf(stderr, "Length: %" PRIu64 " (%s)\n", now->size, size);
    }
    if (now->resumed > 0) {
        text_about((double) now->resumed, size);
        fprintf(stderr, "Kept from before: %" PRIu64 " (%s)\n", now->resumed,
                size);
    }
    if (now->file != NULL) {
        text_safe(now->file, name, sizeof(name));
        fprintf(stderr, "Saving to: '%s'\n\n",
                strcmp(name, "-") == 0 ? "STDOUT" : name);
    }
}

/* The file is there, or will not be. */
static void
conclude(struct get *g)
{
    const struct shoal_report *r = shoal_report(g->d);

    g->concluded = true;
    if (r == NULL || r->there || is_asked_only(g)) {
        return; /* then the library has said all */
    }
    if (g->o->verbosity >= NORMAL && r->n_sources > 0) {
        fputc('\n', stderr);
        show_table(stderr, r);
        show_saved(stderr, r);
    } else if (g->o->verbosity == TERSE && r->saved) {
        show_saved_short(stderr, r);
    }
}

static void
on_progress(void *ctx, const struct shoal_progress *now)
{
    struct get *g = ctx;

    if (g->concluded || now->stage == SHOAL_STARTING || is_asked_only(g)) {
        return;
    }
    if (!g->announced && now->stage != SHOAL_ENDED) {
        announce(g, now);
    }
    if (now->stage < SHOAL_SEEDING) {
        progress_show(&g->progress, now);
        return;
    }
    const struct shoal_report *r = shoal_report(g->d);
    if (r != NULL && r->there) {
        progress_interrupt(&g->progress);
        return;
    }
    progress_end(&g->progress, now);
    if (now->stage == SHOAL_SEEDING) {
        conclude(g);
        g->seeding = true;
    }
}

static void
on_message(void *ctx, enum shoal_level level, const char *text)
{
    struct get *g = ctx;
    char safe[TEXT_MAX];
    bool matters = level == SHOAL_WARNING || is_asked_only(g);

    if (g->o->verbosity < (matters ? TERSE : NORMAL)) {
        return;
    }
    progress_interrupt(&g->progress);
    text_safe(text, safe, sizeof(safe));
    fprintf(stderr, "%s%s\n", level == SHOAL_WARNING ? "shoal: warning: " : "",
            safe);
}

static void
say_url(const struct options *o, const char *url)
{
    char stamp[TEXT_STAMP], shown[TEXT_MAX], safe[TEXT_MAX];

    if (o->verbosity >= NORMAL && url != NULL) {
        text_stamp(stamp);
        text_less_secrets(url, shown, sizeof(shown));
        text_safe(shown, safe, sizeof(safe));
        fprintf(stderr, "--%s--  %s\n", stamp, safe);
    }
}

static void
count(struct session *s, const struct shoal_report *r)
{
    s->files += r->saved && !r->there ? 1 : 0;
    s->seconds += r->seconds;
    for (size_t k = 0; k < SHOAL_KINDS; k++) {
        s->bytes += r->used[k];
        s->others += k != SHOAL_CDN ? r->used[k] : 0;
    }
}

static void
finish(struct get *g, int err, const char *place)
{
    const char *error = shoal_error(g->d);
    int status = status_of(err);

    if (err != 0) {
        session_fail(g->s, status, place,
                     *error != '\0' ? error : shoal_strerror(err));
    }
    if (!g->concluded) {
        conclude(g);
    }
    const struct shoal_report *r = shoal_report(g->d);
    if (r == NULL) {
        return;
    }
    count(g->s, r);
    if (g->seeding && g->o->verbosity >= NORMAL) {
        show_seeded(stderr, r);
    }
    if (options_flag(g->o, "explain")) {
        show_explanation(stderr, r);
    }
    if (g->s->json != NULL && jsonfile_add(g->s->json, r, status) != 0) {
        fprintf(stderr, "shoal: --report: out of memory\n");
    }
}

/* Of a Metalink the file of that number, NULL: the first; how many there are
 * where it is one. */
static size_t
get_file(struct session *s, const char *url, const char *place,
         const char *select)
{
    struct get g = { .s = s, .o = s->o };

    s->urls++;
    g.d = shoal_copy(s->o->settings, url);
    if (g.d == NULL
        || (select != NULL && shoal_set(g.d, "select-file", select) != 0))
    {
        shoal_free(g.d);
        session_fail(s, STATUS_OTHER, place, "out of memory");
        return 0;
    }
    say_url(s->o, url);
    progress_start(&g.progress, &s->o->progress, stderr);
    shoal_on_progress(g.d, on_progress, &g);
    shoal_on_message(g.d, on_message, &g);
    stop_watch(g.d);
    int err = shoal_run(g.d);
    stop_forget();
    s->cut = s->cut || err == SHOAL_ESTOPPED;
    finish(&g, err, place);
    const struct shoal_report *r = shoal_report(g.d);
    size_t files = r != NULL ? r->files : 0;
    shoal_free(g.d);
    return files;
}

void
get_url(struct session *s, const char *url, const char *place)
{
    size_t files = get_file(s, url, place, NULL);
    char number[24];

    for (size_t i = 2; i <= files && !stop_asked(); i++) {
        snprintf(number, sizeof(number), "%zu", i);
        get_file(s, url, place, number);
    }
}
