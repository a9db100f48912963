#include "share.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "options.h"
#include "serve.h"

/* Not private, shared (RFC 6598), loopback, link-local or multicast. */
static bool
is_public4(uint32_t a)
{
    return a >> 24 != 0 && a >> 24 != 10 && a >> 24 != 127
           && a >> 22 != 0x6440 >> 6 && a >> 16 != 0xa9fe && a >> 20 != 0xac1
           && a >> 16 != 0xc0a8 && a >> 28 < 14;
}

static bool
is_public(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *) sa;

        return is_public4(ntohl(in->sin_addr.s_addr));
    }
    if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *) sa;

        return (in->sin6_addr.s6_addr[0] & 0xe0) == 0x20; /* 2000::/3 */
    }
    return false;
}

static bool
has_public_address(void)
{
    struct ifaddrs *list = NULL;
    bool found = false;

    if (getifaddrs(&list) != 0) {
        return false;
    }
    for (struct ifaddrs *a = list; a != NULL && !found; a = a->ifa_next) {
        found = a->ifa_addr != NULL && is_public(a->ifa_addr);
    }
    freeifaddrs(list);
    return found;
}

int
share_start(const struct options *o, struct file *f, struct callers *callers,
            struct serve **out)
{
    struct serve_options so = {
        .address = o->bind_address,
        .port = o->listen_port,
        .threads = 1,
        .max_connections = 64,
        .max_rate = SHARE_RATE,
        .uploads = SHARE_UPLOADS,
        .min_rate = SHARE_MIN_RATE,
        .ops = &file_serve,
        .ctx = f,
        .callers = callers,
    };
    char why[256];

    *out = NULL;
    if (o->no_upload
        || (o->listen_port == 0
            && (o->n_trackers == 0 || !has_public_address())))
    {
        return 0;
    }
    int err = serve_start(&so, out, why, sizeof(why));
    if (err != 0) {
        *out = NULL;
        if (o->listen_port == 0) {
            return 0; /* nobody asked for it */
        }
        fprintf(stderr, "shoal: --listen-port: %s\n", why);
        return err;
    }
    if (!o->quiet) {
        fprintf(stderr,
                "sharing: serving this file's blocks at port %u, at most 10 "
                "Mbit/s; --no-upload switches it off\n",
                serve_port(*out));
    }
    return 0;
}
