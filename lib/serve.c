#include "serve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "digest.h"
#include "listen.h"
#include "serve_internal.h"
#include "shoal.h"

enum {
    MEMORY_LIMIT = 8192,    /* bytes a connection: request line and headers */
    MEMORY_STEP = 1024,     /* bytes */
    IDLE_TIMEOUT_S = 60,    /* no byte either way */
    STALL_MS = 90000,       /* no request, or no chunk of an answer */
    CONNECTIONS_MAX = 1024, /* by default */
    SPARE_CONNECTIONS = 64, /* above the limit, to be told 503 */
    THREADS_MAX = 32        /* more do not help one block server */
};

struct conn *
serve_conn_of(struct MHD_Connection *c)
{
    return MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        ->socket_context;
}

/* A GET is answered at the second call, when it was read to its end: an
 * answer at the first one would cost the connection. */
static enum MHD_Result
/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd's parameters */
handle(void *cls, struct MHD_Connection *c, const char *url,
       const char *method, const char *version, const char *upload_data,
       size_t *upload_data_size, void **context)
{
    static char seen;
    struct serve *s = cls;
    struct conn *conn = serve_conn_of(c);

    (void) version;
    (void) upload_data;
    if (conn == NULL) {
        return MHD_NO; /* out of memory when it came */
    }
    stall_moved(&conn->stall);
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return serve_say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only\n",
                         "Allow", "GET, HEAD");
    }
    if (*context == NULL) {
        *context = &seen;
        return MHD_YES;
    }
    if (*upload_data_size != 0) {
        *upload_data_size = 0;
        return MHD_YES;
    }
    atomic_fetch_add(&s->requests, 1);
    return conn->above_limit ? serve_say_busy(s, c) : serve_answer(s, c, url);
}

static struct conn *
conn_create(struct serve *s, struct MHD_Connection *c, bool above_limit)
{
    struct conn *conn = calloc(1, sizeof(*conn));

    if (conn != NULL) {
        conn->above_limit = above_limit;
        stall_add(s->stall, &conn->stall,
                  MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)
                      ->connect_fd);
    }
    return conn;
}

static void
connection_changed(void *cls, struct MHD_Connection *c, void **context,
                   enum MHD_ConnectionNotificationCode what)
{
    struct serve *s = cls;

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        struct conn *conn = *context;

        atomic_fetch_sub(&s->connections, 1);
        if (conn != NULL) {
            stall_del(s->stall, &conn->stall);
            free(conn);
            *context = NULL;
        }
    } else {
        unsigned before = atomic_fetch_add(&s->connections, 1);

        *context = conn_create(s, c, before >= s->max_connections);
    }
}

static unsigned
thread_count(unsigned wanted)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (wanted == 0) {
        wanted = cores > 0 ? (unsigned) cores : 1;
    }
    return wanted < THREADS_MAX ? wanted : THREADS_MAX;
}

static struct MHD_Daemon *
start_daemon(struct serve *s, int fd, unsigned threads)
{
    struct MHD_OptionItem more[] = {
        { threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END,
          (intptr_t) threads, NULL },
        { MHD_OPTION_END, 0, NULL },
    };

    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL,
        NULL, handle, s, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) MEMORY_LIMIT,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t) MEMORY_STEP,
        MHD_OPTION_CONNECTION_LIMIT,
        s->max_connections + SPARE_CONNECTIONS * threads,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) IDLE_TIMEOUT_S,
        MHD_OPTION_NOTIFY_CONNECTION, connection_changed, s, MHD_OPTION_ARRAY,
        more, MHD_OPTION_END);
}

int
serve_start(const struct serve_options *options, struct serve **out, char *why,
            size_t cap)
{
    uint8_t random[8];
    int err = SHOAL_ENOMEM;

    struct serve *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        snprintf(why, cap, "out of memory");
        return SHOAL_ENOMEM;
    }
    s->ops = options->ops;
    s->ctx = options->ctx;
    s->max_connections = options->max_connections != 0
                             ? options->max_connections
                             : CONNECTIONS_MAX;
    if (getrandom(random, sizeof(random), 0) == sizeof(random)) {
        hex_encode(random, sizeof(random), s->epoch);
    }
    s->pace = pace_create(&serve_pace_ops, options->max_rate);
    s->stall =
        stall_create(options->stall_ms != 0 ? options->stall_ms : STALL_MS);
    if (s->pace == NULL || s->stall == NULL) {
        snprintf(why, cap, "out of memory");
        goto free_parts;
    }
    err = SHOAL_ENET;
    int fd = listen_open(options->address, options->port, why, cap);
    if (fd < 0) {
        goto free_parts;
    }
    s->port = listen_port(fd);
    s->daemon = start_daemon(s, fd, thread_count(options->threads));
    if (s->daemon == NULL) {
        snprintf(why, cap, "cannot start the block server: %s",
                 strerror(errno));
        goto free_parts; /* the daemon has closed its socket */
    }
    *out = s;
    return 0;

free_parts:
    pace_stop(s->pace);
    pace_free(s->pace);
    stall_free(s->stall);
    free(s);
    return err;
}

uint16_t
serve_port(const struct serve *s)
{
    return s->port;
}

void
serve_get_stats(const struct serve *s, struct serve_stats *out)
{
    out->bytes = atomic_load(&s->bytes);
    out->requests = atomic_load(&s->requests);
    out->busy = atomic_load(&s->busy);
    out->connections = atomic_load(&s->connections);
    out->active = atomic_load(&s->active);
}

/* Sleepers are woken first: the daemon aborts when one is left. */
void
serve_stop(struct serve *s)
{
    if (s == NULL) {
        return;
    }
    pace_stop(s->pace);
    MHD_stop_daemon(s->daemon);
    pace_free(s->pace);
    stall_free(s->stall);
    free(s);
}
