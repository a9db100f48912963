
#include "ngx_http_tracker_roster_shm.h"
#include "ngx_http_tracker_budget.h"
#include "ngx_http_tracker_stat.h"
#include "ngx_http_tracker_wait.h"

#include <openssl/rand.h>


enum {
    NGX_HTTP_TRACKER_ROSTER_MIN = 64,
    NGX_HTTP_TRACKER_ROSTER_MAX = 1024,

    /* a super peer's place for so many bytes of the zone */
    NGX_HTTP_TRACKER_ROSTER_SHARE = 65536
};


static ngx_int_t ngx_http_tracker_roster_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static uint64_t ngx_http_tracker_roster_epoch(void);


static ngx_uint_t  ngx_http_tracker_roster_reset;


ngx_uint_t
ngx_http_tracker_roster_max(ngx_http_tracker_zone_t *zone)
{
    ngx_uint_t  n;

    n = zone->size / NGX_HTTP_TRACKER_ROSTER_SHARE;
    n = ngx_max(n, NGX_HTTP_TRACKER_ROSTER_MIN);

    return ngx_min(n, NGX_HTTP_TRACKER_ROSTER_MAX);
}


static size_t
ngx_http_tracker_roster_size(ngx_http_tracker_zone_t *zone)
{
    return offsetof(ngx_http_tracker_roster_t, supers)
           + ngx_http_tracker_roster_max(zone)
             * sizeof(ngx_http_tracker_super_t);
}


ngx_int_t
ngx_http_tracker_roster_add(ngx_conf_t *cf, ngx_http_tracker_zone_t *zone,
    void *tag)
{
    size_t      size;
    ngx_str_t   name;

    name.data = ngx_pnalloc(cf->pool, zone->name.len + sizeof(".roster"));
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    name.len = ngx_sprintf(name.data, "%V.roster", &zone->name) - name.data;

    size = ngx_http_tracker_roster_size(zone) + ngx_http_tracker_stat_size()
           + ngx_http_tracker_budget_size();
    size += size / 64 + 16 * ngx_pagesize;

    zone->roster = ngx_shared_memory_add(cf, &name, size, tag);
    if (zone->roster == NULL) {
        return NGX_ERROR;
    }

    zone->roster->init = ngx_http_tracker_roster_init_zone;
    zone->roster->data = zone;

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_roster_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t            *shpool;
    ngx_http_tracker_zone_t    *zone = shm_zone->data;
    ngx_http_tracker_roster_t  *roster;

    if (data || shm_zone->shm.exists) {
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    roster = ngx_slab_calloc(shpool, ngx_http_tracker_roster_size(zone));
    if (roster == NULL) {
        return NGX_ERROR;
    }

    roster->stats = ngx_slab_calloc(shpool, ngx_http_tracker_stat_size());
    if (roster->stats == NULL) {
        return NGX_ERROR;
    }

    roster->budgets = ngx_slab_calloc(shpool, ngx_http_tracker_budget_size());
    if (roster->budgets == NULL) {
        return NGX_ERROR;
    }

    roster->started = (uint64_t) ngx_time();
    roster->max = ngx_http_tracker_roster_max(zone);
    roster->epoch = ngx_http_tracker_roster_epoch();

    shpool->data = roster;

    return NGX_OK;
}


static uint64_t
ngx_http_tracker_roster_epoch(void)
{
    uint64_t  epoch;

    do {
        if (RAND_bytes((u_char *) &epoch, sizeof(epoch)) != 1) {
            epoch = (uint64_t) ngx_time() << 32 ^ (uint64_t) ngx_random();
        }
    } while (epoch == 0);

    return epoch;
}


/*
 * Generations go on, and all that swarms remember is void: also of who does
 * not come back.
 */
static void
ngx_http_tracker_roster_reset_locked(ngx_http_tracker_roster_t *roster)
{
    ngx_uint_t  i;

    ngx_memzero(roster->supers,
                roster->max * sizeof(ngx_http_tracker_super_t));

    roster->n = 0;
    roster->gen++;
    roster->epoch = roster->epoch * 6364136223846793005ull + 1;

    for (i = 0; i < roster->max; i++) {
        roster->supers[i].born = roster->gen;
        roster->supers[i].min_gen = roster->gen;
    }
}


ngx_http_tracker_roster_t *
ngx_http_tracker_roster_lock(ngx_http_tracker_zone_t *zone)
{
    ngx_slab_pool_t            *shpool;
    ngx_http_tracker_roster_t  *roster;

    shpool = (ngx_slab_pool_t *) zone->roster->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    roster = shpool->data;

    if (roster->busy) {

        ngx_http_tracker_roster_reset_locked(roster);
        ngx_http_tracker_roster_reset = 1;
    }

    roster->busy = 1;
    ngx_memory_barrier();

    return roster;
}


void
ngx_http_tracker_roster_unlock(ngx_http_tracker_zone_t *zone)
{
    ngx_slab_pool_t            *shpool;
    ngx_http_tracker_roster_t  *roster;

    shpool = (ngx_slab_pool_t *) zone->roster->shm.addr;
    roster = shpool->data;

    ngx_memory_barrier();
    roster->busy = 0;

    ngx_shmtx_unlock(&shpool->mutex);

    if (ngx_http_tracker_roster_reset) {
        ngx_http_tracker_roster_reset = 0;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "tracker: a worker died in the roster of zone \"%V\", "
                      "it starts anew", &zone->name);

        ngx_http_tracker_slots_wake_all();
    }
}


