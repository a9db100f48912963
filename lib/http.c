#include "http.h"

#include <pthread.h>
#include <stdlib.h>

#include "http_internal.h"
#include "shoal.h"

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

int
http_load_cookies(struct http *h, const char *path)
{
    CURL *e = curl_easy_init();

    h->cookies = curl_share_init();
    if (e == NULL || h->cookies == NULL
        || curl_share_setopt(h->cookies, CURLSHOPT_SHARE,
                             CURL_LOCK_DATA_COOKIE)
               != CURLSHE_OK
        || curl_easy_setopt(e, CURLOPT_SHARE, h->cookies) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_COOKIEFILE, path) != CURLE_OK
        || curl_easy_setopt(e, CURLOPT_COOKIELIST, "RELOAD") != CURLE_OK)
    {
        curl_easy_cleanup(e);
        return SHOAL_ENOMEM;
    }
    curl_easy_cleanup(e);
    return 0;
}

static void
request_free(struct http *h, struct http_request *r)
{
    curl_off_t connect_us = 0;

    if (r->easy != NULL) {
        curl_easy_getinfo(r->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
        curl_multi_remove_handle(h->multi, r->easy);
        curl_easy_cleanup(r->easy);
        http_socket_settle(h, r, connect_us > 0);
    }
    curl_slist_free_all(r->headers);
    curl_slist_free_all(r->proxy_headers);
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
    curl_share_cleanup(h->cookies);
    http_socket_end(h);
    free(h);
}

/* Of its own connection: until that stood. */
static unsigned
round_trip_ms(const struct http_request *r)
{
    curl_off_t named_us = 0, stood_us = 0;

    curl_easy_getinfo(r->easy, CURLINFO_NAMELOOKUP_TIME_T, &named_us);
    curl_easy_getinfo(r->easy, CURLINFO_CONNECT_TIME_T, &stood_us);
    return stood_us > named_us ? (unsigned) ((stood_us - named_us) / 1000) : 0;
}

/* The header is whole before the first body byte, or at the end. */
static int
tell_headers(struct http_request *r)
{
    if (r->headers_told || r->cancelled) {
        return 0;
    }
    r->headers_told = true;
    r->answer.secret = r->secret;
    r->answer.round_trip_ms = round_trip_ms(r);
    if (r->handler->headers != NULL) {
        r->error = r->handler->headers(r->ctx, &r->answer);
    }
    return r->error;
}

/* A 401 that is not the last word: libcurl, or we, ask once more. */
static bool
is_challenge(struct http_request *r)
{
    long offered = 0;

    if (!r->login || r->answer.status != 401) {
        return false;
    }
    if (r->digest) {
        bool first = !r->challenged;

        r->challenged = true;
        return first;
    }
    curl_easy_getinfo(r->easy, CURLINFO_HTTPAUTH_AVAIL, &offered);
    r->again = (offered & CURLAUTH_DIGEST) != 0;
    return r->again;
}

size_t
http_on_header(char *line, size_t size, size_t n, void *ctx)
{
    struct http_request *r = ctx;

    if (r->cancelled) {
        return 0;
    }
    answer_line(&r->answer, line, size * n);
    if (r->cookies && r->answer.sets_cookie) {
        r->secret = true; /* the next one brings it back */
    }
    if (r->line != NULL) {
        r->line(r->ctx, line, size * n);
    }
    if (size * n > 2 || r->answer.status < 200) {
        return size * n;
    }
    if (is_challenge(r)) {
        return r->again ? 0 : size * n;
    }
    return tell_headers(r) == 0 ? size * n : 0;
}

size_t
http_on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct http_request *r = ctx;

    if (r->login && r->answer.status == 401 && !r->headers_told) {
        return size * n; /* a challenge's */
    }
    if (r->cancelled || r->error != 0 || tell_headers(r) != 0) {
        return 0; /* no byte after one that was not taken */
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
    r->line = options->line;
    r->ctx = options->ctx;
    answer_reset(&r->answer);
    r->next = h->first;
    h->first = r;

    r->easy = curl_easy_init();
    if (r->easy == NULL) {
        goto fail;
    }
    err = http_setup(r, options);
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
    CURLcode code = curl_easy_pause(r->easy, CURLPAUSE_CONT);

    if (code != CURLE_OK && r->broken == CURLE_OK) {
        r->broken = code;
    }
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

/* From now on all requests of the origin are made so. */
static bool
ask_with_digest(struct http *h, struct http_request *r)
{
    h->digest = r->digest = true;
    r->again = false;
    r->why[0] = '\0';
    answer_reset(&r->answer);
    curl_multi_remove_handle(h->multi, r->easy);
    curl_easy_setopt(r->easy, CURLOPT_HTTPAUTH, (long) CURLAUTH_DIGEST);
    return curl_multi_add_handle(h->multi, r->easy) == CURLM_OK;
}

static void
finish(struct http *h, struct http_request *r, CURLcode code)
{
    if (r->again && !r->cancelled && ask_with_digest(h, r)) {
        return;
    }
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
        } else if (r->broken != CURLE_OK) {
            finish(h, r, r->broken);
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
