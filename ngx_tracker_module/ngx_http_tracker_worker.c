
#include "ngx_http_tracker_worker.h"
#include "ngx_http_tracker_roster.h"
#include "ngx_http_tracker_stat.h"
#include "ngx_http_tracker_sweep.h"
#include "ngx_http_tracker_wait.h"


/* What a worker remembers of each zone's super peers. */

typedef struct {
    ngx_http_tracker_zone_t      *zone;
    u_char                       *alive;
} ngx_http_tracker_swept_t;


/* Once a second; 1 when all that waits here is to be looked at again. */
static ngx_uint_t
ngx_http_tracker_worker_tick(void *data)
{
    ngx_uint_t                 i, died;
    ngx_array_t               *swept = data;
    ngx_http_tracker_swept_t  *s;

    ngx_http_tracker_sweep();

    s = swept->elts;
    died = 0;

    for (i = 0; i < swept->nelts; i++) {
        died |= ngx_http_tracker_roster_sweep(s[i].zone, s[i].alive);
    }

    return died;
}


ngx_int_t
ngx_http_tracker_init_module(ngx_cycle_t *cycle)
{
    ngx_http_tracker_main_conf_t  *tmcf;

    tmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_tracker_module);

    if (tmcf == NULL || tmcf->slots == NULL || ngx_test_config) {
        return NGX_OK;
    }

    return ngx_http_tracker_slots_init_module(cycle);
}


ngx_int_t
ngx_http_tracker_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                      i;
    ngx_array_t                    *swept;
    ngx_http_tracker_swept_t       *s;
    ngx_http_tracker_zone_t       **zones;
    ngx_http_tracker_main_conf_t   *tmcf;

    tmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_tracker_module);

    /* cache manager and loader come here too */

    if (tmcf == NULL || tmcf->slots == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    swept = ngx_array_create(cycle->pool, tmcf->zones.nelts,
                             sizeof(ngx_http_tracker_swept_t));
    if (swept == NULL) {
        return NGX_ERROR;
    }

    zones = tmcf->zones.elts;

    for (i = 0; i < tmcf->zones.nelts; i++) {

        s = ngx_array_push(swept);
        if (s == NULL) {
            return NGX_ERROR;
        }

        s->zone = zones[i];
        s->alive = ngx_pcalloc(cycle->pool,
                               ngx_http_tracker_roster_max(zones[i]));
        if (s->alive == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_tracker_sweep_init_worker(cycle, &tmcf->zones) != NGX_OK
        || ngx_http_tracker_wait_init_worker(cycle, tmcf->slots,
                                             ngx_http_tracker_worker_tick,
                                             swept)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < tmcf->zones.nelts; i++) {
        ngx_http_tracker_stat_start(zones[i]);
    }

    return NGX_OK;
}


void
ngx_http_tracker_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_tracker_slots_release();
}
