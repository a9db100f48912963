/* transfer.h - one download: from CDN nodes, super peers and peers at once
 * into a store. The client's download and the super peer's prefetch are both
 * this. */
#ifndef TRANSFER_H
#define TRANSFER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "shoal.h"

struct blockmap;
struct callers;
struct checksum;
struct explain;
struct http_settings;
struct lookup_hook;
struct pieces;
struct resolve;
struct resource;
struct settings;
struct store;
struct ticket_keys;

enum source_kind {
    SOURCE_CDN,
    SOURCE_SUPER,
    SOURCE_PEER
};

enum {
    TRANSFER_METALINK = 1 /* the URL is a Metalink, not the file */
};

/** What became of a CDN node. */
enum source_result {
    SOURCE_UNASKED,
    SOURCE_GOOD,
    SOURCE_OTHER, /* another size or version */
    SOURCE_MISSING,
    SOURCE_DENIED, /* by the guard */
    SOURCE_REDIRECTS,
    SOURCE_FAILED
};

/** What one source gave; for reports. Valid until the transfer is freed. */
struct source_stats {
    enum source_kind kind;
    const char *name;  /* address (of a mirror: behind its host), or host and
                          port */
    const char *state; /* "ok", or why it is not used: "size 123" */
    uint64_t used;     /* bytes that ended up in the file */
    uint64_t wasted;   /* bytes taken and thrown away */
    uint64_t wrong;    /* blocks of it that failed their check */
    bool banned;
    enum source_result result; /* CDN nodes */
    double rate;               /* bytes a second, while it gave some */
    uint64_t first_ms;         /* its first block and its last one, since the
                                  start; 0: there was none */
    uint64_t last_ms;
};

/** Whom a transfer may talk to; the super peer's fetch guard. */
struct transfer_guard {
    /** May this URL be fetched? 0 or SHOAL_EDENIED. */
    int (*url)(void *ctx, const char *url);

    /** The URL to fetch in the place of this one: with https where that is
     *  allowed; to be freed. NULL: out of memory. */
    char *(*best)(void *ctx, const char *url);

    /** May this address be connected to? 0 or SHOAL_EDENIED. */
    int (*addr)(void *ctx, const struct sockaddr *sa);

    void *ctx;
};

/** What CDN nodes are asked at most, with others together. Called in the
 *  thread of the transfer. */
struct transfer_limits {
    /** May a connection for the URL be opened? It counts until close(). */
    bool (*open)(void *ctx, const char *url);
    void (*close)(void *ctx, const char *url);

    /** ${len} bytes came in: milliseconds until more may. */
    unsigned (*took)(void *ctx, const char *url, size_t len);
    void *ctx;
};

/** Callbacks, all in the thread that runs transfer_run(). */
struct transfer_ops {
    /**
     * Size and version are decided (or were given). Open the store, and set
     * in ${held} the blocks that it already has, with their hashes in
     * ${layer} (32 bytes a block; may be left zero: then they are hashed
     * again by reading). Called again, for another version, when the file
     * turned out not to have its checksum.
     */
    int (*begin)(void *ctx, const struct resource *r, struct blockmap *held,
                 uint8_t *layer, struct store *store);

    /** The origin has no size or no ranges: open for one plain stream.
     *  ${size} is UINT64_MAX when not known. NULL: such files are refused. */
    int (*begin_plain)(void *ctx, const char *url, uint64_t size);
    int (*write_plain)(void *ctx, const void *data, size_t len);

    /**
     * After begin() and begin_plain(): what goes to a reader in order, once,
     * may do so as it comes, ${checked}; or it has to be gathered, since only
     * the whole can be checked. NULL: nothing does.
     */
    int (*release)(void *ctx, bool checked);

    /** Bytes that such a reader has got; UINT64_MAX: all are kept. An error
     *  ends the transfer. NULL allowed. */
    int (*window)(void *ctx, uint64_t *out);

    /** The tracker's id for the resource is known; NULL allowed. */
    void (*identified)(void *ctx, const uint8_t id[20]);

    /** ${n} blocks from ${first} on were asked of a CDN node; or that is
     *  over, whether they came or not (${on} is false). NULL allowed. */
    void (*fetching)(void *ctx, uint32_t first, uint32_t n, bool on);

    /** About ten times a second; NULL allowed. */
    void (*progress)(void *ctx);

    /** The first block from a super peer or peer is about to be written.
     *  Not 0: the transfer ends with that. NULL allowed. */
    int (*copying)(void *ctx);

    /** A line for a person; NULL allowed. */
    void (*message)(void *ctx, enum shoal_level level, const char *text);
};

