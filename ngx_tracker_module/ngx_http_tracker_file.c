
#include "ngx_http_tracker_file.h"


static ngx_int_t ngx_http_tracker_file_fill(ngx_conf_t *cf, ngx_fd_t fd,
    ngx_str_t *name, ngx_str_t *text);


ngx_int_t
ngx_http_tracker_file_read(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *text)
{
    ngx_fd_t   fd;
    ngx_int_t  rc;

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    ngx_str_null(text);

    rc = ngx_http_tracker_file_fill(cf, fd, name, text);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    if (rc != NGX_OK && text->data) {
        ngx_free(text->data);
        ngx_str_null(text);
    }

    return rc;
}


static ngx_int_t
ngx_http_tracker_file_fill(ngx_conf_t *cf, ngx_fd_t fd, ngx_str_t *name,
    ngx_str_t *text)
{
    size_t           size;
    ssize_t          n;
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    if (!ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" is not a file", name);
        return NGX_ERROR;
    }

    size = (size_t) ngx_file_size(&fi);

    text->data = ngx_alloc(size + 1, cf->log);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    while (text->len < size) {

        n = ngx_read_fd(fd, text->data + text->len, size - text->len);

        if (n == -1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               ngx_read_fd_n " \"%V\" failed", name);
            return NGX_ERROR;
        }

        if (n == 0) {
            break;
        }

        text->len += n;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_tracker_file_blank(u_char c)
{
    return c == ' ' || c == '\t' || c == CR;
}


ngx_int_t
ngx_http_tracker_file_line(ngx_str_t *rest, ngx_str_t *line)
{
    u_char  *p, *end, *next, *comment;

    if (rest->len == 0) {
        return NGX_DONE;
    }

    p = rest->data;
    end = rest->data + rest->len;

    next = ngx_strlchr(p, end, LF);
    rest->data = next ? next + 1 : end;
    rest->len = end - rest->data;

    end = next ? next : end;

    comment = ngx_strlchr(p, end, '#');
    end = comment ? comment : end;

    while (p < end && ngx_http_tracker_file_blank(*p)) {
        p++;
    }

    while (p < end && ngx_http_tracker_file_blank(end[-1])) {
        end--;
    }

    line->data = p;
    line->len = end - p;

    return NGX_OK;
}
