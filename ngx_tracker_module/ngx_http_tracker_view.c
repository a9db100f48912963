
#include "ngx_http_tracker_view.h"
#include "ngx_http_tracker_roster_shm.h"
#include "ngx_http_tracker_slots.h"
#include "ngx_http_tracker_swarm_shm.h"


static ngx_uint_t ngx_http_tracker_view_bucket_locked(
    ngx_http_tracker_swarm_t *swarm, ngx_http_tracker_glance_t *glances,
    ngx_http_tracker_member_t *members, ngx_uint_t n);
static void ngx_http_tracker_view_member_locked(
    ngx_http_tracker_super_t *super, ngx_http_tracker_member_t *m);


void
ngx_http_tracker_view_census(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_census_t *census)
{
    ngx_uint_t                  i;
    ngx_http_tracker_roster_t  *roster;

    ngx_memzero(census, sizeof(ngx_http_tracker_census_t));

    roster = ngx_http_tracker_roster_lock(zone);

    census->started = roster->started;
    census->epoch = roster->epoch;

    for (i = 0; i < roster->n; i++) {
        census->known += (roster->supers[i].used != 0);
        census->alive += ngx_http_tracker_roster_alive(&roster->supers[i]);
    }

    ngx_http_tracker_roster_unlock(zone);

    for (i = 0; i < NGX_HTTP_TRACKER_SLOTS; i++) {
        census->workers += ngx_http_tracker_slots_alive(i);
    }
}


ngx_uint_t
ngx_http_tracker_view_walk(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_walk_t *walk, ngx_http_tracker_glance_t *glances,
    ngx_http_tracker_member_t *members, ngx_uint_t n)
{
    u_char                      id[NGX_HTTP_TRACKER_ID_LEN];
    ngx_uint_t                  found, looked, len;
    ngx_http_tracker_swarm_t   *swarm;
    ngx_http_tracker_section_t  s;

    id[0] = (u_char) walk->stripe;
    found = 0;

    ngx_http_tracker_swarm_enter(zone, id, &s);

    for (looked = 0; looked < NGX_HTTP_TRACKER_VIEW_BUCKETS; looked++) {

        if (walk->bucket >= s.stripe->nbuckets) {
            walk->bucket = 0;
            walk->stripe++;
            break;
        }

        len = 0;

        for (swarm = s.stripe->buckets[walk->bucket]; swarm;
             swarm = swarm->next)
        {
            len++;
        }

        /* a bucket is looked at as a whole, or swarms would be missed */

        if (found && found + len > NGX_HTTP_TRACKER_VIEW_SWARMS) {
            break;
        }

        found += ngx_http_tracker_view_bucket_locked(
                                         s.stripe->buckets[walk->bucket],
                                         glances + found, members, n);
        walk->bucket++;
    }

    ngx_http_tracker_stripe_unlock(zone, id);

    return found;
}


static ngx_uint_t
ngx_http_tracker_view_bucket_locked(ngx_http_tracker_swarm_t *swarm,
    ngx_http_tracker_glance_t *glances, ngx_http_tracker_member_t *members,
    ngx_uint_t n)
{
    ngx_uint_t                  found;
    ngx_http_tracker_node_t    *node;
    ngx_http_tracker_glance_t  *g;
    ngx_http_tracker_member_t  *m;

    for (found = 0; swarm && found < NGX_HTTP_TRACKER_VIEW_SWARMS;
         swarm = swarm->next)
    {
        g = &glances[found++];

        g->peers = swarm->v4.n + swarm->v6.n;
        g->holders = 0;
        g->torrent = swarm->torrent;
        ngx_memcpy(g->id, swarm->id, NGX_HTTP_TRACKER_ID_LEN);

        for (node = swarm->holders; node; node = node->next) {

            if (node->said.super >= n) {
                continue;
            }

            m = &members[node->said.super];

            /* an announcement was finished since, or the entry is another's */

            if (node->said.gen >= m->born
                && (node->said.gen >= m->min_gen
                    || node->said.state == NGX_HTTP_TRACKER_PREPARING
                    || node->said.state == NGX_HTTP_TRACKER_REFUSED))
            {
                m->sets[node->said.state]++;
                g->holders++;
            }
        }
    }

    return found;
}


