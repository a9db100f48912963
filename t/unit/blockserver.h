/* blockserver.h - a block server whose blocks are in memory, and clients of it
 * over real connections. */
#ifndef BLOCKSERVER_H
#define BLOCKSERVER_H

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "blockmap.h"
#include "havelog.h"
#include "serve.h"
#include "shoal.h"

#define ID "0123456789abcdef0123456789abcdef01234567"

enum {
    BLOCK = 65536,
    SIZE = 40 * BLOCK + 1000,
    RATE_SIZE = 1 << 30
};

struct memory {
    struct blockmap map;
    pthread_mutex_t lock; /* of the log, and the map where both change */
    struct havelog log;
    bool gone;
    bool broken;                  /* reads fail */
    struct sockaddr_storage from; /* who asked last */
};

static inline uint8_t
byte_at(uint64_t off)
{
    return (uint8_t) (off * 31 + (off >> 16) * 7);
}

static inline int
mem_open(void *ctx, const uint8_t id[20], const struct sockaddr *from,
         struct serve_set *set)
{
    struct memory *m = ctx;

    memset(&m->from, 0, sizeof(m->from));
    if (from != NULL) {
        memcpy(&m->from, from,
               from->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                           : sizeof(struct sockaddr_in));
    }
    if (id[0] != 0x01 || id[19] != 0x67) {
        return SHOAL_ENOTFOUND;
    }
    set->handle = m;
    set->size = m->map.size;
    set->block_size = m->map.block_size;
    set->count = m->map.count;
    return 0;
}

static inline void
mem_close(void *ctx, struct serve_set *set)
{
    (void) ctx;
    set->handle = NULL;
}

static inline uint64_t
mem_held(void *ctx, const struct serve_set *set, uint64_t off, uint64_t len)
{
    struct memory *m = ctx;

    (void) set;
    return blockmap_held_from(&m->map, off, len);
}

/* byte_at() of a row: within a block it comes again after 256. */
static inline void
fill_bytes(uint8_t *out, uint64_t off, size_t len)
{
    uint8_t row[256];

    for (unsigned i = 0; i < sizeof(row); i++) {
        row[i] = byte_at(off + i < (off | (BLOCK - 1)) + 1 ? off + i
                                                           : off + i - 256);
    }
    for (size_t done = 0; done < len; done += sizeof(row)) {
        memcpy(out + done, row, len - done < 256 ? len - done : 256);
    }
}

static inline long
mem_read(void *ctx, const struct serve_set *set, uint64_t off, void *buf,
         size_t len)
{
    struct memory *m = ctx;
    size_t most = (size_t) (BLOCK - off % BLOCK);

    (void) set;
    if (m->broken) {
        return SHOAL_EIO;
    }
    len = len < most ? len : most;
    fill_bytes(buf, off, len);
    return (long) len;
}

static inline int
mem_have(void *ctx, const struct serve_set *set, uint8_t *bits,
         uint64_t *cursor)
{
    struct memory *m = ctx;

    (void) set;
    memcpy(bits, m->map.bits, blockmap_bytes(&m->map));
    *cursor = m->log.end;
    return 0;
}

static inline int
mem_hashes(void *ctx, const struct serve_set *set, uint8_t *layer)
{
    (void) ctx;
    for (uint32_t i = 0; i < set->count * 32; i++) {
        layer[i] = (uint8_t) i;
    }
    return 0;
}

static inline struct havelog *
mem_log(void *ctx, const struct serve_set *set)
{
    struct memory *m = ctx;

    (void) set;
    pthread_mutex_lock(&m->lock);
    if (m->gone) {
        pthread_mutex_unlock(&m->lock);
        return NULL;
    }
    return &m->log;
}

static inline void
mem_unlog(void *ctx, const struct serve_set *set)
{
    (void) set;
    pthread_mutex_unlock(&((struct memory *) ctx)->lock);
}

static const struct serve_ops mem_ops = { mem_open, mem_close, mem_held,
                                          mem_read, mem_have,  mem_hashes,
                                          mem_log,  mem_unlog, NULL,
                                          NULL,     NULL,      NULL };

