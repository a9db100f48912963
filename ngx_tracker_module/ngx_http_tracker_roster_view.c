
/*
 * The roster seen from outside: copies for pages.
 */


#include "ngx_http_tracker_roster_shm.h"
#include "ngx_http_tracker_slots.h"


void
ngx_http_tracker_roster_census(ngx_http_tracker_zone_t *zone,
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
