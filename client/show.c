#include "show.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "shoal.h"
#include "text.h"

static const char *const kinds[SHOAL_KINDS] = {
    [SHOAL_CDN] = "CDN node",
    [SHOAL_SUPER] = "super peer",
    [SHOAL_PEER] = "peer",
};

const char *
show_kind(int kind)
{
    return kinds[kind];
}

/* One line of the table. */
struct line {
    const char *name, *kind, *state;
    uint64_t bytes, wasted;
};

static void
print_line(FILE *f, const struct line *l, uint64_t total)
{
    double share = total > 0 ? (double) l->bytes * 100 / (double) total : 0;
    char name[TEXT_MAX], state[TEXT_MAX];

    text_safe(l->name, name, sizeof(name));
    text_safe(l->state, state, sizeof(state));
    fprintf(f, "  %-28.60s %-10s %14" PRIu64 " %5.1f%% %12" PRIu64 "  %s\n",
            name, l->kind, l->bytes, share, l->wasted, state);
}

static uint64_t
kept(const struct shoal_report *r)
{
    return r->resumed <= r->held ? r->resumed : 0;
}

static void
print_tracker(FILE *f, const struct shoal_tracker *t)
{
    char url[TEXT_MAX], state[TEXT_MAX];

    text_safe(t->url, url, sizeof(url));
    text_safe(t->state, state, sizeof(state));
    fprintf(f, "  tracker %s: %s\n", url, state);
}

void
show_table(FILE *f, const struct shoal_report *r)
{
    char number[TEXT_NUMBER];

    fprintf(f, "  %-28s %-10s %14s %6s %12s  %s\n", "source", "kind", "bytes",
            "share", "wasted", "state");
    for (size_t i = 0; i < r->n_sources; i++) {
        const struct shoal_source *s = &r->sources[i];
        struct line l = { s->name, kinds[s->kind], s->state, s->used,
                          s->wasted };

        print_line(f, &l, r->held);
    }
    for (size_t k = 0; k < SHOAL_KINDS; k++) {
        struct line l = { "all", kinds[k], "", r->used[k], r->wasted[k] };

        print_line(f, &l, r->held);
    }
    if (kept(r) > 0) {
        struct line l = { "kept from before", "file", "", kept(r), 0 };

        print_line(f, &l, r->held);
    }
    for (size_t i = 0; i < r->n_trackers; i++) {
        if (strcmp(r->trackers[i].state, "ok") != 0) {
            print_tracker(f, &r->trackers[i]);
        }
    }
    if (r->uploaded > 0) {
        text_bytes((double) r->uploaded, number);
        fprintf(f, "  uploaded %s%s\n", number,
                r->uploaded >= 1024 ? "B" : " bytes");
    }
}

static double
mean_rate(const struct shoal_report *r)
{
    return (double) (r->held - kept(r))
           / (r->seconds > 0.001 ? r->seconds : 0.001);
}

/* `[n/n]`, or `[n]` where nobody knows the size. */
static void
print_size(FILE *f, const struct shoal_report *r)
{
    fprintf(f, "[%" PRIu64, r->held);
    if (r->size != SHOAL_UNKNOWN) {
        fprintf(f, "/%" PRIu64, r->size);
    }
    fputc(']', f);
}

void
show_saved(FILE *f, const struct shoal_report *r)
{
    char stamp[TEXT_STAMP], rate[TEXT_NUMBER], name[TEXT_MAX];

    if (!r->saved && r->held == 0) {
        fputc('\n', f);
        return; /* the error has said it all */
    }
    text_stamp(stamp);
    text_rate(mean_rate(r), " ", rate);
    text_safe(r->file, name, sizeof(name));
    fprintf(f, "%s (%s) - ", stamp, rate);
    if (strcmp(r->file, "-") == 0) {
        fprintf(f, "%swritten to stdout ", r->saved ? "" : "not ");
    } else {
        fprintf(f, "'%s' %s ", name, r->saved ? "saved" : "not saved");
    }
    print_size(f, r);
    fputs("\n\n", f);
}

void
show_saved_short(FILE *f, const struct shoal_report *r)
{
    char stamp[TEXT_STAMP], url[TEXT_MAX], shown[TEXT_MAX], name[TEXT_MAX];

    text_stamp(stamp);
    text_less_secrets(r->url, url, sizeof(url));
    text_safe(url, shown, sizeof(shown));
    text_safe(r->file, name, sizeof(name));
    fprintf(f, "%s URL:%s ", stamp, shown);
    print_size(f, r);
    fprintf(f, " -> \"%s\"\n", name);
}

void
show_seeded(FILE *f, const struct shoal_report *r)
{
    char stamp[TEXT_STAMP], number[TEXT_NUMBER];
    double size = r->held > 0 ? (double) r->held : 1;

    text_stamp(stamp);
    text_bytes((double) r->uploaded, number);
    fprintf(f, "%s - seeding ends: %s given to others, %.2f of the file\n\n",
            stamp, number, (double) r->uploaded / size);
}

void
show_trust(FILE *f, const struct shoal_report *r)
{
    static const char *const words[] = {
        [SHOAL_TRUST_NONE] = "nothing, and parts of it came from peers",
        [SHOAL_TRUST_CDN] = "nothing but what the CDN nodes gave",
        [SHOAL_TRUST_COPY] = "super peers' own piece layers",
        [SHOAL_TRUST_TRACKER] = "the root that a tracker told",
        [SHOAL_TRUST_LAYER] = "the piece layer that the origin published",
        [SHOAL_TRUST_CHECKSUM] = "the checksum that the origin published",
        [SHOAL_TRUST_USER] = "the checksum or piece layer that was given",
    };

    fputs(words[r->trust], f);
    if (r->trust == SHOAL_TRUST_TRACKER && r->votes > 0) {
        fprintf(f, ", with %u vote%s", r->votes, r->votes == 1 ? "" : "s");
    }
}