void
ngx_http_tracker_roster_forget(ngx_http_tracker_zone_t *zone)
{
    uint64_t                    epoch;
    ngx_http_tracker_roster_t  *roster;

    epoch = ngx_http_tracker_roster_epoch();

    roster = ngx_http_tracker_roster_lock(zone);
    roster->epoch = epoch;
    ngx_http_tracker_roster_unlock(zone);
}


void
ngx_http_tracker_roster_renew(ngx_http_tracker_zone_t *zone, uint64_t made)
{
    uint64_t                    epoch;
    ngx_http_tracker_roster_t  *roster;

    epoch = ngx_http_tracker_roster_epoch();

    roster = ngx_http_tracker_roster_lock(zone);

    if (roster->made != made) {

        /* the first time there is nothing to be forgotten */

        if (roster->made) {
            roster->epoch = epoch;
        }

        roster->made = made;
    }

    ngx_http_tracker_roster_unlock(zone);
}


ngx_uint_t
ngx_http_tracker_roster_floor(ngx_http_tracker_zone_t *zone, uint32_t *gens)
{
    ngx_uint_t                  i, n;
    ngx_http_tracker_roster_t  *roster;

    roster = ngx_http_tracker_roster_lock(zone);

    n = roster->max;

    for (i = 0; i < n; i++) {
        gens[i] = roster->supers[i].min_gen;
    }

    ngx_http_tracker_roster_unlock(zone);

    return n;
}


/* No lock: it is asked as often as requests come to a zone that is full. */
ngx_uint_t
ngx_http_tracker_roster_mention(ngx_http_tracker_zone_t *zone)
{
    uint64_t                    last, now;
    ngx_slab_pool_t            *shpool;
    ngx_http_tracker_roster_t  *roster;

    shpool = (ngx_slab_pool_t *) zone->roster->shm.addr;
    roster = shpool->data;

    now = ngx_http_tracker_now();
    last = __atomic_load_n(&roster->mentioned, __ATOMIC_RELAXED);

    if (last && now < last + 60) {
        return 0;
    }

    return __atomic_compare_exchange_n(&roster->mentioned, &last, now, 0,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}


uint64_t
ngx_http_tracker_roster_key(uint32_t super)
{
    return super * 0x9e3779b97f4a7c15ull >> 20;
}


ngx_uint_t
ngx_http_tracker_roster_alive(ngx_http_tracker_super_t *super)
{
    if (!super->used || super->stopped) {
        return 0;
    }

    return super->slot != -1
           || (int64_t) ((uint64_t) ngx_current_msec - super->seen)
              < NGX_HTTP_TRACKER_GRACE;
}
