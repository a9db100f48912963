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

/** url_has_proxy(url): do the environment's proxy variables cover it? */
bool url_has_proxy(const char *url);

#endif
