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

static void
row(FILE *f, const char *name, const char *kind, uint64_t bytes,
    uint64_t wasted, uint64_t total, const char *state)
{
    fprintf(f, "  %-28.60s %-10s %14" PRIu64 " %5.1f%% %12" PRIu64 "  %s\n",
            name, kind, bytes,
            total > 0 ? (double) bytes * 100 / (double) total : 0.0, wasted,
            state);
}

static void
print_trackers(FILE *f, const struct transfer *t)
{
    const char *state, *url;

    for (size_t i = 0; (url = transfer_tracker(t, i, &state)) != NULL; i++) {
        if (*state != '\0') {
            fprintf(f, "  tracker %s: %s\n", url, state);
        }
    }
}

void
report_print(FILE *f, const struct transfer *t, const struct report *r)
{
    uint64_t used[3] = { 0 }, wasted[3] = { 0 };
    uint64_t total = transfer_held(t);
    char size[16], rate[16];

    fprintf(f, "  %-28s %-10s %14s %6s %12s  %s\n", "source", "kind", "bytes",
            "share", "wasted", "state");
    for (size_t i = 0; i < transfer_source_count(t); i++) {
        struct source_stats s;

        transfer_source(t, i, &s);
        used[s.kind] += s.used;
        wasted[s.kind] += s.wasted;
        row(f, s.name, kinds[s.kind], s.used, s.wasted, total, s.state);
    }
    for (size_t k = 0; k < 3; k++) {
        row(f, "all", kinds[k], used[k], wasted[k], total, "");
    }
    if (r->resumed > 0) {
        row(f, "kept from before", "file", r->resumed, 0, total, "");
    }
    print_trackers(f, t);
    progress_bytes((double) (total - r->resumed)
                       / (r->seconds > 0.001 ? r->seconds : 0.001),
                   rate, sizeof(rate));
    progress_bytes((double) r->uploaded, size, sizeof(size));
    fprintf(f, "'%s' %s [%" PRIu64 "] in %.2f s (%sB/s); uploaded %s%s\n",
            r->name, r->saved ? "saved" : "not saved", total, r->seconds, rate,
            size, r->uploaded >= 1024 ? "B" : " bytes");
}
