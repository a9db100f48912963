
/*
 * A list of torrents in a file: an info-hash a line.
 */


#ifndef _NGX_HTTP_TRACKER_HASHES_H_INCLUDED_
#define _NGX_HTTP_TRACKER_HASHES_H_INCLUDED_


#include "ngx_http_tracker.h"


/**
 * ngx_http_tracker_hashes_set(cf, cmd, conf):
 * tracker_info_hashes FILE | off; a file that several locations name is read
 * once.
 *
 * Errors:     NGX_CONF_ERROR, logged with the file's name and line.
 */
char *ngx_http_tracker_hashes_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/**
 * ngx_http_tracker_hashes_find(hashes, id):
 * Whether the list has it.
 */
ngx_uint_t ngx_http_tracker_hashes_find(ngx_http_tracker_hashes_t *hashes,
    u_char *id);


#endif /* _NGX_HTTP_TRACKER_HASHES_H_INCLUDED_ */
