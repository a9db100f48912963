/* tracker.h - the client's side of the peer list (docs/protocol.md). */
#ifndef TRACKER_H
#define TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "resource.h"

enum {
    TRACKER_SUPERS_MAX = 32,     /* of one answer; the rest is passed over */
    TRACKER_PEERS_MAX = 200,     /* numwant's limit */
    TRACKER_BAD_MAX = 8,         /* reports in one call */
    TRACKER_ANSWER_MAX = 1 << 20 /* bytes of body that are read */
};

/** A report: who does not answer, or gave wrong bytes. */
struct tracker_bad {
    bool wrong;    /* else dead */
    char addr[72]; /* ADDR:PORT or [ADDR]:PORT */
};

/** What is asked. */
struct tracker_ask {
    const struct resource *resource;
    uint64_t left;     /* bytes that are missing */
    uint16_t port;     /* 0: not registered */
    const char *event; /* NULL: none */
    uint64_t got[3];   /* bytes since the last call: super, peer, CDN */
    size_t n_bad;      /* since the last call */
    struct tracker_bad bad[TRACKER_BAD_MAX];
};

struct tracker_super {
    char url[512];
    bool ready;
};

struct tracker_peer {
    char addr[64]; /* ADDR:PORT or [ADDR]:PORT */
    bool complete;
};

struct tracker_answer {
    uint8_t id[RESOURCE_ID_LEN];
    unsigned interval; /* seconds, 1 to 3,600 */
    bool has_root;
    uint8_t root[DIGEST_LEN];
    unsigned votes;
    size_t n_super, n_peers;
    struct tracker_super super[TRACKER_SUPERS_MAX];
    struct tracker_peer peers[TRACKER_PEERS_MAX];
};

/** tracker_url(base, ask): the request's URL; free it. NULL: no memory. */
char *tracker_url(const char *base, const struct tracker_ask *ask);

/**
 * tracker_header(ask, line):
 * The header line that tells the resource's URL instead, where it has a query,
 * which may be a token: request lines stand in logs. Free it. NULL: none.
 * Errors:  SHOAL_ENOMEM.
 */
int tracker_header(const struct tracker_ask *ask, char **line);

/**
 * tracker_parse(text, len, out, why, cap):
 * Read an answer; entries that make no sense are passed over.
 * Errors:  SHOAL_EPROTO; ${why} says what is wrong.
 */
int tracker_parse(const char *text, size_t len, struct tracker_answer *out,
                  char *why, size_t cap);

#endif
