/* serve_conn.c - connections to the block server: who is let in, and what is
 * kept of each. */
#include <stdlib.h>

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
    conn->address = address;
    conn->above_limit = v != CROWD_IN;
    stall_add(s->stall, &conn->stall,
              MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)
                  ->connect_fd,
              conn->above_limit ? REFUSED_MS : 0);
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
            atomic_fetch_add(&s->handshakes_failed, !conn->tls.ready);
            tls_end(&conn->tls);
        }
        crowd_leave(s->crowd, conn->address); /* last: who waits for it to
                                                 end sees the counters */
        free(conn);
        *context = NULL;
    }
}
