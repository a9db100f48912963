/* revive.c - CDN nodes that are asked or judged anew, and what is forgotten of
 * them for that. */
#include <stdlib.h>
#include <string.h>

#include "begin.h"
#include "explain_transfer.h"
#include "fetch.h"
#include "mirror.h"
#include "node.h"
#include "revive.h"
#include "shoal.h"
#include "transfer_internal.h"

enum {
    AGAIN_MS = 3000, /* a node that was given up is asked anew; doubled */
    DEATHS_MAX = 5   /* of one node, then it stays so */
};

/* What was thought of it. */
static void
forget_verdict(struct source *s)
{
    s->error = 0;
    s->state[0] = '\0';
    s->judged = s->drop = s->usable = s->foreign = s->passing = false;
}

/* What it was asked, and gave before the standard was known. */
static void
forget_questions(struct source *s)
{
    s->opened = s->asked_byte = s->by_get = s->no_ranges = false;
    s->early_broke = false;
    s->wasted += s->early_len;
    s->early_len = 0;
}

/* Back to where the node's answer is known and not judged. What it was asked
 * and did not answer yet is over: it can be asked again. */
static void
judge_anew(struct source *s)
{
    forget_verdict(s);
    s->node =
        answer_size(&s->answer) != ORIGIN_UNKNOWN ? NODE_KNOWN : NODE_NEW;
    if (!s->ranges) {
        forget_questions(s);
    }
}

void
revive_ask(struct source *s)
{
    forget_verdict(s);
    forget_questions(s);
    s->node = NODE_NEW;
    s->failures = 0;
    s->retry_ms = 0;
}

void
revive_unknown(struct source *s)
{
    s->wasted += s->used;
    s->used = 0;
    if (s->kind != SOURCE_CDN || s->banned || s->followed) {
        s->wasted += s->early_len;
        s->early_len = 0;
    } else {
        revive_ask(s);
        answer_reset(&s->answer);
        s->invited = s->ranges = s->rangeless = s->retrying = false;
        s->changed = s->told_known = s->had_solo = false;
        s->idle_ms = s->recheck_ms = 0;
    }
    free(s->early);
    s->early = NULL;
    s->early_cap = s->early_seen = 0;
    if (s->kind != SOURCE_CDN) {
        node_failed(s, SHOAL_ENOAGREE, "of another version");
    }
}

/* ---- those that were given up ---- */

/* May what it failed with pass by itself? */
static bool
may_recover(const struct source *s)
{
    return s->kind == SOURCE_CDN && s->node == NODE_FAILED && !s->banned
           && s->deaths < DEATHS_MAX
           && (node_unreached(s->error) || s->error == SHOAL_EHTTP);
}

static void
bring_back(struct transfer *t, struct source *s)
{
    if (!begin_has_version(&t->resource)) {
        fetch_disown(t, s); /* it may come back with another file */
    }
    revive_ask(s);
    s->followed = false;
    s->again_ms = 0;
    s->deaths++;
    memset(s->samples, 0, sizeof(s->samples));
    explain(t, s, "asked whether it is back");
}

void
revive_due(struct transfer *t)
{
    uint64_t now = clock_ms();

    for (size_t i = 0; t->o.want == NULL && i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (!may_recover(s)) {
            continue;
        }
        if (s->again_ms == 0) {
            s->again_ms = now + ((uint64_t) AGAIN_MS << s->deaths);
        } else if (now >= s->again_ms) {
            bring_back(t, s);
        }
    }
}

/* ---- another version ---- */

/* Mirrors of another version, whose bytes nothing bears out, are left: one of
 * them gives all of the file. What others gave is no part of it. */
bool
revive_mirrors(struct transfer *t)
{
    bool any = false;

    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->foreign && s->usable) {
            judge_anew(s);
            any = true;
        }
    }
    for (size_t i = 0; any && i < t->n_sources; i++) {
        t->sources[i]->wasted += t->sources[i]->used;
        t->sources[i]->used = 0;
    }
    if (any) {
        explain(t, NULL, "not the right version: another one is tried");
        begin_forget(t);
    }
    return any;
}

bool
revive_others(struct transfer *t)
{
    struct answer standard = t->standard->answer;
    bool any = false;

    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];
        bool known = answer_size(&s->answer) != ORIGIN_UNKNOWN;

        s->wasted += s->used;
        s->used = 0;
        if (s->kind != SOURCE_CDN) {
            node_failed(s, SHOAL_EVERIFY, "of another version");
        } else if (known && answer_same_version(&s->answer, &standard)) {
            node_failed(s, SHOAL_EVERIFY, "not the version that was asked");
        } else if (may_recover(s)) {
            judge_anew(s);
            s->deaths++;
            any = true;
        } else if ((s->error == SHOAL_ENOAGREE && known && !s->no_ranges)
                   || s->passing || s->node == NODE_KNOWN
                   || s->node == NODE_PROBING || s->node == NODE_NEW)
        {
            judge_anew(s);
            any = true;
        }
    }
    any = (any || mirror_awaited(t)) && t->o.want == NULL;
    if (any) {
        begin_forget(t);
    }
    return any;
}
