#include "serve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <microhttpd.h>

#include "digest.h"
#include "listen.h"
#include "pace.h"
#include "range.h"
#include "resource.h"
#include "shoal.h"

enum {
    MEMORY_LIMIT = 8192,    /* bytes a connection: request line and headers */
    MEMORY_STEP = 1024,     /* bytes */
    CHUNK = 65536,          /* bytes; response buffer of one connection */
    IDLE_TIMEOUT_S = 60,    /* no byte either way */
    CONNECTIONS_MAX = 1024, /* by default */
    SPARE_CONNECTIONS = 64, /* above the limit, to be told 503 */
    THREADS_MAX = 32        /* more do not help one block server */
};

struct serve {
    struct MHD_Daemon *daemon;
    struct pace *pace;
    const struct serve_ops *ops;
    void *ctx;
    uint16_t port;
    unsigned max_connections;
    char epoch[17]; /* of /have; random at each start */
    atomic_uint connections;
    atomic_uint active;
    atomic_uint_fast64_t bytes;
    atomic_uint_fast64_t requests;
    atomic_uint_fast64_t busy;
};

/* The body of one answer: a piece of a set, or bytes in memory. */
struct body {
    struct pace_waiter waiter; /* first: see pace_ops below */
    struct serve *serve;
    struct MHD_Connection *connection;
    struct serve_set set; /* handle NULL: from memory */
    uint8_t *memory;
    uint64_t off; /* of the body's first byte */
};

static void
suspend(struct pace_waiter *w)
{
    MHD_suspend_connection(((struct body *) w)->connection);
}

static void
resume(struct pace_waiter *w)
{
    MHD_resume_connection(((struct body *) w)->connection);
}

static const struct pace_ops pace_ops = { suspend, resume };

static long
copy_out(const struct body *b, uint64_t pos, char *buf, size_t len)
{
    if (b->set.handle == NULL) {
        memcpy(buf, b->memory + pos, len);
        return (long) len;
    }
    return b->serve->ops->read(b->serve->ctx, &b->set, b->off + pos, buf, len);
}

/* Returns 0 only when the connection was suspended: else it would spin. */
static ssize_t
body_read(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct body *b = cls;
    struct serve *s = b->serve;
    size_t n;

    if (pace_take(s->pace, &b->waiter, max, &n) != 0) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (n == 0) {
        return 0;
    }
    long got = copy_out(b, pos, buf, n);
    if (got <= 0) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if ((size_t) got < n) {
        pace_return(s->pace, &b->waiter, n - (size_t) got);
    }
    if (b->set.handle != NULL) {
        atomic_fetch_add(&s->bytes, (uint64_t) got);
    }
    return (ssize_t) got;
}

static void
body_free(void *cls)
{
    struct body *b = cls;

    if (b->waiter.grant > 0) {
        pace_return(b->serve->pace, &b->waiter, 0);
    }
    if (b->set.handle != NULL) {
        b->serve->ops->close(b->serve->ctx, &b->set);
        atomic_fetch_sub(&b->serve->active, 1);
    }
    free(b->memory);
    free(b);
}

static enum MHD_Result
send_response(struct MHD_Connection *c, unsigned status,
              struct MHD_Response *r)
{
    if (r == NULL) {
        return MHD_NO;
    }
    enum MHD_Result ok = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return ok;
}

/* One line of text; the header, if any, is `name` with `value`. */
static enum MHD_Result
say(struct MHD_Connection *c, unsigned status, const char *text,
    const char *name, const char *value)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        strlen(text), (void *) (uintptr_t) text, MHD_RESPMEM_PERSISTENT);

    if (r == NULL) {
        return MHD_NO;
    }
    MHD_add_response_header(r, "Content-Type", "text/plain");
    if (name != NULL) {
        MHD_add_response_header(r, name, value);
    }
    return send_response(c, status, r);
}

