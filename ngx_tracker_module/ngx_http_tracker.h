
/*
 * Shoal's tracker: what all of the module's files share.
 */


#ifndef _NGX_HTTP_TRACKER_H_INCLUDED_
#define _NGX_HTTP_TRACKER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>


enum {
    NGX_HTTP_TRACKER_STRIPES = 16,
    NGX_HTTP_TRACKER_ID_LEN = 20,
    NGX_HTTP_TRACKER_ROOT_LEN = 32,

    /* limits of docs/protocol.md, in bytes */
    NGX_HTTP_TRACKER_URL_MAX = 4096,
    NGX_HTTP_TRACKER_VERSION_MAX = 256,
    NGX_HTTP_TRACKER_PROVIDER_MAX = 64,
    NGX_HTTP_TRACKER_NAME_MAX = 64,
    NGX_HTTP_TRACKER_LOCALITY_MAX = 128,

    /* base URL of a super peer's block server; with a ticket */
    NGX_HTTP_TRACKER_BASE_MAX = 256,
    NGX_HTTP_TRACKER_TICKET_MAX = NGX_INT64_LEN + 1 + 32,
    NGX_HTTP_TRACKER_SUPER_MAX = NGX_HTTP_TRACKER_BASE_MAX
                                 + sizeof("&t=") - 1
                                 + NGX_HTTP_TRACKER_TICKET_MAX,

    /* super peers chosen for one file: tracker_superpeers_per_file */
    NGX_HTTP_TRACKER_CHOSEN_MAX = 8
};


/* An address as shared memory and comparisons want it. */

typedef struct {
    u_char                        family;      /* 0 (none), 4, 6 */
    u_char                        bytes[16];
} ngx_http_tracker_addr_t;


typedef struct {
    ngx_str_t                     host;        /* with "*.": from its dot on */
    in_port_t                     port;        /* 0: any */
    unsigned                      wildcard:1;
    unsigned                      signing:1;
} ngx_http_tracker_origin_t;


typedef struct {
    ngx_str_t                     name;
    ngx_str_t                     locality;
    ngx_str_t                     url;
} ngx_http_tracker_preset_t;


typedef struct ngx_http_tracker_key_s  ngx_http_tracker_key_t;


/* One tracker_zone: private to the process, what it points to is shared. */

typedef struct {
    ngx_str_t                     name;
    size_t                        size;        /* 0: not declared (yet) */
    ngx_array_t                   origins;     /* ngx_http_tracker_origin_t */
    ngx_array_t                   presets;     /* ngx_http_tracker_preset_t */

    ngx_shm_zone_t               *stripes[NGX_HTTP_TRACKER_STRIPES];
    ngx_shm_zone_t               *roster;

    /* where it was named first, for messages */
    ngx_str_t                     file;
    ngx_uint_t                    line;

    /* where a tracker_peers names it first */
    ngx_str_t                     peers_file;
    ngx_uint_t                    peers_line;
    unsigned                      peers:1;

    uint32_t                      ttl;         /* s for which peers stay */
    uint32_t                      shift;       /* of the ticks of their age */

    ngx_http_tracker_key_t       *key;         /* of tickets; NULL: none */
    time_t                        interval;    /* the longest of its peers */

} ngx_http_tracker_zone_t;


typedef struct {
    ngx_array_t                   zones;       /* ngx_http_tracker_zone_t * */
    ngx_array_t                   hashes;      /* tracker_info_hashes */
    ngx_shm_zone_t               *slots;
} ngx_http_tracker_main_conf_t;


typedef struct ngx_http_tracker_role_s    ngx_http_tracker_role_t;
typedef struct ngx_http_tracker_hashes_s  ngx_http_tracker_hashes_t;


/* Whether answers come before the delay is over. */

typedef enum {
    NGX_HTTP_TRACKER_EARLY_OFF = 0,
    NGX_HTTP_TRACKER_EARLY_ON,          /* all are ready, or have refused */
    NGX_HTTP_TRACKER_EARLY_FILLING      /* or fill, and are listed */
} ngx_http_tracker_early_e;


typedef struct {
    ngx_http_tracker_role_t      *role;        /* NULL: none */
    ngx_http_tracker_zone_t      *zone;

    ngx_msec_t                    delay;
    ngx_uint_t                    early;       /* ngx_http_tracker_early_e */
    ngx_flag_t                    list_filling;
    ngx_flag_t                    self_register;
    ngx_http_complex_value_t     *control_name;    /* NULL: any */
    ngx_uint_t                    per_file;
    ngx_http_complex_value_t     *locality;    /* NULL: not known */
    ngx_uint_t                    max_parked;  /* unset: of connections */
    ngx_uint_t                    prepare_after;
    off_t                         prepare_budget;  /* 0: no limit */
    off_t                         min_size;
    time_t                        interval;

    /* BitTorrent */
    ngx_http_complex_value_t     *passkey;
    ngx_http_tracker_hashes_t    *hashes;      /* NULL: any torrent */
} ngx_http_tracker_loc_conf_t;


/* A resource as a request names it; id is the tracker's. */

typedef struct {
    u_char                        id[NGX_HTTP_TRACKER_ID_LEN];
    ngx_str_t                     url;         /* normalised, with scheme */
    int64_t                       size;
    ngx_str_t                     version;
    ngx_str_t                     provider;
} ngx_http_tracker_resource_t;


#define NGX_HTTP_TRACKER_VERSION    "0.1"

#define NGX_HTTP_TRACKER_INT64_MAX  0x7fffffffffffffffull


/* seconds that do not jump; never 0, which marks what is unused */
#define ngx_http_tracker_now()  ((uint32_t) (ngx_current_msec / 1000 + 1))

/* the clock of the worker that wrote "at" may be ahead by a turn of its loop */
#define ngx_http_tracker_age(now, at)  ((at) < (now) ? (now) - (at) : 0)


/**
 * ngx_http_tracker_NAME_handler(r):
 * Content handlers of the directives that give a location its role.
 */
ngx_int_t ngx_http_tracker_peers_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_tracker_control_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_tracker_announce_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_tracker_scrape_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_tracker_status_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_tracker_metrics_handler(ngx_http_request_t *r);


extern ngx_module_t  ngx_http_tracker_module;


#endif /* _NGX_HTTP_TRACKER_H_INCLUDED_ */
