/* show_explain.c - why each source was used, or was not. */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "shoal.h"
#include "show.h"
#include "text.h"

static void
print_events(FILE *f, const struct shoal_report *r, const char *what)
{
    char text[TEXT_MAX];

    for (size_t i = 0; i < r->n_events; i++) {
        const struct shoal_event *e = &r->events[i];

        if (strcmp(e->what, what) == 0) {
            text_safe(e->text, text, sizeof(text));
            fprintf(f, "    %8.3f s  %s\n", e->seconds, text);
        }
    }
}

/* `1.50M (39.3% of the file) from 0.024 s to 1.006 s, 1.49MB/s`. */
static void
print_given(FILE *f, const struct shoal_report *r,
            const struct shoal_source *s)
{
    double share = (double) s->used * 100 / (double) r->held;
    char number[TEXT_NUMBER];

    text_bytes((double) s->used, number);
    fprintf(f, "    gave %s (%.1f%% of the file)", number, share);
    if (s->first >= 0) {
        fprintf(f, " from %.3f s to %.3f s", s->first, s->last);
    }
    if (s->first >= 0 && s->last - s->first > 0.001) {
        text_rate((double) s->used / (s->last - s->first), "", number);
        fprintf(f, ", %s", number);
    }
    if (s->rate > 0) {
        text_rate(s->rate, "", number);
        fprintf(f, ", at last %s", number);
    }
    fputc('\n', f);
}

static void
print_source(FILE *f, const struct shoal_report *r,
             const struct shoal_source *s)
{
    char name[TEXT_MAX], state[TEXT_MAX], number[TEXT_NUMBER];

    text_safe(s->name, name, sizeof(name));
    text_safe(s->state, state, sizeof(state));
    fprintf(f, "  %s %s: %s\n", show_kind(s->kind), name, state);
    print_events(f, r, s->name);
    if (s->used > 0 && r->held > 0) {
        print_given(f, r, s);
    } else {
        fputs("    gave nothing\n", f);
    }
    if (s->wasted > 0 || s->wrong > 0) {
        text_bytes((double) s->wasted, number);
        fprintf(f,
                "    %s of what it sent thrown away, %" PRIu64
                " block%s failed the check%s\n",
                number, s->wrong, s->wrong == 1 ? "" : "s",
                s->banned ? ", so it is banned" : "");
    }
}

/* Whether an event is told with a source or a tracker. */
static bool
has_owner(const struct shoal_report *r, const char *what)
{
    for (size_t i = 0; i < r->n_sources; i++) {
        if (strcmp(r->sources[i].name, what) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < r->n_trackers; i++) {
        if (strcmp(r->trackers[i].url, what) == 0) {
            return true;
        }
    }
    return *what == '\0';
}

static void
print_others(FILE *f, const struct shoal_report *r)
{
    char what[TEXT_MAX], text[TEXT_MAX];
    bool begun = false;

    for (size_t i = 0; i < r->n_events; i++) {
        const struct shoal_event *e = &r->events[i];

        if (has_owner(r, e->what)) {
            continue;
        }
        if (!begun) {
            fputs("  others\n", f);
            begun = true;
        }
        text_safe(e->what, what, sizeof(what));
        text_safe(e->text, text, sizeof(text));
        fprintf(f, "    %8.3f s  %s: %s\n", e->seconds, what, text);
    }
}

void
show_explanation(FILE *f, const struct shoal_report *r)
{
    char name[TEXT_MAX], state[TEXT_MAX];

    text_safe(r->file != NULL ? r->file : "", name, sizeof(name));
    fprintf(f, "Explanation of '%s':\n  the download\n", name);
    print_events(f, r, "");
    fprintf(f, "    the bytes are borne out by ");
    show_trust(f, r);
    fputc('\n', f);
    for (size_t i = 0; i < r->n_trackers; i++) {
        text_safe(r->trackers[i].url, name, sizeof(name));
        text_safe(r->trackers[i].state, state, sizeof(state));
        fprintf(f, "  tracker %s: %s\n", name, state);
        print_events(f, r, r->trackers[i].url);
    }
    for (size_t i = 0; i < r->n_sources; i++) {
        print_source(f, r, &r->sources[i]);
    }
    print_others(f, r);
    if (r->lost_events > 0) {
        fprintf(f, "  (%zu events are left out)\n", r->lost_events);
    }
    fputc('\n', f);
}
