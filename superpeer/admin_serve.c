/* admin_serve.c - the agent's side of `superpeer cache`: a socket in the
 * cache's folder. Every client has a thread, which may wait for it; nothing
 * else does. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <poll.h>

#include "admin.h"
#include "log.h"
#include "shoal.h"

enum {
    CLIENTS_MAX = 4,
    REQUEST_S = 5, /* a request has to be there */
    SEND_S = 10,   /* a client may take no byte */
    NICE = 10      /* verify takes what nobody else needs */
};

struct client {
    struct admin_server *server;
    pthread_t thread;
    int fd;
    enum {
        CLIENT_FREE,
        CLIENT_RUNS,
        CLIENT_ENDED /* to be joined */
    } state;
};

struct admin_server {
    struct cache *cache;
    int folder; /* a file */
    int fd;
    int wake; /* eventfd: it stops */
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t lock; /* of all below */
    struct client clients[CLIENTS_MAX];
};

/* The folder's path may be longer than an address of a socket. */
static void
address_of(int folder, struct sockaddr_un *out)
{
    memset(out, 0, sizeof(*out));
    out->sun_family = AF_UNIX;
    snprintf(out->sun_path, sizeof(out->sun_path), "/proc/self/fd/%d/%s",
             folder, ADMIN_SOCKET);
}

int
admin_connect(const char *path)
{
    struct sockaddr_un un;
    int fd = -1;

    int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return -1;
    }
    address_of(folder, &un);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *) &un, sizeof(un)) != 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        fd = -1;
    }
    close(folder);
    return fd;
}

bool
admin_send(int fd, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    bool ok = text != NULL;

    json_decref(object);
    size_t len = ok ? strlen(text) : 0;
    if (ok) {
        text[len++] = '\n'; /* in the place of the NUL */
    }
    for (size_t done = 0; ok && done < len;) {
        ssize_t n = send(fd, text + done, len - done, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        ok = n > 0;
        done += ok ? (size_t) n : 0;
    }
    free(text);
    return ok;
}

/* ---- one client ---- */

static bool
client_put(void *ctx, json_t *object)
{
    struct client *cl = ctx;

    if (atomic_load(&cl->server->stop)) {
        json_decref(object);
        return false;
    }
    return admin_send(cl->fd, object);
}

static bool
client_gone(void *ctx)
{
    return atomic_load(&((struct client *) ctx)->server->stop);
}

/* One line; NULL when none came in time. */
static json_t *
read_request(int fd)
{
    char *line = malloc(ADMIN_LINE_MAX);
    json_t *request = NULL;
    size_t len = 0;
    ssize_t n = 1;

    while (line != NULL && n > 0 && len < ADMIN_LINE_MAX
           && (len == 0 || line[len - 1] != '\n'))
    {
        n = recv(fd, line + len, ADMIN_LINE_MAX - len, 0);
        len += n > 0 ? (size_t) n : 0;
    }
    if (n > 0 && len > 0 && line[len - 1] == '\n') {
        request = json_loadb(line, len, 0, NULL);
    }
    free(line);
    return request;
}

static void *
client_loop(void *arg)
{
    struct client *cl = arg;
    struct admin_server *a = cl->server;
    struct admin_sink sink = { client_put, client_gone, cl };
    const struct timeval in = { REQUEST_S, 0 }, out = { SEND_S, 0 };

    setpriority(PRIO_PROCESS, (id_t) gettid(), NICE);
    setsockopt(cl->fd, SOL_SOCKET, SO_RCVTIMEO, &in, sizeof(in));
    setsockopt(cl->fd, SOL_SOCKET, SO_SNDTIMEO, &out, sizeof(out));
    json_t *request = read_request(cl->fd);
    if (request != NULL) {
        admin_run(a->cache, request, &sink);
        json_decref(request);
    }
    pthread_mutex_lock(&a->lock);
    close(cl->fd);
    cl->fd = -1;
    cl->state = CLIENT_ENDED;
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* ---- all of them ---- */

static struct client *
free_client(struct admin_server *a)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *cl = &a->clients[i];

        pthread_mutex_lock(&a->lock);
        int state = cl->state;
        pthread_mutex_unlock(&a->lock);
        if (state == CLIENT_ENDED) {
            pthread_join(cl->thread, NULL);
            cl->state = state = CLIENT_FREE;
        }
        if (state == CLIENT_FREE) {
            return cl;
        }
    }
    return NULL;
}

