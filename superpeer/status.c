#include "status.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "agent.h"
#include "clock.h"
#include "config.h"
#include "crowd.h"
#include "listen.h"
#include "mhd_end.h"
#include "shoal.h"
#include "stall.h"
#include "status_internal.h"
#include "watch.h"

enum {
    CONNECTIONS_MAX = 32,
    MEMORY_LIMIT = 8192, /* bytes a connection */
    TIMEOUT_MS = 10000
};

struct status {
    struct MHD_Daemon *daemon;
    struct crowd *crowd;
    struct stall *stall;
    struct status_sources sources;
};

/* A connection. */
struct status_conn {
    struct stall_conn stall;
    struct crowd_address *address;
};

static bool
any_tracker(struct agent *a)
{
    struct agent_status *list;
    bool any = false;
    size_t n;

    if (agent_list(a, &list, &n) == 0) {
        for (size_t i = 0; i < n; i++) {
            any = any || list[i].connected;
        }
        agent_list_free(list, n);
    }
    return any;
}

static enum MHD_Result
send_text(struct MHD_Connection *c, unsigned status, const char *type,
          const char *text, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        strlen(text), (void *) (uintptr_t) text, mode);

    if (r == NULL) {
        return MHD_NO;
    }
    MHD_add_response_header(r, "Content-Type", type);
    MHD_add_response_header(r, "Cache-Control", "no-store");
    enum MHD_Result ok = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return ok;
}

/* Not well: what a restart, or the operator, would help against. Trackers that
 * are away count only where they are asked for. */
static bool
is_well(struct status *s, struct MHD_Connection *c, char *why, size_t cap)
{
    const char *trackers =
        MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "trackers");

    if (watch_fault(s->sources.watch, why, cap)) {
        return false;
    }
    if (trackers != NULL && !any_tracker(s->sources.agent)) {
        snprintf(why, cap, "no tracker can be reached");
        return false;
    }
    return true;
}

static enum MHD_Result
answer_health(struct status *s, struct MHD_Connection *c)
{
    char why[128], text[160];

    if (is_well(s, c, why, sizeof(why))) {
        return send_text(c, 200, "text/plain", "ok\n", MHD_RESPMEM_PERSISTENT);
    }
    snprintf(text, sizeof(text), "%s\n", why);
    return send_text(c, 503, "text/plain", text, MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result
send_page(struct MHD_Connection *c, const char *type, char *text)
{
    return text == NULL ? MHD_NO
                        : send_text(c, 200, type, text, MHD_RESPMEM_MUST_FREE);
}

/* A number up to `most`; false: it is given, and none. */
static bool
take_number(struct MHD_Connection *c, const char *name, size_t most,
            size_t *out)
{
    const char *text =
        MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name);
    char *end;

    if (text == NULL) {
        return true;
    }
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || n > most) {
        return false;
    }
    *out = (size_t) n;
    return true;
}

static enum MHD_Result
answer_status(struct status *s, struct MHD_Connection *c)
{
    struct status_page page = { .sets = STATUS_SETS };

    if (!take_number(c, "sets", STATUS_SETS_MAX, &page.sets)) {
        return send_text(c, 400, "text/plain",
                         "sets: expected a number from 0 to 1000\n",
                         MHD_RESPMEM_PERSISTENT);
    }
    if (!take_number(c, "cursor", SIZE_MAX, &page.cursor)) {
        return send_text(c, 400, "text/plain",
                         "cursor: expected the `next` of another page\n",
                         MHD_RESPMEM_PERSISTENT);
    }
    return send_page(c, "application/json", status_json(&s->sources, &page));
}

static enum MHD_Result
answer(struct status *s, struct MHD_Connection *c, const char *url)
{
    if (strcmp(url, "/healthz") == 0) {
        return answer_health(s, c);
    }
    if (strcmp(url, "/status") == 0) {
        return answer_status(s, c);
    }
    if (strcmp(url, "/metrics") == 0) {
        return send_page(c, "text/plain; version=0.0.4; charset=utf-8",
                         status_metrics(&s->sources));
    }
    return send_text(c, 404, "text/plain", "no such page\n",
                     MHD_RESPMEM_PERSISTENT);
}

