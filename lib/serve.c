#include "serve.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "digest.h"
#include "listen.h"
#include "mhd_end.h"
#include "serve_internal.h"
#include "shoal.h"

/* Of TLS: 1.2 and 1.3. */
#define PRIORITIES "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1"

enum {
    CONNECTIONS_MAX = 1024, /* by default */
    CEILING = 1 << 20,      /* MHD's own limit; ours is the crowd's */
    IDLE_MS = 60000,        /* this and the next three by default */
    HEADER_MS = 10000,
    WINDOW_MS = 30000,
    THREADS_MAX = 32 /* more do not help one block server */
};

/* The context of a request: NULL, then this, or a poll that waits. */
static const char request_mark;
static void *const request_seen = (void *) (uintptr_t) &request_mark;

static unsigned
hex_value(char c)
{
    return c >= '0' && c <= '9'   ? (unsigned) (c - '0')
           : c >= 'a' && c <= 'f' ? (unsigned) (c - 'a' + 10)
           : c >= 'A' && c <= 'F' ? (unsigned) (c - 'A' + 10)
                                  : 16;
}

/* %XX in place; its length. A %00 stays as it is: decoded it would hide from
 * us what is behind it. */
static size_t
unescape(void *cls, struct MHD_Connection *c, char *text)
{
    char *out = text;

    (void) cls;
    (void) c;
    for (const char *in = text; *in != '\0'; in++) {
        unsigned high = *in == '%' ? hex_value(in[1]) : 16;
        unsigned low = high < 16 ? hex_value(in[2]) : 16;

        if (low < 16 && high * 16 + low != 0) {
            *out++ = (char) (high * 16 + low);
            in += 2;
        } else {
            *out++ = *in;
        }
    }
    *out = '\0';
    return (size_t) (out - text);
}

/* No request of ours has one, and where it ends is what parsers of HTTP differ
 * in: its connection is closed. */
static bool
has_body(struct MHD_Connection *c)
{
    const char *length =
        MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");

    return MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Transfer-Encoding")
               != NULL
           || (length != NULL && strspn(length, "0") != strlen(length));
}

/* A GET is answered at the second call, when it was read to its end: an
 * answer at the first one would cost the connection. */
static enum MHD_Result
/* NOLINTNEXTLINE(readability-function-size): libmicrohttpd's parameters */
handle(void *cls, struct MHD_Connection *c, const char *url,
       const char *method, const char *version, const char *upload_data,
       size_t *upload_data_size, void **context)
{
    struct serve *s = cls;
    struct conn *conn = serve_conn_of(c);
    struct poll *poll = NULL;

    (void) version;
    (void) upload_data;
    (void) upload_data_size;
    if (conn == NULL) {
        return MHD_NO; /* out of memory when it came */
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return serve_say(s, c, MHD_HTTP_METHOD_NOT_ALLOWED,
                         "GET and HEAD only\n", "Allow", "GET, HEAD");
    }
    if (*context == NULL && has_body(c)) {
        return serve_say(s, c, MHD_HTTP_CONTENT_TOO_LARGE, "no body\n", NULL,
                         NULL);
    }
    if (*context == NULL) {
        *context = request_seen;
        return MHD_YES;
    }
    if (*context != request_seen) {
        return serve_poll_answer(*context);
    }
    stall_enter(&conn->stall, STALL_ANSWER);
    conn->head = *method == 'H';
    if (conn->above_limit) {
        return serve_say_busy(s, c);
    }
    enum MHD_Result result = serve_answer(s, c, url, &poll);
    if (poll != NULL) {
        *context = poll;
    }
    return result;
}

/* Before the answer is freed. */
static void
request_done(void *cls, struct MHD_Connection *c, void **context,
             enum MHD_RequestTerminationCode why)
{
    struct conn *conn = serve_conn_of(c);

    (void) cls;
    (void) why;
    if (*context != NULL && *context != request_seen) {
        serve_poll_free(*context);
    }
    *context = NULL;
    if (conn != NULL) {
        conn->cut_off = why != MHD_REQUEST_TERMINATED_COMPLETED_OK;
        stall_enter(&conn->stall, STALL_IDLE);
    }
}

