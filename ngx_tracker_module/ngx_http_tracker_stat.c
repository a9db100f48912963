
#include "ngx_http_tracker_stat.h"
#include "ngx_http_tracker_roster_shm.h"
#include "ngx_http_tracker_slots.h"


/* one row more for workers without a slot; rows do not share a line */

#define NGX_HTTP_TRACKER_STAT_ROWS  (NGX_HTTP_TRACKER_SLOTS + 1)

#define NGX_HTTP_TRACKER_STAT_COLUMNS                                         \
    ngx_align((ngx_uint_t) NGX_HTTP_TRACKER_STATS_MAX, 8)


ngx_uint_t  ngx_http_tracker_stat_codes[NGX_HTTP_TRACKER_CODES] = {
    200, 400, 401, 403, 404, 405, 408, 413, 429, 499, 500, 503, 0
};

/* from the shortest delays to the longest polls */
ngx_uint_t  ngx_http_tracker_stat_bounds[NGX_HTTP_TRACKER_BOUNDS] = {
    10, 25, 50, 100, 200, 350, 500, 750, 1000, 1500, 2500, 5000, 10000, 30000
};


static uint64_t *
ngx_http_tracker_stat_row(ngx_http_tracker_zone_t *zone, ngx_uint_t row)
{
    ngx_slab_pool_t            *shpool;
    ngx_http_tracker_roster_t  *roster;

    shpool = (ngx_slab_pool_t *) zone->roster->shm.addr;
    roster = shpool->data;

    return roster->stats + row * NGX_HTTP_TRACKER_STAT_COLUMNS;
}


static uint64_t *
ngx_http_tracker_stat_own(ngx_http_tracker_zone_t *zone)
{
    ngx_int_t  slot;

    slot = ngx_http_tracker_slots_own();

    return ngx_http_tracker_stat_row(zone, slot == -1 ? NGX_HTTP_TRACKER_SLOTS
                                                      : (ngx_uint_t) slot);
}


size_t
ngx_http_tracker_stat_size(void)
{
    return NGX_HTTP_TRACKER_STAT_ROWS * NGX_HTTP_TRACKER_STAT_COLUMNS
           * sizeof(uint64_t);
}


void
ngx_http_tracker_stat_start(ngx_http_tracker_zone_t *zone)
{
    uint64_t    *row;
    ngx_uint_t   i;

    row = ngx_http_tracker_stat_own(zone);

    for (i = 0; i < NGX_HTTP_TRACKER_STAT_GAUGES; i++) {
        __atomic_store_n(&row[i], 0, __ATOMIC_RELAXED);
    }
}


/* The row of a slot has one writer; readers want whole numbers only. */
static void
ngx_http_tracker_stat_count(uint64_t *row, ngx_uint_t stat, int64_t n)
{
    uint64_t  value;

    if (ngx_http_tracker_slots_own() == -1) {
        __atomic_fetch_add(&row[stat], (uint64_t) n, __ATOMIC_RELAXED);
        return;
    }

    value = __atomic_load_n(&row[stat], __ATOMIC_RELAXED);
    __atomic_store_n(&row[stat], value + (uint64_t) n, __ATOMIC_RELAXED);
}


void
ngx_http_tracker_stat_add(ngx_http_tracker_zone_t *zone, ngx_uint_t stat,
    int64_t n)
{
    ngx_http_tracker_stat_count(ngx_http_tracker_stat_own(zone), stat, n);
}


void
ngx_http_tracker_stat_request(ngx_http_tracker_zone_t *zone, ngx_uint_t kind,
    ngx_uint_t status, ngx_uint_t reason, ngx_msec_int_t waited)
{
    uint64_t    *row;
    ngx_uint_t   i, base;

    row = ngx_http_tracker_stat_own(zone);

    for (i = 0; i < NGX_HTTP_TRACKER_CODES - 1; i++) {
        if (ngx_http_tracker_stat_codes[i] == status) {
            break;
        }
    }

    ngx_http_tracker_stat_count(row, NGX_HTTP_TRACKER_STAT_REQUESTS
                                     + kind * NGX_HTTP_TRACKER_CODES + i, 1);

    if (kind >= NGX_HTTP_TRACKER_KIND_PARKED_MAX) {
        return;
    }

    ngx_http_tracker_stat_count(row, NGX_HTTP_TRACKER_STAT_ANSWERS
                                     + kind * NGX_HTTP_TRACKER_REASONS_MAX
                                     + reason, 1);

    if (waited < 0) {
        return;
    }

    for (i = 0; i < NGX_HTTP_TRACKER_BOUNDS; i++) {
        if ((ngx_uint_t) waited <= ngx_http_tracker_stat_bounds[i]) {
            break;
        }
    }

    base = NGX_HTTP_TRACKER_STAT_WAITS + kind * (NGX_HTTP_TRACKER_BOUNDS + 2);

    ngx_http_tracker_stat_count(row, base + i, 1);
    ngx_http_tracker_stat_count(row, base + NGX_HTTP_TRACKER_BOUNDS + 1,
                                waited);
}


void
ngx_http_tracker_stat_got(ngx_http_tracker_zone_t *zone, uint64_t *got,
    uint64_t size)
{
    ngx_uint_t  i;

    for (i = 0; i < 3; i++) {
        if (got[i]) {
            ngx_http_tracker_stat_add(zone,
                                      NGX_HTTP_TRACKER_STAT_GOT_SUPER + i,
                                      ngx_min(got[i], size));
        }
    }
}


void
ngx_http_tracker_stat_sums(ngx_http_tracker_zone_t *zone, uint64_t *sums)
{
    uint64_t    *row;
    ngx_uint_t   i, k;

    ngx_memzero(sums, NGX_HTTP_TRACKER_STATS_MAX * sizeof(uint64_t));

    for (i = 0; i < NGX_HTTP_TRACKER_STAT_ROWS; i++) {

        row = ngx_http_tracker_stat_row(zone, i);
        k = ngx_http_tracker_slots_alive(i) ? 0 : NGX_HTTP_TRACKER_STAT_GAUGES;

        for ( /* void */ ; k < NGX_HTTP_TRACKER_STATS_MAX; k++) {
            sums[k] += __atomic_load_n(&row[k], __ATOMIC_RELAXED);
        }
    }
}
