#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shoal.h"

enum {
    BACKLOG = 511 /* as nginx's */
};

static int
make_address(const char *text, uint16_t port, struct sockaddr_storage *sa)
{
    struct sockaddr_in *in = (struct sockaddr_in *) sa;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) sa;

    memset(sa, 0, sizeof(*sa));
    if (text == NULL || inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        return 0;
    }
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        return 0;
    }
    return SHOAL_EINVAL;
}

static socklen_t
address_len(const struct sockaddr_storage *sa)
{
    return sa->ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                    : sizeof(struct sockaddr_in6);
}

static int
listen_on(const char *text, const struct sockaddr_storage *sa)
{
    int on = 1, v6only = text != NULL;

    int fd = socket(sa->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (sa->ss_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only));
    }
    if (bind(fd, (const struct sockaddr *) sa, address_len(sa)) != 0
        || listen(fd, BACKLOG) != 0)
    {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

int
listen_open(const char *address, uint16_t port, char *why, size_t cap)
{
    const char *shown = address != NULL ? address : "*";
    struct sockaddr_storage sa;

    if (make_address(address, port, &sa) != 0) {
        snprintf(why, cap, "%s: not a numeric address", shown);
        return -1;
    }
    int fd = listen_on(address, &sa);
    if (fd < 0 && address == NULL && errno == EAFNOSUPPORT) {
        make_address("0.0.0.0", port, &sa);
        fd = listen_on("0.0.0.0", &sa);
    }
    if (fd < 0) {
        snprintf(why, cap, "listen on %s port %u: %s", shown, (unsigned) port,
                 strerror(errno));
    }
    return fd;
}

uint16_t
listen_port(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);

    memset(&sa, 0, sizeof(sa));
    getsockname(fd, (struct sockaddr *) &sa, &len);
    return ntohs(sa.ss_family == AF_INET6
                     ? ((struct sockaddr_in6 *) &sa)->sin6_port
                     : ((struct sockaddr_in *) &sa)->sin_port);
}
