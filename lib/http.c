#include "http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "resolve.h"
#include "shoal.h"
#include "url.h"

enum {
    /* Bytes a read: fewer system calls than 16 KiB; libcurl reads up to 100
     * of them from one connection before it looks at the others. */
    RECEIVE_BUFFER = 65536,
    CONNECT_MS = 3000 /* FIELD: dead nodes cost others 30 s */
};

/* A connection that is counted; it outlives its first request. */
struct counted {
    struct counted *next;
    const struct http_request *first; /* until that is over */
    curl_socket_t fd;
    char url[];
};

struct http_request {
    struct http_request *next;
    struct http *http;
    bool counted;
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    struct answer answer;
    bool headers_told, cancelled;
    int error; /* told by a callback */
    int (*guard)(void *ctx, const struct sockaddr *sa);
    void *guard_ctx;
    const struct http_handler *handler;
    void *ctx;
    char why[CURL_ERROR_SIZE];
};

struct http {
    CURLM *multi;
    struct http_request *first;
    const struct http_sockets *sockets;
    struct counted *counted;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http *
http_create(const struct http_sockets *sockets)
{
    struct http *h = calloc(1, sizeof(*h));

    pthread_once(&once, global_init);
    if (h == NULL) {
        return NULL;
    }
    h->sockets = sockets;
    h->multi = curl_multi_init();
    if (h->multi == NULL) {
        free(h);
        return NULL;
    }
    return h;
}

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
static void
settle_sockets(struct http *h, const struct http_request *r, bool connected)
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

static void
request_free(struct http *h, struct http_request *r)
{
    curl_off_t connect_us = 0;

    if (r->easy != NULL) {
        curl_easy_getinfo(r->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
        curl_multi_remove_handle(h->multi, r->easy);
        curl_easy_cleanup(r->easy);
        settle_sockets(h, r, connect_us > 0);
    }
    curl_slist_free_all(r->headers);
    curl_slist_free_all(r->connect_to);
    struct http_request **p = &h->first;
    while (*p != NULL && *p != r) {
        p = &(*p)->next;
    }
    if (*p == r) {
        *p = r->next;
    }
    free(r);
}

void
http_free(struct http *h)
{
    if (h == NULL) {
        return;
    }
    while (h->first != NULL) {
        request_free(h, h->first);
    }
    curl_multi_cleanup(h->multi);
    while (h->counted != NULL) {
        uncount(h, &h->counted);
    }
    free(h);
}

/* The header is whole before the first body byte, or at the end. */
static int
tell_headers(struct http_request *r)
{
    if (r->headers_told || r->cancelled) {
        return 0;
    }
    r->headers_told = true;
    if (r->handler->headers != NULL) {
        r->error = r->handler->headers(r->ctx, &r->answer);
    }
    return r->error;
}

static size_t
on_header(char *line, size_t size, size_t n, void *ctx)
{
    struct http_request *r = ctx;

    if (r->cancelled) {
        return 0;
    }
    answer_line(&r->answer, line, size * n);
    if (size * n <= 2 && r->answer.status >= 200 && tell_headers(r) != 0) {
        return 0;
    }
    return size * n;
}

static size_t
on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct http_request *r = ctx;

    if (r->cancelled || tell_headers(r) != 0) {
        return 0;
    }
    if (r->handler->data == NULL || r->cancelled) {
        return r->cancelled ? 0 : size * n;
    }
    int rc = r->handler->data(r->ctx, (const uint8_t *) data, size * n);
    if (rc == HTTP_PAUSE) {
        return CURL_WRITEFUNC_PAUSE;
    }
    if (rc != 0 || r->cancelled) {
        r->error = rc;
        return 0;
    }
    return size * n;
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

static int
add_header(struct http_request *r, const char *line)
{
    struct curl_slist *list = curl_slist_append(r->headers, line);

    if (list == NULL) {
        return SHOAL_ENOMEM;
    }
    r->headers = list;
    return 0;
}

static int
pin(struct http_request *r, const char *url, const struct node_addr *addr)
{
    char host[256], text[512];
    uint16_t port;

    if (url_split(url, host, sizeof(host), &port) != 0) {
        return SHOAL_EINVAL;
    }
    snprintf(text, sizeof(text),
             addr->sa.ss_family == AF_INET6 ? "::[%s]:%u" : "::%s:%u",
             addr->text,
             ntohs(addr->sa.ss_family == AF_INET6
                       ? ((const struct sockaddr_in6 *) &addr->sa)->sin6_port
                       : ((const struct sockaddr_in *) &addr->sa)->sin_port));
    r->connect_to = curl_slist_append(NULL, text);
    return r->connect_to != NULL ? 0 : SHOAL_ENOMEM;
}

static void
set_limits(CURL *e, const struct http_options *o)
{
    long connect_ms = o->connect_ms != 0 ? (long) o->connect_ms : CONNECT_MS;

    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    if (o->total_ms != 0) {
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long) o->total_ms);
    }
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long) RECEIVE_BUFFER);
    if (o->ca != NULL) {
        curl_easy_setopt(e, CURLOPT_CAINFO, o->ca);
        curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    }
    if (o->once) {
        curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
    }
    if (o->bind_address != NULL) {
        curl_easy_setopt(e, CURLOPT_INTERFACE, o->bind_address);
    }
    if (o->no_proxy) {
        curl_easy_setopt(e, CURLOPT_PROXY, "");
    }
}

