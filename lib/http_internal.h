/* http_internal.h - what the files of http.h share: http.c (requests),
 * http_setup.c (what they ask for), http_socket.c (their connections). Only
 * they and url.c know libcurl. */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include <curl/curl.h>

#include "http.h"

struct counted;

struct http_request {
    struct http_request *next;
    struct http *http;
    bool counted;
    CURL *easy;
    struct curl_slist *headers, *proxy_headers, *connect_to;
    struct answer answer;
    bool headers_told, cancelled;
    int error;       /* told by a callback */
    CURLcode broken; /* http_resume() failed with that: libcurl has lost
                        bytes, and knows nothing of it afterwards */

    /* It says who its user is: a name and password, or cookies. */
    bool secret;
    bool cookies; /* it may: an answer that sets some counts, too */
    bool login;   /* Basic goes out at once; Digest, where that is asked for */
    bool digest;
    bool challenged; /* libcurl's own first 401 was seen */
    bool again;      /* ended by a 401 that asks for Digest */

    int (*guard)(void *ctx, const struct sockaddr *sa);
    void *guard_ctx;
    const struct http_handler *handler;
    void (*line)(void *ctx, const char *line, size_t len);
    void *ctx;
    char why[CURL_ERROR_SIZE];
};

struct http {
    CURLM *multi;
    CURLSH *cookies; /* NULL: none */
    bool digest;     /* that is what the origin asks for */
    struct http_request *first;
    const struct http_sockets *sockets;
    struct counted *counted;
};

/** http_setup(r, o): all that goes to libcurl. SHOAL_ENOMEM, SHOAL_EINVAL. */
int http_setup(struct http_request *r, const struct http_options *o);

/** The callbacks of http.c. */
size_t http_on_header(char *line, size_t size, size_t n, void *ctx);
size_t http_on_body(char *data, size_t size, size_t n, void *ctx);

/** http_socket_setup(r): who opens and closes its connections. */
void http_socket_setup(struct http_request *r);

/** http_socket_settle(h, r, connected): the request is over. */
void http_socket_settle(struct http *h, const struct http_request *r,
                        bool connected);

/** http_socket_end(h): no connection is left. */
void http_socket_end(struct http *h);

#endif
