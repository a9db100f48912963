/* schedule_unit.h - a schedule of 100 blocks, for tests of one rule each. They
 * look into it: what is measured is set instead of waited for. */
#ifndef SCHEDULE_UNIT_H
#define SCHEDULE_UNIT_H

#include "unit.h"

#include "schedule_internal.h"

enum {
    BLOCK = 65536,
    BLOCKS = 100,
    ME = 1000 /* this client's id */
};

struct fixture {
    struct blockmap map;
    struct schedule *s;
    uint64_t now;
};

static inline int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL || blockmap_init(&f->map, (uint64_t) BLOCKS * BLOCK) != 0) {
        return -1;
    }
    f->s = schedule_create(&f->map, 0, ME);
    f->now = 1000;
    *state = f;
    return f->s == NULL ? -1 : 0;
}

static inline int
teardown(void **state)
{
    struct fixture *f = *state;

    schedule_free(f->s);
    blockmap_fini(&f->map);
    free(f);
    return 0;
}

/** take(f, source): the first block of its next work; the error. */
static inline int
take(struct fixture *f, int source)
{
    struct schedule_range r;
    int work = schedule_take(f->s, source, f->now, &r);

    return work < 0 ? work : (int) r.next;
}

/** work_of(f, block): the work that is to bring it. */
static inline int
work_of(const struct fixture *f, uint32_t block)
{
    for (int i = 0; i < f->s->n_works; i++) {
        const struct work *w = &f->s->works[i];

        if (w->active && block >= w->next && block < w->end) {
            return i;
        }
    }
    fail_msg("no work for block %u", block);
    return -1;
}

/** deliver(f, block): it comes in, right. */
static inline void
deliver(struct fixture *f, uint32_t block)
{
    int work = work_of(f, block);

    schedule_got(f->s, work, BLOCK, f->now);
    blockmap_set(&f->map, block);
    schedule_advance(f->s, work, f->now);
    if (f->s->works[work].next >= f->s->works[work].end) {
        schedule_end(f->s, work);
    }
}

/** hold(f, first, n): they were held all along. */
static inline void
hold(struct fixture *f, uint32_t first, uint32_t n)
{
    for (uint32_t i = first; i < first + n; i++) {
        blockmap_set(&f->map, i);
        schedule_lost(f->s, i);
    }
}

/** peer(f, id): a client that is followed and has nothing yet. */
static inline int
peer(struct fixture *f, uint64_t id)
{
    int source = schedule_add(f->s, SOURCE_PEER);

    assert_int_equal(schedule_peer(f->s, source, id), 0);
    return source;
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
