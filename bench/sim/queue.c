/* queue.c - what is still to happen, the next first. */
#include "sim.h"

#include <stdlib.h>

static bool
before(const struct event *x, const struct event *y)
{
    return x->at < y->at;
}

void
queue_add(struct queue *q, const struct event *e)
{
    q->list = sim_grow(q->list, sizeof(*q->list), q->n, &q->cap);
    size_t i = q->n++;

    while (i > 0 && before(e, &q->list[(i - 1) / 2])) {
        q->list[i] = q->list[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    q->list[i] = *e;
}

bool
queue_take(struct queue *q, struct event *out)
{
    if (q->n == 0) {
        return false;
    }
    *out = q->list[0];
    struct event last = q->list[--q->n];
    size_t i = 0;

    for (size_t child = 1; child < q->n; child = 2 * i + 1) {
        if (child + 1 < q->n && before(&q->list[child + 1], &q->list[child])) {
            child++;
        }
        if (!before(&q->list[child], &last)) {
            break;
        }
        q->list[i] = q->list[child];
        i = child;
    }
    q->list[i] = last;
    return true;
}

void
queue_fini(struct queue *q)
{
    free(q->list);
}