struct transfer_options {
    const char *url;
    const char *const *mirrors; /* further URLs of the file, the best first;
                                   NULL-terminated; NULL: none */
    uint64_t size;              /* that it must have; 0: any */
    /* NULL: find the standard. Else only nodes that agree with it are used,
     * asked one after the other. */
    const struct resource *want;
    const struct resolve *resolve;      /* NULL: none */
    const struct lookup_hook *lookup;   /* NULL: getaddrinfo(3) */
    const struct transfer_guard *guard; /* NULL: everything is allowed, and
                                            proxy variables are heeded */
    const char *ca;                     /* that nodes are checked against;
                                           NULL: the system's */
    const char *bind_address;           /* NULL: any */
    const struct http_settings *http;   /* of requests to CDN nodes; NULL:
                                           nothing special */
    const char *const *trackers;        /* NULL-terminated; NULL: only what
                                            the origin's header names */
    bool unshared;                      /* no tracker */
    const char *const *supers;          /* super peers that have what is
                                           wanted, under its id; NULL-
                                           terminated; NULL: none */
    const uint8_t *root;                /* what a tracker says of it; NULL:
                                           nothing, and nobody but CDN nodes
                                           is asked */
    const struct ticket_keys *tickets;  /* with which this host makes
                                           tickets for them itself when one
                                           is refused; NULL: none */
    const char *layer;                  /* NULL, "auto", a URL or a file */
    const struct checksum *checksum;    /* of the whole file; NULL */
    const struct pieces *pieces;        /* hashes of its pieces; NULL */
    bool metalinks;                     /* end with TRANSFER_METALINK when the
                                           URL turns out to be one */
    unsigned nodes;                     /* CDN nodes to read from at once;
                                            0: as many as help, at most 4 */
    bool resuming; /* blocks are held already: no first GET beside the
                      HEADs, which decide */
    unsigned start_permille;              /* where in the file CDN nodes begin,
                                            0 to 999 */
    const struct transfer_limits *limits; /* NULL: none */
    uint16_t port;                        /* where this host serves blocks; 0:
                                            nowhere */
    uint64_t client;                      /* who it is there, serve_epoch(); 0:
                                            it serves nobody */
    unsigned max_peers;                   /* at a time; 0: 30 */
    struct callers *callers;         /* peers that ask there; NULL: none */
    const struct settings *settings; /* the user's; what they say that
                                             stands above too is as above.
                                             NULL: as when none is given */
    struct explain *explain;         /* what happens is noted; NULL */
    const atomic_bool *stop;         /* NULL, or set to end soon */
    const struct transfer_ops *ops;
    void *ctx;
};

struct transfer;

/** transfer_create(options): borrows all that ${options} points to until
 *  transfer_free(). NULL: out of memory. */
struct transfer *transfer_create(const struct transfer_options *options);

/**
 * transfer_run(t):
 * Fetch until every block is held and checked.
 *
 * Blocking: yes. Two transfers may run in two threads.
 * Errors:   SHOAL_ENOTFOUND, _EHTTP, _EAUTH, _ENET, _ETLS, _EPROTO (CDN),
 *           SHOAL_ENOAGREE (no node agrees with ${want}), SHOAL_EDENIED,
 *           SHOAL_EPRIVATE (${want} is given and the origin forbids sharing),
 *           SHOAL_EVERIFY, SHOAL_ESTOPPED, and what the store says;
 *           transfer_error() has the words.
 */
int transfer_run(struct transfer *t);

/**
 * transfer_step(t, timeout_ms):
 * A part of transfer_run(): what is due, then news from the network, waited
 * for ${timeout_ms} at most.
 * Errors:  SHOAL_EAGAIN: not done yet; else as transfer_run().
 */
int transfer_step(struct transfer *t, unsigned timeout_ms);

/** transfer_seed(t, timeout_ms): it is over, and this host goes on serving:
 *  one step of staying on the trackers' lists. */
void transfer_seed(struct transfer *t, unsigned timeout_ms);

/**
 * transfer_leave(t, timeout_ms):
 * It is over: take this host off the trackers' lists and tell those that
 * answered before what was taken since; 200 ms in all, over several calls that
 * wait for ${timeout_ms} at most.
 * Errors:  SHOAL_EAGAIN: not done yet.
 */
int transfer_leave(struct transfer *t, unsigned timeout_ms);

/** transfer_free(t): NULL is a no-op. */
void transfer_free(struct transfer *t);

/** transfer_error(t): what went wrong, `what: why`; "" when nothing did. */
const char *transfer_error(const struct transfer *t);

/** transfer_total(t), transfer_held(t): bytes; total UINT64_MAX: unknown. */
uint64_t transfer_total(const struct transfer *t);
uint64_t transfer_held(const struct transfer *t);

/** transfer_mtime(t): the standard's Last-Modified, seconds since 1970; -1:
 *  not known. */
int64_t transfer_mtime(const struct transfer *t);

/** transfer_name(t): what the standard's answer wants the file to be called,
 *  as disposition.h makes it; "" where it does not say. */
const char *transfer_name(const struct transfer *t);

/** transfer_private(t): the origin knows who its user is, or forbids sharing:
 *  nobody else hears of the file. */
bool transfer_private(const struct transfer *t);

/** transfer_only_cdn(t): every byte that this run took came from CDN nodes. */
bool transfer_only_cdn(const struct transfer *t);

/** transfer_by_http(t): a CDN node that it takes bytes from, or may yet, is
 *  asked by http, by its URL or by a redirect. */
bool transfer_by_http(const struct transfer *t);

/** transfer_trust(t, votes): what bears out the bytes, as far as is known;
 *  for a tracker's root how many super peers say so. */
enum shoal_trust transfer_trust(const struct transfer *t, unsigned *votes);

/** transfer_version(t): of the resource; "" where there is none. */
const char *transfer_version(const struct transfer *t);

/** transfer_root(t): the root over the finished piece layer, 32 bytes; NULL
 *  for an empty file or an unfinished one. */
const uint8_t *transfer_root(const struct transfer *t);

/** transfer_tracker(t, i, state): the ${i}th tracker's URL, less its query,
 *  and what is wrong with it ("": nothing). NULL: there are no more. */
const char *transfer_tracker(const struct transfer *t, size_t i,
                             const char **state);

/** transfer_retries(t): requests that failed and were tried again. */
uint64_t transfer_retries(const struct transfer *t);

/** How many sources, and the ${i}th one's figures. */
size_t transfer_source_count(const struct transfer *t);
void transfer_source(const struct transfer *t, size_t i,
                     struct source_stats *out);

#endif
