#include "share.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include "file.h"
#include "serve.h"
#include "settings.h"
#include "signals.h"

enum {
    SHARE_MIN_RATE = 512 /* bytes a second; slower readers only hold a place */
};

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

/* Signals are not for the threads of the server. */
static int
run(struct serve *s, char *why, size_t cap)
{
    sigset_t old;

    signals_block(&old);
    int err = serve_run(s, why, cap);
    signals_restore(&old);
    return err;
}

int
share_start(const struct share_options *o, struct serve **out, char *why,
            size_t cap)
{
    const struct settings *s = o->settings;
    struct serve_options so = {
        .address = s->bind_address,
        .port = (uint16_t) s->listen_port,
        .threads = 1,
        .max_connections = s->max_connections,
        .max_rate = s->max_upload_limit,
        .uploads = s->max_uploads,
        .min_rate = SHARE_MIN_RATE,
        .ops = &file_serve,
        .ctx = o->file,
        .callers = o->callers,
    };

    *out = NULL;
    if (s->no_upload
        || (s->listen_port == 0 && (!o->tracked || !has_public_address())))
    {
        return 0;
    }
    int err = serve_listen(&so, out, why, cap);
    if (err == 0 && s->listen_port != 0) {
        err = run(*out, why, cap);
    }
    if (err != 0) {
        serve_stop(*out);
        *out = NULL;
        return s->listen_port != 0 ? err : 0; /* nobody asked for it */
    }
    return 0;
}

int
share_run(struct serve *s, char *why, size_t cap)
{
    return s != NULL ? run(s, why, cap) : 0;
}
