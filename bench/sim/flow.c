/* flow.c - requests, kept in a list that grows. */
#include "sim.h"

#include <string.h>

int
flow_create(struct sim *s)
{
    int i = s->free_flow;
    uint32_t mark = 0;

    if (i != NONE) {
        s->free_flow = s->flows[i].next_free;
        mark = s->flows[i].mark;
    } else {
        s->flows = sim_grow(s->flows, sizeof(*s->flows), (size_t) s->n_flows,
                            &s->cap_flows);
        i = s->n_flows++;
    }
    memset(&s->flows[i], 0, sizeof(*s->flows));
    s->flows[i].mark = mark;
    return i;
}

void
flow_free(struct sim *s, int flow)
{
    struct flow *f = &s->flows[flow];

    f->state = FLOW_FREE;
    f->mark++; /* what is on its way is void */
    f->next_free = s->free_flow;
    s->free_flow = flow;
}
