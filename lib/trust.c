/* trust.c - whom to believe (DESIGN: "Never a wrong byte"). */
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "explain_transfer.h"
#include "fetch.h"
#include "intake.h"
#include "node.h"
#include "pieces.h"
#include "revive.h"
#include "shoal.h"
#include "solo.h"
#include "standard.h"
#include "stream.h"
#include "swarm.h"
#include "transfer_internal.h"
#include "trust.h"
#include "whole.h"

enum {
    TRIES_MAX = 3 /* a block that comes out wrong differently each time */
};

bool
trust_has_sum(const struct transfer *t)
{
    return t->sum.len >= DIGEST_LEN || t->pieces.n > 0
           || (t->sum.len > 0 && t->o.checksum != NULL);
}

bool
trust_vouches(const struct source *s)
{
    return s->kind == SOURCE_SUPER && s->hashes != NULL && !s->banned;
}

static bool
has_voucher(const struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        if (trust_vouches(t->sources[i])) {
            return true;
        }
    }
    return false;
}

bool
trust_allows(const struct transfer *t, const struct source *s)
{
    if (trust_origin(s)) {
        return solo_allows(t, s);
    }
    if (t->cdn_only) {
        return false;
    }
    if (t->o.want != NULL) {
        return t->trusted != NULL; /* what is kept is told to others */
    }
    if (t->ordered) { /* what goes out cannot be fetched again */
        return t->trusted != NULL && (t->trusted_given || t->confirmed);
    }
    return t->trusted != NULL || trust_has_sum(t) || trust_waived(t, s)
           || (!whole_wanted(t, t->standard)
               && (s->kind == SOURCE_SUPER ? s->hashes != NULL
                                           : has_voucher(t)));
}

bool
trust_vouched(const struct transfer *t, uint32_t block)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        if (trust_vouches(t->sources[i])
            && !digest_is_zero(digest_at(t->sources[i]->hashes, block)))
        {
            return true;
        }
    }
    return false;
}

/* A peer's block under the layers of super peers, which are bound to no root
 * yet: one says so, and none says otherwise. */
static int
check_vouched(const struct transfer *t, struct source *s, uint32_t block,
              const uint8_t hash[DIGEST_LEN])
{
    unsigned like = 0, unlike = 0;

    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *v = t->sources[i];

        if (!trust_vouches(v) || digest_is_zero(digest_at(v->hashes, block))) {
            continue;
        }
        like += digest_equal(digest_at(v->hashes, block), hash);
        unlike += !digest_equal(digest_at(v->hashes, block), hash);
    }
    if (like == 0 && unlike > 0) {
        trust_strike(s);
    }
    return like > 0 && unlike == 0 ? 0 : SHOAL_EVERIFY;
}

static void
ban(struct source *s)
{
    s->banned = true;
    s->blame = BLAME_WRONG;
    node_failed(s, SHOAL_EVERIFY, "%s", "wrong blocks");
}

static void
strike(struct source *s)
{
    explain(s->t, s, "a wrong block");
    if (++s->strikes >= STRIKES_MAX) {
        ban(s);
    }
}

void
trust_strike(struct source *s)
{
    strike(s);
}

void
trust_sum(struct transfer *t, const struct checksum *sum)
{
    if (t->ordered && t->released) {
        return; /* it comes too late */
    }
    t->sum = *sum;
    trust_refresh(t);
}

bool
trust_by_cdn(const struct transfer *t, uint32_t block)
{
    return t->from[block] != NO_SOURCE
           && trust_origin(t->sources[t->from[block]]);
}

void
trust_forget_others(struct transfer *t, bool held_too)
{
    for (uint32_t i = 0; i < t->map.count; i++) {
        if (!trust_by_cdn(t, i) && (held_too || t->from[i] != NO_SOURCE)) {
            fetch_forget(t, i);
        }
    }
}

void
trust_refresh(struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        if (t->sources[i]->kind != SOURCE_CDN) {
            swarm_refresh(t, t->sources[i]);
        }
    }
}

static void
clear_suspect(struct transfer *t, uint32_t block)
{
    if (t->suspects != NULL && t->suspects[block].source != NO_SOURCE) {
        t->suspects[block].source = NO_SOURCE;
        t->n_suspects--;
        schedule_release(t->schedule, block);
    }
}

/* One node's layer may be as wrong as its bytes; what another node, or the one
 * place where it is, says again is the origin's word, and above CDN nodes'. */
static void
doubt_published(struct transfer *t)
{
    memcpy(t->doubted_root, t->trusted_root, DIGEST_LEN);
    t->has_doubted_root = true;
    if (!document_again(t, DOCUMENT_LAYER)) {
        transfer_fail(t, SHOAL_EVERIFY,
                      "what CDN nodes gave contradicts the piece layer that "
                      "the origin publishes");
    }
}

/* Two CDN nodes alike, or the only one twice, contradict the layer: it is
 * wrong, and so may be what its holders gave. */
