#include "url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "shoal.h"

int
url_split(const char *url, char *host, size_t cap, uint16_t *port)
{
    CURLU *u = curl_url();
    char *scheme = NULL, *name = NULL, *number = NULL;
    int err = SHOAL_EINVAL;

    if (u == NULL) {
        return SHOAL_ENOMEM;
    }
    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK
        || curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK
        || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        || curl_url_get(u, CURLUPART_HOST, &name, 0) != CURLUE_OK
        || curl_url_get(u, CURLUPART_PORT, &number, CURLU_DEFAULT_PORT)
               != CURLUE_OK)
    {
        goto out;
    }
    size_t len = strlen(name);
    const char *start = name;
    if (len >= 2 && name[0] == '[' && name[len - 1] == ']') {
        start++;
        len -= 2;
    }
    if (len == 0 || len >= cap) {
        goto out;
    }
    memcpy(host, start, len);
    host[len] = '\0';
    *port = (uint16_t) strtoul(number, NULL, 10);
    err = 0;

out:
    curl_free(scheme);
    curl_free(name);
    curl_free(number);
    curl_url_cleanup(u);
    return err;
}

/* The URL as text, if it could be set; ${u} is taken. */
static char *
to_text(CURLU *u, bool set)
{
    char *text = NULL, *copy = NULL;

    if (set && curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK) {
        copy = strdup(text);
    }
    curl_free(text);
    curl_url_cleanup(u);
    return copy;
}

char *
url_join(const char *base, const char *reference)
{
    CURLU *u = curl_url();

    return to_text(
        u, u != NULL && curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK
               && curl_url_set(u, CURLUPART_URL, reference, CURLU_URLENCODE)
                      == CURLUE_OK);
}

char *
url_clean(const char *url)
{
    CURLU *u = curl_url();
    /* libcurl takes http:///host/ too */
    bool http = (strncasecmp(url, "http://", 7) == 0 && url[7] != '/')
                || (strncasecmp(url, "https://", 8) == 0 && url[8] != '/');

    return to_text(u, http && u != NULL
                          && curl_url_set(u, CURLUPART_URL, url,
                                          CURLU_URLENCODE | CURLU_ALLOW_SPACE)
                                 == CURLUE_OK);
}

char *
url_escape(const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0);
    char *copy = escaped != NULL ? strdup(escaped) : NULL;

    curl_free(escaped);
    return copy;
}

bool
url_is_secure(const char *url)
{
    return strncasecmp(url, "https:", 6) == 0;
}

bool
url_same_origin(const char *a, const char *b)
{
    char host[256], other[256];
    uint16_t port, other_port;

    return url_is_secure(a) == url_is_secure(b)
           && url_split(a, host, sizeof(host), &port) == 0
           && url_split(b, other, sizeof(other), &other_port) == 0
           && port == other_port && strcasecmp(host, other) == 0;
}

static bool
is_usual_port(const char *url, uint16_t port)
{
    return port == (url_is_secure(url) ? 443 : 80);
}

bool
url_cookie_port(const char *a, const char *b)
{
    char host[256];
    uint16_t port, other;

    return url_split(a, host, sizeof(host), &port) == 0
           && url_split(b, host, sizeof(host), &other) == 0
           && (port == other
               || (is_usual_port(a, port) && is_usual_port(b, other)));
}

/* A part of it, decoded; NULL: it has none, or no memory. */
static char *
take_part(CURLU *u, CURLUPart part)
{
    char *text = NULL, *copy = NULL;

    if (curl_url_get(u, part, &text, CURLU_URLDECODE) == CURLUE_OK) {
        copy = strdup(text);
    }
    curl_free(text);
    curl_url_set(u, part, NULL, 0);
    return copy;
}

int
url_take_user(const char *url, char **bare, char **user, char **password)
{
    CURLU *u = curl_url();

    if (u == NULL) {
        return SHOAL_ENOMEM;
    }
    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK) {
        curl_url_cleanup(u);
        return SHOAL_EINVAL;
    }
    char *name = take_part(u, CURLUPART_USER);
    char *word = take_part(u, CURLUPART_PASSWORD);
    char *text = to_text(u, true);
    if (text == NULL) {
        free(name);
        free(word);
        return SHOAL_ENOMEM;
    }
    *bare = text;
    *user = name;
    *password = word;
    return 0;
}

/* The @ behind it; NULL: there is none. */
static const char *
find_user(const char *url, const char **host)
{
    const char *start = strstr(url, "://");

    *host = start != NULL ? start + 3 : url;
    return memrchr(*host, '@', strcspn(*host, "/?#"));
}

bool
url_has_user(const char *url)
{
    const char *host;

    return find_user(url, &host) != NULL;
}

void
url_shown(const char *url, char *out, size_t cap)
{
    const char *host, *at = find_user(url, &host);
    const char *rest = at != NULL ? at + 1 : host;

    snprintf(out, cap, "%.*s%.*s", (int) (host - url), url,
             (int) strcspn(rest, "?#"), rest);
}

static bool
is_set(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && *value != '\0';
}

/* An entry of no_proxy: a host, and all that end in .HOST. */
static bool
covers(const char *entry, size_t len, const char *host)
{
    bool numeric =
        host[strspn(host, "0123456789.")] == '\0' || strchr(host, ':') != NULL;
    size_t host_len = strlen(host);

    if (numeric) {
        return len == host_len && strncasecmp(host, entry, len) == 0;
    }
    if (len > 0 && *entry == '.') {
        entry++;
        len--;
    }
    return len > 0 && len <= host_len
           && strncasecmp(host + host_len - len, entry, len) == 0
           && (len == host_len || host[host_len - len - 1] == '.');
}

/* As libcurl reads it; entries are parted by commas or spaces. */
static bool
is_excepted(const char *url)
{
    const char *list =
        getenv(getenv("no_proxy") != NULL ? "no_proxy" : "NO_PROXY");
    char host[256];
    uint16_t port;

    if (list == NULL || url_split(url, host, sizeof(host), &port) != 0) {
        return false;
    }
    if (strcmp(list, "*") == 0) {
        return true;
    }
    for (list += strspn(list, ", "); *list != '\0'; list += strspn(list, ", "))
    {
        size_t len = strcspn(list, ", ");

        if (covers(list, len, host)) {
            return true;
        }
        list += len;
    }
    return false;
}

/* The names that libcurl heeds: http_proxy in lower case only. */
bool
url_has_proxy(const char *url)
{
    bool set = is_set("all_proxy") || is_set("ALL_PROXY");

    if (url_is_secure(url)) {
        set = set || is_set("https_proxy") || is_set("HTTPS_PROXY");
    } else {
        set = set || is_set("http_proxy");
    }
    return set && !is_excepted(url);
}
