
#ifndef _NGX_HTTP_TRACKER_SWEEP_H_INCLUDED_
#define _NGX_HTTP_TRACKER_SWEEP_H_INCLUDED_


#include "ngx_http_tracker_roster.h"


/**
 * ngx_http_tracker_sweep_init_worker(cycle, zones):
 * Errors:     NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_tracker_sweep_init_worker(ngx_cycle_t *cycle,
    ngx_array_t *zones);

/**
 * ngx_http_tracker_sweep():
 * Once a second: begins with this second's part of all zones, in this worker
 * unless another one has done it.
 */
void ngx_http_tracker_sweep(void);


#endif /* _NGX_HTTP_TRACKER_SWEEP_H_INCLUDED_ */
