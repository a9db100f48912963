
#include "ngx_http_tracker_role.h"
#include "ngx_http_tracker_conf.h"


#define ngx_http_tracker_contradicts(name)                                    \
    "contradicts \"" name "\" in the same location"


ngx_http_tracker_role_t  ngx_http_tracker_role_peers = {
    ngx_http_tracker_peers_handler,
    ngx_string("GET, HEAD"),
    ngx_http_tracker_contradicts("tracker_peers"),
    1, 1, NGX_HTTP_TRACKER_KIND_PEERS
};

ngx_http_tracker_role_t  ngx_http_tracker_role_control = {
    ngx_http_tracker_control_handler,
    ngx_string("POST"),
    ngx_http_tracker_contradicts("tracker_control"),
    0, 0, NGX_HTTP_TRACKER_KIND_CONTROL
};

ngx_http_tracker_role_t  ngx_http_tracker_role_status = {
    ngx_http_tracker_status_handler,
    ngx_string("GET, HEAD"),
    ngx_http_tracker_contradicts("tracker_status"),
    0, 0, NGX_HTTP_TRACKER_KIND_STATUS
};

ngx_http_tracker_role_t  ngx_http_tracker_role_metrics = {
    ngx_http_tracker_metrics_handler,
    ngx_string("GET, HEAD"),
    ngx_http_tracker_contradicts("tracker_metrics"),
    0, 0, NGX_HTTP_TRACKER_KIND_METRICS
};

ngx_http_tracker_role_t  ngx_http_tracker_role_announce = {
    ngx_http_tracker_announce_handler,
    ngx_string("GET, HEAD"),
    ngx_http_tracker_contradicts("tracker_announce"),
    1, 0, NGX_HTTP_TRACKER_KIND_ANNOUNCE
};

ngx_http_tracker_role_t  ngx_http_tracker_role_scrape = {
    ngx_http_tracker_scrape_handler,
    ngx_string("GET, HEAD"),
    ngx_http_tracker_contradicts("tracker_scrape"),
    0, 0, NGX_HTTP_TRACKER_KIND_SCRAPE
};


char *
ngx_http_tracker_role_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                    *value;
    ngx_http_tracker_role_t      *role;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_tracker_loc_conf_t  *tlcf = conf;

    role = cmd->post;

    if (tlcf->role) {
        return (tlcf->role == role) ? "is duplicate" : tlcf->role->contradicts;
    }

    value = cf->args->elts;

    tlcf->zone = ngx_http_tracker_conf_named(cf, &value[1]);
    if (tlcf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    tlcf->role = role;

    if (role->origins && !tlcf->zone->peers) {
        tlcf->zone->peers = 1;
        tlcf->zone->peers_file = cf->conf_file->file.name;
        tlcf->zone->peers_line = cf->conf_file->line;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = role->handler;

    return NGX_CONF_OK;
}


void
ngx_http_tracker_role_merge(ngx_conf_t *cf, ngx_http_tracker_loc_conf_t *prev,
    ngx_http_tracker_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && clcf->handler == NULL && prev->role) {
        conf->role = prev->role;
        conf->zone = prev->zone;
        clcf->handler = conf->role->handler;
    }

    /* two intervals and a half */

    if (conf->role && conf->role->registers) {
        conf->zone->ttl = ngx_max(conf->zone->ttl,
                                  (uint32_t) (conf->interval * 5 + 1) / 2);
    }

    if (conf->role == &ngx_http_tracker_role_peers) {
        conf->zone->interval = ngx_max(conf->zone->interval, conf->interval);
    }
}
