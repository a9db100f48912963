/* origin.h - what a CDN node's answer says, and which version is the
 * standard. Pure: no sockets, no clock. */
#ifndef ORIGIN_H
#define ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "resource.h"

#define ORIGIN_UNKNOWN UINT64_MAX /* a size that the answer does not tell */

/** The header of one HTTP answer, as far as Shoal reads it. */
struct answer {
    unsigned status;
    uint64_t length;        /* Content-Length, or ORIGIN_UNKNOWN */
    uint64_t first, last;   /* Content-Range of a 206 */
    uint64_t range_total;   /* its total, or ORIGIN_UNKNOWN */
    int64_t mtime;          /* Last-Modified, seconds since 1970; -1: none */
    unsigned retry_after;   /* seconds; 0: none */
    int64_t date, retry;    /* Date, and Retry-After where it is a date; -1 */
    bool has_range;         /* Content-Range parsed */
    bool coded;             /* Content-Encoding other than identity */
    bool no_share;          /* Cache-Control: private or no-store */
    bool sets_cookie;       /* Set-Cookie */
    unsigned round_trip_ms; /* to its server; 0: not known; http.c's word */
    bool secret;    /* its request said who the user is; http.c's word */
    char name[256]; /* Content-Disposition's, as disposition.h makes it;
                             "" none */
    char etag[RESOURCE_VERSION_MAX - 8]; /* strong, with quotes; "" none */
    char location[RESOURCE_URL_MAX + 1];
    char tracker[512];      /* Shoal-Tracker */
    char layer[1024];       /* Link with rel="piece-layer" */
    char describedby[1024]; /* Link to a Metalink 4 file */
    char duplicates[3072];  /* Links with rel="duplicate" (RFC 6249), a line
                               each: PRIORITY LOCATION URL, `--`: nowhere */
    bool metalink;          /* this is a Metalink 4 file itself */
    struct checksum digest; /* what is published of it; len 0: none */
    bool has_events;        /* Shoal-Have: events */
    char epoch[17];         /* Shoal-Epoch; "": none */
    uint64_t cursor;        /* Shoal-Cursor; 0: none */
};

/** answer_reset(a): before the first header line. */
void answer_reset(struct answer *a);

/**
 * answer_line(a, line, len):
 * Take one header line, with or without its CRLF. A status line resets
 * ${a}, so that of several answers (100, 103) the last one stands. A value
 * too long for its field counts as missing.
 */
void answer_line(struct answer *a, const char *line, size_t len);

/** answer_size(a): the file's size that it tells, or ORIGIN_UNKNOWN. */
uint64_t answer_size(const struct answer *a);

/** answer_is_redirect(a): 301, 302, 303, 307, 308 with a Location. */
bool answer_is_redirect(const struct answer *a);

/**
 * answer_agrees(a, size, version):
 * Does the answer show exactly that size and version (docs/protocol.md "CDN
 * nodes")?
 */
bool answer_agrees(const struct answer *a, uint64_t size, const char *version);

/**
 * answer_same_version(a, b):
 * The same size, and the same strong ETag or Last-Modified where both have
 * one; without any common validator the size alone decides. Digests that
 * contradict tell two versions in any case.
 */
bool answer_same_version(const struct answer *a, const struct answer *b);

/** answer_contradicts(a, b): both tell a digest of the whole file, by the same
 *  algorithm, and not the same. */
bool answer_contradicts(const struct answer *a, const struct answer *b);

/** answer_comparable(a, b): do both have a strong ETag, or Last-Modified? */
bool answer_comparable(const struct answer *a, const struct answer *b);

/**
 * answer_unchanged(a, earlier):
 * May both be of one node that did not change the file: nothing that both
 * tell differs.
 */
bool answer_unchanged(const struct answer *a, const struct answer *earlier);

/**
 * origin_standard(answers, n):
 * Index of an answer of the version that most of them show; a tie goes to
 * the newest Last-Modified. ${n} at least 1.
 */
size_t origin_standard(const struct answer *const *answers, size_t n);

/** origin_tied(answers, n, standard): another version is held by as many, and
 *  no Last-Modified tells which is the newer. */
bool origin_tied(const struct answer *const *answers, size_t n,
                 size_t standard);

/** origin_majority(answers, n, pending): would ${pending} more answers,
 *  whatever they show, leave the standard as it is? */
bool origin_majority(const struct answer *const *answers, size_t n,
                     size_t pending);

/**
 * origin_version(answers, n, standard, out):
 * The version's text: the strongest validator on which all answers of the
 * standard's version agree, else the standard's own; "" when it has none.
 */
void origin_version(const struct answer *const *answers, size_t n,
                    size_t standard, char out[RESOURCE_VERSION_MAX + 1]);

/**
 * origin_version_by(standard, wish, out):
 * The version's text as its user wants it: `etag` or `mtime` of the standard
 * ("" when it has none), `none`, or any other text, which is kept as one.
 */
void origin_version_by(const struct answer *standard, const char *wish,
                       char out[RESOURCE_VERSION_MAX + 1]);

#endif
