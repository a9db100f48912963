/* intake.c - a block's way from a source's stream into the store: hashed, by
 * a thread beside this one, then judged, written, and added up for the
 * checksum of the whole file. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "explain_transfer.h"
#include "intake.h"
#include "shoal.h"
#include "transfer_internal.h"
#include "trust.h"
#include "worker.h"

enum {
    /* Bytes that wait to be hashed, at most: they lie in a cache that both
     * threads share, and still cover what a thread's turn takes. */
    QUEUE_BYTES = 2 << 20,
    QUEUE_MIN = 2,        /* blocks, however large */
    BATCH = 4,            /* blocks; of a queue, the part that is worth to
                             wake the thread in mid-stream */
    THREAD_MIN = 4 << 20, /* bytes of a file that is worth a thread */
    SETTLE_MS = 1,        /* until those under way are looked at again */
    READ_BYTES = 1 << 20
};

/** A block on its way, or a run of held ones that is read back to be summed
 *  up. */
struct piece {
    struct worker_task task; /* first: the worker gives this back */
    struct transfer *t;
    struct source *source;
    uint32_t block;
    uint64_t off;
    uint8_t *buf;
    size_t len;
    uint8_t hash[DIGEST_LEN];
    bool summed; /* it was hashed before */
    int err;
};

struct buffer {
    struct buffer *next;
};

struct intake {
    struct worker *worker; /* NULL: hashed at once */
    unsigned under_way, most;
    unsigned added; /* since the thread was told to start */
    bool settling;
    struct buffer *spare; /* that blocks were in */
    unsigned n_spare;

    /* The checksum so far: of the first ${sum_next} blocks. */
    struct checksum_state *sum;
    struct checksum sum_of; /* what it is to be: a better one may turn up */
    uint32_t sum_next;
    bool sum_void; /* of bytes that were thrown away since */
};

int
intake_open(struct transfer *t)
{
    struct intake *in = calloc(1, sizeof(*in));

    if (in == NULL || blockmap_init(&t->taken, t->map.size) != 0) {
        free(in);
        return SHOAL_ENOMEM;
    }
    t->intake = in;
    in->most = (unsigned) (QUEUE_BYTES / t->map.block_size);
    in->most = in->most > QUEUE_MIN ? in->most : QUEUE_MIN;
    return blockmap_load(&t->taken, t->map.bits, blockmap_bytes(&t->map));
}

/* A thread, where there is enough to do for it. */
static struct worker *
worker_of(struct transfer *t)
{
    struct intake *in = t->intake;

    if (in->worker == NULL && t->map.size >= THREAD_MIN) {
        in->worker = worker_create();
    }
    return in->worker;
}

uint8_t *
intake_buffer(struct transfer *t)
{
    struct intake *in = t->intake;
    struct buffer *b = in->spare;

    if (b == NULL) {
        return malloc(t->map.block_size);
    }
    in->spare = b->next;
    in->n_spare--;
    return (uint8_t *) b;
}

static void
free_buffer(struct intake *in, uint8_t *buf)
{
    struct buffer *b = (struct buffer *) buf;

    if (in->n_spare >= in->most) {
        free(buf);
        return;
    }
    b->next = in->spare;
    in->spare = b;
    in->n_spare++;
}

static void
add_task(struct intake *in, struct piece *p)
{
    in->under_way++;
    worker_add(in->worker, &p->task);
    if (++in->added >= in->most / BATCH) {
        in->added = 0;
        worker_start(in->worker);
    }
}

/* ---- the checksum of the whole file ---- */

static void
run_sum(struct worker_task *task)
{
    struct piece *p = (struct piece *) task;
    struct transfer *t = p->t;

    if (p->source == NULL) {
        p->err = t->store.ops->read(t->store.ctx, p->off, p->buf, p->len);
    }
    if (p->err == 0) {
        checksum_update(t->intake->sum, p->buf, p->len);
    }
}

static bool
sum_started(struct transfer *t)
{
    struct intake *in = t->intake;

    if (in->sum != NULL && memcmp(&in->sum_of, &t->sum, sizeof(t->sum)) != 0) {
        in->sum_void = true;
    }
    if (t->sum.len == 0 || in->sum_void) {
        return false;
    }
    if (in->sum == NULL) {
        in->sum_of = t->sum;
        in->sum = checksum_start(&t->sum);
        in->sum_void = in->sum == NULL; /* said at the end */
    }
    return in->sum != NULL;
}

static void
add_sum(struct piece *p)
{
    struct intake *in = p->t->intake;

    p->summed = true;
    p->task.run = run_sum;
    add_task(in, p);
}

/* It is in the store: the next one to be summed up? */
static bool
sum_piece(struct piece *p)
{
    struct intake *in = p->t->intake;

    if (!sum_started(p->t) || worker_of(p->t) == NULL
        || p->block != in->sum_next) {
        return false;
    }
    in->sum_next++;
    add_sum(p);
    return true;
}

