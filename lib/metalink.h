/* metalink.h - Metalink 4 (RFC 5854): a file's size, hashes and mirrors. Pure,
 * and only metalink.c knows expat. */
#ifndef METALINK_H
#define METALINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"

enum {
    METALINK_BYTES_MAX = 16 << 20, /* of the XML: hashes of 100,000 pieces */
    METALINK_FILES_MAX = 1024,     /* in one */
    METALINK_URLS_MAX = 64,        /* of a file; more are passed over */
    METALINK_PIECES_MAX = 1 << 17  /* of a file; likewise */
};

#define METALINK_UNKNOWN UINT64_MAX /* a size that is not told */

struct metalink_url {
    char *url;         /* http or https */
    unsigned priority; /* 1 is the best */
    char location[3];  /* ISO 3166 in lower case; "": not told */
};

/** Hashes of a file's pieces, each of ${length} bytes but the last one. */
struct pieces {
    char algorithm[16]; /* OpenSSL's name */
    size_t hash_len;
    uint64_t length;
    size_t n; /* 0: none */
    uint8_t *hashes;
};

struct metalink_file {
    char *name;    /* the last part of what is told, safe as a file's name */
    uint64_t size; /* or METALINK_UNKNOWN */
    struct checksum sum; /* the strongest; len 0: none that is known here */
    struct pieces pieces;
    struct metalink_url *urls; /* the best first */
    size_t n_urls;
};

struct metalink {
    struct metalink_file *files;
    size_t n;
};

/**
 * metalink_parse(xml, len, location, out, why, cap):
 * Of URLs of one priority those at ${location} (a country code; NULL: none)
 * come first. A document type declaration is refused, so no entity but XML's
 * own five is known. Of a file whose size does not fit the number of its
 * pieces, these are left out.
 * Errors:  SHOAL_EINVAL (not Metalink 4, no file, limits; ${why} has the
 *          line), SHOAL_ENOMEM.
 */
int metalink_parse(const char *xml, size_t len, const char *location,
                   struct metalink **out, char *why, size_t cap);

/** metalink_free(m): NULL is a no-op. */
void metalink_free(struct metalink *m);

/** metalink_is_type(type): is that Content-Type Metalink 4's? */
bool metalink_is_type(const char *type);

#endif
