/* http_socket.c - connections: which addresses they may go to, and how many
 * there are. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_internal.h"
#include "shoal.h"

/* A connection that is counted; it outlives its first request. */
struct counted {
    struct counted *next;
    const struct http_request *first; /* until that is over */
    curl_socket_t fd;
    char url[];
};

/* Takes it off the count. */
static void
uncount(struct http *h, struct counted **p)
{
    struct counted *c = *p;

    *p = c->next;
    h->sockets->close(h->sockets->ctx, c->url);
    free(c);
}

/* libcurl closes a socket that never was connected without a word to
 * on_close_socket(). */
void
http_socket_settle(struct http *h, const struct http_request *r,
                   bool connected)
{
    struct counted **p = &h->counted;

    while (*p != NULL) {
        struct counted *c = *p;

        if (c->first == r && !connected) {
            uncount(h, p);
            continue;
        }
        if (c->first == r) {
            c->first = NULL;
        }
        p = &c->next;
    }
}

static int
count_socket(struct http_request *r, const char *url, curl_socket_t fd)
{
    struct http *h = r->http;
    struct counted *c = malloc(sizeof(*c) + strlen(url) + 1);

    if (c == NULL) {
        return SHOAL_ENOMEM;
    }
    c->first = r;
    c->fd = fd;
    memcpy(c->url, url, strlen(url) + 1);
    c->next = h->counted;
    h->counted = c;
    return 0;
}

static curl_socket_t
open_counted(struct http_request *r, const struct curl_sockaddr *a)
{
    const struct http_sockets *s = r->http->sockets;
    char *url = NULL;

    curl_easy_getinfo(r->easy, CURLINFO_EFFECTIVE_URL, &url);
    if (!s->open(s->ctx, url)) {
        r->error = SHOAL_EBUSY;
        return CURL_SOCKET_BAD;
    }
    int fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    if (fd >= 0 && count_socket(r, url, fd) == 0) {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    s->close(s->ctx, url);
    return CURL_SOCKET_BAD;
}

/* The very address that is connected to is checked, after resolving. */
static curl_socket_t
on_open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct http_request *r = ctx;

    (void) purpose;
    if (r->guard != NULL && r->guard(r->guard_ctx, &a->addr) != 0) {
        r->error = SHOAL_EDENIED;
        return CURL_SOCKET_BAD;
    }
    if (r->counted) {
        return open_counted(r, a);
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static int
on_close_socket(void *ctx, curl_socket_t fd)
{
    struct http *h = ctx;
    struct counted **p = &h->counted;

    while (*p != NULL && (*p)->fd != fd) {
        p = &(*p)->next;
    }
    int rc = close(fd); /* first: another one may be opened for it */
    if (*p != NULL) {
        uncount(h, p);
    }
    return rc;
}

void
http_socket_setup(struct http_request *r)
{
    CURL *e = r->easy;

    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, r);
    /* The connection's: the request may be gone by then. */
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, r->http);
}

void
http_socket_end(struct http *h)
{
    while (h->counted != NULL) {
        uncount(h, &h->counted);
    }
}
