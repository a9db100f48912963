/* stream.c - the output is a reader who takes the bytes in order, once, at his
 * pace: what may be handed to him, and how far sources run ahead of him. */
#include <string.h>

#include "document.h"
#include "explain_transfer.h"
#include "fetch.h"
#include "intake.h"
#include "node.h"
#include "shoal.h"
#include "stream.h"
#include "transfer_internal.h"

enum {
    AHEAD_BYTES = 64 << 20, /* kept for the reader, at most */
    AHEAD_BLOCKS = 4,       /* however large */
    STEPS = 8,              /* the window moves by a part of it, so that
                               requests stay long */
    WAIT_MS = 50,           /* until a full window is looked at again */
    HOLD_MS = 1000          /* for what the origin may say of the whole file */
};

/* How far the reader is; SHOAL_E*, when he takes no more. */
static int
look(struct transfer *t)
{
    uint64_t ahead = AHEAD_BYTES, least = AHEAD_BLOCKS * t->map.block_size;
    uint64_t out = UINT64_MAX;
    int err = 0;

    if (t->o.ops->window != NULL) {
        err = t->o.ops->window(t->o.ctx, &out);
    }
    ahead = ahead > least ? ahead : least;
    t->room_end = out < UINT64_MAX - ahead ? out + ahead : UINT64_MAX;
    if (err != 0 && err != SHOAL_ESTOPPED) { /* that is seen elsewhere */
        transfer_fail(t, err, "writing: %s", shoal_strerror(err));
    }
    return err;
}

void
stream_begin(struct transfer *t)
{
    look(t);
    t->ordered = t->room_end != UINT64_MAX;
    t->released = false;
    t->hold_ms = clock_ms() + HOLD_MS;
}

/* What may come that bears out the whole file, or each block. */
static bool
is_held_up(const struct transfer *t)
{
    if (t->sum.len > 0 || t->pieces.n > 0) {
        return false;
    }
    if (document_awaited(t)) {
        return true;
    }
    if (clock_ms() >= t->hold_ms) {
        return false;
    }
    for (size_t i = 0; i < DOCUMENTS; i++) {
        if (t->documents[i].url != NULL && !t->documents[i].done) {
            return true;
        }
    }
    return t->phase == PHASE_RUN && node_head_awaited(t);
}

/* A checksum tells nothing before the last byte: then nothing goes out. */
static void
release(struct transfer *t)
{
    bool checked = t->sum.len == 0 && t->pieces.n == 0;
    int err = t->o.ops->release(t->o.ctx, checked);

    t->released = true;
    t->ordered = checked;
    if (err != 0) {
        transfer_fail(t, err, "writing: %s", shoal_strerror(err));
    }
    explain(t, NULL,
            checked ? "what is held goes out in order from now on"
                    : "nothing goes out before the whole file is checked");
    if (!checked) {
        t->room_end = UINT64_MAX;
        if (t->schedule != NULL) {
            schedule_limit(t->schedule, t->map.count);
        }
    }
}

/* The window, and that a full one is nobody's fault. */
static void
limit(struct transfer *t)
{
    uint64_t end = t->room_end - t->room_end % (AHEAD_BYTES / STEPS);
    uint32_t block = t->map.count;

    if (t->room_end < t->map.size) {
        block = (uint32_t) (end / t->map.block_size);
    }
    schedule_limit(t->schedule, block);
    if (t->released && block < t->map.count && t->map.held >= block) {
        t->progress_ms = clock_ms();
    }
}

void
stream_step(struct transfer *t)
{
    if (!t->ordered) {
        return;
    }
    if (!t->released && !is_held_up(t)) {
        release(t);
    }
    if (t->ordered && look(t) == 0 && t->schedule != NULL) {
        limit(t);
    }
}

bool
stream_waits(const struct job *job)
{
    const struct transfer *t = job->t;

    if (!t->ordered) {
        return false;
    }
    if (job->kind == JOB_PLAIN) {
        return t->plain_got >= t->room_end;
    }
    return job->kind == JOB_DATA && job->pos >= t->room_end;
}

void
stream_pause(struct job *job)
{
    uint64_t until = clock_ms() + WAIT_MS;

    if (job->http == NULL || !stream_waits(job)) {
        return;
    }
    job->resume_ms = job->resume_ms > until ? job->resume_ms : until;
    job->source->limited_ms = job->resume_ms;
    http_pause(job->http);
}

bool
stream_refuses(const struct transfer *t, const uint8_t *layer)
{
    if (!t->ordered || !t->released) {
        return false;
    }
    for (uint32_t i = 0; i < t->map.count; i++) {
        if (blockmap_has(&t->map, i)
            && memcmp(t->layer + (size_t) i * DIGEST_LEN,
                      layer + (size_t) i * DIGEST_LEN, DIGEST_LEN)
                   != 0)
        {
            return true;
        }
    }
    return false;
}

void
stream_forget(struct transfer *t)
{
    if (t->ordered) {
        intake_drain(t);
    }
    for (uint32_t i = 0; t->ordered && t->error == 0 && i < t->map.count; i++)
    {
        fetch_forget(t, i);
    }
    t->ordered = t->released = false;
    t->room_end = UINT64_MAX;
}
