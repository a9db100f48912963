
#include "ngx_http_tracker_stripe.h"
#include "ngx_http_tracker_roster.h"
#include "ngx_http_tracker_stat.h"
#include "ngx_http_tracker_wait.h"


/* the table is sized for swarms of about that many bytes */
#define NGX_HTTP_TRACKER_SWARM_BYTES  1024


static ngx_int_t ngx_http_tracker_stripe_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_http_tracker_stripe_t *ngx_http_tracker_stripe_create(
    ngx_slab_pool_t *shpool);
static ngx_http_tracker_stripe_t *ngx_http_tracker_stripe_reset(
    ngx_slab_pool_t *shpool);
static void ngx_http_tracker_stripe_lost(ngx_http_tracker_zone_t *zone,
    ngx_uint_t n);


#define ngx_http_tracker_stripe_pool(zone, id)                                \
    ((ngx_slab_pool_t *)                                                      \
     (zone)->stripes[(id)[0] % NGX_HTTP_TRACKER_STRIPES]->shm.addr)


ngx_int_t
ngx_http_tracker_stripe_add(ngx_conf_t *cf, ngx_http_tracker_zone_t *zone,
    void *tag)
{
    u_char          *p;
    ngx_str_t        name;
    ngx_uint_t       i;
    ngx_shm_zone_t  *shm_zone;

    for (i = 0; i < NGX_HTTP_TRACKER_STRIPES; i++) {

        name.data = ngx_pnalloc(cf->pool, zone->name.len + sizeof(".00"));
        if (name.data == NULL) {
            return NGX_ERROR;
        }

        p = ngx_sprintf(name.data, "%V.%02ui", &zone->name, i);
        name.len = p - name.data;

        shm_zone = ngx_shared_memory_add(cf, &name,
                                         zone->size / NGX_HTTP_TRACKER_STRIPES,
                                         tag);
        if (shm_zone == NULL) {
            return NGX_ERROR;
        }

        shm_zone->init = ngx_http_tracker_stripe_init_zone;
        shm_zone->data = zone;

        zone->stripes[i] = shm_zone;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tracker_stripe_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t            *shpool;
    ngx_http_tracker_stripe_t  *stripe;

    if (data || shm_zone->shm.exists) {
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;
    shpool->log_nomem = 0;

    stripe = ngx_http_tracker_stripe_create(shpool);
    if (stripe == NULL) {
        return NGX_ERROR;
    }

    stripe->lost = NGX_HTTP_TRACKER_LOST_NEW;
    shpool->data = stripe;

    return NGX_OK;
}


static ngx_http_tracker_stripe_t *
ngx_http_tracker_stripe_create(ngx_slab_pool_t *shpool)
{
    size_t                      n;
    ngx_http_tracker_stripe_t  *stripe;

    n = 16;

    while (n * 2 * NGX_HTTP_TRACKER_SWARM_BYTES
           <= (size_t) (shpool->end - shpool->start))
    {
        n *= 2;
    }

    stripe = ngx_slab_calloc_locked(shpool,
                                offsetof(ngx_http_tracker_stripe_t, buckets)
                                + n * sizeof(ngx_http_tracker_swarm_t *));
    if (stripe) {
        stripe->nbuckets = (uint32_t) n;
        stripe->seed = (uint64_t) ngx_random() << 32 ^ ngx_random();
        stripe->made = (uint64_t) ngx_random() << 32 ^ ngx_random();
        ngx_queue_init(&stripe->lru);
    }

    return stripe;
}


ngx_http_tracker_stripe_t *
ngx_http_tracker_stripe_lock(ngx_http_tracker_zone_t *zone, u_char *id,
    ngx_slab_pool_t **pool)
{
    ngx_slab_pool_t            *shpool;
    ngx_http_tracker_stripe_t  *stripe;

    shpool = ngx_http_tracker_stripe_pool(zone, id);
    *pool = shpool;

    ngx_shmtx_lock(&shpool->mutex);

    stripe = shpool->data;

    if (stripe == NULL || stripe->busy) {
        stripe = ngx_http_tracker_stripe_reset(shpool);
    }

    stripe->busy = 1;
    ngx_memory_barrier();

    return stripe;
}


/* Who is killed in here leaves no stripe, and the next one begins again. */
static ngx_http_tracker_stripe_t *
ngx_http_tracker_stripe_reset(ngx_slab_pool_t *shpool)
{
    ngx_http_tracker_tally_t    tally;
    ngx_http_tracker_stripe_t  *stripe;

    ngx_memzero(&tally, sizeof(ngx_http_tracker_tally_t));

    stripe = shpool->data;

    if (stripe) {
        tally = stripe->tally;
    }

    shpool->data = NULL;
    ngx_memory_barrier();

    ngx_slab_init(shpool);
    shpool->log_nomem = 0;

    /* cannot fail: the pool is as empty as it was at the start */

    stripe = ngx_http_tracker_stripe_create(shpool);
    stripe->lost = NGX_HTTP_TRACKER_LOST_DIED;

    /* counters never go down */

    stripe->tally.evicted = tally.evicted;
    stripe->tally.expired = tally.expired;
    stripe->tally.refused = tally.refused;
    stripe->tally.gone = tally.gone;

    ngx_memory_barrier();
    shpool->data = stripe;

    return stripe;
}


void
ngx_http_tracker_stripe_unlock(ngx_http_tracker_zone_t *zone, u_char *id)
{
    uint64_t                    lost;
    ngx_slab_pool_t            *shpool;
    ngx_http_tracker_stripe_t  *stripe;

    shpool = ngx_http_tracker_stripe_pool(zone, id);
    stripe = shpool->data;
    lost = stripe->lost;

    ngx_memory_barrier();
    stripe->busy = 0;

    ngx_shmtx_unlock(&shpool->mutex);

    if (lost) {
        ngx_http_tracker_stripe_lost(zone, id[0] % NGX_HTTP_TRACKER_STRIPES);
    }
}


/*
 * Super peers announce again what was lost. That comes first: who is killed in
 * here leaves the rest to the next one.
 */
static void
ngx_http_tracker_stripe_lost(ngx_http_tracker_zone_t *zone, ngx_uint_t n)
{
    uint64_t                    lost, made;
    ngx_slab_pool_t            *shpool;
    ngx_http_tracker_stripe_t  *stripe;

    shpool = (ngx_slab_pool_t *) zone->stripes[0]->shm.addr;
    stripe = shpool->data;
    made = stripe ? stripe->made : 0;

    shpool = (ngx_slab_pool_t *) zone->stripes[n]->shm.addr;
    stripe = shpool->data;

    if (stripe && stripe->lost == NGX_HTTP_TRACKER_LOST_NEW) {
        ngx_http_tracker_roster_renew(zone, made);

    } else {
        ngx_http_tracker_roster_forget(zone);
    }

    lost = 0;

    ngx_shmtx_lock(&shpool->mutex);

    stripe = shpool->data;

    if (stripe) {
        lost = stripe->lost;
        stripe->lost = 0;
    }

    ngx_shmtx_unlock(&shpool->mutex);

    if (lost != NGX_HTTP_TRACKER_LOST_DIED) {
        return;
    }

    ngx_http_tracker_stat_add(zone, NGX_HTTP_TRACKER_STAT_RESETS, 1);

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "tracker: a worker died in stripe %ui of zone \"%V\", "
                  "the stripe starts anew", n, &zone->name);

    ngx_http_tracker_slots_wake_all();
}


void
ngx_http_tracker_stripe_usage(ngx_http_tracker_zone_t *zone, ngx_uint_t n,
    ngx_http_tracker_tally_t *tally, size_t *size, size_t *used)
{
    u_char                      id[NGX_HTTP_TRACKER_ID_LEN];
    ngx_slab_pool_t            *shpool;
    ngx_http_tracker_stripe_t  *stripe;

    id[0] = (u_char) n;

    stripe = ngx_http_tracker_stripe_lock(zone, id, &shpool);

    *tally = stripe->tally;
    *size = shpool->end - shpool->start;
    *used = *size - shpool->pfree * ngx_pagesize;

    ngx_http_tracker_stripe_unlock(zone, id);
}


void
ngx_http_tracker_stripe_full(ngx_http_tracker_zone_t *zone, ngx_log_t *log)
{
    if (!ngx_http_tracker_roster_mention(zone)) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "tracker: zone \"%V\" is full, answers are degraded",
                  &zone->name);
}
