
/*
 * Which super peers prepare a resource: those that hold it, then those that
 * prepare it already, then the nearest by network prefix; among equals a hash
 * of both names, so that one file gathers on few super peers.
 */


#include "ngx_http_tracker_roster_shm.h"


enum {
    NGX_HTTP_TRACKER_AVOID = 30,        /* s after a refusal */
    NGX_HTTP_TRACKER_PATIENCE = 120,    /* s for news of a prepare */
    NGX_HTTP_TRACKER_REFUSALS = 4       /* then nobody else is asked */
};


static ngx_uint_t
ngx_http_tracker_choose_prefix(ngx_http_tracker_addr_t *a,
    ngx_http_tracker_addr_t *b)
{
    ngx_uint_t  i, n;

    if (a->family == 0 || a->family != b->family) {
        return 0;
    }

    n = (a->family == 4) ? 4 : 16;

    for (i = 0; i < n; i++) {
        if (a->bytes[i] != b->bytes[i]) {
            return i * 8 + __builtin_clz(a->bytes[i] ^ b->bytes[i]) - 24;
        }
    }

    return n * 8;
}


/* Higher is better: what it has, then how near, then the hash. */
static uint64_t
ngx_http_tracker_choose_rank(ngx_http_tracker_super_t *super, u_char *id,
    ngx_http_tracker_addr_t *asker, ngx_uint_t state)
{
    uint64_t  h, rank;

    ngx_memcpy(&h, id, sizeof(h));

    h ^= super->hash;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;

    rank = (state == NGX_HTTP_TRACKER_COMPLETE) ? 2
           : (state == NGX_HTTP_TRACKER_PREPARING
              || state == NGX_HTTP_TRACKER_FILLING) ? 1 : 0;

    return rank << 56
           | (uint64_t) ngx_http_tracker_choose_prefix(&super->addr, asker)
             << 48
           | h >> 16;
}


/* What the tracker noted itself stands until it is too old. */
static void
ngx_http_tracker_choose_judge_locked(ngx_http_tracker_roster_t *roster,
    u_char *id, ngx_http_tracker_addr_t *asker, ngx_http_tracker_view_t *view)
{
    uint32_t                    now, age;
    ngx_uint_t                  i;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_holder_t  *h;

    now = ngx_http_tracker_now();

    view->nchosen = 0;
    view->nfresh = 0;
    view->nstale = 0;

    for (i = 0; i < view->nholders; i++) {
        h = &view->holders[i];

        super = &roster->supers[h->said.super];
        age = ngx_http_tracker_age(now, h->said.at);

        h->valid = 0;
        h->avoid = 0;
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

        h->rank = ngx_http_tracker_choose_rank(super, id, asker,
                                               h->said.state);
    }
}


void
ngx_http_tracker_roster_judge(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_addr_t *asker, ngx_http_tracker_view_t *view)
{
    ngx_http_tracker_roster_t  *roster;

    roster = ngx_http_tracker_roster_lock(zone);
    ngx_http_tracker_choose_judge_locked(roster, id, asker, view);
    ngx_http_tracker_roster_unlock(zone);
}


/* Keeps the best, best first. */
static ngx_uint_t
ngx_http_tracker_choose_insert(ngx_http_tracker_holder_t *best, ngx_uint_t n,
    ngx_uint_t want, ngx_http_tracker_holder_t *h)
{
    ngx_uint_t  i;

    if (n == want) {
        if (want == 0 || best[n - 1].rank >= h->rank) {
            return n;
        }

    } else {
        n++;
    }

    for (i = n - 1; i > 0 && best[i - 1].rank < h->rank; i--) {
        best[i] = best[i - 1];
    }

    best[i] = *h;

    return n;
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


/* Super peers that the swarm has not heard of. */
static ngx_uint_t
ngx_http_tracker_choose_others_locked(ngx_http_tracker_roster_t *roster,
    u_char *id, ngx_http_tracker_addr_t *asker, ngx_http_tracker_view_t *view,
    ngx_http_tracker_holder_t *best, ngx_uint_t n, ngx_uint_t want)
{
    ngx_uint_t                  i, k;
    ngx_http_tracker_super_t   *super;
    ngx_http_tracker_holder_t   h;

    for (i = 0; i < roster->n; i++) {
        super = &roster->supers[i];

        if (!ngx_http_tracker_roster_alive(super)) {
            continue;
        }

        for (k = 0; k < view->nholders; k++) {
            if (view->holders[k].said.super == i && view->holders[k].valid) {
                break;
            }
        }

        if (k < view->nholders) {
            continue;
        }

        ngx_memzero(&h, sizeof(ngx_http_tracker_holder_t));

        h.said.super = i;
        h.gen = super->gen;
        h.rank = ngx_http_tracker_choose_rank(super, id, asker, 0);
        h.alive = 1;
        h.fresh = 1;

        n = ngx_http_tracker_choose_insert(best, n, want, &h);
    }

    return n;
}


/* Marks the best in the view, and adds those that it lacks. */
static void
ngx_http_tracker_choose_mark(ngx_http_tracker_holder_t *best, ngx_uint_t n,
    ngx_http_tracker_view_t *view)
{
    ngx_uint_t                  i, k;
    ngx_http_tracker_holder_t  *h;

    for (i = 0; i < n; i++) {

        for (k = 0; k < view->nholders; k++) {
            if (view->holders[k].said.super == best[i].said.super) {
                break;
            }
        }

        h = &view->holders[k];

        if (k == view->nholders) {
            *h = best[i];
            view->nholders++;
        }

        h->chosen = 1;
        h->fresh = best[i].fresh;

        view->nchosen++;
        view->nfresh += h->fresh;
    }
}


void
ngx_http_tracker_roster_choose(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_http_tracker_addr_t *asker, ngx_uint_t want,
    ngx_http_tracker_view_t *view)
{
    ngx_uint_t                  i, n, refused;
    ngx_http_tracker_holder_t  *h, best[NGX_HTTP_TRACKER_CHOSEN_MAX];
    ngx_http_tracker_roster_t  *roster;

    n = 0;
    refused = 0;

    roster = ngx_http_tracker_roster_lock(zone);

    ngx_http_tracker_choose_judge_locked(roster, id, asker, view);

    for (i = 0; i < view->nholders; i++) {
        h = &view->holders[i];

        refused += h->avoid;

        if (h->valid && h->alive && !h->avoid) {
            n = ngx_http_tracker_choose_insert(best, n, want, h);
        }
    }

    if (n < want && refused < NGX_HTTP_TRACKER_REFUSALS) {
        n = ngx_http_tracker_choose_others_locked(roster, id, asker, view,
                                                  best, n, want);
    }

    ngx_http_tracker_roster_unlock(zone);

    ngx_http_tracker_choose_mark(best, n, view);
}


void
ngx_http_tracker_roster_tell(ngx_http_tracker_zone_t *zone, u_char *id,
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
            ngx_http_tracker_choose_push_locked(super, id, h->said.super,
                                                wakes);
        }
    }

    ngx_http_tracker_roster_unlock(zone);
}