static void
drop_layer(struct transfer *t)
{
    explain(t, NULL, "CDN nodes contradict the root: it is not believed");
    memcpy(t->dropped_root, t->trusted_root, DIGEST_LEN);
    t->has_dropped_root = true;
    t->has_tracker_root = false;
    free(t->trusted);
    t->trusted = NULL;
    for (uint32_t i = 0; i < t->map.count; i++) {
        clear_suspect(t, i);
    }
    trust_forget_others(t, false);
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind != SOURCE_CDN) {
            s->banned = true;
            node_failed(s, SHOAL_EVERIFY, "CDN nodes contradict its root");
        }
    }
    if (!t->by_tracker) {
        doubt_published(t);
    }
}

static bool
is_suspect(const struct transfer *t, uint32_t block)
{
    return t->suspects != NULL && t->suspects[block].source != NO_SOURCE;
}

static int
alloc_suspects(struct transfer *t)
{
    if (t->suspects != NULL) {
        return 0;
    }
    t->suspects = calloc(t->map.count, sizeof(*t->suspects));
    for (uint32_t i = 0; t->suspects != NULL && i < t->map.count; i++) {
        t->suspects[i].source = NO_SOURCE;
    }
    return t->suspects != NULL ? 0 : SHOAL_ENOMEM;
}

/*
 * A CDN node's block fails against the layer: who is wrong? The next CDN node
 * that is asked decides, not a super peer: it may have made up the layer.
 */
static void
suspect(struct transfer *t, struct source *s, uint32_t block,
        const uint8_t hash[DIGEST_LEN])
{
    bool alone = standard_usable(t) < 2;

    if (t->trusted_given) {
        strike(s);
        return;
    }
    if (alloc_suspects(t) != 0
        || schedule_reserve(t->schedule, block, alone ? -1 : s->scheduled)
               != 0)
    {
        transfer_fail(t, SHOAL_ENOMEM, "out of memory");
        return;
    }
    struct suspect *x = &t->suspects[block];
    if (x->source != NO_SOURCE && digest_equal(x->hash, hash)
        && (x->source != s->index || alone))
    {
        if (x->source == s->index && !t->by_tracker && solo_any_open(t)) {
            ban(s); /* what it publishes, others may have */
        } else {
            drop_layer(t);
        }
        return;
    }
    t->n_suspects += x->source == NO_SOURCE;
    x->source = (int16_t) s->index;
    memcpy(x->hash, hash, DIGEST_LEN);
    if (++x->tries > TRIES_MAX) {
        strike(s);
    }
}

void
trust_alone(struct transfer *t)
{
    for (uint32_t i = 0; t->n_suspects > 0 && i < t->map.count; i++) {
        if (is_suspect(t, i)) {
            schedule_reserve(t->schedule, i, -1); /* cannot fail again */
        }
    }
}

/* A CDN node gave the block as the layer says: that names the culprit. */
static void
convict(struct transfer *t, uint32_t block)
{
    if (!is_suspect(t, block)) {
        return;
    }
    struct source *s = t->sources[t->suspects[block].source];

    clear_suspect(t, block);
    strike(s);
    for (uint32_t i = 0; s->banned && i < t->map.count; i++) {
        if (t->suspects[i].source == s->index) {
            clear_suspect(t, i);
        }
    }
}

/* Without a trusted layer CDN nodes are believed, and a super peer's own
 * layer must not contradict them. */
static void
cross_check(struct transfer *t, uint32_t block, const uint8_t hash[DIGEST_LEN])
{
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->hashes == NULL || s->banned
            || digest_is_zero(digest_at(s->hashes, block)))
        {
            continue;
        }
        if (digest_equal(digest_at(s->hashes, block), hash)) {
            s->compared = true;
            continue;
        }
        s->banned = true;
        s->blame = BLAME_WRONG;
        node_failed(s, SHOAL_EVERIFY, "its piece layer contradicts the CDN");
        fetch_disown(t, s);
        trust_refresh(t);
    }
}

int
trust_check(struct transfer *t, struct source *s, uint32_t block,
            const uint8_t hash[DIGEST_LEN])
{
    if (t->trusted != NULL) {
        if (s->kind != SOURCE_CDN && is_suspect(t, block)) {
            return SHOAL_EVERIFY; /* asked before it was in doubt */
        }
        if (digest_equal(digest_at(t->trusted, block), hash)) {
            t->confirmed = t->confirmed || s->kind == SOURCE_CDN;
            convict(t, block);
            return 0;
        }
        if (trust_origin(s)) {
            suspect(t, s, block, hash);
        } else {
            strike(s);
        }
        return SHOAL_EVERIFY;
    }
    if (trust_origin(s)) {
        cross_check(t, block, hash);
        return 0;
    }
    if (s->kind == SOURCE_SUPER && s->hashes != NULL
        && !digest_is_zero(digest_at(s->hashes, block)))
    {
        if (!digest_equal(digest_at(s->hashes, block), hash)) {
            strike(s);
            return SHOAL_EVERIFY;
        }
        return 0;
    }
    if ((trust_has_sum(t) && !t->cdn_only) || trust_waived(t, s)) {
        return 0;
    }
    return s->kind == SOURCE_PEER && trust_allows(t, s)
               ? check_vouched(t, s, block, hash)
               : SHOAL_EVERIFY;
}

