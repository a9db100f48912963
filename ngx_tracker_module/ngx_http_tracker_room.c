
/*
 * Room in a full stripe: who was not used for longest goes.
 */


#include "ngx_http_tracker_swarm_shm.h"


/* Not one for which requests wait: they would see their deadline only. */
ngx_uint_t
ngx_http_tracker_swarm_evict_locked(ngx_http_tracker_section_t *s,
    ngx_queue_t *q)
{
    ngx_http_tracker_swarm_t  *swarm;

    swarm = ngx_queue_data(q, ngx_http_tracker_swarm_t, lru);

    if (swarm == s->swarm || ngx_http_tracker_swarm_waited(swarm)) {
        return 0;
    }

    ngx_http_tracker_swarm_free_locked(s, swarm);
    s->stripe->tally.evicted++;

    return 1;
}


void *
ngx_http_tracker_swarm_alloc_locked(ngx_http_tracker_section_t *s, size_t size)
{
    void         *p;
    ngx_uint_t    n;
    ngx_queue_t  *q, *prev;

    p = ngx_slab_calloc_locked(s->shpool, size);

    q = ngx_queue_last(&s->stripe->lru);

    for (n = 0; p == NULL && n < NGX_HTTP_TRACKER_EVICT_MAX; n++) {

        if (q == ngx_queue_sentinel(&s->stripe->lru)) {
            break;
        }

        prev = ngx_queue_prev(q);

        if (ngx_http_tracker_swarm_evict_locked(s, q)) {
            p = ngx_slab_calloc_locked(s->shpool, size);
        }

        q = prev;
    }

    return p;
}


void
ngx_http_tracker_swarm_reserve_locked(ngx_http_tracker_section_t *s)
{
    ngx_uint_t                 n, pages;
    ngx_queue_t               *q;
    ngx_http_tracker_swarm_t  *swarm;

    pages = (s->shpool->end - s->shpool->start) / ngx_pagesize;

    if (s->shpool->pfree >= pages / NGX_HTTP_TRACKER_RESERVE) {
        return;
    }

    q = ngx_queue_last(&s->stripe->lru);

    for (n = 0; n < NGX_HTTP_TRACKER_RESERVE_TRIES; n++) {

        if (q == ngx_queue_sentinel(&s->stripe->lru)) {
            return;
        }

        swarm = ngx_queue_data(q, ngx_http_tracker_swarm_t, lru);

        if (swarm->v4.pages == 0 && swarm->v6.pages == 0
            && ngx_http_tracker_swarm_evict_locked(s, q))
        {
            return;
        }

        q = ngx_queue_prev(q);
    }
}
