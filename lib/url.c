#include "url.h"

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

static bool
is_set(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && *value != '\0';
}

/* The names that libcurl heeds: http_proxy in lower case only. */
bool
url_has_proxy(const char *url)
{
    if (is_set("all_proxy") || is_set("ALL_PROXY")) {
        return true;
    }
    if (strncasecmp(url, "https:", 6) == 0) {
        return is_set("https_proxy") || is_set("HTTPS_PROXY");
    }
    return is_set("http_proxy");
}
