/* transfer_internal.h - what the files of one transfer share: its state, that
 * of its sources and that of its requests. What each file does for the others
 * is in its own header. */
#ifndef TRANSFER_INTERNAL_H
#define TRANSFER_INTERNAL_H

#include "blockmap.h"
#include "clock.h"
#include "digest.h"
#include "explain.h"
#include "followed.h"
#include "http.h"
#include "lookup.h"
#include "metalink.h"
#include "neighbours.h"
#include "origin.h"
#include "resolve.h"
#include "resource.h"
#include "schedule.h"
#include "settings.h"
#include "store.h"
#include "throttle.h"
#include "transfer.h"
#include "url.h"

enum {
    SOURCES_MAX = 256,
    TRACKERS_MAX = 4,
    PROBE_NODES = 4, /* nodes that take part in finding the standard */
    STRIKES_MAX = 2, /* wrong blocks until a source is banned */
    NO_SOURCE = -1   /* a block that was held before this run */
};

enum node_state {
    NODE_NEW, /* not asked yet */
    NODE_PROBING,
    NODE_KNOWN,    /* its answer tells size and validators */
    NODE_REDIRECT, /* sent us elsewhere */
    NODE_FAILED    /* no use: source->state has the words */
};

struct intake;

/** What trackers are told of a super peer or peer. */
enum blame {
    BLAME_NONE,
    BLAME_DEAD, /* refused, or did not answer */
    BLAME_WRONG /* gave what failed a check */
};

/** What a CDN node has at a place where others were asked as well. */
enum sample_part {
    SAMPLE_TAIL, /* the end of the file */
    SAMPLE_SOME, /* transfer->some_off */
    SAMPLES
};

struct sample {
    enum {
        SAMPLE_NONE,
        SAMPLE_ASKED,
        SAMPLE_KNOWN,
        SAMPLE_FAILED
    } state;
    uint64_t again_ms; /* not before this time */
    uint8_t hash[DIGEST_LEN];
};

struct source {
    struct transfer *t; /* whose it is */
    enum source_kind kind;
    int index;             /* in transfer->sources */
    int scheduled;         /* number in the schedule, or -1 */
    char *url;             /* CDN: of the file; else base of its blocks */
    struct node_addr addr; /* CDN: the node */
    bool pinned;
    char name[600];
    char state[160]; /* for the report; "" is ok */
    bool usable;     /* may be given work */
    bool drop;       /* its jobs are to be ended */
    bool banned;
    unsigned strikes;
    unsigned failures;     /* in a row */
    uint64_t retry_ms;     /* not before this time */
    uint64_t idle_ms;      /* likewise; 0 when there is news of it */
    unsigned active;       /* works under way */
    uint64_t active_ms;    /* since when */
    double rate;           /* bytes a second, smoothed */
    uint64_t slow_ms;      /* since when that is next to nothing; 0: not */
    uint64_t limited_ms;   /* when the limits last made it wait */
    uint64_t wrong;        /* blocks that failed their check */
    uint64_t used, wasted; /* bytes */
    uint64_t first_ms;     /* first and last block, since the start; 0: none */
    uint64_t last_ms;
    double told_rate; /* explain_rates() */
    uint64_t told_ms;
    bool told_known; /* explain_known() */

    /* CDN nodes */
    unsigned mirror;   /* 0: of the URL itself, else of t->mirrors[mirror-1] */
    bool foreign;      /* shows another version than the standard, so what it
                        gives has to be checked */
    unsigned deaths;   /* how often it was asked anew after it was given up */
    uint64_t again_ms; /* when that is due; 0: it is not */
    enum node_state node;
    struct answer answer;
    bool by_get;            /* the answer is a GET's: it decides */
    bool ranges, no_ranges; /* a 206, or a 200, was seen */
    bool opened;            /* had its first GET */
    bool retrying;          /* that failed, and comes once more */
    bool rangeless;         /* that GET goes without Range */
    bool asked_byte;        /* had a GET bytes=0-0 */
    bool followed, judged;  /* redirect was followed; taken or rejected */
    bool had_solo;          /* all was asked of it alone */
    unsigned hops;
    bool was_secure;        /* it, or a redirect to it, came by https */
    bool passing;           /* what it failed with may be over soon */
    bool invited;           /* and it said when to come again */
    unsigned probes;        /* requests under way */
    uint64_t probe_ms;      /* when probing began */
    unsigned round_trip_ms; /* 0: not known, or next to nothing */
    int error;              /* why it failed, enum shoal_error */
    uint8_t *early;         /* what JOB_OPEN brought, from t->open_from on */
    size_t early_len, early_cap;
    size_t early_seen;   /* when other answers were last looked at */
    bool early_broke;    /* its connection did */
    bool headless;       /* does not answer HEAD */
    uint64_t seen_ms;    /* when it last showed its version, by a GET */
    uint64_t recheck_ms; /* when it was last asked for it; 0: never */
    bool changed;        /* it shows another version than it did */
    unsigned changes;    /* how often all began anew for that */
    struct sample samples[SAMPLES];