ngx_int_t
ngx_http_tracker_view_swarm(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_uint_t torrent, ngx_uint_t numwant, ngx_http_tracker_sight_t *sight)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_http_tracker_peer_t      nobody;
    ngx_http_tracker_pick_t      pick;
    ngx_http_tracker_text_t     *text;
    ngx_http_tracker_section_t   s;

    ngx_memzero(&nobody, sizeof(ngx_http_tracker_peer_t));

    sight->torrent = torrent;
    sight->npeers = 0;

    ngx_http_tracker_swarm_enter(zone, id, &s);

    s.torrent = torrent;
    ngx_http_tracker_swarm_seek_locked(&s);

    rc = s.swarm ? NGX_OK : NGX_DECLINED;

    if (s.swarm) {
        ngx_http_tracker_swarm_counts_locked(s.swarm, &sight->counts);
        ngx_http_tracker_swarm_copy_locked(&s, &sight->view);

        sight->idle = ngx_http_tracker_age(ngx_http_tracker_now(),
                                           s.swarm->used);
        text = s.swarm->text;
        sight->has_text = (text != NULL);

        if (text) {
            ngx_memcpy(&sight->text, text,
                       offsetof(ngx_http_tracker_text_t, data) + text->url_len
                       + text->version_len + text->provider_len);
        }

        ngx_http_tracker_swarm_shift_locked(&s, s.swarm);

        for (i = 0; i < 2; i++) {
            pick.asker = &nobody;
            pick.peers = sight->peers + sight->npeers;
            pick.n = numwant - sight->npeers;

            sight->npeers += ngx_http_tracker_peerset_pick_locked(
                                             i ? &s.swarm->v6 : &s.swarm->v4,
                                             &s.px[i], &pick);
        }
    }

    ngx_http_tracker_stripe_unlock(zone, id);

    return rc;
}


void
ngx_http_tracker_view_members(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_member_t *members, ngx_uint_t n)
{
    ngx_uint_t                  i, first;
    ngx_http_tracker_roster_t  *roster;

    for (first = 0; first < n; first += NGX_HTTP_TRACKER_VIEW_SUPERS) {

        roster = ngx_http_tracker_roster_lock(zone);

        for (i = first;
             i < first + NGX_HTTP_TRACKER_VIEW_SUPERS && i < n
             && i < roster->n;
             i++)
        {
            ngx_http_tracker_view_member_locked(&roster->supers[i],
                                                &members[i]);
        }

        ngx_http_tracker_roster_unlock(zone);
    }
}


static void
ngx_http_tracker_view_member_locked(ngx_http_tracker_super_t *super,
    ngx_http_tracker_member_t *m)
{
    m->used = super->used;
    m->born = super->born;
    m->min_gen = super->min_gen;
    m->load = super->load;
    m->alive = (uint32_t) ngx_http_tracker_roster_alive(super);

    /* the clock of the worker that wrote it may be ahead */

    m->seen = (super->slot == -1 && super->seen < ngx_current_msec)
              ? ngx_current_msec - super->seen : 0;

    m->queued = ngx_min(super->head - ngx_min(super->acked, super->head),
                        NGX_HTTP_TRACKER_RING);
    m->said = super->said;
    m->addr = super->addr;

    m->name_len = super->name_len;
    ngx_memcpy(m->name, super->name, super->name_len);

    m->locality_len = super->locality_len;
    ngx_memcpy(m->locality, super->locality, super->locality_len);

    m->url_len = super->url_len;
    ngx_memcpy(m->url, super->url, super->url_len);

    ngx_memcpy(m->session, super->session, NGX_HTTP_TRACKER_SESSION_LEN);
}
