
/*
 * Once a second, in one of the workers: peers that did not say so again, what
 * super peers said that is void, and swarms that nobody asks for any more go.
 * All of the store comes by twice within the ttl, in short locked sections, of
 * which only some are done in one turn of the event loop.
 */


#include "ngx_http_tracker_swarm_shm.h"
#include "ngx_http_tracker_sweep.h"


enum {
    NGX_HTTP_TRACKER_SWEEP_SWARMS = 64, /* in one locked section */
    NGX_HTTP_TRACKER_SWEEP_SECTIONS = 16,   /* in one turn */

    NGX_HTTP_TRACKER_IDLE = 300,        /* s until an empty swarm goes */
    NGX_HTTP_TRACKER_FORGET = 600       /* s until a refusal goes */
};


/* How far this worker is. */

typedef struct {
    ngx_event_t                   event;
    ngx_array_t                  *zones;       /* ngx_http_tracker_zone_t * */
    ngx_uint_t                    zone;
    ngx_uint_t                    stripe;
    ngx_int_t                     buckets;     /* left in it; -1: not begun */
    uint32_t                     *floor;       /* of generations */
    ngx_uint_t                    n;
} ngx_http_tracker_sweep_t;


static ngx_http_tracker_sweep_t  ngx_http_tracker_sweeper;


static void
ngx_http_tracker_sweep_holders(ngx_http_tracker_section_t *s,
    ngx_http_tracker_swarm_t *swarm, ngx_http_tracker_sweep_t *sw)
{
    uint32_t                  age;
    ngx_http_tracker_node_t  *node, *next;

    for (node = swarm->holders; node; node = next) {

        next = node->next;
        age = ngx_http_tracker_age(ngx_http_tracker_now(), node->said.at);

        switch (node->said.state) {

        case NGX_HTTP_TRACKER_PREPARING:
        case NGX_HTTP_TRACKER_REFUSED:
            if (age > NGX_HTTP_TRACKER_FORGET) {
                break;
            }

            continue;

        default:
            if (node->said.super < sw->n
                && node->said.gen < sw->floor[node->said.super])
            {
                break;
            }

            continue;
        }

        ngx_http_tracker_swarm_drop_locked(s, swarm, node);
    }
}


/* Returns 0 when there is more to do here than fits into a section. */
static ngx_uint_t
ngx_http_tracker_sweep_swarm(ngx_http_tracker_section_t *s,
    ngx_http_tracker_swarm_t *swarm, ngx_http_tracker_sweep_t *sw)
{
    uint32_t  idle;

    idle = ngx_http_tracker_age(ngx_http_tracker_now(), swarm->used);

    ngx_http_tracker_swarm_shift_locked(s, swarm);

    if (ngx_http_tracker_swarm_expire_locked(s, swarm,
                                             NGX_HTTP_TRACKER_PEERS_MAX)
        >= NGX_HTTP_TRACKER_PEERS_REMOVE)
    {
        return 0;
    }

    ngx_http_tracker_sweep_holders(s, swarm, sw);

    if (idle > NGX_HTTP_TRACKER_IDLE + s->zone->ttl
        || (idle > NGX_HTTP_TRACKER_IDLE && swarm->v4.n + swarm->v6.n == 0))
    {
        if (swarm->holders == NULL && !ngx_http_tracker_swarm_waited(swarm)) {
            ngx_http_tracker_swarm_free_locked(s, swarm);
            s->stripe->tally.expired++;
        }
    }

    return 1;
}


static void
ngx_http_tracker_sweep_section(ngx_http_tracker_section_t *s,
    ngx_http_tracker_sweep_t *sw)
{
    ngx_uint_t                 n;
    ngx_http_tracker_swarm_t  *swarm, *next;

    for (n = 0; n < NGX_HTTP_TRACKER_SWEEP_SWARMS && sw->buckets > 0; n++) {

        for (swarm = s->stripe->buckets[s->stripe->hand]; swarm; swarm = next) {

            next = swarm->next;
            n++;

            if (!ngx_http_tracker_sweep_swarm(s, swarm, sw)) {
                return;
            }
        }

        s->stripe->hand = (s->stripe->hand + 1) & (s->stripe->nbuckets - 1);
        sw->buckets--;
    }
}


/* One section; returns 0 when all zones are done. */
static ngx_uint_t
ngx_http_tracker_sweep_some(ngx_http_tracker_sweep_t *sw)
{
    u_char                       id[NGX_HTTP_TRACKER_ID_LEN];
    uint32_t                     now;
    ngx_http_tracker_zone_t     *zone;
    ngx_http_tracker_section_t   s;

    if (sw->stripe == NGX_HTTP_TRACKER_STRIPES) {
        sw->stripe = 0;
        sw->zone++;
    }

    if (sw->zone == sw->zones->nelts) {
        return 0;
    }

    zone = ((ngx_http_tracker_zone_t **) sw->zones->elts)[sw->zone];

    if (sw->stripe == 0 && sw->buckets == -1) {
        sw->n = ngx_http_tracker_roster_floor(zone, sw->floor);
    }

    now = ngx_http_tracker_now();
    id[0] = (u_char) sw->stripe;

    ngx_http_tracker_swarm_enter(zone, id, &s);

    if (sw->buckets == -1) {

        /* or has another worker done this second's part? */

        sw->buckets = (s.stripe->swept == now)
                      ? 0 : s.stripe->nbuckets / ngx_max(zone->ttl / 2, 1) + 1;
        s.stripe->swept = now;
    }

    ngx_http_tracker_sweep_section(&s, sw);

    ngx_http_tracker_stripe_unlock(zone, id);

    if (sw->buckets == 0) {
        sw->buckets = -1;
        sw->stripe++;
    }

    return 1;
}


static void
ngx_http_tracker_sweep_turn(ngx_event_t *ev)
{
    ngx_uint_t  n;

    for (n = 0; n < NGX_HTTP_TRACKER_SWEEP_SECTIONS; n++) {
        if (!ngx_http_tracker_sweep_some(&ngx_http_tracker_sweeper)) {
            return;
        }
    }

    ngx_post_event(ev, &ngx_posted_next_events);
}


void
ngx_http_tracker_sweep(void)
{
    ngx_http_tracker_sweep_t  *sw = &ngx_http_tracker_sweeper;

    if (sw->zones == NULL || sw->event.posted) {
        return;
    }

    sw->zone = 0;
    sw->stripe = 0;
    sw->buckets = -1;

    ngx_post_event(&sw->event, &ngx_posted_next_events);
}


ngx_int_t
ngx_http_tracker_sweep_init_worker(ngx_cycle_t *cycle, ngx_array_t *zones)
{
    ngx_uint_t                 i, max;
    ngx_http_tracker_zone_t  **zone;
    ngx_http_tracker_sweep_t  *sw = &ngx_http_tracker_sweeper;

    ngx_memzero(sw, sizeof(ngx_http_tracker_sweep_t));

    zone = zones->elts;
    max = 0;

    for (i = 0; i < zones->nelts; i++) {
        max = ngx_max(max, ngx_http_tracker_roster_max(zone[i]));
    }

    sw->floor = ngx_palloc(cycle->pool, max * sizeof(uint32_t));
    if (sw->floor == NULL) {
        return NGX_ERROR;
    }

    sw->event.handler = ngx_http_tracker_sweep_turn;
    sw->event.log = cycle->log;
    sw->zones = zones;

    return NGX_OK;
}
