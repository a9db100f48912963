#include "report.h"

#include <inttypes.h>
#include <string.h>

#include "progress.h"
#include "transfer.h"

static const char *const kinds[] = {
    [SOURCE_CDN] = "CDN node",
    [SOURCE_SUPER] = "super peer",
    [SOURCE_PEER] = "peer",
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
print_trackers(FILE *f, const struct transfer *t)
{
    const char *state, *url;

    for (size_t i = 0; (url = transfer_tracker(t, i, &state)) != NULL; i++) {
        if (*state != '\0') {
            /* less its query, which may be a secret */
            fprintf(f, "  tracker %.*s: %s\n", (int) strcspn(url, "?"), url,
                    state);
        }
    }
}

void
report_print(FILE *f, const struct transfer *t, const struct report *r)
{
    uint64_t used[3] = { 0 }, wasted[3] = { 0 };
    uint64_t total = transfer_held(t);
    uint64_t resumed = r->resumed <= total ? r->resumed : 0;
    char size[16], rate[16];

    fprintf(f, "  %-28s %-10s %14s %6s %12s  %s\n", "source", "kind", "bytes",
            "share", "wasted", "state");
    for (size_t i = 0; i < transfer_source_count(t); i++) {
        struct source_stats s;

        transfer_source(t, i, &s);
        used[s.kind] += s.used;
        wasted[s.kind] += s.wasted;
        struct line l = { s.name, kinds[s.kind], s.state, s.used, s.wasted };
        print_line(f, &l, total);
    }
    for (size_t k = 0; k < 3; k++) {
        struct line l = { "all", kinds[k], "", used[k], wasted[k] };

        print_line(f, &l, total);
    }
    if (resumed > 0) {
        struct line l = { "kept from before", "file", "", resumed, 0 };

        print_line(f, &l, total);
    }
    print_trackers(f, t);
    progress_bytes((double) (total - resumed)
                       / (r->seconds > 0.001 ? r->seconds : 0.001),
                   rate, sizeof(rate));
    progress_bytes((double) r->uploaded, size, sizeof(size));
    fprintf(f, "'%s' %s [%" PRIu64 "] in %.2f s (%sB/s); uploaded %s%s\n",
            r->name, r->saved ? "saved" : "not saved", total, r->seconds, rate,
            size, r->uploaded >= 1024 ? "B" : " bytes");
}
