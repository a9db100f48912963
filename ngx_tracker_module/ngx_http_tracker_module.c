
/*
 * Shoal's tracker: says who has a file, after a short delay that gives super
 * peers the time to get ready. This file: directives and hooks.
 */


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_conf.h"
#include "ngx_http_tracker_hashes.h"
#include "ngx_http_tracker_trace.h"
#include "ngx_http_tracker_role.h"
#include "ngx_http_tracker_roster.h"
#include "ngx_http_tracker_stat.h"
#include "ngx_http_tracker_ticket.h"
#include "ngx_http_tracker_worker.h"


static ngx_int_t ngx_http_tracker_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_tracker_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_tracker_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_tracker_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


static ngx_conf_num_bounds_t  ngx_http_tracker_per_file_bounds = {
    ngx_conf_check_num_bounds, 0, NGX_HTTP_TRACKER_CHOSEN_MAX
};

static ngx_conf_num_bounds_t  ngx_http_tracker_after_bounds = {
    ngx_conf_check_num_bounds, 1, NGX_HTTP_TRACKER_AFTER_MAX
};

static ngx_conf_num_bounds_t  ngx_http_tracker_interval_bounds = {
    ngx_conf_check_num_bounds, 1, 86400
};


static ngx_conf_enum_t  ngx_http_tracker_early[] = {
    { ngx_string("off"), NGX_HTTP_TRACKER_EARLY_OFF },
    { ngx_string("on"), NGX_HTTP_TRACKER_EARLY_ON },
    { ngx_string("filling"), NGX_HTTP_TRACKER_EARLY_FILLING },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_tracker_commands[] = {

    { ngx_string("tracker_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tracker_conf_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      &ngx_http_tracker_module },

    { ngx_string("tracker_origin"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_tracker_conf_origin,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tracker_superpeer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2|NGX_CONF_TAKE3|NGX_CONF_TAKE4,
      ngx_http_tracker_conf_superpeer,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tracker_ticket_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2|NGX_CONF_TAKE3,
      ngx_http_tracker_ticket_set,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tracker_peers"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_tracker_role_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_tracker_role_peers },

    { ngx_string("tracker_control"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_tracker_role_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_tracker_role_control },

    { ngx_string("tracker_announce"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_tracker_role_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_tracker_role_announce },

    { ngx_string("tracker_scrape"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_tracker_role_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_tracker_role_scrape },

    { ngx_string("tracker_passkey"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_tracker_loc_conf_t, passkey),
      NULL },

    { ngx_string("tracker_info_hashes"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_tracker_hashes_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tracker_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_tracker_role_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_tracker_role_status },

    { ngx_string("tracker_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_tracker_role_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_tracker_role_metrics },

    { ngx_string("tracker_delay"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_tracker_loc_conf_t, delay),
      NULL },

    { ngx_string("tracker_early"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_tracker_loc_conf_t, early),
      &ngx_http_tracker_early },

    { ngx_string("tracker_list_filling"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_tracker_loc_conf_t, list_filling),
      NULL },

    { ngx_string("tracker_superpeers_per_file"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_tracker_loc_conf_t, per_file),
      &ngx_http_tracker_per_file_bounds },

    { ngx_string("tracker_max_parked"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_tracker_loc_conf_t, max_parked),
      NULL },

    { ngx_string("tracker_interval"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_tracker_loc_conf_t, interval),
      &ngx_http_tracker_interval_bounds },

    { ngx_string("tracker_register"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_tracker_loc_conf_t, self_register),
      NULL },

    { ngx_string("tracker_control_name"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_tracker_loc_conf_t, control_name),
      NULL },

    { ngx_string("tracker_prepare_after"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_tracker_loc_conf_t, prepare_after),
      &ngx_http_tracker_after_bounds },

    { ngx_string("tracker_prepare_budget"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_off_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_tracker_loc_conf_t, prepare_budget),
      NULL },

    { ngx_string("tracker_min_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_off_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_tracker_loc_conf_t, min_size),
      NULL },

    { ngx_string("tracker_locality"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_tracker_loc_conf_t, locality),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_tracker_module_ctx = {
    ngx_http_tracker_variables,            /* preconfiguration */
    ngx_http_tracker_postconfiguration,    /* postconfiguration */

    ngx_http_tracker_create_main_conf,     /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_tracker_create_loc_conf,      /* create location configuration */
    ngx_http_tracker_merge_loc_conf        /* merge location configuration */
};


ngx_module_t  ngx_http_tracker_module = {
    NGX_MODULE_V1,
    &ngx_http_tracker_module_ctx,          /* module context */
    ngx_http_tracker_commands,             /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_tracker_init_module,          /* init module */
    ngx_http_tracker_init_process,         /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_tracker_exit_process,         /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_tracker_postconfiguration(ngx_conf_t *cf)
{
    ngx_int_t                      rc;
    ngx_http_tracker_main_conf_t  *tmcf;

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_tracker_module);

    rc = ngx_http_tracker_conf_check(cf);

    if (rc != NGX_OK || tmcf->zones.nelts == 0) {
        return rc;
    }

    return ngx_http_tracker_trace_init(cf);
}


static void *
ngx_http_tracker_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_tracker_main_conf_t  *tmcf;

    tmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_tracker_main_conf_t));
    if (tmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&tmcf->zones, cf->pool, 2,
                       sizeof(ngx_http_tracker_zone_t *))
        != NGX_OK
        || ngx_array_init(&tmcf->hashes, cf->pool, 2,
                          sizeof(ngx_http_tracker_hashes_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return tmcf;
}


static void *
ngx_http_tracker_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_tracker_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_tracker_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->role = NULL;
     *     conf->zone = NULL;
     *     conf->locality = NULL;
     *     conf->control_name = NULL;
     *     conf->passkey = NULL;
     */

    conf->delay = NGX_CONF_UNSET_MSEC;
    conf->early = NGX_CONF_UNSET_UINT;
    conf->list_filling = NGX_CONF_UNSET;
    conf->self_register = NGX_CONF_UNSET;
    conf->per_file = NGX_CONF_UNSET_UINT;
    conf->max_parked = NGX_CONF_UNSET_UINT;
    conf->interval = NGX_CONF_UNSET;
    conf->prepare_after = NGX_CONF_UNSET_UINT;
    conf->prepare_budget = NGX_CONF_UNSET;
    conf->min_size = NGX_CONF_UNSET;
    conf->hashes = NGX_CONF_UNSET_PTR;

    return conf;
}


static char *
ngx_http_tracker_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_tracker_loc_conf_t *prev = parent;
    ngx_http_tracker_loc_conf_t *conf = child;

    ngx_conf_merge_msec_value(conf->delay, prev->delay, 300);
    ngx_conf_merge_uint_value(conf->early, prev->early,
                              NGX_HTTP_TRACKER_EARLY_ON);
    ngx_conf_merge_value(conf->list_filling, prev->list_filling, 1);
    ngx_conf_merge_value(conf->self_register, prev->self_register, 0);
    ngx_conf_merge_uint_value(conf->per_file, prev->per_file, 2);
    ngx_conf_merge_uint_value(conf->max_parked, prev->max_parked,
                              NGX_CONF_UNSET_UINT);
    ngx_conf_merge_sec_value(conf->interval, prev->interval, 60);
    ngx_conf_merge_ptr_value(conf->hashes, prev->hashes, NULL);

    if (conf->passkey == NULL) {
        conf->passkey = prev->passkey;
    }

    ngx_conf_merge_uint_value(conf->prepare_after, prev->prepare_after, 1);
    ngx_conf_merge_off_value(conf->prepare_budget, prev->prepare_budget, 0);
    ngx_conf_merge_off_value(conf->min_size, prev->min_size, 0);

    if (conf->locality == NULL) {
        conf->locality = prev->locality;
    }

    if (conf->control_name == NULL) {
        conf->control_name = prev->control_name;
    }

    ngx_http_tracker_role_merge(cf, prev, conf);

    return NGX_CONF_OK;
}
