
/*
 * Which super peers prepare a resource: those of the highest rank that know of
 * it, and where they are too few or have too much to do, others.
 */


#include "ngx_http_tracker_budget.h"
#include "ngx_http_tracker_rank.h"
#include "ngx_http_tracker_report.h"
#include "ngx_http_tracker_stat.h"


enum {
    NGX_HTTP_TRACKER_AVOID = 30,        /* s after a refusal */
    NGX_HTTP_TRACKER_PATIENCE = 120,    /* s for news of a prepare */
    NGX_HTTP_TRACKER_REFUSALS = 4,      /* then nobody else is asked */
    NGX_HTTP_TRACKER_VOTERS = 5         /* that are split: likewise */
};


typedef struct {
    ngx_uint_t                    n;
    ngx_uint_t                    want;
    ngx_http_tracker_holder_t     holders[NGX_HTTP_TRACKER_CHOSEN_MAX];
} ngx_http_tracker_best_t;


/* What the tracker noted itself stands until it is too old. */
static void
ngx_http_tracker_choose_judge_locked(ngx_http_tracker_roster_t *roster,
    u_char *id, ngx_http_tracker_place_t *place,
    ngx_http_tracker_view_t *view)
{
    uint32_t                    now, age;
    ngx_uint_t                  i;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_holder_t  *h;

    now = ngx_http_tracker_now();

    view->nchosen = 0;
    view->nfresh = 0;
    view->npending = 0;
    view->nstale = 0;

    for (i = 0; i < view->nholders; i++) {
        h = &view->holders[i];

        super = &roster->supers[h->said.super];
        age = ngx_http_tracker_age(now, h->said.at);

        h->valid = 0;
        h->avoid = 0;
        h->reported = 0;
        h->chosen = 0;
        h->fresh = 0;
        h->alive = ngx_http_tracker_roster_alive(super);
        h->gen = super->gen;

        switch (h->said.state) {

        case NGX_HTTP_TRACKER_PREPARING:
            h->valid = h->said.gen >= super->born
                       && age < NGX_HTTP_TRACKER_PATIENCE;
            break;

        case NGX_HTTP_TRACKER_REFUSED:
            h->valid = h->said.gen >= super->born
                       && age < NGX_HTTP_TRACKER_AVOID;
            h->avoid = h->valid;
            break;

        default:
            h->valid = h->said.gen >= super->min_gen;
        }

        if (!h->valid) {
            view->nstale++;
            continue;
        }

        h->rank = ngx_http_tracker_rank(super, id, place, h->said.state);

        if (ngx_http_tracker_report_of(view, h->said.super, super->born)) {
            h->reported = 1;
            ngx_http_tracker_rank_spare(h->rank);
        }
    }

    ngx_http_tracker_vote(view);
}


void
ngx_http_tracker_roster_judge(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_place_t *place, ngx_http_tracker_view_t *view)
{
    ngx_http_tracker_roster_t  *roster;

    roster = ngx_http_tracker_roster_lock(zone);
    ngx_http_tracker_choose_judge_locked(roster, id, place, view);
    ngx_http_tracker_roster_unlock(zone);
}


/* Keeps the best, best first. */
static void
ngx_http_tracker_choose_insert(ngx_http_tracker_best_t *best,
    ngx_http_tracker_holder_t *h)
{
    ngx_uint_t                  i;
    ngx_http_tracker_holder_t  *holders;

    holders = best->holders;

    if (best->n == best->want) {
        if (best->want == 0 || holders[best->n - 1].rank >= h->rank) {
            return;
        }

    } else {
        best->n++;
    }

    for (i = best->n - 1; i > 0 && holders[i - 1].rank < h->rank; i--) {
        holders[i] = holders[i - 1];
    }

    holders[i] = *h;
}


static void
ngx_http_tracker_choose_push_locked(ngx_http_tracker_super_t *super,
    u_char *id, uint32_t index, ngx_http_tracker_wakes_t *wakes)
{
    uint64_t  seq, first;

    /* once more is needless only while the first is still to be sent */

    first = (super->head > NGX_HTTP_TRACKER_RING)
            ? super->head - NGX_HTTP_TRACKER_RING : 0;
    first = ngx_max(first, super->sent);

    for (seq = super->head; seq > first; seq--) {
        if (ngx_memcmp(super->ring[seq % NGX_HTTP_TRACKER_RING], id,
                       NGX_HTTP_TRACKER_ID_LEN)
            == 0)
        {
            return;
        }
    }

    super->head++;
    ngx_memcpy(super->ring[super->head % NGX_HTTP_TRACKER_RING], id,
               NGX_HTTP_TRACKER_ID_LEN);

    wakes->mask[wakes->n] = super->mask;
    wakes->key[wakes->n] = ngx_http_tracker_roster_key(index);
    wakes->n++;

    super->mask = 0;
}


static ngx_uint_t
ngx_http_tracker_choose_known(ngx_http_tracker_view_t *view, uint32_t super)
{
    ngx_uint_t  i;

    for (i = 0; i < view->nholders; i++) {
        if (view->holders[i].said.super == super && view->holders[i].valid) {
            return 1;
        }
    }

    return 0;
}


