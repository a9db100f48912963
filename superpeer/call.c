#include "call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "config.h"
#include "shoal.h"

enum {
    ANSWER_MAX = 16 << 20, /* bytes; some thousand prepares */
    CONNECT_MS = 3000,
    KEEPALIVE_S = 30, /* NAT tables forget idle connections after minutes */
    URL_MAX = 8192
};

struct call {
    CURL *curl;
    struct curl_slist *headers;
    const struct config_tracker *tracker;
    const atomic_bool *stop;
    char *body;
    size_t len, cap;
    char why[CURL_ERROR_SIZE];
};

static size_t
receive(char *data, size_t size, size_t n, void *arg)
{
    struct call *c = arg;

    n *= size;
    if (c->len + n > ANSWER_MAX) {
        return 0;
    }
    if (c->len + n + 1 > c->cap) {
        size_t cap = (c->len + n + 1) * 2;
        char *bigger = realloc(c->body, cap);

        if (bigger == NULL) {
            return 0;
        }
        c->body = bigger;
        c->cap = cap;
    }
    memcpy(c->body + c->len, data, n);
    c->len += n;
    c->body[c->len] = '\0';
    return n;
}

static int
progress(void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
         curl_off_t ulnow)
{
    const struct call *c = arg;

    (void) dltotal;
    (void) dlnow;
    (void) ultotal;
    (void) ulnow;
    return atomic_load(c->stop) ? 1 : 0;
}

static int
add_header(struct call *c, const char *line)
{
    struct curl_slist *list = curl_slist_append(c->headers, line);

    if (list == NULL) {
        return SHOAL_ENOMEM;
    }
    c->headers = list;
    return 0;
}

static int
add_headers(struct call *c)
{
    int err = add_header(c, "Content-Type: text/plain");

    if (err == 0) {
        err = add_header(c, "Expect:");
    }
    if (err == 0 && c->tracker->token != NULL) {
        size_t cap = strlen(c->tracker->token) + 32;
        char *line = malloc(cap);

        if (line == NULL) {
            return SHOAL_ENOMEM;
        }
        snprintf(line, cap, "Authorization: Bearer %s", c->tracker->token);
        err = add_header(c, line);
        free(line);
    }
    return err;
}

static void
set_options(struct call *c, const char *bind_address)
{
    const struct config_tracker *t = c->tracker;
    CURL *curl = c->curl;

    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "shoal-superpeer");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, c->headers);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long) CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, (long) KEEPALIVE_S);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, (long) KEEPALIVE_S);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, c->why);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, c);
    if (bind_address != NULL) {
        curl_easy_setopt(curl, CURLOPT_INTERFACE, bind_address);
    }
    if (t->certificate != NULL) {
        curl_easy_setopt(curl, CURLOPT_SSLCERT, t->certificate);
        curl_easy_setopt(curl, CURLOPT_SSLKEY, t->key);
    }
    if (t->ca != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, t->ca);
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
}

struct call *
call_create(const struct config_tracker *tracker, const char *bind_address,
            const atomic_bool *stop)
{
    struct call *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    c->tracker = tracker;
    c->stop = stop;
    c->cap = 4096;
    c->body = calloc(1, c->cap);
    c->curl = curl_easy_init();
    if (c->body == NULL || c->curl == NULL || add_headers(c) != 0) {
        call_free(c);
        return NULL;
    }
    set_options(c, bind_address);
    return c;
}

void
call_free(struct call *c)
{
    if (c == NULL) {
        return;
    }
    curl_easy_cleanup(c->curl);
    curl_slist_free_all(c->headers);
    free(c->body);
    free(c);
}

static int
translate(CURLcode rc)
{
    switch (rc) {
    case CURLE_OK:
        return 0;
    case CURLE_OUT_OF_MEMORY:
        return SHOAL_ENOMEM;
    case CURLE_ABORTED_BY_CALLBACK:
        return SHOAL_ESTOPPED;
    case CURLE_WRITE_ERROR:
        return SHOAL_EPROTO;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CONNECT_ERROR:
        return SHOAL_ETLS;
    default:
        return SHOAL_ENET;
    }
}

int
call_post(struct call *c, const char *query, const char *body,
          unsigned timeout_ms, struct call_answer *out)
{
    char url[URL_MAX];
    CURLcode rc;

    snprintf(url, sizeof(url), "%s?%s", c->tracker->url, query);
    c->len = 0;
    c->body[0] = '\0';
    c->why[0] = '\0';
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, (long) strlen(body));
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, (long) timeout_ms);
    rc = curl_easy_perform(c->curl);
    if (rc != CURLE_OK) {
        if (c->why[0] == '\0') {
            snprintf(c->why, sizeof(c->why), "%s", curl_easy_strerror(rc));
        }
        return translate(rc);
    }
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &out->status);
    out->body = c->body;
    out->len = c->len;
    return 0;
}

const char *
call_error(const struct call *c)
{
    return c->why;
}