static inline void
mem_init(struct memory *m, uint64_t size)
{
    memset(m, 0, sizeof(*m));
    assert_int_equal(blockmap_init(&m->map, size), 0);
    blockmap_fill(&m->map);
    pthread_mutex_init(&m->lock, NULL);
    havelog_init(&m->log, 1000);
}

static inline void
mem_fini(struct memory *m)
{
    blockmap_fini(&m->map);
    havelog_fini(&m->log);
    pthread_mutex_destroy(&m->lock);
}

/* ${o}: limits and deadlines; the rest is set here. */
static inline struct serve *
start_as(struct memory *m, uint64_t size, struct serve_options *o)
{
    struct serve *s;
    char why[200];

    if (o->address == NULL) {
        o->address = "127.0.0.1";
    }
    o->threads = 2;
    o->ops = &mem_ops;
    o->ctx = m;
    mem_init(m, size);
    if (serve_start(o, &s, why, sizeof(why)) != 0) {
        fail_msg("%s", why);
    }
    return s;
}

static inline struct serve *
start(struct memory *m, uint64_t size, unsigned connections, uint64_t rate)
{
    struct serve_options o = { .max_connections = connections,
                               .max_rate = rate };

    return start_as(m, size, &o);
}

/* ${last}: of our own address, 127.0.0.LAST. */
static inline int
dial_from(unsigned last, uint16_t port)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(0x7f000000 + last) };
    struct timeval tv = { 20, 0 };

    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    assert_int_equal(bind(fd, (struct sockaddr *) &in, sizeof(in)), 0);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in.sin_port = htons(port);
    assert_int_equal(connect(fd, (struct sockaddr *) &in, sizeof(in)), 0);
    return fd;
}

static inline int
dial(uint16_t port)
{
    return dial_from(1, port);
}

struct reply {
    char *text; /* head and body */
    size_t len;
    const char *body;
    size_t body_len;
};

/* Sends `request` and reads until the server closes. */
static inline void
ask(uint16_t port, const char *request, struct reply *out)
{
    int fd = dial(port);
    size_t cap = 4 << 20;
    ssize_t n;

    memset(out, 0, sizeof(*out));
    out->text = malloc(cap);
    assert_non_null(out->text);
    assert_int_equal(send(fd, request, strlen(request), 0),
                     (long) strlen(request));
    while ((n = recv(fd, out->text + out->len, cap - 1 - out->len, 0)) > 0) {
        out->len += (size_t) n;
    }
    out->text[out->len] = '\0';
    close(fd);
    const char *end = strstr(out->text, "\r\n\r\n");
    assert_non_null(end);
    out->body = end + 4;
    out->body_len = out->len - (size_t) (out->body - out->text);
}

static inline void
get(uint16_t port, const char *method, const char *path, const char *range,
    struct reply *out)
{
    char request[512];

    snprintf(request, sizeof(request),
             "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s%s%s\r\n",
             method, path, range != NULL ? "Range: " : "",
             range != NULL ? range : "", range != NULL ? "\r\n" : "");
    ask(port, request, out);
}

static inline double
now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

struct reader {
    pthread_t thread;
    uint16_t port;
    double until;
    atomic_uint_fast64_t bytes;
};

/* Of the body, as far as it came in time. */
static inline void
read_until(struct reader *r, uint64_t enough)
{
    const char *request = "GET /blocks/" ID " HTTP/1.1\r\nHost: x\r\n\r\n";
    char buf[65536], *body = NULL;
    ssize_t n;

    int fd = dial(r->port);
    if (send(fd, request, strlen(request), 0) < 0) {
        return;
    }
    while (now() < r->until && r->bytes < enough
           && (n = recv(fd, buf, sizeof(buf), 0)) > 0 && now() < r->until)
    {
        if (body == NULL) {
            body = memmem(buf, (size_t) n, "\r\n\r\n", 4);
            assert_non_null(body);
            n -= body + 4 - buf;
        }
        r->bytes += (uint64_t) n;
    }
    close(fd);
}

static inline void *
read_for_a_while(void *arg)
{
    read_until(arg, UINT64_MAX);
    return NULL;
}

static inline struct serve_stats
stats_of(const struct serve *s)
{
    struct serve_stats stats;

    serve_get_stats(s, &stats);
    return stats;
}

#endif