static int
configure(struct http_request *r, const struct http_options *o)
{
    CURL *e = r->easy;

    if (o->addr != NULL && pin(r, o->url, o->addr) != 0) {
        return SHOAL_EINVAL;
    }
    if (add_header(r, "Accept-Encoding: identity") != 0) {
        return SHOAL_ENOMEM;
    }
    for (size_t i = 0; o->headers != NULL && o->headers[i] != NULL; i++) {
        if (add_header(r, o->headers[i]) != 0) {
            return SHOAL_ENOMEM;
        }
    }
    if (curl_easy_setopt(e, CURLOPT_URL, o->url) != CURLE_OK) {
        return SHOAL_ENOMEM;
    }
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    /* A proxy's answer to CONNECT is not the origin's. */
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "shoal/0.1");
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, r->headers);
    curl_easy_setopt(e, CURLOPT_CONNECT_TO, r->connect_to);
    curl_easy_setopt(e, CURLOPT_NOBODY, o->head ? 1L : 0L);
    if (o->range != NULL) {
        curl_easy_setopt(e, CURLOPT_RANGE, o->range);
    }
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, r);
    /* The connection's: the request may be gone by then. */
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, r->http);
    curl_easy_setopt(e, CURLOPT_PRIVATE, r);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->why);
    set_limits(e, o);
    return 0;
}

int
http_start(struct http *h, const struct http_options *options,
           struct http_request **out)
{
    struct http_request *r = calloc(1, sizeof(*r));
    int err = SHOAL_ENOMEM;

    if (r == NULL) {
        return SHOAL_ENOMEM;
    }
    r->http = h;
    r->counted = options->counted && h->sockets != NULL;
    r->guard = options->guard;
    r->guard_ctx = options->guard_ctx;
    r->handler = options->handler;
    r->ctx = options->ctx;
    answer_reset(&r->answer);
    r->next = h->first;
    h->first = r;

    r->easy = curl_easy_init();
    if (r->easy == NULL) {
        goto fail;
    }
    err = configure(r, options);
    if (err != 0) {
        goto fail;
    }
    if (curl_multi_add_handle(h->multi, r->easy) != CURLM_OK) {
        err = SHOAL_ENOMEM;
        goto fail;
    }
    *out = r;
    return 0;

fail:
    request_free(h, r);
    return err;
}

void
http_cancel(struct http_request *r)
{
    r->cancelled = true;
}

void
http_pause(struct http_request *r)
{
    curl_easy_pause(r->easy, CURLPAUSE_RECV);
}

void
http_resume(struct http_request *r)
{
    curl_easy_pause(r->easy, CURLPAUSE_CONT);
}

static int
map_code(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_OUT_OF_MEMORY:
        return SHOAL_ENOMEM;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
        return SHOAL_ETLS;
    case CURLE_COULDNT_CONNECT:
        return SHOAL_ECONNECT;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        return SHOAL_EINVAL;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return SHOAL_EPROTO;
    default:
        return SHOAL_ENET;
    }
}

static void
finish(struct http *h, struct http_request *r, CURLcode code)
{
    int err = r->error != 0 ? r->error : map_code(code);
    const char *why = r->why[0] != '\0' ? r->why : curl_easy_strerror(code);

    if (!r->cancelled && err == 0) {
        err = tell_headers(r);
    }
    if (r->error != 0) {
        why = shoal_strerror(r->error);
    }
    if (!r->cancelled) {
        r->handler->done(r->ctx, err, why);
    }
    request_free(h, r);
}

static void
reap(struct http *h)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(h->multi, &left)) != NULL) {
        struct http_request *r;

        if (msg->msg == CURLMSG_DONE) {
            CURLcode code = msg->data.result;

            curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
                              (char **) &r);
            finish(h, r, code);
        }
    }
    struct http_request *next;
    for (struct http_request *r = h->first; r != NULL; r = next) {
        next = r->next;
        if (r->cancelled) {
            request_free(h, r);
        }
    }
}

void
http_wake(struct http *h)
{
    curl_multi_wakeup(h->multi);
}

int
http_poll(struct http *h, int timeout_ms)
{
    int running;

    reap(h); /* what was cancelled since */
    /* First wait: what perform brings in may be all that there is to wait
     * for. Requests that were just started end the wait at once. */
    if (curl_multi_poll(h->multi, NULL, 0, timeout_ms, NULL) != CURLM_OK) {
        return SHOAL_ENOMEM;
    }
    if (curl_multi_perform(h->multi, &running) != CURLM_OK) {
        return SHOAL_ENOMEM;
    }
    reap(h);
    return 0;
}
