/* request.c - what somebody sends to the block server, over a connection. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blockmap.h"
#include "fuzz.h"
#include "havelog.h"
#include "serve.h"
#include "shoal.h"

enum {
    SIZE = 300000, /* of the file that it has; blocks 1 and 2 are missing */
    PATIENCE_MS = 30
};

static struct blockmap map;
static struct havelog news;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int
set_open(void *ctx, const uint8_t id[20], const struct sockaddr *from,
         struct serve_set *set)
{
    (void) ctx;
    (void) from;
    if (id[0] != 0) {
        return SHOAL_ENOTFOUND;
    }
    set->handle = &map;
    set->size = map.size;
    set->block_size = map.block_size;
    set->count = map.count;
    return 0;
}

static void
set_close(void *ctx, struct serve_set *set)
{
    (void) ctx;
    set->handle = NULL;
}

static uint64_t
set_held(void *ctx, const struct serve_set *set, uint64_t off, uint64_t len)
{
    (void) ctx;
    (void) set;
    fuzz_check(len <= SIZE && off <= SIZE - len, "a range outside");
    return blockmap_held_from(&map, off, len);
}

static long
set_read(void *ctx, const struct serve_set *set, uint64_t off, void *buf,
         size_t len)
{
    (void) ctx;
    (void) set;
    fuzz_check(len > 0 && len <= SIZE && off <= SIZE - len
                   && blockmap_held_from(&map, off, len) == len,
               "bytes that are not held");
    memset(buf, 'b', len);
    return (long) len;
}

static int
set_have(void *ctx, const struct serve_set *set, uint8_t *bits,
         uint64_t *cursor)
{
    (void) ctx;
    (void) set;
    memcpy(bits, map.bits, blockmap_bytes(&map));
    *cursor = news.end;
    return 0;
}

static int
set_hashes(void *ctx, const struct serve_set *set, uint8_t *layer)
{
    (void) ctx;
    memset(layer, 'h', (size_t) set->count * 32);
    return 0;
}

static struct havelog *
set_log(void *ctx, const struct serve_set *set)
{
    (void) ctx;
    (void) set;
    pthread_mutex_lock(&lock);
    return &news;
}

static void
set_unlog(void *ctx, const struct serve_set *set)
{
    (void) ctx;
    (void) set;
    pthread_mutex_unlock(&lock);
}

static const struct serve_ops ops = { .open = set_open,
                                      .close = set_close,
                                      .held = set_held,
                                      .read = set_read,
                                      .have = set_have,
                                      .hashes = set_hashes,
                                      .log = set_log,
                                      .unlog = set_unlog };

static struct serve *
begin(void)
{
    struct serve_options o = { .address = "127.0.0.1",
                               .threads = 1,
                               .ops = &ops };
    struct serve *s = NULL;
    char why[200] = "";

    fuzz_check(blockmap_init(&map, SIZE) == 0, "memory");
    blockmap_fill(&map);
    blockmap_clear(&map, 1);
    blockmap_clear(&map, 2);
    havelog_init(&news, 1000);
    havelog_have(&news, 3);
    havelog_have(&news, 4);
    fuzz_check(serve_start(&o, &s, why, sizeof(why)) == 0, why);
    return s;
}

static int
dial(uint16_t port)
{
    const struct linger none = { 1, 0 }; /* ports are soon used up */
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    fuzz_check(fd >= 0, "a socket");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    fuzz_check(connect(fd, (struct sockaddr *) &in, sizeof(in)) == 0,
               "it does not take connections any more");
    return fd;
}

void
fuzz_request(const uint8_t *data, size_t len)
{
    static struct serve *s;
    static char answer[65536];
    ssize_t n = 1;

    if (s == NULL) {
        s = begin();
    }
    int fd = dial(serve_port(s));
    struct pollfd p = { .fd = fd, .events = POLLIN };
    if (send(fd, data, len, MSG_NOSIGNAL) > 0) {
        shutdown(fd, SHUT_WR);
    }
    for (bool first = true; n > 0 && poll(&p, 1, PATIENCE_MS) > 0;
         first = false) {
        n = recv(fd, answer, sizeof(answer), 0);
        fuzz_check(!first || n <= 0 || strncmp(answer, "HTTP/1.", 7) == 0,
                   "not an answer");
    }
    close(fd);
}
