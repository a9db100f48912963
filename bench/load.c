/*
 * The load generator of the benches: one thread, epoll, HTTP/1.1. Prints JSON.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

uint64_t
load_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t) t.tv_sec * 1000000000u + (uint64_t) t.tv_nsec;
}

uint64_t
load_k(const struct load *l, uint64_t n)
{
    if (l->random)
        n = pattern_mix(l->seed << 40 ^ n);
    return l->first + (l->space ? n % l->space : n);
}

static bool
bind_from(const struct load *l, int fd, uint64_t serial)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    int one = 1;

    if (l->from_count == 0)
        return true;
    a.sin_addr.s_addr = htonl(l->from + (uint32_t) (serial % l->from_count));
    /* the port is chosen by connect(), which knows what is free */
    (void) setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
                      sizeof(one));
    return bind(fd, (struct sockaddr *) &a, sizeof(a)) == 0;
}

int
load_connect(const struct load *l, uint64_t serial, void *data)
{
    struct epoll_event e = { .events = EPOLLOUT, .data.ptr = data };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (l->rcvbuf > 0)
        (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &l->rcvbuf,
                          sizeof(l->rcvbuf));
    if (!bind_from(l, fd, serial)
        || (connect(fd, (const struct sockaddr *) &l->server,
                    sizeof(l->server))
                != 0
            && errno != EINPROGRESS)
        || epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
    {
        close(fd);
        return -1;
    }
    return fd;
}

bool
load_watch(const struct load *l, int fd, uint32_t events, void *data)
{
    struct epoll_event e = { .events = events, .data.ptr = data };

    return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, fd, &e) == 0;
}

static bool
make_request(struct load *l)
{
    size_t room = strlen(l->url) + strlen(l->headers) + 256;
    char *text, host[INET_ADDRSTRLEN];

    if (!inet_ntop(AF_INET, &l->server.sin_addr, host, sizeof(host))
        || (text = malloc(room)) == NULL)
        return false;
    snprintf(text, room, "GET %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n", l->url,
             host, l->keepalive ? "" : "Connection: close\r\n", l->headers);
    l->request = pattern_new(text);
    free(text);
    return l->request != NULL;
}

static int
print_paths(const struct load *l)
{
    struct pattern *p = pattern_new(l->url);
    char line[LOAD_REQUEST_MAX];
    size_t len;

    if (p == NULL)
        return 1;
    for (uint64_t n = 0; n < l->requests; n++) {
        len = pattern_put(p, load_k(l, n), line, sizeof(line));
        printf("%.*s\n", (int) len, line);
    }
    pattern_free(p);
    return fflush(stdout) == 0 ? 0 : 1;
}

static void
raise_files(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &r);
    }
}

int
main(int argc, char **argv)
{
    struct load l;
    int status;

    if (!options_parse(&l, argc, argv))
        return 2;
    if (l.mode == MODE_PRINT)
        return print_paths(&l);
    raise_files();
    l.epoll_fd = epoll_create1(0);
    if (l.epoll_fd < 0 || !make_request(&l)) {
        perror("load");
        return 1;
    }
    status = l.mode == MODE_PARK   ? park_load(&l)
             : l.mode == MODE_HOLD ? hold_load(&l)
                                   : run_load(&l);
    pattern_free(l.request);
    close(l.epoll_fd);
    return status;
}