static void
free_piece(struct piece *p)
{
    free_buffer(p->t->intake, p->buf);
    free(p);
}

static bool
read_piece(struct transfer *t)
{
    struct intake *in = t->intake;
    struct piece *p = calloc(1, sizeof(*p));
    uint8_t *buf = p != NULL ? intake_buffer(t) : NULL;

    if (buf == NULL) {
        free(p);
        return false; /* left to the end */
    }
    p->t = t;
    p->block = in->sum_next++;
    p->off = blockmap_offset(&t->map, p->block);
    p->len = blockmap_length(&t->map, p->block);
    p->buf = buf;
    add_sum(p);
    return true;
}

/* Blocks that came out of order, or were held before, are read back when
 * their turn has come; what comes in meanwhile finds room, too. */
static void
sum_held(struct transfer *t)
{
    struct intake *in = t->intake;

    while (in->under_way < in->most / 2 && in->sum_next < t->map.count
           && blockmap_has(&t->map, in->sum_next) && sum_started(t)
           && worker_of(t) != NULL && read_piece(t))
    {
    }
}

static void
summed(struct piece *p)
{
    if (p->err != 0) {
        p->t->intake->sum_void = true; /* the end will see */
    }
    free_piece(p);
}

static int
sum_rest(struct transfer *t)
{
    struct intake *in = t->intake;
    uint8_t *buf = malloc(READ_BYTES);
    int err = buf != NULL ? 0 : SHOAL_ENOMEM;

    for (uint64_t off = (uint64_t) in->sum_next * t->map.block_size;
         err == 0 && off < t->map.size;)
    {
        uint64_t left = t->map.size - off;
        size_t n = left < READ_BYTES ? (size_t) left : READ_BYTES;

        if (t->o.stop != NULL && *t->o.stop) {
            err = SHOAL_ESTOPPED;
            break;
        }
        err = t->store.ops->read(t->store.ctx, off, buf, n);
        if (err == 0) {
            checksum_update(in->sum, buf, n);
        }
        off += n;
    }
    free(buf);
    return err;
}

static void
forget_sum(struct intake *in)
{
    if (in->sum != NULL) {
        checksum_free(in->sum);
    }
    in->sum = NULL;
    in->sum_next = 0;
    in->sum_void = false;
}

int
intake_check_sum(struct transfer *t)
{
    struct intake *in = t->intake;

    intake_drain(t);
    sum_started(t);
    if (in->sum_void) {
        forget_sum(in);
    }
    if (!sum_started(t)) {
        transfer_fail(t, SHOAL_EVERIFY, "cannot compute %s here",
                      t->sum.algorithm);
        return SHOAL_EINVAL; /* said already */
    }
    int err = sum_rest(t);
    bool right = err == 0 && checksum_finish(in->sum, &t->sum);
    if (err == 0) {
        in->sum = NULL;
    }
    forget_sum(in);
    return err != 0 ? err : right ? 0 : SHOAL_EVERIFY;
}

void
intake_forgotten(struct transfer *t, uint32_t block)
{
    blockmap_clear(&t->taken, block);
    if (block < t->intake->sum_next) {
        t->intake->sum_void = true;
    }
}

/* ---- blocks ---- */

static int
say_copying(struct transfer *t)
{
    if (t->copied || t->o.ops->copying == NULL) {
        return 0;
    }
    t->copied = true;
    return t->o.ops->copying(t->o.ctx);
}

/* Its hash is known, unless nobody needs it: into the store with it? */
static int
judge(struct piece *p)
{
    struct transfer *t = p->t;
    struct source *s = p->source;
    int err = p->err;

    if (err == 0 && s->drop) {
        err = SHOAL_EVERIFY; /* it went wrong since */
    } else if (err == 0 && !t->hashing) {
        err = trust_allows(t, s) ? 0 : SHOAL_EVERIFY;
    } else if (err == 0) {
        err = trust_check(t, s, p->block, p->hash);
        s->wrong += err == SHOAL_EVERIFY;
    }
    if (err == SHOAL_EVERIFY) {
        s->wasted += p->len; /* noted; the block stays missing */
        return err;
    }
    if (err == 0 && s->kind != SOURCE_CDN) {
        err = say_copying(t);
    }
    if (err == 0) {
        err = t->store.ops->write(t->store.ctx, p->block, p->buf, p->len,
                                  t->hashing ? p->hash : NULL);
    }
    if (err != 0) {
        transfer_fail(t, err, "writing: %s", shoal_strerror(err));
    }
    return err;
}

