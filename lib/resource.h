/* resource.h - identity of a resource (docs/protocol.md "Identity"). */
#ifndef RESOURCE_H
#define RESOURCE_H

#include <stddef.h>
#include <stdint.h>

enum {
    RESOURCE_URL_MAX = 4096,    /* bytes, before and after normalising */
    RESOURCE_VERSION_MAX = 256, /* bytes, with its kind */
    RESOURCE_PROVIDER_MAX = 64, /* bytes */
    RESOURCE_ID_LEN = 20,       /* bytes, as wide as an info-hash */
    RESOURCE_ID_HEX = 41        /* characters with the final NUL */
};

/** A resource; ${url} as the user gave it, empty strings for none. */
struct resource {
    char *url;
    char *provider;
    char *version;
    uint64_t size; /* bytes */
    uint8_t id[RESOURCE_ID_LEN];
};

/**
 * resource_init(r, url, size, provider, version):
 * Fill ${r} with copies and compute its id. ${provider} and ${version} may
 * be NULL. Undo with resource_fini().
 *
 * Errors:  SHOAL_EINVAL (a field that docs/protocol.md forbids),
 *          SHOAL_ENOMEM; ${r} is then all zero.
 */
int resource_init(struct resource *r, const char *url, uint64_t size,
                  const char *provider, const char *version);

/** resource_fini(r): free what ${r} holds; right on a zeroed one. */
void resource_fini(struct resource *r);

/**
 * resource_normalise(url, out, cap):
 * Write the URL's identity form `host[:port]/path[?query]` to ${out}.
 *
 * Errors:  SHOAL_EINVAL: not http(s), user information, bad host or port,
 *          control characters, longer than RESOURCE_URL_MAX or ${cap}.
 */
int resource_normalise(const char *url, char *out, size_t cap);

/** resource_id_hex(id, hex): print as 40 lower-case digits and a NUL. */
void resource_id_hex(const uint8_t id[RESOURCE_ID_LEN],
                     char hex[RESOURCE_ID_HEX]);

/** resource_id_parse(hex, id): SHOAL_EINVAL unless exactly 40 hex digits. */
int resource_id_parse(const char *hex, uint8_t id[RESOURCE_ID_LEN]);

#endif
