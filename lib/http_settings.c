#include "http_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "header.h"
#include "settings.h"
#include "shoal.h"

void
http_settings_init(struct http_settings *s)
{
    memset(s, 0, sizeof(*s));
    s->family = AF_UNSPEC;
    s->dns_ms = s->connect_ms = s->idle_ms = HTTP_UNSET;
    s->tries = s->waitretry_ms = HTTP_UNSET;
    s->redirects = HTTP_REDIRECTS;
}

/* A socket that is bound to an address reaches those of its family alone. */
static int
family_of(const struct settings *given)
{
    const char *own = given->bind_address;

    if (given->inet4_only || given->inet6_only) {
        return given->inet4_only ? AF_INET : AF_INET6;
    }
    if (own != NULL) {
        return strchr(own, ':') != NULL ? AF_INET6 : AF_INET;
    }
    return AF_UNSPEC;
}

void
http_settings_from(struct http_settings *s, const struct settings *given)
{
    bool connects = given->connect_timeout_ms != SETTINGS_UNSET;

    http_settings_init(s);
    s->headers = (const char *const *) given->header.v;
    s->user_agent = given->user_agent;
    s->referer = given->referer;
    s->user = given->user;
    s->password = given->password;
    s->cookies = given->load_cookies;
    s->ca = given->ca_certificate;
    s->certificate = given->certificate;
    s->private_key = given->private_key;
    s->no_check_certificate = given->no_check_certificate;
    s->no_proxy = given->no_proxy;
    s->family = family_of(given);
    s->dns_ms = s->idle_ms = given->timeout_ms;
    s->connect_ms = connects ? given->connect_timeout_ms : given->timeout_ms;
    s->tries = given->tries;
    s->waitretry_ms = given->waitretry_ms;
    s->redirects = given->max_redirect;
    s->rate = given->limit_rate;
    s->server_response = given->server_response;
    s->spider = given->spider;
}

char *
http_settings_netrc(void)
{
    const char *named = getenv("NETRC"), *home = getenv("HOME");
    char *path = NULL;

    if (named != NULL && *named != '\0') {
        path = strdup(named);
    } else if (home == NULL || asprintf(&path, "%s/.netrc", home) < 0) {
        path = NULL;
    }
    if (path != NULL && access(path, R_OK) != 0) {
        free(path);
        path = NULL;
    }
    return path;
}

/* The value may be a secret: errors name the header alone. */
static int
check_header(const char *line, char *why, size_t cap)
{
    int len = (int) strcspn(line, ":\r\n");

    switch (header_kind(line)) {
    case HEADER_BAD:
        snprintf(why, cap, "--header: expected 'Name: value', got '%.*s'", len,
                 line);
        return SHOAL_EINVAL;
    case HEADER_OURS:
        snprintf(why, cap, "--header: %.*s is set by Shoal itself", len, line);
        return SHOAL_EINVAL;
    default:
        return 0;
    }
}

static int
check_file(const char *option, const char *path, char *why, size_t cap)
{
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (path == NULL) {
        return 0;
    }
    if (fd < 0) {
        snprintf(why, cap, "--%s: %s: %s", option, path, strerror(errno));
        return SHOAL_EIO;
    }
    close(fd);
    return 0;
}

int
http_settings_check(const struct http_settings *s, char *why, size_t cap)
{
    const struct {
        const char *option, *path;
    } files[] = {
        { "load-cookies", s->cookies },
        { "ca-certificate", s->ca },
        { "certificate", s->certificate },
        { "private-key", s->private_key },
    };
    int err = 0;

    for (size_t i = 0; s->headers != NULL && s->headers[i] != NULL; i++) {
        err = err != 0 ? err : check_header(s->headers[i], why, cap);
    }
    for (size_t i = 0; err == 0 && i < sizeof(files) / sizeof(files[0]); i++) {
        err = check_file(files[i].option, files[i].path, why, cap);
    }
    if (err == 0 && s->private_key != NULL && s->certificate == NULL) {
        snprintf(why, cap, "--private-key without --certificate");
        err = SHOAL_EINVAL;
    }
    return err;
}

bool
http_settings_secret(const struct http_settings *s)
{
    for (size_t i = 0; s->headers != NULL && s->headers[i] != NULL; i++) {
        enum header_kind kind = header_kind(s->headers[i]);

        if (kind == HEADER_SECRET || kind == HEADER_HOST) {
            return true;
        }
    }
    return s->user != NULL || s->certificate != NULL;
}
