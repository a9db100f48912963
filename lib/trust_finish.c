/* trust_finish.c - everything is held: is it the right file? What is not sure
 * yet is compared with a CDN node's; what is wrong is fetched again, from fewer
 * and fewer who could have been wrong. */
#include <stdlib.h>
#include <string.h>

#include "explain_transfer.h"
#include "fetch.h"
#include "intake.h"
#include "pieces.h"
#include "revive.h"
#include "shoal.h"
#include "solo.h"
#include "standard.h"
#include "transfer_internal.h"
#include "trust.h"

enum {
    LAYER_MS = 1000 /* after the last block */
};

static bool
has_foreign(const struct transfer *t)
{
    for (uint32_t i = 0; i < t->map.count; i++) {
        if (!trust_by_cdn(t, i)) {
            return true;
        }
    }
    return false;
}

/* Back to what CDN nodes say in this run alone, to one node at a time, to
 * another version. */
static int
retreat(struct transfer *t)
{
    if (!has_foreign(t)) {
        return solo_next(t) || revive_others(t) ? SHOAL_ENOTFOUND
                                                : SHOAL_EVERIFY;
    }
    t->cdn_only = true;
    explain(t, NULL,
            "the bytes are not right: what others gave is fetched "
            "again");
    trust_forget_others(t, true);
    return SHOAL_ENOTFOUND;
}

/*
 * A root that the tracker alone vouches for, and not one block of this run
 * bears it out: one is asked of a CDN node.
 */
static bool
ask_to_confirm(struct transfer *t)
{
    if (t->trusted == NULL || !t->by_tracker || t->confirmed
        || standard_usable(t) == 0)
    {
        return false;
    }
    uint32_t block = arc4random_uniform(t->map.count);
    fetch_forget(t, block);
    return schedule_reserve(t->schedule, block, -1) == 0;
}

/* Likewise, blocks that a super peer's own layer alone vouches for, when none
 * of it was compared with what a CDN node gave. */
static bool
is_unproven(const struct transfer *t, uint32_t block)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (trust_vouches(s) && !s->compared
            && digest_equal(digest_at(s->hashes, block),
                            digest_at(t->layer, block)))
        {
            return true;
        }
    }
    return false;
}

static bool
ask_to_compare(struct transfer *t)
{
    uint32_t count = t->map.count,
             from = count > 0 ? arc4random_uniform(count) : 0;

    if (t->trusted != NULL || trust_has_sum(t) || !t->hashing
        || standard_usable(t) == 0)
    {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t block = (from + i) % count;
        int source = t->from[block];

        if (source != NO_SOURCE && t->sources[source]->kind != SOURCE_CDN
            && is_unproven(t, block))
        {
            fetch_forget(t, block);
            return schedule_reserve(t->schedule, block, -1) == 0;
        }
    }
    return false;
}

/* The hash of the whole file decides; those of its pieces tell where it is
 * wrong, and decide where there is no other. */
static int
check_sums(struct transfer *t)
{
    int err = t->sum.len > 0 ? intake_check_sum(t) : 0;

    if ((err == 0 && t->sum.len > 0) || (err != 0 && err != SHOAL_EVERIFY)
        || t->pieces.n == 0)
    {
        return err;
    }
    int pieces = pieces_check(t);
    return pieces != 0 ? pieces : err;
}

/* CDN nodes alone gave the file, and the tracker's root is another one's. The
 * layer tells which block it is, and then another node who is right. */
static bool
awaits_layer(const struct transfer *t)
{
    if (clock_ms() - t->progress_ms > LAYER_MS) {
        return false;
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->kind == SOURCE_SUPER && !s->drop && !s->refused) {
            return true;
        }
    }
    return false;
}

/* The tracker's root, of which nobody had the layer. As trust_finish(). */
static int
check_root(struct transfer *t)
{
    if (t->trusted != NULL || !t->has_tracker_root) {
        return 0;
    }
    t->fits_root = digest_equal(t->root, t->tracker_root);
    if (!t->fits_root && has_foreign(t)) {
        return retreat(t);
    }
    return !t->fits_root && awaits_layer(t) ? SHOAL_ENOTFOUND : 0;
}

int
trust_finish(struct transfer *t)
{
    int err;

    if (ask_to_confirm(t) || ask_to_compare(t)) {
        return SHOAL_ENOTFOUND;
    }
    if (t->o.want != NULL && t->trusted != NULL && t->by_tracker
        && !t->confirmed) {
        transfer_fail(t, SHOAL_ENET, "no CDN node confirms the root");
        return SHOAL_ENET;
    }
    if (t->hashing && t->map.count > 0) {
        err = digest_root(t->layer, t->map.count, t->map.block_size, t->root);
        if (err != 0) {
            return err;
        }
        err = check_root(t);
        if (err != 0) {
            return err;
        }
    }
    err = check_sums(t);
    if (err != 0) {
        return err == SHOAL_EVERIFY ? retreat(t) : err;
    }
    t->has_root = t->hashing && t->map.count > 0;
    return 0;
}
