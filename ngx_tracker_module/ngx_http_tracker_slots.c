
/*
 * Order matters: a waker sets the bucket's bit, then the summary's, then takes
 * "pending"; the owner clears them the other way round; so no wake is lost but
 * by a waker that is killed between taking "pending" and its write, and that
 * one the owner's sweep finds.
 */


#include "ngx_http_tracker_slots.h"
#include "ngx_http_tracker_compat.h"


enum {
    NGX_HTTP_TRACKER_SLOTS_MIN = 64     /* bells made in any case */
};


typedef struct {
    uint64_t                      pid;
    uint64_t                      pending;
    uint64_t                      summary;
    uint64_t                      dirty[NGX_HTTP_TRACKER_WORDS];
} ngx_http_tracker_slot_t;


static ngx_int_t ngx_http_tracker_slots_init_zone(ngx_shm_zone_t *zone,
    void *data);
static void ngx_http_tracker_slots_ring(ngx_uint_t slot);


/* inherited by all workers; made once, so that all generations have the same */
static ngx_http_tracker_bell_t   ngx_http_tracker_bells[
                                     NGX_HTTP_TRACKER_SLOTS];
static ngx_uint_t                ngx_http_tracker_nbells;

/* the worker's own view; "slots" points to shared memory */
static ngx_http_tracker_slot_t  *ngx_http_tracker_slots;
static ngx_int_t                 ngx_http_tracker_slot = -1;
static ngx_event_t              *ngx_http_tracker_slot_event;


ngx_shm_zone_t *
ngx_http_tracker_slots_zone(ngx_conf_t *cf, void *tag)
{
    size_t           size;
    ngx_str_t        name = ngx_string("tracker slots");
    ngx_shm_zone_t  *zone;

    size = NGX_HTTP_TRACKER_SLOTS * sizeof(ngx_http_tracker_slot_t)
           + 16 * ngx_pagesize;

    zone = ngx_shared_memory_add(cf, &name, size, tag);
    if (zone) {
        zone->init = ngx_http_tracker_slots_init_zone;
    }

    return zone;
}