static enum MHD_Result
say_busy(struct serve *s, struct MHD_Connection *c)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        5, (void *) (uintptr_t) "busy\n", MHD_RESPMEM_PERSISTENT);

    if (r == NULL) {
        return MHD_NO;
    }
    atomic_fetch_add(&s->busy, 1);
    MHD_add_response_header(r, "Content-Type", "text/plain");
    MHD_add_response_header(r, "Retry-After", "1");
    MHD_add_response_header(r, "Connection", "close");
    return send_response(c, MHD_HTTP_SERVICE_UNAVAILABLE, r);
}

static enum MHD_Result
say_unsatisfiable(struct MHD_Connection *c, uint64_t size)
{
    char value[40];

    snprintf(value, sizeof(value), "bytes */%" PRIu64, size);
    return say(c, MHD_HTTP_RANGE_NOT_SATISFIABLE, "starts behind the end\n",
               "Content-Range", value);
}

/* What part of how many bytes an answer gives. */
struct part {
    uint64_t off;
    uint64_t len;
    uint64_t size;
    bool partial; /* 206 */
};

/* Takes over `b`, also when it fails. */
static enum MHD_Result
send_body(struct MHD_Connection *c, struct body *b, const struct part *part)
{
    char value[80];

    struct MHD_Response *r = MHD_create_response_from_callback(
        part->len, CHUNK, body_read, b, body_free);
    if (r == NULL) {
        body_free(b);
        return MHD_NO;
    }
    MHD_add_response_header(r, "Content-Type", "application/octet-stream");
    MHD_add_response_header(r, "Accept-Ranges", "bytes");
    if (part->partial) {
        snprintf(value, sizeof(value),
                 "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, part->off,
                 part->off + part->len - 1, part->size);
        MHD_add_response_header(r, "Content-Range", value);
    }
    return send_response(c, part->partial ? MHD_HTTP_PARTIAL_CONTENT : 200, r);
}

static const char *
range_header(struct MHD_Connection *c)
{
    return MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Range");
}

static struct body *
body_create(struct serve *s, struct MHD_Connection *c)
{
    struct body *b = calloc(1, sizeof(*b));

    if (b != NULL) {
        b->serve = s;
        b->connection = c;
    }
    return b;
}

static enum MHD_Result
answer_blocks(struct serve *s, struct MHD_Connection *c, struct serve_set *set)
{
    struct part part = { 0, set->size, set->size, false };

    int err = range_parse(range_header(c), set->size, &part.off, &part.len);
    if (err == SHOAL_EINVAL) {
        s->ops->close(s->ctx, set);
        return say_unsatisfiable(c, set->size);
    }
    part.partial = err == 0;
    uint64_t held = s->ops->held(s->ctx, set, part.off, part.len);
    if (part.partial ? held == 0 : held < part.len) {
        s->ops->close(s->ctx, set);
        return say(c, MHD_HTTP_NOT_FOUND, "not held\n", NULL, NULL);
    }
    part.len = held;
    struct body *b = body_create(s, c);
    if (b == NULL) {
        s->ops->close(s->ctx, set);
        return say_busy(s, c);
    }
    b->set = *set;
    b->off = part.off;
    atomic_fetch_add(&s->active, 1);
    return send_body(c, b, &part);
}

static enum MHD_Result
answer_have(struct serve *s, struct MHD_Connection *c,
            const struct serve_set *set)
{
    size_t len = (set->count + 7) / 8;
    uint64_t cursor = 0;
    char text[24];

    uint8_t *bits = malloc(len + 1);
    if (bits == NULL || s->ops->have(s->ctx, set, bits, &cursor) != 0) {
        free(bits);
        return say_busy(s, c);
    }
    struct MHD_Response *r =
        MHD_create_response_from_buffer(len, bits, MHD_RESPMEM_MUST_FREE);
    if (r == NULL) {
        free(bits);
        return MHD_NO;
    }
    MHD_add_response_header(r, "Content-Type", "application/octet-stream");
    MHD_add_response_header(r, "Cache-Control", "no-store");
    MHD_add_response_header(r, "Shoal-Epoch", s->epoch);
    snprintf(text, sizeof(text), "%" PRIu64, cursor);
    MHD_add_response_header(r, "Shoal-Cursor", text);
    snprintf(text, sizeof(text), "%" PRIu64, set->size);
    MHD_add_response_header(r, "Shoal-Size", text);
    return send_response(c, 200, r);
}

