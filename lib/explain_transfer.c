/* explain_transfer.c - what a transfer notes of its sources, its trackers and
 * itself, in its record. */
#include <stdio.h>
#include <string.h>

#include "explain_transfer.h"
#include "transfer_internal.h"

enum {
    RATE_MS = 2000 /* between two rates of one source */
};

#define MIB (1024.0 * 1024.0)

void
explain(const struct transfer *t, const struct source *s, const char *format,
        ...)
{
    va_list args;

    va_start(args, format);
    explain_add(t->o.explain, s != NULL ? s->name : "", format, args);
    va_end(args);
}

void
explain_tracker(const struct transfer *t, const struct tracker_state *tr,
                const char *format, ...)
{
    va_list args;

    va_start(args, format);
    explain_add(t->o.explain, tr->shown, format, args);
    va_end(args);
}

void
explain_failed(const struct source *s)
{
    if (s->drop) {
        return; /* said already */
    }
    if (s->used > 0) {
        explain(s->t, s, "given up: %s, after %.1f MiB, at %.2f MiB/s",
                s->state, (double) s->used / MIB, s->rate / MIB);
    } else {
        explain(s->t, s, "%s: %s", s->usable ? "given up" : "not used",
                s->state);
    }
}

/* The first one, and what is half of the last, or twice as much. */
static bool
is_news(const struct source *s)
{
    return s->told_rate <= 0 || s->rate > 2 * s->told_rate
           || s->rate < s->told_rate / 2;
}

void
explain_rates(struct transfer *t, uint64_t now)
{
    for (size_t i = 0; t->o.explain != NULL && i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->active == 0 || s->rate <= 0 || now - s->told_ms < RATE_MS
            || !is_news(s))
        {
            continue;
        }
        explain(t, s, "gives %.2f MiB/s", s->rate / MIB);
        s->told_ms = now;
        s->told_rate = s->rate;
    }
}

void
explain_known(struct source *s, const char *request)
{
    const struct answer *a = &s->answer;
    char size[32] = "size unknown";

    if (s->told_known) {
        return;
    }
    s->told_known = true;
    if (answer_size(a) != ORIGIN_UNKNOWN) {
        snprintf(size, sizeof(size), "%llu bytes",
                 (unsigned long long) answer_size(a));
    }
    explain(s->t, s, "answers a %s: HTTP %u, %s, %s", request, a->status, size,
            a->etag[0] != '\0' ? a->etag : "no ETag");
}

void
explain_end(const struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->first_ms != 0 || s->drop) {
            continue;
        }
        if (s->kind == SOURCE_CDN && s->node == NODE_NEW) {
            explain(t, s, "never asked");
        } else if (s->kind == SOURCE_CDN && s->node == NODE_PROBING) {
            explain(t, s, "had not answered when it was over");
        } else if (s->used == 0) {
            explain(t, s, "was not needed");
        }
    }
}
