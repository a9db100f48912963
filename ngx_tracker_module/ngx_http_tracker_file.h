
/*
 * Lists in files: an entry a line, with comments.
 */


#ifndef _NGX_HTTP_TRACKER_FILE_H_INCLUDED_
#define _NGX_HTTP_TRACKER_FILE_H_INCLUDED_


#include "ngx_http_tracker.h"


/**
 * ngx_http_tracker_file_read(cf, name, text):
 * The whole file, in memory that the caller frees with ngx_free().
 *
 * Errors:     NGX_ERROR, logged.
 */
ngx_int_t ngx_http_tracker_file_read(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *text);

/**
 * ngx_http_tracker_file_line(rest, line):
 * Take the next line off ${rest}, and of it what follows a "#", and blanks at
 * its ends. NGX_DONE: there is none.
 */
ngx_int_t ngx_http_tracker_file_line(ngx_str_t *rest, ngx_str_t *line);


#endif /* _NGX_HTTP_TRACKER_FILE_H_INCLUDED_ */
