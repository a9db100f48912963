/* report.c - what became of a download, for the public API. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "digest.h"
#include "explain.h"
#include "file.h"
#include "given.h"
#include "shoal_internal.h"
#include "transfer.h"

/* Room for n of that size, in the place of what is there; NULL: no memory. */
static void *
renew(void *old, size_t n, size_t size)
{
    return reallocarray(old, n > 0 ? n : 1, size);
}

static double
seconds(uint64_t ms)
{
    return (double) ms / 1000;
}

static int
add_sources(struct shoal *d)
{
    struct shoal_report *r = &d->report;
    size_t n = transfer_source_count(d->transfer);
    struct shoal_source *list = renew(d->sources, n, sizeof(*list));

    if (list == NULL) {
        return SHOAL_ENOMEM;
    }
    d->sources = list;
    for (size_t i = 0; i < n; i++) {
        struct source_stats s;

        transfer_source(d->transfer, i, &s);
        r->used[s.kind] += s.used;
        r->wasted[s.kind] += s.wasted;
        list[i] = (struct shoal_source){
            .kind = (enum shoal_kind) s.kind,
            .name = s.name,
            .state = s.state,
            .used = s.used,
            .wasted = s.wasted,
            .wrong = s.wrong,
            .banned = s.banned,
            .rate = s.rate,
            .first = s.first_ms > 0 ? seconds(s.first_ms) : -1,
            .last = s.first_ms > 0 ? seconds(s.last_ms) : -1,
        };
    }
    r->sources = list;
    r->n_sources = n;
    return 0;
}

static int
add_trackers(struct shoal *d)
{
    const char *state, *url;
    size_t n = 0;

    while (transfer_tracker(d->transfer, n, &state) != NULL) {
        n++;
    }
    struct shoal_tracker *list = renew(d->trackers, n, sizeof(*list));
    if (list == NULL) {
        return SHOAL_ENOMEM;
    }
    d->trackers = list;
    for (size_t i = 0; i < n; i++) {
        url = transfer_tracker(d->transfer, i, &state);
        list[i] = (struct shoal_tracker){ url, *state != '\0' ? state : "ok" };
    }
    d->report.trackers = list;
    d->report.n_trackers = n;
    return 0;
}

static int
add_events(struct shoal *d)
{
    size_t n = d->explain != NULL ? explain_count(d->explain) : 0;
    struct shoal_event *list = renew(d->events, n, sizeof(*list));

    if (list == NULL) {
        return SHOAL_ENOMEM;
    }
    d->events = list;
    for (size_t i = 0; i < n; i++) {
        struct explain_event e = explain_get(d->explain, i);

        list[i] = (struct shoal_event){ seconds(e.ms), e.what, e.text };
    }
    d->report.events = list;
    d->report.n_events = n;
    d->report.lost_events = n > 0 ? (size_t) explain_lost(d->explain) : 0;
    return 0;
}

static int
add_transfer(struct shoal *d)
{
    struct shoal_report *r = &d->report;
    const uint8_t *root = transfer_root(d->transfer);

    r->size = transfer_total(d->transfer);
    r->held = transfer_held(d->transfer);
    r->retries = transfer_retries(d->transfer);
    r->trust = transfer_trust(d->transfer, &r->votes);
    r->version = transfer_version(d->transfer);
    if (root != NULL) {
        hex_encode(root, DIGEST_LEN, d->root);
        r->root = d->root;
    }
    int err = add_sources(d);
    return err == 0 ? add_trackers(d) : err;
}

int
report_make(struct shoal *d)
{
    struct shoal_report *r = &d->report;
    uint64_t until = d->end_ms != 0 ? d->end_ms : clock_ms();

    *r = (struct shoal_report){
        .result = d->result,
        .error = d->why,
        .url = d->url != NULL ? d->url : "",
        .file = d->file != NULL ? file_path(d->file) : "",
        .saved = d->saved,
        .there = d->there,
        .size = SHOAL_UNKNOWN,
        .resumed = d->file != NULL ? file_resumed(d->file) : 0,
        .seconds = d->stage != STAGE_NEW ? seconds(until - d->start_ms) : 0,
        .uploaded = download_uploaded(d),
        .version = "",
        .root = "",
        .files = d->given != NULL && d->settings->select_file == 0
                     ? given_files(d->given)
                     : 0,
    };
    int err = d->transfer != NULL ? add_transfer(d) : 0;
    return err == 0 ? add_events(d) : err;
}

void
report_fini(struct shoal *d)
{
    free(d->sources);
    free(d->trackers);
    free(d->events);
}
