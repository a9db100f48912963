/* serve_conn.c - connections to the block server: who is let in, and what is
 * kept of each. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "serve_internal.h"

enum {
    REFUSED_MS = 2000 /* who is above a limit has that long to hear of it */
};

struct conn *
serve_conn_of(struct MHD_Connection *c)
{
    return MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        ->socket_context;
}

const struct sockaddr *
serve_address_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    return info != NULL ? info->client_addr : NULL;
}

static void
count_refusal(struct serve *s, enum crowd_verdict v)
{
    atomic_fetch_add(
        &s->refused[v == CROWD_FULL ? SERVE_FULL : SERVE_ADDRESS_FULL], 1);
}

/* Those that are far above a limit are not even told so. */
enum MHD_Result
serve_let_in(void *cls, const struct sockaddr *sa, socklen_t len)
{
    struct serve *s = cls;
    enum crowd_verdict v = crowd_room(s->crowd, sa);

    (void) len;
    if (v != CROWD_IN) {
        count_refusal(s, v);
    }
    return v == CROWD_IN ? MHD_YES : MHD_NO;
}

static bool
is_same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family) {
        return false;
    }
    return a->sa_family == AF_INET6
               ? memcmp(&((const struct sockaddr_in6 *) a)->sin6_addr,
                        &((const struct sockaddr_in6 *) b)->sin6_addr, 16)
                     == 0
               : memcmp(&((const struct sockaddr_in *) a)->sin_addr,
                        &((const struct sockaddr_in *) b)->sin_addr, 4)
                     == 0;
}

/* IPv4 and IPv6 have it at the same place. */
static unsigned
port_of(const struct sockaddr *sa)
{
    return ntohs(((const struct sockaddr_in *) sa)->sin_port);
}

static bool
is_expected(struct serve *s, const struct sockaddr *peer, int fd)
{
    struct sockaddr_storage local = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof(local);

    return peer != NULL && port_of(peer) == atomic_load(&s->expected)
           && getsockname(fd, (struct sockaddr *) &local, &len) == 0
           && is_same_address(peer, (struct sockaddr *) &local);
}

static void
begin_tls(struct serve *s, struct MHD_Connection *c, struct conn *conn)
{
    if (s->tls != NULL) {
        tls_begin(
            s->tls, conn != NULL ? &conn->tls : NULL,
            MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION)
                ->tls_session);
    }
}

static struct conn *
conn_create(struct serve *s, struct MHD_Connection *c)
{
    struct conn *conn = calloc(1, sizeof(*conn));
    struct crowd_address *address;

    enum crowd_verdict v =
        crowd_enter(s->crowd, serve_address_of(c), &address);
    begin_tls(s, c, conn);
    if (conn == NULL) {
        crowd_leave(s->crowd, address);
        return NULL;
    }
    if (v != CROWD_IN) {
        count_refusal(s, v);
    }
    int fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)
                 ->connect_fd;
    if (s->slots != NULL) {
        int unsent = SERVE_UNSENT;

        setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
                   sizeof(unsent));
    }
    conn->address = address;
    conn->above_limit = v != CROWD_IN;
    conn->uncounted = is_expected(s, serve_address_of(c), fd);
    stall_add(s->stall, &conn->stall, fd, conn->above_limit ? REFUSED_MS : 0);
    return conn;
}

void
serve_connection_changed(void *cls, struct MHD_Connection *c, void **context,
                         enum MHD_ConnectionNotificationCode what)
{
    struct serve *s = cls;
    struct conn *conn = *context;

    if (what != MHD_CONNECTION_NOTIFY_CLOSED) {
        *context = conn_create(s, c);
    } else if (conn != NULL) {
        stall_del(s->stall, &conn->stall);
        if (s->tls != NULL) {
            atomic_fetch_add(&s->handshakes_failed,
                             !conn->tls.ready && !conn->uncounted);
            tls_end(&conn->tls);
        }
        crowd_leave(s->crowd, conn->address); /* last: who waits for it to
                                                 end sees the counters */
        free(conn);
        *context = NULL;
    }
}
