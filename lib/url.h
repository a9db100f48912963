/* url.h - taking http(s) URLs apart and putting them together. */
#ifndef URL_H
#define URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * url_split(url, host, cap, port):
 * Host (without brackets) and port of an http(s) URL. SHOAL_EINVAL.
 */
int url_split(const char *url, char *host, size_t cap, uint16_t *port);

/** url_clean(url): an absolute http(s) URL, encoded as it can be sent; free
 *  it. NULL: it is none. */
char *url_clean(const char *url);

/** url_join(base, reference): the absolute URL that a Location means; to be
 *  freed by the caller; NULL when it does not parse. */
char *url_join(const char *base, const char *reference);

/** url_escape(text): percent-encoded for a query; free it; NULL: memory. */
char *url_escape(const char *text);

/** url_same_origin(a, b): the same scheme, host and port? */
bool url_same_origin(const char *a, const char *b);

/** url_is_secure(url): https? */
bool url_is_secure(const char *url);

/** url_cookie_port(a, b): may cookies of ${a}'s server, which do not know of
 *  ports, go to ${b}'s? Both use their scheme's own port, or the same one. */
bool url_cookie_port(const char *a, const char *b);

/** url_has_user(url): is there a name or password in it? */
bool url_has_user(const char *url);

/**
 * url_take_user(url, bare, user, password):
 * The URL without `user:password@`, and both, decoded; NULL where there is
 * none. All are to be freed.
 * Errors:  SHOAL_EINVAL, SHOAL_ENOMEM.
 */
int url_take_user(const char *url, char **bare, char **user, char **password);

/** url_shown(url, out, cap): for people: without user information, query and
 *  fragment, which may be secrets; cut off where it is too long. */
void url_shown(const char *url, char *out, size_t cap);

/** url_has_proxy(url): do the environment's proxy variables cover it? True
 *  also where no_proxy has a network (10.0.0.0/8): libcurl knows. */
bool url_has_proxy(const char *url);

#endif