    /* super peers and peers */
    struct lookup *lookup; /* of its host, until it is there */
    bool complete;
    struct followed its; /* blocks */
    char epoch[17];      /* of its log, which tells who it is; "": none */
    uint64_t cursor;
    uint8_t *hashes; /* its own piece layer, zeros where unknown */
    bool asked_have, asked_hashes;
    bool compared;               /* some of them, with a CDN node's block */
    uint64_t have_ms, hashes_ms; /* when to ask next */
    uint64_t have_wait;          /* between two of them, milliseconds */
    uint32_t hashes_held;        /* blocks it had when the hashes were asked */
    bool refused;      /* HTTP 403: waits for a URL with another ticket */
    unsigned refusals; /* in a row */
    unsigned renewed;  /* how often its URL was */
    uint64_t renew_ms; /* until when that URL may come */
    enum blame blame;
    unsigned lies;                 /* blocks that it said it had, in vain */
    bool neighbour;                /* counts as one that is asked */
    struct neighbours_yield yield; /* peers.c */
    uint8_t blame_told;            /* a bit for each tracker */
    uint8_t blame_asked;           /* of them, in the request under way */
};

enum job_kind {
    JOB_OPEN, /* the first GET, before the standard is known */
    JOB_DATA,
    JOB_PLAIN, /* one plain stream */
    JOB_HEAD,
    JOB_FIRST_BYTE, /* GET bytes=0-0 where HEAD does not help */
    JOB_RECHECK,    /* is it still the same version? */
    JOB_SAMPLE,     /* has it the same bytes as others? */
    JOB_TRACKER,
    JOB_HAVE,
    JOB_HASHES,
    JOB_DOCUMENT
};

/** What is asked for beside the file. */
enum document_kind {
    DOCUMENT_LAYER,
    DOCUMENT_SUM,
    DOCUMENT_METALINK,
    DOCUMENTS
};

struct document {
    char *url;  /* NULL: none */
    bool named; /* by the user: the file is not whole before it came */
    bool asked, done;
    bool again; /* it was contradicted, and comes from another node */
    const struct source *node; /* that is asked for it; NULL: the standard */
    unsigned hops;             /* redirects */
    struct lookup *lookup;
};

/** A request under way. */
struct job {
    struct job *next;
    struct transfer *t;
    enum job_kind kind;
    struct source *source; /* NULL: tracker, layer */
    unsigned renewed;      /* of the source, when it began */
    struct http_request *http;
    struct answer answer;
    bool answered;
    bool paused;
    bool cut; /* ended by us, not a failure */
    uint64_t start_ms, moved_ms;
    uint64_t resume_ms; /* it waits for the limits until then; 0: not */

    /* DATA */
    int work;          /* in the schedule, or -1 */
    uint64_t pos, end; /* file offsets: next byte, end of the request */
    uint32_t claim, claim_end; /* blocks that were told as being fetched */

    /* DATA: the block under way. Small bodies are gathered here. */
    uint8_t *buf;
    size_t len, cap;
    size_t body_max;
    unsigned tracker; /* JOB_TRACKER: which */
    bool by_head;     /* JOB_RECHECK: else by GET */
    unsigned sample;  /* JOB_SAMPLE: which, from pos to end */
    char *said;       /* its answer's header, for --server-response */
    size_t said_len;
    enum document_kind document; /* JOB_DOCUMENT: which */
};

enum phase {
    PHASE_PROBE,
    PHASE_RUN,
    PHASE_PLAIN,
    PHASE_DONE
};

struct tracker_state {
    char *url;
    char shown[128];       /* without what may be a secret */
    struct lookup *lookup; /* of its host; NULL: begin one */
    bool asked;            /* under way */
    bool answered;         /* once at least */
    bool registered;
    bool completed; /* it heard that we hold all */
    unsigned failures;
    uint64_t asked_ms; /* when last */
    uint64_t ask_ms;   /* when next */
    uint64_t told[3];  /* bytes told so far: super, peer, CDN */
    uint64_t under[3]; /* of them, in the request under way */
    char state[160];
};

/** A CDN node's block that the trusted layer calls wrong, one a block: who is
 *  right is decided by what a CDN node, another one if there is, gives. */
struct suspect {
    int16_t source; /* NO_SOURCE: none */
    uint8_t tries;
    uint8_t hash[DIGEST_LEN];
};