/* One for each core that this process may run on. */
static unsigned
thread_count(unsigned wanted)
{
    cpu_set_t cpus;

    if (wanted == 0) {
        wanted = sched_getaffinity(0, sizeof(cpus), &cpus) == 0
                     ? (unsigned) CPU_COUNT(&cpus)
                     : 1;
    }
    return wanted < THREADS_MAX ? wanted : THREADS_MAX;
}

static struct MHD_Daemon *
start_daemon(struct serve *s, int fd, unsigned threads)
{
    struct MHD_OptionItem more[4];
    size_t n = 0;

    if (threads > 1) {
        more[n++] = (struct MHD_OptionItem){ MHD_OPTION_THREAD_POOL_SIZE,
                                             (intptr_t) threads, NULL };
    }
    if (s->tls != NULL) {
        more[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_CERT_CALLBACK, 0,
                                             tls_retrieve() };
        more[n++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0,
                                             (void *) (uintptr_t) PRIORITIES };
    }
    more[n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };

    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME
            | (s->tls != NULL ? MHD_USE_TLS : 0),
        0, serve_let_in, s, handle, s, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) SERVE_MEMORY,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t) SERVE_MEMORY_STEP,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned) CEILING,
        MHD_OPTION_NOTIFY_CONNECTION, serve_connection_changed, s,
        MHD_OPTION_NOTIFY_COMPLETED, request_done, s,
        MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, more,
        MHD_OPTION_END);
}

static unsigned
or_default(unsigned value, unsigned fallback)
{
    return value != 0 ? value : fallback;
}

static struct stall_limits
limits_of(const struct serve_options *o)
{
    return (struct stall_limits){
        .idle_ms = or_default(o->idle_ms, IDLE_MS),
        .header_ms = or_default(o->header_ms, HEADER_MS),
        .min_rate = o->min_rate,
        .window_ms = or_default(o->min_window_ms, WINDOW_MS),
    };
}

static int
create_parts(struct serve *s, const struct serve_options *o)
{
    struct stall_limits limits = limits_of(o);

    s->pace = pace_create(&serve_pace_ops, o->max_rate);
    s->stall = stall_create(&limits);
    s->hold = hold_create(&serve_hold_ops);
    if (o->uploads > 0) {
        s->slots = slots_create(o->uploads, serve_slot_rung);
        s->queue = hold_create(&serve_queue_ops);
        if (s->slots == NULL || s->queue == NULL) {
            return SHOAL_ENOMEM;
        }
    }
    s->aside = o->ops->map != NULL ? aside_create() : NULL;
    s->crowd = crowd_create(or_default(o->max_connections, CONNECTIONS_MAX),
                            o->max_per_address);
    s->gate = ticket_gate_create();
    if (s->pace == NULL || s->stall == NULL || s->hold == NULL
        || s->crowd == NULL || s->gate == NULL)
    {
        return SHOAL_ENOMEM;
    }
    ticket_gate_set(s->gate, o->tickets);
    return 0;
}

static void
free_all(struct serve *s)
{
    pace_free(s->pace);
    hold_free(s->hold);
    hold_free(s->queue);
    slots_free(s->slots);
    aside_free(s->aside);
    stall_free(s->stall);
    crowd_free(s->crowd);
    ticket_gate_free(s->gate);
    tls_free(s->tls);
    free(s);
}

int
serve_listen(const struct serve_options *options, struct serve **out,
             char *why, size_t cap)
{
    uint8_t random[8];
    int err = 0;

    struct serve *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        snprintf(why, cap, "out of memory");
        return SHOAL_ENOMEM;
    }
    s->options = *options;
    s->ops = options->ops;
    s->ctx = options->ctx;
    s->callers = options->callers;
    if (getrandom(random, sizeof(random), 0) == sizeof(random)) {
        hex_encode(random, sizeof(random), s->epoch);
    }
    if (options->certificate != NULL) {
        err =
            tls_create(options->certificate, options->key, &s->tls, why, cap);
    }
    s->fd =
        err == 0 ? listen_open(options->address, options->port, why, cap) : -1;
    if (s->fd < 0) {
        free_all(s);
        return err != 0 ? err : SHOAL_ENET;
    }
    s->port = listen_port(s->fd);
    *out = s;
    return 0;
}