static enum MHD_Result
answer_hashes(struct serve *s, struct MHD_Connection *c,
              const struct serve_set *set)
{
    struct part part = { .size = (uint64_t) set->count * DIGEST_LEN };

    part.len = part.size;
    int err = range_parse(range_header(c), part.size, &part.off, &part.len);
    if (err == SHOAL_EINVAL) {
        return say_unsatisfiable(c, part.size);
    }
    part.partial = err == 0;
    struct body *b = body_create(s, c);
    uint8_t *layer = malloc(part.size + 1);
    if (b == NULL || layer == NULL || s->ops->hashes(s->ctx, set, layer) != 0)
    {
        free(layer);
        free(b);
        return say_busy(s, c);
    }
    memmove(layer, layer + part.off, part.len);
    b->memory = layer;
    return send_body(c, b, &part);
}

static enum MHD_Result
answer(struct serve *s, struct MHD_Connection *c, const char *url)
{
    uint8_t id[RESOURCE_ID_LEN];
    char hex[RESOURCE_ID_HEX];
    struct serve_set set;
    enum MHD_Result result;

    memset(&set, 0, sizeof(set));
    if (strncmp(url, "/blocks/", 8) != 0 || strlen(url) < 8 + 40) {
        return say(c, MHD_HTTP_NOT_FOUND, "no such page\n", NULL, NULL);
    }
    memcpy(hex, url + 8, 40);
    hex[40] = '\0';
    const char *what = url + 8 + 40;
    bool have = strcmp(what, "/have") == 0;
    bool hashes = strcmp(what, "/hashes") == 0;
    if (resource_id_parse(hex, id) != 0 || (*what != '\0' && !have && !hashes))
    {
        return say(c, MHD_HTTP_NOT_FOUND, "no such page\n", NULL, NULL);
    }
    int err = s->ops->open(s->ctx, id, &set);
    if (err == SHOAL_ENOTFOUND) {
        return say(c, MHD_HTTP_NOT_FOUND, "not held\n", NULL, NULL);
    }
    if (err != 0) {
        return say_busy(s, c);
    }
    if (!have && !hashes) {
        return answer_blocks(s, c, &set); /* takes the set */
    }
    result = have ? answer_have(s, c, &set) : answer_hashes(s, c, &set);
    s->ops->close(s->ctx, &set);
    return result;
}

/* Set in a connection's context when it came above the limit. */
static char above_limit;

static bool
is_above_limit(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info != NULL && info->socket_context == &above_limit;
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

    (void) version;
    (void) upload_data;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        return say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only\n",
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
    return is_above_limit(c) ? say_busy(s, c) : answer(s, c, url);
}

static void
connection_changed(void *cls, struct MHD_Connection *c, void **context,
                   enum MHD_ConnectionNotificationCode what)
{
    struct serve *s = cls;

    (void) c;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        atomic_fetch_sub(&s->connections, 1);
    } else if (atomic_fetch_add(&s->connections, 1) >= s->max_connections) {
        *context = &above_limit;
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
    s->pace = pace_create(&pace_ops, options->max_rate);
    if (s->pace == NULL) {
        snprintf(why, cap, "out of memory");
        goto free_serve;
    }
    err = SHOAL_ENET;
    int fd = listen_open(options->address, options->port, why, cap);
    if (fd < 0) {
        goto free_pace;
    }
    s->port = listen_port(fd);
    s->daemon = start_daemon(s, fd, thread_count(options->threads));
    if (s->daemon == NULL) {
        snprintf(why, cap, "cannot start the block server: %s",
                 strerror(errno));
        goto free_pace; /* the daemon has closed its socket */
    }
    *out = s;
    return 0;

free_pace:
    pace_stop(s->pace);
    pace_free(s->pace);
free_serve:
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
    free(s);
}
