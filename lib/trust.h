/* trust.h - whom to believe. */
#ifndef TRUST_H
#define TRUST_H

#include "transfer_internal.h"

/** trust_origin(s): a CDN node of the standard's own version: believed where
 *  nothing contradicts it. */
static inline bool
trust_origin(const struct source *s)
{
    return s->kind == SOURCE_CDN && !s->foreign;
}

/** trust_waived(t, s): the user takes what it gives as it is. */
static inline bool
trust_waived(const struct transfer *t, const struct source *s)
{
    return s->kind != SOURCE_CDN && t->o.settings != NULL
           && t->o.settings->unverified_peers && !t->cdn_only;
}

/** trust_has_sum(t): is there a checksum that lets others' bytes in? An
 *  origin's MD5 does not: who made the file could make two of it. */
bool trust_has_sum(const struct transfer *t);

/** trust_covers(t): something tells whether the bytes are of one file. */
static inline bool
trust_covers(const struct transfer *t)
{
    return t->trusted != NULL || t->sum.len > 0 || t->pieces.n > 0;
}

/** trust_allows(t, s): can what the source gives be checked? */
bool trust_allows(const struct transfer *t, const struct source *s);

/** trust_vouched(t, block): no layer is trusted yet, but a super peer that
 *  fills has told the block's hash. */
bool trust_vouched(const struct transfer *t, uint32_t block);

/** trust_vouches(s): a super peer whose layer, while it fills, says what blocks
 *  must be. Whoever is gone has said so all the same; not who was found out. */
bool trust_vouches(const struct source *s);

/** trust_by_cdn(t, block): it is from a CDN node of the standard's version, in
 *  this run. */
bool trust_by_cdn(const struct transfer *t, uint32_t block);

/** trust_forget_others(t, held_too): all that others gave is thrown away; what
 *  was held before this run, too, if asked. */
void trust_forget_others(struct transfer *t, bool held_too);

/** trust_check(t, s, block, hash): 0, or SHOAL_EVERIFY and it is noted. */
int trust_check(struct transfer *t, struct source *s, uint32_t block,
                const uint8_t hash[DIGEST_LEN]);

/** trust_alone(t): there is but one CDN node, or none: it may decide itself
 *  on what it gave. */
void trust_alone(struct transfer *t);

/** trust_sum(t, sum): what the whole file must hash to has become known. */
void trust_sum(struct transfer *t, const struct checksum *sum);

/** trust_refresh(t): what can be checked has changed: tell the schedule. */
void trust_refresh(struct transfer *t);

/** trust_strike(s): it gave wrong bytes; banned at the second time. */
void trust_strike(struct source *s);

/** trust_adopt(t, layer, root, given): believe this layer; taken. */
void trust_adopt(struct transfer *t, uint8_t *layer,
                 const uint8_t root[DIGEST_LEN], bool given);

/** trust_tracker_root(t, root, votes): the tracker reports it; so many super
 *  peers say so. */
void trust_tracker_root(struct transfer *t, const uint8_t root[DIGEST_LEN],
                        unsigned votes);

/** trust_hashes(t, s): a super peer's or peer's layer is in s->hashes. */
void trust_hashes(struct transfer *t, struct source *s);

/* trust_finish.c */

/** trust_finish(t): everything is held. 0: and right; SHOAL_ENOTFOUND: blocks
 *  were thrown away, or another version is tried: go on; else it failed. */
int trust_finish(struct transfer *t);

#endif