/* A peer was believed because a super peer's layer said the same. */
static struct source *
culprit(const struct transfer *t, struct source *s, uint32_t block,
        const uint8_t hash[DIGEST_LEN])
{
    for (size_t i = 0; s->kind == SOURCE_PEER && i < t->n_sources; i++) {
        struct source *v = t->sources[i];

        if (trust_vouches(v)
            && digest_equal(digest_at(v->hashes, block), hash)) {
            return v;
        }
    }
    return s;
}

/* ${by_tracker}: nobody but a tracker says so; ${given}: the user does. */
static void
adopt(struct transfer *t, uint8_t *layer, const uint8_t root[DIGEST_LEN],
      bool given, bool by_tracker)
{
    if (intake_need_hashes(t) != 0) {
        free(layer);
        return;
    }
    if (!given && stream_refuses(t, layer)) {
        explain(t, NULL,
                "a piece layer contradicts what CDN nodes gave: it "
                "is not believed");
        free(layer);
        return;
    }
    free(t->trusted);
    t->trusted = layer;
    t->trusted_given = given;
    t->by_tracker = by_tracker;
    t->confirmed = false;
    memcpy(t->trusted_root, root, DIGEST_LEN);

    for (uint32_t i = 0; i < t->map.count; i++) {
        uint8_t hash[DIGEST_LEN];

        if (!blockmap_has(&t->map, i)) {
            continue;
        }
        if (digest_equal(digest_at(t->layer, i), digest_at(layer, i))) {
            t->confirmed = t->confirmed || trust_by_cdn(t, i);
            continue;
        }
        int from = t->from[i];

        memcpy(hash, digest_at(t->layer, i), DIGEST_LEN);
        fetch_forget(t, i);
        if (from == NO_SOURCE) {
            continue;
        }
        if (trust_origin(t->sources[from])) {
            suspect(t, t->sources[from], i, hash);
        } else {
            strike(culprit(t, t->sources[from], i, hash));
        }
        if (t->trusted == NULL || t->error != 0) {
            return; /* it was dropped again */
        }
    }
    trust_refresh(t);
}

void
trust_adopt(struct transfer *t, uint8_t *layer, const uint8_t root[DIGEST_LEN],
            bool given)
{
    bool again = t->has_doubted_root && digest_equal(root, t->doubted_root);

    if (!given && again) {
        free(layer);
        transfer_fail(t, SHOAL_EVERIFY,
                      "what CDN nodes gave contradicts the piece layer that "
                      "the origin publishes");
        return;
    }
    adopt(t, layer, root, given, false);
}

static void
try_layer(struct transfer *t, const uint8_t *layer)
{
    uint8_t root[DIGEST_LEN];

    if (t->trusted != NULL || !t->has_tracker_root
        || digest_root(layer, t->map.count, t->map.block_size, root) != 0
        || !digest_equal(root, t->tracker_root))
    {
        return;
    }
    uint8_t *copy = malloc((size_t) t->map.count * DIGEST_LEN);
    if (copy != NULL) {
        memcpy(copy, layer, (size_t) t->map.count * DIGEST_LEN);
        explain(t, NULL,
                "a piece layer that fits the tracker's root is "
                "believed");
        adopt(t, copy, root, false, true);
    }
}

void
trust_tracker_root(struct transfer *t, const uint8_t root[DIGEST_LEN],
                   unsigned votes)
{
    if (t->map.count == 0 || t->has_tracker_root
        || (t->has_dropped_root && digest_equal(t->dropped_root, root)))
    {
        return;
    }
    if (intake_need_hashes(t) != 0) {
        return;
    }
    memcpy(t->tracker_root, root, DIGEST_LEN);
    t->has_tracker_root = true;
    t->votes = votes;
    explain(t, NULL, "a tracker tells a root; %u super peers say so", votes);
    if (t->map.count == 1) {
        try_layer(t, root); /* the one hash is the root */
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        if (t->sources[i]->hashes != NULL) {
            try_layer(t, t->sources[i]->hashes);
        }
    }
}

void
trust_hashes(struct transfer *t, struct source *s)
{
    if (intake_need_hashes(t) != 0) {
        return;
    }
    try_layer(t, s->hashes);
    for (uint32_t i = 0; t->trusted == NULL && i < t->map.count; i++) {
        bool mine = blockmap_has(&t->map, i)
                    && (t->from[i] == NO_SOURCE
                        || trust_origin(t->sources[t->from[i]]));

        if (!mine || digest_is_zero(digest_at(s->hashes, i))) {
            continue;
        }
        if (digest_equal(digest_at(s->hashes, i), digest_at(t->layer, i))) {
            s->compared = s->compared || trust_by_cdn(t, i);
        } else {
            s->banned = true;
            s->blame = BLAME_WRONG;
            node_failed(s, SHOAL_EVERIFY,
                        "its piece layer contradicts the CDN");
            fetch_disown(t, s);
            break;
        }
    }
    trust_refresh(t);
}