struct transfer {
    struct transfer_options o; /* its url is without user information */
    struct http_settings user;
    char *url, *url_user, *url_password;
    struct throttle throttle; /* the user's, over all sources */
    unsigned tries;           /* of the file, that failed */
    uint64_t again_ms; /* all nodes failed and are asked again then; 0: not */
    struct http *http;
    struct http_sockets sockets;
    enum phase phase;
    bool begun, ended; /* transfer_step() */
    bool seeding;      /* transfer_seed() */
    int error;         /* that ends it */
    char why[2048];
    char shown[256];   /* the URL in words: without its query, which holds
                        tokens */
    uint64_t begin_ms; /* when it began */
    uint64_t start_ms, tick_ms; /* when the first addresses were there */
    uint64_t retries;
    uint64_t progress_ms; /* when the last block came in */
    bool other_version;   /* what is given from outside fits no other */
    struct source **sources;
    size_t n_sources;
    struct search *searches; /* search.c */
    struct mirror *mirrors;  /* mirror.c */
    size_t n_mirrors;
    struct job *jobs;

    /* What the first GET asks for: all, or where a file is wanted, some blocks
     * where it begins; both 0: no GET before it is known who agrees. */
    uint64_t open_from, open_end;
    uint64_t asked_ms; /* when a further node was asked last */

    struct source *standard; /* the node whose version is the standard */
    struct resource resource;
    uint8_t id[RESOURCE_ID_LEN]; /* the tracker's, once has_id */
    bool has_id;
    struct blockmap map;
    struct blockmap taken; /* held, or whole and on their way to be */
    struct schedule *schedule;
    struct store store;
    int16_t *from;  /* a block's source */
    uint8_t *layer; /* hashes of what is held, if ${hashing} */
    bool hashing;   /* somebody needs them */
    struct intake *intake;
    uint8_t root[DIGEST_LEN];
    bool has_root; /* of the finished file */
    uint64_t plain_size, plain_got;
    struct checksum_state *plain_sum; /* NULL: no checksum */
    bool plain_whole;                 /* it is all there */
    unsigned answers; /* of CDN nodes, that what is held may be of */
    unsigned wholes;  /* how often all was to come in one answer */
    bool rechecked;   /* whether the version is still the same was asked */
    unsigned anew;    /* how often it was not, and all was begun anew */

    /* sample.c */
    uint64_t some_off, some_len;
    bool some_chosen;
    bool sampled; /* there is news */

    /* trust.c */
    uint8_t *trusted; /* piece layer that is believed, or NULL */
    uint8_t trusted_root[DIGEST_LEN];
    bool trusted_given; /* by the user: never dropped */
    bool by_tracker;    /* the tracker's root, nobody else's */
    bool confirmed;     /* a CDN node gave a block that fits */
    bool fits_root;     /* the whole fits the tracker's root */
    uint8_t tracker_root[DIGEST_LEN];
    bool has_tracker_root;
    unsigned votes; /* for it */
    uint8_t dropped_root[DIGEST_LEN];
    bool has_dropped_root;
    uint8_t doubted_root[DIGEST_LEN]; /* published; CDN nodes contradict it */
    bool has_doubted_root;
    struct suspect *suspects; /* NULL, or one a block */
    size_t n_suspects;
    struct checksum sum; /* len 0: none */
    bool cdn_only;       /* nothing from others any more */
    struct source *solo; /* the one CDN node that is read from; NULL: all */
    bool doubted;        /* what CDN nodes gave failed the checksum */
    bool copied;         /* the store knows that others gave something */

    struct neighbours *neighbours; /* peers.c */
    unsigned peers_max;
    uint64_t renew_ms;

    /* ask.c, published.c */
    struct tracker_state trackers[TRACKERS_MAX];
    size_t n_trackers;
    uint64_t leave_ms;    /* ask_leave() ends then; 0: not begun */
    unsigned leave_turns; /* of it */
    bool no_share;        /* the origin forbids it, or knows its user */
    struct document documents[DOCUMENTS];
    struct pieces pieces; /* n 0: none */
    unsigned piece_tries; /* at having them all right */

    /* stream.c */
    bool ordered;      /* what is held goes out in order, once */
    bool released;     /* and may go since */
    uint64_t hold_ms;  /* until when it is waited for what might forbid it */
    uint64_t room_end; /* the reader is so far that bytes up to here can be
                          kept for him */
};

struct neighbours;

/** transfer_fail(t, err, format, ...): end it, unless that is so already. */
void transfer_fail(struct transfer *t, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** transfer_say(t, level, format, ...): a line for a person. */
void transfer_say(const struct transfer *t, enum shoal_level level,
                  const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** transfer_lookup(t, url): begin to look up its host; the loop wakes when it
 *  is there. NULL: no memory, or a bad URL. */
struct lookup *transfer_lookup(struct transfer *t, const char *url);

/** source_add(t, kind, url): NULL: too many, or no memory. */
struct source *source_add(struct transfer *t, enum source_kind kind,
                          const char *url);

/** source_state(s, format, ...): words for the report. */
void source_state(struct source *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** source_drop(s): not used any more; its works are ended. */
void source_drop(struct source *s);

#endif