static void
settle(struct piece *p)
{
    struct transfer *t = p->t;
    struct source *s = p->source;

    if (judge(p) != 0) {
        blockmap_clear(&t->taken, p->block);
        schedule_lost(t->schedule, p->block);
        free_piece(p);
        return;
    }
    if (t->hashing) {
        memcpy(t->layer + (size_t) p->block * DIGEST_LEN, p->hash, DIGEST_LEN);
    }
    t->from[p->block] = (int16_t) s->index;
    blockmap_set(&t->map, p->block);
    s->used += p->len;
    s->failures = s->refusals = 0;
    t->progress_ms = clock_ms();
    s->last_ms = t->progress_ms - t->begin_ms;
    if (s->first_ms == 0) {
        s->first_ms = s->last_ms > 0 ? s->last_ms : 1;
        explain(t, s, "gave its first block");
    }
    if (!sum_piece(p)) {
        free_piece(p);
    }
}

static void
settle_done(struct transfer *t)
{
    struct intake *in = t->intake;
    struct piece *p;

    while (in->worker != NULL
           && (p = (struct piece *) worker_take(in->worker)) != NULL)
    {
        in->under_way--;
        if (p->summed) {
            summed(p);
            continue;
        }
        in->settling = true;
        settle(p);
        in->settling = false;
    }
}

int
intake_settle(struct transfer *t)
{
    struct intake *in = t->intake;

    if (in == NULL) {
        return INT_MAX;
    }
    settle_done(t);
    sum_held(t);
    if (in->under_way == 0) {
        return INT_MAX;
    }
    in->added = 0;
    worker_start(in->worker);
    return SETTLE_MS;
}

/* Settled ones may have become sums. */
static void
wait_for(struct transfer *t, unsigned left)
{
    while (t->intake->under_way > left) {
        worker_wait(t->intake->worker, left);
        settle_done(t);
    }
}

void
intake_drain(struct transfer *t)
{
    if (t->intake != NULL && !t->intake->settling) {
        wait_for(t, 0);
    }
}

static void
run_hash(struct worker_task *task)
{
    struct piece *p = (struct piece *) task;
    const struct blockmap *map = &p->t->map; /* of it, nothing that changes */

    p->err = digest_block(p->buf, p->len, map->size, map->block_size, p->hash);
}

static void
hash_piece(struct piece *p)
{
    struct transfer *t = p->t;
    struct intake *in = t->intake;

    p->task.run = run_hash;
    if (!t->hashing || worker_of(t) == NULL) {
        if (t->hashing) {
            run_hash(&p->task);
        }
        settle(p);
    } else {
        add_task(in, p);
    }
    settle_done(t);
    if (in->under_way >= in->most) {
        wait_for(t, in->most / 2);
    }
}

int
intake_block(struct job *job, uint32_t block)
{
    struct transfer *t = job->t;

    if (blockmap_has(&t->taken, block)) {
        job->source->wasted += job->len; /* the other one was faster */
        return 0;
    }
    struct piece *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        transfer_fail(t, SHOAL_ENOMEM, "out of memory");
        return SHOAL_ENOMEM;
    }
    p->t = t;
    p->source = job->source;
    p->block = block;
    p->buf = job->buf;
    p->len = job->len;
    job->buf = NULL;
    blockmap_set(&t->taken, block);
    hash_piece(p);
    return t->error;
}

/* What is held without a hash is read for it. */
static int
hash_held(struct transfer *t, uint32_t block, uint8_t *buf)
{
    uint8_t *hash = t->layer + (size_t) block * DIGEST_LEN;
    size_t len = blockmap_length(&t->map, block);

    int err = t->store.ops->read(t->store.ctx, blockmap_offset(&t->map, block),
                                 buf, len);
    if (err == 0) {
        err = digest_block(buf, len, t->map.size, t->map.block_size, hash);
    }
    if (err == 0 && t->store.ops->hashed != NULL) {
        t->store.ops->hashed(t->store.ctx, block, hash);
    }
    return err;
}

int
intake_need_hashes(struct transfer *t)
{
    if (t->hashing) {
        return 0;
    }
    if (t->ordered && t->map.held > 0) {
        return SHOAL_EINVAL; /* went out without: nothing that needs them */
    }
    t->hashing = true;
    uint8_t *buf = malloc(t->map.block_size);
    int err = buf != NULL ? 0 : SHOAL_ENOMEM;
    for (uint32_t i = 0; err == 0 && i < t->map.count; i++) {
        if (t->o.stop != NULL && *t->o.stop) {
            err = SHOAL_ESTOPPED;
        } else if (blockmap_has(&t->map, i)
                   && digest_is_zero(digest_at(t->layer, i))) {
            err = hash_held(t, i, buf);
        }
    }
    free(buf);
    if (err != 0) {
        transfer_fail(t, err, "%s: %s", t->shown, shoal_strerror(err));
    }
    return err;
}

void
intake_close(struct transfer *t)
{
    struct intake *in = t->intake;

    if (in == NULL) {
        return;
    }
    intake_drain(t);
    worker_free(in->worker);
    forget_sum(in);
    while (in->spare != NULL) {
        free(intake_buffer(t));
    }
    free(in);
    t->intake = NULL;
    blockmap_fini(&t->taken);
}
