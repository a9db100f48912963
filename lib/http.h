/* http.h - HTTP requests over one libcurl multi handle. Only http*.c and url.c
 * know libcurl. */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "http_settings.h"
#include "origin.h"

struct http;
struct http_request;
struct node_addr;

enum {
    HTTP_PAUSE = 1 /* from data(): keep these bytes, wait for http_resume() */
};

/** Who counts connections. Called within http_start(), http_poll() and
 *  http_free(). */
struct http_sockets {
    /** May a connection for the URL be opened? */
    bool (*open)(void *ctx, const char *url);

    /** One that was, was closed. */
    void (*close)(void *ctx, const char *url);
    void *ctx;
};

/** Callbacks of a request; they must not free it, but may cancel any. */
struct http_handler {
    /** The header is whole. Not 0: end with that error. */
    int (*headers)(void *ctx, const struct answer *a);

    /** Body bytes. 0, HTTP_PAUSE (none were taken), or an error to end with. */
    int (*data)(void *ctx, const uint8_t *data, size_t len);

    /** It is over; the request is freed after return. ${err}: 0 or why;
     *  ${why}: the words. Never called for a cancelled request. */
    void (*done)(void *ctx, int err, const char *why);
};

struct http_options {
    const char *url;
    const struct node_addr *addr; /* connect to this one; NULL: by name */
    const char *range;            /* `0-99`; NULL: none */
    const char *const *headers;   /* further header lines, NULL-terminated */
    bool head;
    bool no_proxy;            /* ignore proxy variables */
    const char *ca;           /* certificates, PEM, instead of the system's;
                                 NULL: those */
    const char *more_ca;      /* likewise, but beside the system's */
    const char *bind_address; /* NULL: any */

    /* What the user wants of it; NULL: it is none of the CDN's. */
    const struct http_settings *settings;
    bool credentials;            /* those in settings may be sent */
    bool cookies;                /* those that were loaded may be */
    const char *user, *password; /* instead of those; NULL */

    size_t chunk;        /* bytes of body in one go at most; 0: many */
    bool counted;        /* its connections are, by the http_sockets;
                                 SHOAL_EBUSY: not now */
    bool once;           /* its connection is not used again */
    unsigned connect_ms; /* 0: 3,000 */
    unsigned total_ms;   /* 0: unlimited */
    int (*guard)(void *ctx, const struct sockaddr *sa); /* NULL: any */
    void *guard_ctx;
    const struct http_handler *handler;

    /** Every line of all answers' headers as it comes; NULL allowed. */
    void (*line)(void *ctx, const char *line, size_t len);
    void *ctx;
};

/** http_create(sockets): NULL: nobody counts; borrowed until http_free().
 *  NULL when out of memory. */
struct http *http_create(const struct http_sockets *sockets);

/** http_load_cookies(h, path): once, before the first request; a file in
 *  Netscape's format, whose cookies go where they belong. SHOAL_ENOMEM. */
int http_load_cookies(struct http *h, const char *path);

/** http_free(h): cancels what is under way. */
void http_free(struct http *h);

/**
 * http_start(h, options, out):
 * Begin a request; all options are copied but ${addr}, which is read only
 * now. Requests go out at the next http_poll().
 * Errors:  SHOAL_ENOMEM, SHOAL_EINVAL (URL).
 */
int http_start(struct http *h, const struct http_options *options,
               struct http_request **out);

/** http_cancel(r): no callback comes any more; freed by http_poll(). */
void http_cancel(struct http_request *r);

/** http_pause(r): no bytes after these until http_resume(); in data(). */
void http_pause(struct http_request *r);

/** http_resume(r): data() said HTTP_PAUSE, and those bytes come again; or
 *  http_pause() was called. */
void http_resume(struct http_request *r);

/** http_wake(h): an http_poll() that waits returns; any thread. */
void http_wake(struct http *h);

/** http_poll(h, timeout_ms): wait for news, at most that long, and run the
 *  callbacks. SHOAL_ENOMEM. */
int http_poll(struct http *h, int timeout_ms);

#endif