static void
stop_parts(struct serve *s)
{
    pace_stop(s->pace);
    hold_stop(s->hold);
    hold_stop(s->queue);
    aside_stop(s->aside);
}

int
serve_run(struct serve *s, char *why, size_t cap)
{
    int fd = s->fd;

    if (fd < 0) {
        snprintf(why, cap, "the block server could not be started");
        return s->daemon != NULL ? 0 : SHOAL_ENET;
    }
    if (create_parts(s, &s->options) != 0) {
        snprintf(why, cap, "out of memory");
        return SHOAL_ENOMEM;
    }
    s->fd = -1; /* the daemon closes it, even if it cannot start */
    s->daemon = start_daemon(s, fd, thread_count(s->options.threads));
    if (s->daemon == NULL) {
        snprintf(why, cap, "cannot start the block server: %s",
                 strerror(errno));
        return SHOAL_ENET;
    }
    return 0;
}

int
serve_start(const struct serve_options *options, struct serve **out, char *why,
            size_t cap)
{
    struct serve *s = NULL;
    int err = serve_listen(options, &s, why, cap);

    if (err == 0) {
        err = serve_run(s, why, cap);
    }
    if (err != 0) {
        serve_stop(s);
        return err;
    }
    *out = s;
    return 0;
}

uint16_t
serve_port(const struct serve *s)
{
    return s->port;
}

uint64_t
serve_epoch(const struct serve *s)
{
    return strtoull(s->epoch, NULL, 16);
}

void
serve_expect(struct serve *s, uint16_t port)
{
    atomic_store(&s->expected, port);
}

int
serve_reload(struct serve *s, const struct serve_options *options, char *why,
             size_t cap)
{
    struct stall_limits limits = limits_of(options);

    pace_set(s->pace, options->max_rate);
    stall_set(s->stall, &limits);
    crowd_set(s->crowd, or_default(options->max_connections, CONNECTIONS_MAX),
              options->max_per_address);
    ticket_gate_set(s->gate, options->tickets);
    if ((s->tls != NULL) != (options->certificate != NULL)) {
        snprintf(why, cap, "TLS is switched on and off by a restart");
        return SHOAL_EINVAL;
    }
    return s->tls == NULL ? 0
                          : tls_reload(s->tls, options->certificate,
                                       options->key, why, cap);
}

void
serve_get_stats(const struct serve *s, struct serve_stats *out)
{
    static const enum stall_end ends[SERVE_DEADLINES] = { STALL_END_IDLE,
                                                          STALL_END_HEADER,
                                                          STALL_END_SLOW };

    memset(out, 0, sizeof(*out));
    if (s->daemon == NULL) {
        return;
    }
    out->bytes = atomic_load(&s->bytes) + stall_taken(s->stall);
    out->busy = atomic_load(&s->busy);
    out->handshakes_failed = atomic_load(&s->handshakes_failed);
    out->denied = atomic_load(&s->denied);
    for (int i = 0; i < SERVE_KINDS; i++) {
        out->asked[i] = atomic_load(&s->asked[i]);
        out->requests += out->asked[i];
    }
    for (int i = 0; i < 6; i++) {
        out->answered[i] = atomic_load(&s->answered[i]);
    }
    for (int i = 0; i < SERVE_REFUSALS; i++) {
        out->refused[i] = atomic_load(&s->refused[i]);
    }
    for (int i = 0; i < SERVE_DEADLINES; i++) {
        out->ended[i] = stall_ended(s->stall, ends[i]);
    }
    out->connections = crowd_count(s->crowd);
    out->active = atomic_load(&s->active);
    out->waiting = hold_count(s->hold);
}

/* Sleepers are woken first: the daemon aborts when one is left. */
void
serve_stop(struct serve *s)
{
    if (s == NULL) {
        return;
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    if (s->daemon != NULL) {
        crowd_close(s->crowd);
    }
    stop_parts(s);
    if (s->daemon != NULL) {
        mhd_end(s->daemon, s->crowd, s->stall);
    }
    free_all(s);
}