/* Super peers that the swarm has not heard of, and that have the room. */
static void
ngx_http_tracker_choose_others_locked(ngx_http_tracker_roster_t *roster,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_place_t *place,
    ngx_http_tracker_view_t *view, ngx_http_tracker_best_t *best)
{
    ngx_uint_t                  i;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_holder_t   h;

    for (i = 0; i < roster->n; i++) {
        super = &roster->supers[i];

        if (!ngx_http_tracker_roster_alive(super)
            || (super->said.capacity
                && super->said.capacity < (uint64_t) res->size)
            || ngx_http_tracker_choose_known(view, i))
        {
            continue;
        }

        ngx_memzero(&h, sizeof(ngx_http_tracker_holder_t));

        h.said.super = i;
        h.gen = super->gen;
        h.rank = ngx_http_tracker_rank(super, res->id, place, 0);
        h.alive = 1;
        h.fresh = 1;

        if (ngx_http_tracker_report_of(view, i, super->born)) {
            ngx_http_tracker_rank_spare(h.rank);
        }

        ngx_http_tracker_choose_insert(best, &h);
    }

    /* one with too much to do is told when there is nobody else */

    while (best->n > 1 && best->holders[best->n - 1].fresh
           && ngx_http_tracker_rank_spared(best->holders[best->n - 1].rank))
    {
        best->n--;
    }
}


/* Takes away those for which the budget has no room. */
static void
ngx_http_tracker_choose_afford_locked(ngx_http_tracker_roster_t *roster,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_place_t *place,
    uint64_t budget, ngx_http_tracker_best_t *best)
{
    uint64_t    spent;
    ngx_uint_t  i, n;

    spent = ngx_http_tracker_budget_spent_locked(roster, &place->addr);
    n = 0;

    for (i = 0; i < best->n; i++) {

        if (best->holders[i].fresh) {

            if (spent > budget || budget - spent < (uint64_t) res->size) {
                continue;
            }

            spent += res->size;
        }

        best->holders[n++] = best->holders[i];
    }

    best->n = n;
}


/* Marks the best in the view, and adds those that it lacks. */
static void
ngx_http_tracker_choose_mark(ngx_http_tracker_best_t *best,
    ngx_http_tracker_view_t *view)
{
    ngx_uint_t                  i, k;
    ngx_http_tracker_holder_t  *h;

    for (i = 0; i < best->n; i++) {

        for (k = 0; k < view->nholders; k++) {
            if (view->holders[k].said.super == best->holders[i].said.super) {
                break;
            }
        }

        h = &view->holders[k];

        if (k == view->nholders) {
            *h = best->holders[i];
            view->nholders++;
        }

        h->chosen = 1;
        h->fresh = best->holders[i].fresh;

        view->nchosen++;
        view->nfresh += h->fresh;
        view->npending += (h->said.state != NGX_HTTP_TRACKER_COMPLETE);
    }
}


/* Of those that the swarm knows; returns whether to look for others. */
static ngx_uint_t
ngx_http_tracker_choose_holders(ngx_http_tracker_view_t *view,
    ngx_http_tracker_best_t *best)
{
    ngx_uint_t                  i, refused;
    ngx_http_tracker_holder_t  *h;

    refused = 0;

    for (i = 0; i < view->nholders; i++) {
        h = &view->holders[i];

        refused += h->avoid;

        if (h->valid && h->alive && !h->avoid && !h->outvoted) {
            ngx_http_tracker_choose_insert(best, h);
        }
    }

    if (refused >= NGX_HTTP_TRACKER_REFUSALS
        || (view->split && view->voters >= NGX_HTTP_TRACKER_VOTERS))
    {
        return 0;
    }

    return best->n < best->want
           || (best->n
               && ngx_http_tracker_rank_spared(best->holders[best->n
                                                             - 1].rank));
}


void
ngx_http_tracker_roster_choose(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_place_t *place,
    ngx_http_tracker_wish_t *wish, ngx_http_tracker_view_t *view)
{
    ngx_http_tracker_best_t     best;
    ngx_http_tracker_roster_t  *roster;

    roster = ngx_http_tracker_roster_lock(zone);

    ngx_http_tracker_choose_judge_locked(roster, res->id, place, view);

    best.n = 0;
    best.want = view->split ? ngx_min(wish->n, 1) : wish->n;

    if (ngx_http_tracker_choose_holders(view, &best)) {
        ngx_http_tracker_choose_others_locked(roster, res, place, view, &best);

        if (wish->budget) {
            ngx_http_tracker_choose_afford_locked(roster, res, place,
                                                  wish->budget, &best);
        }
    }

    ngx_http_tracker_roster_unlock(zone);

    ngx_http_tracker_choose_mark(&best, view);
}


void
ngx_http_tracker_roster_tell(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_resource_t *res, ngx_http_tracker_addr_t *payer,
    ngx_http_tracker_view_t *view, ngx_http_tracker_wakes_t *wakes)
{
    ngx_uint_t                  i;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_holder_t  *h;
    ngx_http_tracker_roster_t  *roster;

    wakes->n = 0;

    roster = ngx_http_tracker_roster_lock(zone);

    for (i = 0; i < view->nholders; i++) {
        h = &view->holders[i];

        super = &roster->supers[h->said.super];

        /* somebody else may have the entry by now */

        if (h->fresh && super->used && super->born <= h->gen) {
            ngx_http_tracker_choose_push_locked(super, res->id, h->said.super,
                                                wakes);

            if (payer) {
                ngx_http_tracker_budget_spend_locked(roster, payer, res->size);
            }
        }
    }

    ngx_http_tracker_roster_unlock(zone);

    ngx_http_tracker_stat_add(zone, NGX_HTTP_TRACKER_STAT_SENT, wakes->n);
}
