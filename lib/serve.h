/* serve.h - the block server (docs/protocol.md "Block server"), the same for
 * super peers and peers. */
#ifndef SERVE_H
#define SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct callers;
struct havelog;

enum {
    SERVE_WARM = 4 << 20 /* bytes that are waited for in one go */
};

/** Where the bytes of one answer lie in the provider's memory. */
struct serve_view {
    struct serve_view *next, *prev; /* of the provider */
    uint32_t first, last;           /* blocks; of the provider */
    bool kept;                      /* likewise */
    int fd;                         /* whose answer it is */
    struct iovec *pieces;
    unsigned max; /* pieces that there is room for */
    bool cold;    /* not all of them are in memory */
};

/** A set of blocks that is being served; filled in by open(). */
struct serve_set {
    void *handle;            /* of the provider */
    uint64_t size;           /* bytes */
    uint64_t block_size;     /* bytes */
    uint32_t count;          /* blocks */
    struct serve_view *view; /* that map() filled, or NULL */
    uint64_t reader;         /* who has it open; of the provider */
    bool idle;               /* likewise: after idle() */
};

/** Who provides blocks. Called from several threads at once. */
struct serve_ops {
    /** SHOAL_ENOTFOUND when the id is not known. ${from} is who asks, NULL
     *  where that is not known. A set that is open stays readable, or reads
     *  say SHOAL_EIO; it costs no LMDB reader. */
    int (*open)(void *ctx, const uint8_t id[20], const struct sockaddr *from,
                struct serve_set *set);
    void (*close)(void *ctx, struct serve_set *set);

    /** How many bytes from ${off}, at most ${len}, are held in a row. */
    uint64_t (*held)(void *ctx, const struct serve_set *set, uint64_t off,
                     uint64_t len);

    /** Copy up to ${len} bytes at ${off}, all held, perhaps fewer (up to the
     *  block's end); the number, or SHOAL_EIO. */
    long (*read)(void *ctx, const struct serve_set *set, uint64_t off,
                 void *buf, size_t len);

    /** The bitmap into ${bits}, (count + 7) / 8 bytes; *cursor is that of
     *  the log's end at that moment. */
    int (*have)(void *ctx, const struct serve_set *set, uint8_t *bits,
                uint64_t *cursor);

    /** The piece layer, 32 bytes a block, zeros where not known. */
    int (*hashes)(void *ctx, const struct serve_set *set, uint8_t *layer);

    /** What becomes of the set's blocks, locked until unlog(), which follows
     *  soon and always. NULL: the set is gone, and nothing is locked. A set
     *  that goes rings its log. */
    struct havelog *(*log)(void *ctx, const struct serve_set *set);
    void (*unlog)(void *ctx, const struct serve_set *set);

    /**
     * Fill ${view->pieces} with where ${len} bytes at ${off}, all held, lie;
     * their number, or 0: read() them, as one must where more than SERVE_WARM
     * bytes are not all in memory. They stay there until close(), which must
     * come soon when ${view->fd} is shut down: the blocks have to go.
     * NULL, as the next two, where blocks are in no memory.
     *
     * Ownership:  ${view} is the caller's and stays where it is; its pieces
     *             are looked at during the call only.
     */
    unsigned (*map)(void *ctx, struct serve_set *set, struct serve_view *view,
                    uint64_t off, uint64_t len);

    /** Would who read() or sent these bytes, at most SERVE_WARM, all held,
     *  wait for the disk? */
    bool (*cold)(void *ctx, const struct serve_set *set, uint64_t off,
                 uint64_t len);

    /** Do that waiting, in a thread that may. */
    void (*warm)(void *ctx, const struct serve_set *set, uint64_t off,
                 uint64_t len);

    /** Until close() it is only waited for what becomes of it: the set need not
     *  stay for that. NULL where nothing is evicted. */
    void (*idle)(void *ctx, struct serve_set *set);
};

struct ticket_keys;

struct serve_options {
    const char *address; /* numeric; NULL: all, IPv4 and IPv6 */
    uint16_t port;       /* 0: any free one */
    unsigned threads;    /* 0: one a core */
    const struct serve_ops *ops;
    void *ctx;
    unsigned uploads;        /* answers of blocks that are sent at a time, the
                                others wait; 0: all */
    struct callers *callers; /* hear of who follows a set and serves blocks
                                itself; NULL: nobody does */

