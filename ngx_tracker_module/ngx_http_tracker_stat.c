
#include "ngx_http_tracker_stat.h"
#include "ngx_http_tracker_roster_shm.h"
#include "ngx_http_tracker_slots.h"


/* one row more for workers without a slot; rows do not share a line */

#define NGX_HTTP_TRACKER_STAT_ROWS  (NGX_HTTP_TRACKER_SLOTS + 1)

#define NGX_HTTP_TRACKER_STAT_COLUMNS                                         \
    ngx_align((ngx_uint_t) NGX_HTTP_TRACKER_STATS_MAX, 8)


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


void
ngx_http_tracker_stat_add(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_stat_e stat, int64_t n)
{
    __atomic_fetch_add(&ngx_http_tracker_stat_own(zone)[stat], (uint64_t) n,
                       __ATOMIC_RELAXED);
}


uint64_t
ngx_http_tracker_stat_sum(ngx_http_tracker_zone_t *zone,
    ngx_http_tracker_stat_e stat)
{
    uint64_t    sum;
    ngx_uint_t  i;

    sum = 0;

    for (i = 0; i < NGX_HTTP_TRACKER_STAT_ROWS; i++) {
        sum += __atomic_load_n(&ngx_http_tracker_stat_row(zone, i)[stat],
                               __ATOMIC_RELAXED);
    }

    return sum;
}