static void
take_client(struct admin_server *a, int fd)
{
    struct client *cl = free_client(a);

    if (cl != NULL) {
        cl->server = a;
        cl->fd = fd;
        cl->state = CLIENT_RUNS;
        if (pthread_create(&cl->thread, NULL, client_loop, cl) == 0) {
            return;
        }
        cl->state = CLIENT_FREE;
    }
    admin_send(fd, json_pack("{s:s}", "error", "others are using it"));
    close(fd);
}

static void *
accept_loop(void *arg)
{
    struct admin_server *a = arg;

    while (!atomic_load(&a->stop)) {
        struct pollfd p[2] = { { .fd = a->fd, .events = POLLIN },
                               { .fd = a->wake, .events = POLLIN } };

        if (poll(p, 2, -1) < 0 || (p[0].revents & POLLIN) == 0) {
            continue;
        }
        int fd = accept4(a->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            take_client(a, fd);
        } else if (errno == EMFILE || errno == ENFILE) {
            usleep(100000);
        }
    }
    return NULL;
}

static int
listen_at(struct admin_server *a, const char *path)
{
    struct sockaddr_un un;

    a->folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (a->folder < 0) {
        return errno;
    }
    address_of(a->folder, &un);
    unlinkat(a->folder, ADMIN_SOCKET, 0); /* of one that was killed */
    a->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (a->fd < 0 || bind(a->fd, (struct sockaddr *) &un, sizeof(un)) != 0
        || fchmodat(a->folder, ADMIN_SOCKET, 0600, 0) != 0
        || listen(a->fd, CLIENTS_MAX) != 0)
    {
        return errno;
    }
    a->wake = eventfd(0, EFD_CLOEXEC);
    return a->wake >= 0 ? 0 : errno;
}

static void
close_all(struct admin_server *a)
{
    int files[] = { a->fd, a->wake, a->folder };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (files[i] >= 0) {
            close(files[i]);
        }
    }
    pthread_mutex_destroy(&a->lock);
    free(a);
}

int
admin_start(struct cache *c, const char *path, struct admin_server **out,
            char *why, size_t cap)
{
    struct admin_server *a = calloc(1, sizeof(*a));

    if (a == NULL) {
        snprintf(why, cap, "out of memory");
        return SHOAL_ENOMEM;
    }
    a->cache = c;
    a->folder = a->fd = a->wake = -1;
    pthread_mutex_init(&a->lock, NULL);
    int rc = listen_at(a, path);
    if (rc == 0) {
        rc = pthread_create(&a->thread, NULL, accept_loop, a);
    }
    if (rc != 0) {
        snprintf(why, cap, "%s/%s: %s", path, ADMIN_SOCKET, strerror(rc));
        close_all(a);
        return SHOAL_EIO;
    }
    *out = a;
    return 0;
}

void
admin_stop(struct admin_server *a)
{
    const uint64_t one = 1;

    if (a == NULL) {
        return;
    }
    atomic_store(&a->stop, true);
    if (write(a->wake, &one, sizeof(one)) != sizeof(one)) {
        log_line(LOG_LEVEL_WARN, NULL, "%s: %s", ADMIN_SOCKET,
                 strerror(errno));
    }
    pthread_join(a->thread, NULL);
    unlinkat(a->folder, ADMIN_SOCKET, 0);
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *cl = &a->clients[i];

        pthread_mutex_lock(&a->lock);
        if (cl->fd >= 0 && cl->state == CLIENT_RUNS) {
            shutdown(cl->fd, SHUT_RDWR); /* wakes who waits for it */
        }
        pthread_mutex_unlock(&a->lock);
        if (cl->state != CLIENT_FREE) {
            pthread_join(cl->thread, NULL);
        }
    }
    close_all(a);
}
