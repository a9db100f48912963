
/*
 * What differs between the versions of nginx and the systems that it is built
 * for; no other file asks for a version or, IPv6 apart, for what a system has.
 *
 * 1.22.1 to 1.31.4 differ in nothing that needs a branch, because
 *   - ngx_table_elt_t.next (since 1.23.0) is set by zeroing whole elements,
 *     and headers of the request are only found by walking their list;
 *   - r->stream tells HTTP/2 in all of them, and HTTP/3 (since 1.25.0) has no
 *     stream: its bodies come by ngx_http_read_unbuffered_request_body() too,
 *     and ngx_http_test_reading() knows it;
 *   - events posted while idle connections are closed run at once since
 *     1.23.3, in the next turn before: what is parked is answered right in
 *     the handler.
 * "http2 on" (since 1.25.1) for "listen ... http2" concerns configurations
 * only.
 */


#ifndef _NGX_HTTP_TRACKER_COMPAT_H_INCLUDED_
#define _NGX_HTTP_TRACKER_COMPAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#if (nginx_version < 1022001)
#error the tracker needs nginx 1.22.1 or later
#endif


/* auto/os/linux and auto/unix look for it; 0 by hand has a pipe instead */

#ifndef NGX_HTTP_TRACKER_EVENTFD
#if (NGX_HAVE_EVENTFD)
#define NGX_HTTP_TRACKER_EVENTFD  1
#else
#define NGX_HTTP_TRACKER_EVENTFD  0
#endif
#endif

#if (NGX_HTTP_TRACKER_EVENTFD)
#include <sys/eventfd.h>
#define NGX_HTTP_TRACKER_BELL  "eventfd()"
#else
#define NGX_HTTP_TRACKER_BELL  "pipe()"
#endif


/* since Linux 2.6.25, glibc 2.8; a key of nginx's trees has to hold ns */

#ifndef NGX_HTTP_TRACKER_TIMERFD
#if (NGX_LINUX && NGX_PTR_SIZE == 8)
#define NGX_HTTP_TRACKER_TIMERFD  1
#else
#define NGX_HTTP_TRACKER_TIMERFD  0
#endif
#endif

#if (NGX_HTTP_TRACKER_TIMERFD)
#include <sys/timerfd.h>
#endif


/* How one worker rings another: an eventfd, or a pipe where there is none. */

typedef struct {
    int                           rd;
    int                           wr;          /* may be the same as rd */
} ngx_http_tracker_bell_t;


static ngx_inline ngx_int_t
ngx_http_tracker_bell_open(ngx_http_tracker_bell_t *bell)
{
#if (NGX_HTTP_TRACKER_EVENTFD)

    bell->rd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);
    bell->wr = bell->rd;

    return (bell->rd == -1) ? NGX_ERROR : NGX_OK;

#else

    int         fd[2];
    ngx_uint_t  i;

    if (pipe(fd) == -1) {
        return NGX_ERROR;
    }

    for (i = 0; i < 2; i++) {
        if (ngx_nonblocking(fd[i]) == -1
            || fcntl(fd[i], F_SETFD, FD_CLOEXEC) == -1)
        {
            (void) close(fd[0]);
            (void) close(fd[1]);
            return NGX_ERROR;
        }
    }

    bell->rd = fd[0];
    bell->wr = fd[1];

    return NGX_OK;

#endif
}


/* NGX_ERROR: ngx_errno says why; a bell that rings already is no error. */
static ngx_inline ngx_int_t
ngx_http_tracker_bell_ring(ngx_http_tracker_bell_t *bell)
{
    uint64_t  one = 1;

    return (write(bell->wr, &one, sizeof(one)) == -1
            && ngx_errno != NGX_EAGAIN) ? NGX_ERROR : NGX_OK;
}


/* A pipe may hold several rings: after a sweep that found what they meant. */
static ngx_inline ngx_int_t
ngx_http_tracker_bell_silence(int rd)
{
    uint64_t  rings[16];

    return (read(rd, rings, sizeof(rings)) == -1
            && ngx_errno != NGX_EAGAIN) ? NGX_ERROR : NGX_OK;
}


/*
 * The clock of ngx_current_msec (ngx_monotonic_time() in ngx_times.c), finer;
 * 1.22.1 takes CLOCK_MONOTONIC_FAST where there is one, which is the same
 * clock cut to its last tick.
 */
static ngx_inline uint64_t
ngx_http_tracker_nanoseconds(void)
{
#if (NGX_HAVE_CLOCK_MONOTONIC)

    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + (uint64_t) ts.tv_nsec;

#else

    struct timeval  tv;

    ngx_gettimeofday(&tv);

    return (uint64_t) tv.tv_sec * 1000000000 + (uint64_t) tv.tv_usec * 1000;

#endif
}


#endif /* _NGX_HTTP_TRACKER_COMPAT_H_INCLUDED_ */