    /* What follows, serve_reload() takes too. */

    const char *certificate; /* PEM files; NULL both: no TLS, which a reload */
    const char *key;         /* does not change */

    unsigned max_connections; /* 0: 1024 */
    unsigned max_per_address; /* of one IPv4 address or IPv6 /64; 0: any
                                 number */
    uint64_t max_rate;  /* bytes a second over all connections; 0: none */
    unsigned idle_ms;   /* between two requests; 0: 60,000 */
    unsigned header_ms; /* a request must be there, however slowly it comes;
                            0: 10,000 */
    uint64_t min_rate;  /* bytes a second, slower readers are disconnected;
                            0: who takes nothing at all */
    unsigned min_window_ms;      /* over which that is measured; 0: 30,000 */
    struct ticket_keys *tickets; /* who has one of theirs is served; NULL, or
                                    no key: everybody. Held */
};

/** Why a connection was not let in. */
enum serve_refusal {
    SERVE_FULL,         /* max_connections */
    SERVE_ADDRESS_FULL, /* max_per_address */
    SERVE_REFUSALS
};

/** What a request was for. */
enum serve_kind {
    SERVE_BLOCKS,
    SERVE_HAVE,
    SERVE_HASHES,
    SERVE_OTHER,
    SERVE_KINDS
};

/** Which deadline ended a connection. */
enum serve_deadline {
    SERVE_IDLE,
    SERVE_HEADER,
    SERVE_MIN_RATE,
    SERVE_DEADLINES
};

/** Counters since the start, where nothing else is said. */
struct serve_stats {
    uint64_t bytes; /* of blocks, handed to the sockets or taken from there */
    uint64_t requests;
    uint64_t busy;               /* answered 503 */
    uint64_t denied;             /* 403: no good ticket */
    uint64_t asked[SERVE_KINDS]; /* requests of GET and HEAD */
    uint64_t answered[6];        /* by status class: [2] is 2xx; without what
                                    libmicrohttpd refuses by itself */
    uint64_t refused[SERVE_REFUSALS];
    uint64_t ended[SERVE_DEADLINES];
    uint64_t handshakes_failed; /* TLS connections that did not get further */
    unsigned connections;       /* now */
    unsigned active;            /* uploads now */
    unsigned waiting;           /* for news of blocks, now */
};

struct serve;

/**
 * serve_listen(options, out, why, cap), serve_run(s, why, cap):
 * Listen: who connects waits. Then serve, in threads of its own; a second
 * serve_run() is a no-op. ${options->ops} and ${->ctx} are borrowed until
 * serve_stop(); the words of an error go to ${why}.
 *
 * Errors:  SHOAL_ENET (address in use, not ours), SHOAL_ENOMEM, and of the
 *          certificate SHOAL_EIO, SHOAL_EINVAL.
 */
int serve_listen(const struct serve_options *options, struct serve **out,
                 char *why, size_t cap);
int serve_run(struct serve *s, char *why, size_t cap);

/** serve_start(options, out, why, cap): both. */
int serve_start(const struct serve_options *options, struct serve **out,
                char *why, size_t cap);

/** serve_port(s): where it listens. */
uint16_t serve_port(const struct serve *s);

/** serve_epoch(s): that of its answers, by which others know who it is;
 *  random at each start. */
uint64_t serve_epoch(const struct serve *s);

/** serve_expect(s, port): the next connection of this machine to itself from
 *  that port only asks whether the server answers: not in the figures. */
void serve_expect(struct serve *s, uint16_t port);

/**
 * serve_reload(s, options, why, cap):
 * Limits and deadlines of ${options} instead of those from before, for
 * connections that are there too; nobody is disconnected because of it. An
 * answer that was begun without a rate may go on without one to its end.
 * Where to listen and whose blocks stay as they are, whatever is said there.
 * The certificate's files are read again, for connections from now on.
 *
 * Errors:  SHOAL_EIO, SHOAL_EINVAL, SHOAL_ENOMEM (the certificate, which stays
 *          as it was; all else is taken); the words go to ${why}.
 */
int serve_reload(struct serve *s, const struct serve_options *options,
                 char *why, size_t cap);

void serve_get_stats(const struct serve *s, struct serve_stats *out);

/** serve_stop(s): ends connections, waits for threads; NULL is a no-op. */
void serve_stop(struct serve *s);

#endif
