/* claim.c - which blocks are asked of CDN nodes, told to the store's owner:
 * others need not ask for them there too. */
#include "claim.h"
#include "transfer_internal.h"

void
claim_begin(struct job *job)
{
    struct transfer *t = job->t;
    uint64_t size = t->map.block_size;

    if (job->source->kind != SOURCE_CDN || t->o.ops->fetching == NULL
        || job->pos >= job->end)
    {
        return;
    }
    job->claim = (uint32_t) (job->pos / size);
    job->claim_end = (uint32_t) ((job->end + size - 1) / size);
    t->o.ops->fetching(t->o.ctx, job->claim, job->claim_end - job->claim,
                       true);
}

static bool
is_claimed(const struct transfer *t, uint32_t block)
{
    for (const struct job *job = t->jobs; job != NULL; job = job->next) {
        if (block >= job->claim && block < job->claim_end) {
            return true;
        }
    }
    return false;
}

/* Those of them that nobody else fetches. */
static void
unclaim(struct transfer *t, uint32_t block, uint32_t end)
{
    while (block < end) {
        uint32_t first = block;

        while (block < end && !is_claimed(t, block)) {
            block++;
        }
        if (block > first) {
            t->o.ops->fetching(t->o.ctx, first, block - first, false);
        }
        block++;
    }
}

void
claim_trim(struct job *job)
{
    uint32_t end = job->claim_end;

    if (job->claim >= end || job->work < 0) {
        return;
    }
    struct schedule_range left = schedule_left(job->t->schedule, job->work);
    if (left.end < end && left.next < left.end) {
        job->claim_end = left.end > job->claim ? left.end : job->claim;
        unclaim(job->t, job->claim_end, end);
    }
}

void
claim_end(struct job *job)
{
    uint32_t block = job->claim, end = job->claim_end;

    job->claim_end = job->claim;
    unclaim(job->t, block, end);
}