static ngx_int_t
ngx_http_tracker_slots_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    zone->data = zone;

    if (data || zone->shm.exists) {
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    shpool->data = ngx_slab_calloc(shpool, NGX_HTTP_TRACKER_SLOTS
                                           * sizeof(ngx_http_tracker_slot_t));

    return shpool->data ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_tracker_slots_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t        n;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    n = ngx_max(4 * (ngx_uint_t) ccf->worker_processes,
                NGX_HTTP_TRACKER_SLOTS_MIN);
    n = ngx_min(n, NGX_HTTP_TRACKER_SLOTS);

    while (ngx_http_tracker_nbells < n) {

        if (ngx_http_tracker_bell_open(
                         &ngx_http_tracker_bells[ngx_http_tracker_nbells])
            != NGX_OK)
        {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                          "tracker: " NGX_HTTP_TRACKER_BELL " failed");
            return NGX_ERROR;
        }

        ngx_http_tracker_nbells++;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_tracker_slots_claim(ngx_shm_zone_t *zone, ngx_log_t *log)
{
    uint64_t                  pid;
    ngx_int_t                 i;
    ngx_uint_t                w;
    ngx_slab_pool_t          *shpool;
    ngx_http_tracker_slot_t  *slot;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;
    ngx_http_tracker_slots = shpool->data;

    for (i = 0; i < (ngx_int_t) ngx_http_tracker_nbells; i++) {

        slot = &ngx_http_tracker_slots[i];
        pid = __atomic_load_n(&slot->pid, __ATOMIC_SEQ_CST);

        if (ngx_http_tracker_slots_alive(i)) {
            continue;
        }

        if (!__atomic_compare_exchange_n(&slot->pid, &pid,
                                         (uint64_t) ngx_pid, 0,
                                         __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        {
            continue;
        }

        for (w = 0; w < NGX_HTTP_TRACKER_WORDS; w++) {
            __atomic_store_n(&slot->dirty[w], 0, __ATOMIC_SEQ_CST);
        }

        __atomic_store_n(&slot->summary, 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&slot->pending, 0, __ATOMIC_SEQ_CST);

        ngx_http_tracker_slot = i;

        return ngx_http_tracker_bells[i].rd;
    }

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "tracker: no slot left for this worker, "
                  "it answers without delay");
    return -1;
}


void
ngx_http_tracker_slots_listen(ngx_event_t *ev)
{
    ngx_http_tracker_slot_event = ev;
}


void
ngx_http_tracker_slots_release(void)
{
    uint64_t  pid;

    if (ngx_http_tracker_slot == -1) {
        return;
    }

    pid = ngx_pid;

    (void) __atomic_compare_exchange_n(
                          &ngx_http_tracker_slots[ngx_http_tracker_slot].pid,
                          &pid, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);

    ngx_http_tracker_slot = -1;
}


uint64_t
ngx_http_tracker_slots_take(uint64_t *dirty)
{
    uint64_t                  summary, left;
    ngx_uint_t                word;
    ngx_http_tracker_slot_t  *slot;

    if (ngx_http_tracker_slot == -1) {
        return 0;
    }

    slot = &ngx_http_tracker_slots[ngx_http_tracker_slot];

    __atomic_store_n(&slot->pending, 0, __ATOMIC_SEQ_CST);

    summary = __atomic_exchange_n(&slot->summary, 0, __ATOMIC_SEQ_CST);

    for (left = summary; left; left &= left - 1) {
        word = __builtin_ctzll(left);
        dirty[word] = __atomic_exchange_n(&slot->dirty[word], 0,
                                          __ATOMIC_SEQ_CST);
    }

    return summary;
}


uint64_t
ngx_http_tracker_slots_bit(void)
{
    if (ngx_http_tracker_slot == -1) {
        return 0;
    }

    return (uint64_t) 1 << (ngx_http_tracker_slot % 64);
}


void
ngx_http_tracker_slots_wake(uint64_t mask, uint64_t key)
{
    uint64_t                  bucket;
    ngx_uint_t                i;
    ngx_http_tracker_slot_t  *slot;

    bucket = key % NGX_HTTP_TRACKER_BUCKETS;

    for ( /* void */ ; mask; mask &= mask - 1) {

        for (i = __builtin_ctzll(mask); i < NGX_HTTP_TRACKER_SLOTS; i += 64) {

            slot = &ngx_http_tracker_slots[i];

            if (__atomic_load_n(&slot->pid, __ATOMIC_RELAXED) == 0) {
                continue;
            }

            __atomic_fetch_or(&slot->dirty[bucket / 64],
                              (uint64_t) 1 << (bucket % 64), __ATOMIC_SEQ_CST);
            __atomic_fetch_or(&slot->summary, (uint64_t) 1 << (bucket / 64),
                              __ATOMIC_SEQ_CST);

            ngx_http_tracker_slots_ring(i);
        }
    }
}


void
ngx_http_tracker_slots_wake_all(void)
{
    ngx_uint_t                i, word;
    ngx_http_tracker_slot_t  *slot;

    for (i = 0; i < NGX_HTTP_TRACKER_SLOTS; i++) {

        slot = &ngx_http_tracker_slots[i];

        if (__atomic_load_n(&slot->pid, __ATOMIC_RELAXED) == 0) {
            continue;
        }

        for (word = 0; word < NGX_HTTP_TRACKER_WORDS; word++) {
            __atomic_store_n(&slot->dirty[word], (uint64_t) -1,
                             __ATOMIC_SEQ_CST);
        }

        __atomic_store_n(&slot->summary, (uint64_t) -1, __ATOMIC_SEQ_CST);

        ngx_http_tracker_slots_ring(i);
    }
}


static void
ngx_http_tracker_slots_ring(ngx_uint_t slot)
{
    if (__atomic_exchange_n(&ngx_http_tracker_slots[slot].pending, 1,
                            __ATOMIC_SEQ_CST))
    {
        return;
    }

    if ((ngx_int_t) slot == ngx_http_tracker_slot) {
        ngx_post_event(ngx_http_tracker_slot_event, &ngx_posted_events);
        return;
    }

    /* a worker of an older generation may lack the newest bells */

    if (slot < ngx_http_tracker_nbells
        && ngx_http_tracker_bell_ring(&ngx_http_tracker_bells[slot]) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "tracker: write() to a worker failed");
    }
}


ngx_int_t
ngx_http_tracker_slots_own(void)
{
    return ngx_http_tracker_slot;
}


ngx_uint_t
ngx_http_tracker_slots_lives(ngx_int_t slot, ngx_pid_t pid)
{
    uint64_t  owner;

    if (slot < 0 || slot >= NGX_HTTP_TRACKER_SLOTS) {
        return 0;
    }

    owner = __atomic_load_n(&ngx_http_tracker_slots[slot].pid,
                            __ATOMIC_SEQ_CST);

    return owner == (uint64_t) pid;
}


ngx_uint_t
ngx_http_tracker_slots_alive(ngx_uint_t slot)
{
    uint64_t  pid;

    if (slot >= NGX_HTTP_TRACKER_SLOTS) {
        return 0;
    }

    pid = __atomic_load_n(&ngx_http_tracker_slots[slot].pid,
                          __ATOMIC_SEQ_CST);

    return pid && (kill((ngx_pid_t) pid, 0) == 0 || ngx_errno != NGX_ESRCH);
}
