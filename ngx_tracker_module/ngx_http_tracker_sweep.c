
/*
 * Once a second, in one of the workers: peers that did not say so again, what
 * super peers said that is void, and swarms that nobody asks for any more go.
 * All of the store comes by twice within the ttl, in short sections.
 */


#include "ngx_http_tracker_swarm_shm.h"
#include "ngx_http_tracker_sweep.h"


enum {
    NGX_HTTP_TRACKER_SWEEP_SWARMS = 64, /* in one locked section */
    NGX_HTTP_TRACKER_SWEEP_SECTIONS = 256,  /* of one stripe in a second */

    NGX_HTTP_TRACKER_IDLE = 300,        /* s until an empty swarm goes */
    NGX_HTTP_TRACKER_FORGET = 600       /* s until a refusal goes */
};


typedef struct {
    uint32_t                     *floor;       /* of generations */
    ngx_uint_t                    n;
    ngx_int_t                     buckets;     /* still to be looked at */
} ngx_http_tracker_sweep_t;


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


static void
ngx_http_tracker_sweep_stripe(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_sweep_t *sw)
{
    ngx_uint_t                  n;
    ngx_http_tracker_section_t  s;

    sw->buckets = 1;

    for (n = 0; sw->buckets > 0 && n < NGX_HTTP_TRACKER_SWEEP_SECTIONS; n++) {

        ngx_http_tracker_swarm_enter(zone, id, &s);

        if (n == 0) {
            sw->buckets = s.stripe->nbuckets / ngx_max(zone->ttl / 2, 1) + 1;

            if (s.stripe->swept == ngx_http_tracker_now()) {
                sw->buckets = 0;    /* another worker has its turn */
            }

            s.stripe->swept = ngx_http_tracker_now();
        }

        ngx_http_tracker_sweep_section(&s, sw);

        ngx_http_tracker_stripe_unlock(zone, id);
    }
}


void
ngx_http_tracker_sweep_zone(ngx_http_tracker_zone_t *zone, uint32_t *floor)
{
    u_char                    id[NGX_HTTP_TRACKER_ID_LEN];
    ngx_uint_t                i;
    ngx_http_tracker_sweep_t  sw;

    sw.floor = floor;
    sw.n = ngx_http_tracker_roster_floor(zone, floor);

    ngx_memzero(id, sizeof(id));

    for (i = 0; i < NGX_HTTP_TRACKER_STRIPES; i++) {
        id[0] = (u_char) i;
        ngx_http_tracker_sweep_stripe(zone, id, &sw);
    }
}
