/* whole.c - a node that shows neither a strong ETag nor Last-Modified: nothing
 * tells whether two of its answers are of one version. Where nothing else
 * tells right bytes from wrong, all of the file comes in one answer, and
 * begins anew when that breaks off. */
#include <limits.h>

#include "explain_transfer.h"
#include "fetch.h"
#include "intake.h"
#include "patience.h"
#include "shoal.h"
#include "transfer_internal.h"
#include "trust.h"
#include "whole.h"

enum {
    BEGUN_MAX = 6 /* how often, unless the user says */
};

static bool
is_bare(const struct answer *a)
{
    return !answer_comparable(a, a);
}

/* Whatever the bytes are, they are what the user wants. */
static bool
is_waived(const struct transfer *t)
{
    return t->o.settings != NULL && t->o.settings->unverified_peers;
}

bool
whole_wanted(const struct transfer *t, const struct source *s)
{
    return t->standard != NULL && !trust_covers(t) && !is_waived(t)
           && (is_bare(&s->answer) || is_bare(&t->standard->answer));
}

static bool
is_at_work(const struct transfer *t)
{
    for (const struct job *job = t->jobs; job != NULL; job = job->next) {
        if (job->kind == JOB_DATA) {
            return true;
        }
    }
    return false;
}

/* False: that was often enough. */
static bool
begin_anew(struct transfer *t, const struct source *s)
{
    unsigned most = BEGUN_MAX;

    if (patience_given(t)) {
        most = t->user.tries != 0 ? t->user.tries : UINT_MAX;
    }
    if (++t->wholes > most) {
        transfer_fail(t, SHOAL_ENET,
                      "%s: broke off %u times, and shows no ETag nor "
                      "Last-Modified to go on by",
                      s->name, t->wholes);
        return false;
    }
    explain(t, s,
            "shows no ETag nor Last-Modified: all of the file is to come in "
            "one answer");
    for (uint32_t i = 0; i < t->map.count; i++) {
        fetch_forget(t, i);
    }
    return true;
}

int
whole_take(struct transfer *t, const struct source *s,
           struct schedule_range *out)
{
    if (is_at_work(t)) {
        return SHOAL_EBUSY;
    }
    intake_drain(t);
    if (t->error != 0 || blockmap_complete(&t->map)
        || (t->map.held > 0 && !begin_anew(t, s)))
    {
        return SHOAL_ENOTFOUND;
    }
    t->answers = 0;
    *out = (struct schedule_range){ 0, t->map.count };
    return schedule_begin_at(t->schedule, s->scheduled, 0, t->map.count,
                             clock_ms());
}

bool
whole_mixed(struct transfer *t)
{
    bool wanted = whole_wanted(t, t->standard);

    for (uint32_t i = 0; !wanted && i < t->map.count; i++) {
        const struct source *s =
            t->from[i] != NO_SOURCE ? t->sources[t->from[i]] : NULL;

        wanted = s != NULL && s->kind == SOURCE_CDN && whole_wanted(t, s);
    }
    if (wanted && t->answers > 1) {
        begin_anew(t, t->standard);
        return true;
    }
    return false;
}