/* NULL: there was no memory for it. */
static struct status_conn *
conn_of(struct MHD_Connection *c)
{
    return MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        ->socket_context;
}

static enum MHD_Result
/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd's parameters */
handle(void *cls, struct MHD_Connection *c, const char *url,
       const char *method, const char *version, const char *upload_data,
       size_t *upload_data_size, void **context)
{
    static char seen;

    (void) version;
    (void) upload_data;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return send_text(c, 405, "text/plain", "GET and HEAD only\n",
                         MHD_RESPMEM_PERSISTENT);
    }
    if (*context == NULL) {
        *context = &seen;
        return conn_of(c) != NULL ? MHD_YES : MHD_NO;
    }
    if (*upload_data_size != 0) {
        *upload_data_size = 0;
        return MHD_YES;
    }
    stall_enter(&conn_of(c)->stall, STALL_ANSWER);
    return answer(cls, c, url);
}

/* ---- connections ---- */

static enum MHD_Result
let_in(void *cls, const struct sockaddr *sa, socklen_t len)
{
    (void) len;
    return crowd_room(((struct status *) cls)->crowd, sa) == CROWD_IN ? MHD_YES
                                                                      : MHD_NO;
}

static struct status_conn *
conn_create(struct status *s, struct MHD_Connection *c)
{
    struct status_conn *conn = calloc(1, sizeof(*conn));

    if (conn != NULL) {
        crowd_enter(
            s->crowd,
            MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
                ->client_addr,
            &conn->address);
        stall_add(s->stall, &conn->stall,
                  MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)
                      ->connect_fd,
                  0);
    }
    return conn;
}

static void
connection_changed(void *cls, struct MHD_Connection *c, void **context,
                   enum MHD_ConnectionNotificationCode what)
{
    struct status *s = cls;
    struct status_conn *conn = *context;

    if (what != MHD_CONNECTION_NOTIFY_CLOSED) {
        *context = conn_create(s, c);
    } else if (conn != NULL) {
        stall_del(s->stall, &conn->stall);
        crowd_leave(s->crowd, conn->address);
        free(conn);
        *context = NULL;
    }
}

static void
request_done(void *cls, struct MHD_Connection *c, void **context,
             enum MHD_RequestTerminationCode why)
{
    struct status_conn *conn = conn_of(c);

    (void) cls;
    (void) context;
    (void) why;
    if (conn != NULL) {
        stall_enter(&conn->stall, STALL_IDLE);
    }
}

static void
free_all(struct status *s)
{
    stall_free(s->stall);
    crowd_free(s->crowd);
    free(s);
}

static struct status *
create(const struct status_sources *sources)
{
    const struct stall_limits limits = { .idle_ms = TIMEOUT_MS,
                                         .header_ms = TIMEOUT_MS,
                                         .window_ms = TIMEOUT_MS };
    struct status *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    s->sources = *sources;
    s->sources.started_ms = clock_ms();
    s->crowd = crowd_create(CONNECTIONS_MAX, 0);
    s->stall = stall_create(&limits);
    if (s->crowd == NULL || s->stall == NULL) {
        free_all(s);
        return NULL;
    }
    return s;
}

int
status_start(const struct config_address *address,
             const struct status_sources *sources, struct status **out,
             char *why, size_t cap)
{
    struct status *s = create(sources);

    if (s == NULL) {
        snprintf(why, cap, "out of memory");
        return SHOAL_ENOMEM;
    }
    int fd = listen_open(address->host, address->port, why, cap);
    if (fd < 0) {
        free_all(s);
        return SHOAL_ENET;
    }
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, let_in, s, handle, s,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t) MEMORY_LIMIT, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned) CONNECTIONS_MAX, MHD_OPTION_NOTIFY_CONNECTION,
        connection_changed, s, MHD_OPTION_NOTIFY_COMPLETED, request_done, s,
        MHD_OPTION_END);
    if (s->daemon == NULL) {
        snprintf(why, cap, "cannot start the status listener: %s",
                 strerror(errno));
        free_all(s);
        return SHOAL_ENET;
    }
    *out = s;
    return 0;
}

void
status_stop(struct status *s)
{
    if (s == NULL) {
        return;
    }
    mhd_end(s->daemon, s->crowd, s->stall);
    free_all(s);
}
