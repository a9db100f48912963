#include "report.h"

#include <inttypes.h>
#include <string.h>

#include "progress.h"
#include "shoal.h"

static const char *const kinds[] = {
    [SHOAL_CDN] = "CDN node",
    [SHOAL_SUPER] = "super peer",
    [SHOAL_PEER] = "peer",
};

/* One line of the table. */
struct line {
    const char *name, *kind, *state;
    uint64_t bytes, wasted;
};

static void
print_line(FILE *f, const struct line *l, uint64_t total)
{
    double share = total > 0 ? (double) l->bytes * 100 / (double) total : 0;

    fprintf(f, "  %-28.60s %-10s %14" PRIu64 " %5.1f%% %12" PRIu64 "  %s\n",
            l->name, l->kind, l->bytes, share, l->wasted, l->state);
}

static void
print_sources(FILE *f, const struct shoal_report *r)
{
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
}

void
report_print(FILE *f, const struct shoal_report *r)
{
    uint64_t resumed = r->resumed <= r->held ? r->resumed : 0;
    char size[16], rate[16];

    fprintf(f, "  %-28s %-10s %14s %6s %12s  %s\n", "source", "kind", "bytes",
            "share", "wasted", "state");
    print_sources(f, r);
    if (resumed > 0) {
        struct line l = { "kept from before", "file", "", resumed, 0 };

        print_line(f, &l, r->held);
    }
    for (size_t i = 0; i < r->n_trackers; i++) {
        if (strcmp(r->trackers[i].state, "ok") != 0) {
            fprintf(f, "  tracker %s: %s\n", r->trackers[i].url,
                    r->trackers[i].state);
        }
    }
    progress_bytes((double) (r->held - resumed)
                       / (r->seconds > 0.001 ? r->seconds : 0.001),
                   rate, sizeof(rate));
    progress_bytes((double) r->uploaded, size, sizeof(size));
    fprintf(f, "'%s' %s [%" PRIu64 "] in %.2f s (%sB/s); uploaded %s%s\n",
            r->file, r->saved ? "saved" : "not saved", r->held, r->seconds,
            rate, size, r->uploaded >= 1024 ? "B" : " bytes");
}
