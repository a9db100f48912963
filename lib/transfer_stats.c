/* transfer_stats.c - what a transfer tells of itself: how far it is, what it
 * stands on, and what its sources gave. */
#include "shoal.h"
#include "transfer.h"
#include "transfer_internal.h"
#include "trust.h"
#include "url.h"

const char *
transfer_error(const struct transfer *t)
{
    return t->why;
}

uint64_t
transfer_total(const struct transfer *t)
{
    if (t->schedule != NULL) {
        return t->map.size;
    }
    return t->plain_size;
}

uint64_t
transfer_held(const struct transfer *t)
{
    if (t->schedule == NULL) {
        return t->plain_got;
    }
    if (t->map.held == t->map.count) {
        return t->map.size;
    }
    uint64_t held = (uint64_t) t->map.held * t->map.block_size;
    if (blockmap_has(&t->map, t->map.count - 1)) {
        held -= t->map.block_size - blockmap_length(&t->map, t->map.count - 1);
    }
    return held;
}

int64_t
transfer_mtime(const struct transfer *t)
{
    return t->standard != NULL ? t->standard->answer.mtime : -1;
}

const char *
transfer_name(const struct transfer *t)
{
    return t->standard != NULL ? t->standard->answer.name : "";
}

bool
transfer_private(const struct transfer *t)
{
    return t->no_share;
}

const char *
transfer_tracker(const struct transfer *t, size_t i, const char **state)
{
    if (i >= t->n_trackers) {
        return NULL;
    }
    *state = t->trackers[i].state;
    return t->trackers[i].shown;
}

bool
transfer_only_cdn(const struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        if (t->sources[i]->kind != SOURCE_CDN && t->sources[i]->used > 0) {
            return false;
        }
    }
    return true;
}

bool
transfer_by_http(const struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && (s->error == 0 || s->used > 0)
            && !s->followed && !url_is_secure(s->url))
        {
            return true;
        }
    }
    return false;
}

const uint8_t *
transfer_root(const struct transfer *t)
{
    return t->has_root ? t->root : NULL;
}

uint64_t
transfer_retries(const struct transfer *t)
{
    return t->retries;
}

enum shoal_trust
transfer_trust(const struct transfer *t, unsigned *votes)
{
    enum shoal_trust trust = SHOAL_TRUST_CDN;

    *votes = 0;
    if (t->o.checksum != NULL || (t->trusted != NULL && t->trusted_given)) {
        return SHOAL_TRUST_USER;
    }
    if (t->sum.len > 0) {
        return SHOAL_TRUST_CHECKSUM;
    }
    if ((t->trusted != NULL && t->by_tracker) || t->fits_root) {
        *votes = t->votes;
        return SHOAL_TRUST_TRACKER;
    }
    if (t->trusted != NULL) {
        return SHOAL_TRUST_LAYER;
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN || s->used == 0) {
            continue;
        }
        trust = SHOAL_TRUST_COPY;
        if (s->kind == SOURCE_PEER ? trust_waived(t, s) : s->hashes == NULL) {
            return SHOAL_TRUST_NONE;
        }
    }
    return trust;
}

const char *
transfer_version(const struct transfer *t)
{
    return t->schedule != NULL ? t->resource.version : "";
}

static enum source_result
result_of(const struct source *s)
{
    if (s->followed) {
        return SOURCE_REDIRECTS;
    }
    switch (s->error) {
    case 0:
        return s->node == NODE_KNOWN ? SOURCE_GOOD : SOURCE_UNASKED;
    case SHOAL_ENOAGREE:
        return SOURCE_OTHER;
    case SHOAL_ENOTFOUND:
        return SOURCE_MISSING;
    case SHOAL_EDENIED:
        return SOURCE_DENIED;
    default:
        return SOURCE_FAILED;
    }
}

static const char *
state_of(const struct transfer *t, const struct source *s)
{
    if (s->state[0] != '\0') {
        return s->state;
    }
    if (s->foreign && s->used == 0 && !trust_allows(t, s)) {
        return "other version, and nothing to check it by";
    }
    return "ok";
}

size_t
transfer_source_count(const struct transfer *t)
{
    return t->n_sources;
}

void
transfer_source(const struct transfer *t, size_t i, struct source_stats *out)
{
    const struct source *s = t->sources[i];

    *out = (struct source_stats){
        .kind = s->kind,
        .name = s->name,
        .state = state_of(t, s),
        .used = s->used,
        .wasted = s->wasted,
        .wrong = s->wrong,
        .banned = s->banned,
        .result = result_of(s),
        .rate = s->rate,
        .first_ms = s->first_ms,
        .last_ms = s->last_ms,
    };
}
