
/*
 * What master and workers begin and end with.
 */


#ifndef _NGX_HTTP_TRACKER_WORKER_H_INCLUDED_
#define _NGX_HTTP_TRACKER_WORKER_H_INCLUDED_


#include "ngx_http_tracker.h"


/* hooks of the module; nothing happens where no tracker_zone is declared */

ngx_int_t ngx_http_tracker_init_module(ngx_cycle_t *cycle);
ngx_int_t ngx_http_tracker_init_process(ngx_cycle_t *cycle);
void ngx_http_tracker_exit_process(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_TRACKER_WORKER_H_INCLUDED_ */
