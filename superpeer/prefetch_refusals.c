/* prefetch_refusals.c - what was refused and why: for the status, and so that
 * what cannot succeed is not tried each time that it is asked for. */
#include <string.h>

#include "prefetch_internal.h"

enum {
    /* What the configuration or the origin forbids stays forbidden; a file
     * may come to the nodes that lacked it. */
    FORBIDDEN_MS = 300000,
    MISSING_MS = 60000
};

const char *const prefetch_reasons[PREFETCH_REASONS] = {
    [REASON_ORIGIN] = "origin",   [REASON_NOTFOUND] = "notfound",
    [REASON_NOAGREE] = "noagree", [REASON_TOOLARGE] = "toolarge",
    [REASON_PRIVATE] = "private", [REASON_BUSY] = "busy",
    [REASON_FAILED] = "failed",
};

static uint64_t
worth_ms(const char *reason)
{
    static const struct {
        enum prefetch_reason reason;
        uint64_t ms;
    } list[] = {
        { REASON_ORIGIN, FORBIDDEN_MS },  { REASON_TOOLARGE, FORBIDDEN_MS },
        { REASON_PRIVATE, FORBIDDEN_MS }, { REASON_NOTFOUND, MISSING_MS },
        { REASON_NOAGREE, MISSING_MS },
    };

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        if (strcmp(reason, prefetch_reasons[list[i].reason]) == 0) {
            return list[i].ms;
        }
    }
    return 0;
}

static size_t
used(const struct refusals *f)
{
    return f->count < REFUSALS_MAX ? (size_t) f->count : REFUSALS_MAX;
}

static struct prefetch_refusal *
find(struct refusals *f, const uint8_t id[20])
{
    for (size_t i = 0; i < used(f); i++) {
        if (f->list[i].reason != NULL
            && memcmp(f->list[i].id, id, sizeof(f->list[i].id)) == 0)
        {
            return &f->list[i];
        }
    }
    return NULL;
}

void
refusals_add(struct refusals *f, const struct prefetch_refusal *refusal,
             uint64_t now_ms)
{
    struct prefetch_refusal *old = find(f, refusal->id);
    uint64_t worth = worth_ms(refusal->reason);

    if (old != NULL) {
        old->reason = NULL;
    }
    struct prefetch_refusal *slot = &f->list[f->count++ % REFUSALS_MAX];
    *slot = *refusal;
    slot->until = worth != 0 ? now_ms + worth : 0;
}

struct prefetch_refusal *
refusals_find(struct refusals *f, const uint8_t id[20], uint64_t now_ms)
{
    struct prefetch_refusal *r = find(f, id);

    return r != NULL && now_ms < r->until ? r : NULL;
}

void
refusals_forget(struct refusals *f)
{
    for (size_t i = 0; i < used(f); i++) {
        f->list[i].until = 0;
    }
}

size_t
refusals_latest(const struct refusals *f, struct prefetch_refusal *out)
{
    size_t n = 0;

    for (size_t i = 1; i <= used(f) && n < PREFETCH_REFUSALS; i++) {
        const struct prefetch_refusal *r =
            &f->list[(f->count - i) % REFUSALS_MAX];

        if (r->reason != NULL) {
            out[n++] = *r;
        }
    }
    return n;
}
