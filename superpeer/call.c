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
    POLL_TURN_MS = 1000,
    URL_MAX = 8192
};

struct call {
    struct call_options o;
    CURLM *multi; /* as it can be woken; it has the connection too */
    CURL *curl;
    struct curl_slist *headers, *connect_to;
    unsigned last_ms; /* 0: not the last one */
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
    if (err == 0 && c->o.tracker->token != NULL) {
        size_t cap = strlen(c->o.tracker->token) + 32;
        char *line = malloc(cap);

        if (line == NULL) {
            return SHOAL_ENOMEM;
        }
        snprintf(line, cap, "Authorization: Bearer %s", c->o.tracker->token);
        err = add_header(c, line);
        free(line);
    }
    return err;
}

static void
set_options(struct call *c)
{
    const struct config_tracker *t = c->o.tracker;
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
    curl_easy_setopt(curl, CURLOPT_CONNECT_TO, c->connect_to);
    if (c->o.bind_address != NULL) {
        curl_easy_setopt(curl, CURLOPT_INTERFACE, c->o.bind_address);
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

/* Whatever host and port the URL has; its name is still what the certificate
 * has to be for. */
static int
pin(struct call *c)
{
    char text[128];

    snprintf(text, sizeof(text), "::%s", c->o.address);
    c->connect_to = curl_slist_append(NULL, text);
    return c->connect_to != NULL ? 0 : SHOAL_ENOMEM;
}

struct call *
call_create(const struct call_options *options)
{
    struct call *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    c->o = *options;
    c->cap = 4096;
    c->body = calloc(1, c->cap);
    c->curl = curl_easy_init();
    c->multi = curl_multi_init();
    if (c->body == NULL || c->curl == NULL || c->multi == NULL || pin(c) != 0
        || add_headers(c) != 0)
    {
        call_free(c);
        return NULL;
    }
    set_options(c);
    return c;
}

void
call_free(struct call *c)
{
    if (c == NULL) {
        return;
    }
    curl_easy_cleanup(c->curl);
    curl_multi_cleanup(c->multi);
    curl_slist_free_all(c->headers);
    curl_slist_free_all(c->connect_to);
    free(c->body);
    free(c);
}

void
call_interrupt(struct call *c)
{
    curl_multi_wakeup(c->multi);
}

void
call_last(struct call *c, unsigned timeout_ms)
{
    c->last_ms = timeout_ms;
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

/* How long it took is different each time: for the log it is the same. */
static void
cut_time(char *why)
{
    char *at = strstr(why, " after "), *end = at;

    if (at != NULL) {
        end += strlen(" after ");
        end += strspn(end, "0123456789");
        if (strncmp(end, " ms", 3) == 0) {
            memmove(at, end + 3, strlen(end + 3) + 1);
        }
    }
}

static CURLcode
result_of(struct call *c)
{
    int left;

    for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &left)) != NULL;) {
        if (m->msg == CURLMSG_DONE) {
            return m->data.result;
        }
    }
    return CURLE_FAILED_INIT;
}

static CURLcode
perform(struct call *c)
{
    CURLcode rc = CURLE_ABORTED_BY_CALLBACK;
    int running = 1;

    if (curl_multi_add_handle(c->multi, c->curl) != CURLM_OK) {
        return CURLE_OUT_OF_MEMORY;
    }
    while (c->last_ms != 0 || !atomic_load(c->o.stop)) {
        if (curl_multi_perform(c->multi, &running) != CURLM_OK) {
            rc = CURLE_OUT_OF_MEMORY;
            break;
        }
        if (running == 0) {
            rc = result_of(c);
            break;
        }
        curl_multi_poll(c->multi, NULL, 0, POLL_TURN_MS, NULL);
    }
    curl_multi_remove_handle(c->multi, c->curl);
    return rc;
}

int
call_post(struct call *c, const char *query, const char *body,
          unsigned timeout_ms, struct call_answer *out)
{
    char url[URL_MAX];

    snprintf(url, sizeof(url), "%s?%s", c->o.tracker->url, query);
    c->len = 0;
    c->body[0] = '\0';
    c->why[0] = '\0';
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, (long) strlen(body));
    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS,
                     (long) (c->last_ms != 0 ? c->last_ms : timeout_ms));
    CURLcode rc = perform(c);
    if (rc != CURLE_OK) {
        if (c->why[0] == '\0') {
            snprintf(c->why, sizeof(c->why), "%s", curl_easy_strerror(rc));
        }
        cut_time(c->why);
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
