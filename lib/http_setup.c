/* http_setup.c - what a request asks for, and how, told to libcurl. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "header.h"
#include "http_internal.h"
#include "resolve.h"
#include "shoal.h"
#include "url.h"

enum {
    /* Bytes a read: fewer system calls than 16 KiB; libcurl reads up to 100
     * of them from one connection before it looks at the others. */
    RECEIVE_BUFFER = 65536,
    RECEIVE_MIN = 1024, /* libcurl's own limit */
    CONNECT_MS = 3000   /* FIELD: dead nodes cost others 30 s */
};

static int
add_line(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer == NULL) {
        return SHOAL_ENOMEM;
    }
    *list = longer;
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

/* A line of the user's, if this request's receiver may see it. */
static int
add_user_line(struct http_request *r, const char *line, bool credentials)
{
    switch (header_kind(line)) {
    case HEADER_PLAIN:
        return add_line(&r->headers, line);
    case HEADER_SECRET:
    case HEADER_HOST:
        return credentials ? add_line(&r->headers, line) : 0;
    case HEADER_PROXY:
        return add_line(&r->proxy_headers, line);
    default:
        return SHOAL_EINVAL;
    }
}

static int
add_headers(struct http_request *r, const struct http_options *o)
{
    const char *const *user =
        o->settings != NULL ? o->settings->headers : NULL;
    int err = add_line(&r->headers, "Accept-Encoding: identity");

    for (size_t i = 0; o->headers != NULL && o->headers[i] != NULL; i++) {
        err = err != 0 ? err : add_line(&r->headers, o->headers[i]);
    }
    for (size_t i = 0; user != NULL && user[i] != NULL; i++) {
        err = err != 0 ? err : add_user_line(r, user[i], o->credentials);
    }
    return err;
}

static void
set_limits(CURL *e, const struct http_options *o)
{
    long connect_ms = o->connect_ms != 0 ? (long) o->connect_ms : CONNECT_MS;
    size_t chunk = o->chunk != 0 ? o->chunk : RECEIVE_BUFFER;

    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    if (o->total_ms != 0) {
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long) o->total_ms);
    }
    chunk = chunk < RECEIVE_MIN ? RECEIVE_MIN : chunk;
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long) chunk);
    if (o->once) {
        curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
    }
}

static void
set_way(CURL *e, const struct http_options *o)
{
    if (o->ca != NULL) {
        curl_easy_setopt(e, CURLOPT_CAINFO, o->ca);
        curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    } else if (o->more_ca != NULL) {
        curl_easy_setopt(e, CURLOPT_CAINFO, o->more_ca);
    }
    if (o->bind_address != NULL) {
        curl_easy_setopt(e, CURLOPT_INTERFACE, o->bind_address);
    }
    if (o->no_proxy) {
        curl_easy_setopt(e, CURLOPT_PROXY, "");
    }
}

/* Looks at what goes out: whether a name of .netrc fitted, and cookies were
 * found, only libcurl knows. */
static int
on_debug(CURL *e, curl_infotype type, char *data, size_t size, void *ctx)
{
    struct http_request *r = ctx;

    (void) e;
    if (type == CURLINFO_HEADER_OUT
        && (memmem(data, size, "\nAuthorization:", 15) != NULL
            || memmem(data, size, "\nCookie:", 8) != NULL))
    {
        r->secret = true;
    }
    return 0;
}

static void
set_login(struct http_request *r, const char *user, const char *password,
          const char *netrc)
{
    CURL *e = r->easy;

    r->digest = r->http->digest;
    r->login = user != NULL || netrc != NULL;
    curl_easy_setopt(e, CURLOPT_HTTPAUTH,
                     (long) (r->digest ? CURLAUTH_DIGEST : CURLAUTH_BASIC));
    if (user != NULL) {
        curl_easy_setopt(e, CURLOPT_USERNAME, user);
    }
    if (password != NULL) {
        curl_easy_setopt(e, CURLOPT_PASSWORD, password);
    } else if (netrc != NULL) {
        curl_easy_setopt(e, CURLOPT_NETRC, (long) CURL_NETRC_OPTIONAL);
        curl_easy_setopt(e, CURLOPT_NETRC_FILE, netrc);
    }
}

static void
set_credentials(struct http_request *r, const struct http_options *o)
{
    const struct http_settings *s = o->settings;
    CURL *e = r->easy;

    if (o->user != NULL) {
        r->secret = true;
        set_login(r, o->user, o->password, NULL);
    } else if (o->credentials) {
        set_login(r, s->user, s->password, s->netrc);
    }
    if (!o->credentials) {
        return;
    }
    r->secret = r->secret || http_settings_secret(s);
    if (s->certificate != NULL) {
        curl_easy_setopt(e, CURLOPT_SSLCERT, s->certificate);
        curl_easy_setopt(e, CURLOPT_SSLKEY, s->private_key);
    }
}

static void
set_user(struct http_request *r, const struct http_options *o)
{
    const struct http_settings *s = o->settings;
    CURL *e = r->easy;

    if (s->user_agent != NULL) {
        curl_easy_setopt(e, CURLOPT_USERAGENT,
                         *s->user_agent != '\0' ? s->user_agent : NULL);
    }
    curl_easy_setopt(e, CURLOPT_REFERER, s->referer);
    curl_easy_setopt(e, CURLOPT_PROXYHEADER, r->proxy_headers);
    if (s->no_check_certificate) {
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (s->family != AF_UNSPEC) {
        curl_easy_setopt(e, CURLOPT_IPRESOLVE,
                         (long) (s->family == AF_INET ? CURL_IPRESOLVE_V4
                                                      : CURL_IPRESOLVE_V6));
    }
    set_credentials(r, o);
    r->cookies = o->cookies && r->http->cookies != NULL;
    if (r->cookies) {
        curl_easy_setopt(e, CURLOPT_SHARE, r->http->cookies);
        curl_easy_setopt(e, CURLOPT_COOKIEFILE, ""); /* on, no further file */
    }
    if (r->cookies || r->login) {
        curl_easy_setopt(e, CURLOPT_DEBUGFUNCTION, on_debug);
        curl_easy_setopt(e, CURLOPT_DEBUGDATA, r);
        curl_easy_setopt(e, CURLOPT_VERBOSE, 1L);
    }
}

int
http_setup(struct http_request *r, const struct http_options *o)
{
    CURL *e = r->easy;

    if (o->addr != NULL && pin(r, o->url, o->addr) != 0) {
        return SHOAL_EINVAL;
    }
    if (add_headers(r, o) != 0) {
        return SHOAL_ENOMEM;
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
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, http_on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, http_on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(e, CURLOPT_PRIVATE, r);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->why);
    http_socket_setup(r);
    set_limits(e, o);
    set_way(e, o);
    if (o->settings != NULL) {
        set_user(r, o);
    }
    return 0;
}
