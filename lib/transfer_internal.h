/* transfer_internal.h - what the files of one transfer share: transfer.c
 * (the loop), job.c (requests), search.c (which CDN nodes there are), node.c
 * (asking them), standard.c (which version counts), begin.c (the store and the
 * nodes), fetch.c (blocks), intake.c (into the store), fetch_tick.c (rates and
 * stalls), trust.c, solo.c, whole.c and recheck.c (whom to believe), ask.c
 * (trackers), published.c (piece layers), swarm.c (super peers and peers),
 * follow.c (what they have). */
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
    size_t early_seen; /* when other answers were last looked at */
    bool early_broke;  /* its connection did */
    bool headless;     /* does not answer HEAD */
    uint64_t seen_ms;  /* when it last showed its version, by a GET */
    bool changed;      /* it shows another version than it did */

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
    unsigned lies;       /* blocks that it said it had, in vain */
    bool neighbour;      /* counts as one that is asked */
    uint64_t since_ms;   /* since when it gave nothing */
    uint64_t since_used; /* used, then */
    uint8_t blame_told;  /* a bit for each tracker */
    uint8_t blame_asked; /* of them, in the request under way */
};

enum job_kind {
    JOB_OPEN, /* the first GET, before the standard is known */
    JOB_DATA,
    JOB_PLAIN, /* one plain stream */
    JOB_HEAD,
    JOB_FIRST_BYTE, /* GET bytes=0-0 where HEAD does not help */
    JOB_RECHECK,    /* is it still the same version? */
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
    unsigned hops; /* redirects */
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
    char why[512];
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
    bool anew;        /* it was not, and all was begun anew */

    /* trust.c */
    uint8_t *trusted; /* piece layer that is believed, or NULL */
    uint8_t trusted_root[DIGEST_LEN];
    bool trusted_given; /* by the user: never dropped */
    bool by_tracker;    /* the tracker's root, nobody else's */
    bool confirmed;     /* a CDN node gave a block that fits */
    uint8_t tracker_root[DIGEST_LEN];
    bool has_tracker_root;
    unsigned votes; /* for it */
    uint8_t dropped_root[DIGEST_LEN];
    bool has_dropped_root;
    struct suspect *suspects; /* NULL, or one a block */
    size_t n_suspects;
    struct checksum sum; /* len 0: none */
    bool cdn_only;       /* nothing from others any more */
    struct source *solo; /* the one CDN node that is read from; NULL: all */
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
struct tracker_ask;

/** blame_dead(s, err, last): a request failed; a refused dial counts at
 *  once, silence when it was the ${last} try. */
void blame_dead(struct source *s, int err, bool last);

/** blame_collect(t, tracker, ask): add the reports that this tracker was not
 *  told yet. */
void blame_collect(struct transfer *t, unsigned tracker,
                   struct tracker_ask *ask);

/** blame_done(t, tracker, heard): the request with them is over. */
void blame_done(struct transfer *t, unsigned tracker, bool heard);

/** transfer_fail(t, err, format, ...): end it, unless that is so already. */
void transfer_fail(struct transfer *t, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** transfer_say(t, level, format, ...): a line for a person. */
void transfer_say(const struct transfer *t, enum shoal_level level,
                  const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * explain(t, s, format, ...):
 * Note what happened to a source (NULL: to the download), for --explain: found
 * it, took it, why it was not used or not any more. Rates and sizes belong into
 * the words; the time is noted. Once an event, never once a block.
 */
void explain(const struct transfer *t, const struct source *s,
             const char *format, ...) __attribute__((format(printf, 3, 4)));

/** explain_tracker(t, tr, format, ...): the same of a tracker. */
void explain_tracker(const struct transfer *t, const struct tracker_state *tr,
                     const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** explain_known(s, request): its first answer to a HEAD or GET. */
void explain_known(struct source *s, const char *request);

/** explain_failed(s): it is to be dropped, for what s->state says. */
void explain_failed(const struct source *s);

/** explain_end(t): it is over: those that gave nothing. */
void explain_end(const struct transfer *t);

/** explain_rates(t, now): what sources give, when that is news. */
void explain_rates(struct transfer *t, uint64_t now);

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

/* job.c */

/**
 * job_start(t, kind, source, options): ${options} need only what differs
 * from the usual: url, range, head, addr, total_ms. NULL: failed.
 */
struct job *job_start(struct transfer *t, enum job_kind kind,
                      struct source *source, struct http_options *options);

/** job_create(t, kind, source): one without a request. NULL: no memory. */
struct job *job_create(struct transfer *t, enum job_kind kind,
                       struct source *source);

/* stream.c */

/** stream_begin(t): the output was opened. */
void stream_begin(struct transfer *t);

/** stream_step(t): once a turn: what may go out, and how far sources go. */
void stream_step(struct transfer *t);

/** stream_pause(job): bytes came in: it has to wait for the reader, if so. */
void stream_pause(struct job *job);

/** stream_waits(job): it still has to. */
bool stream_waits(const struct job *job);

/** stream_refuses(t, layer): it contradicts what went out; then CDN nodes are
 *  believed, which alone gave that. */
bool stream_refuses(const struct transfer *t, const uint8_t *layer);

/** stream_forget(t): all is of the wrong version. The transfer ends where
 *  some of it went out. */
void stream_forget(struct transfer *t);

/** job_took(job, len): bytes of the file came in; it may have to wait. */
void job_took(struct job *job, size_t len);

/** job_resume_due(t): those whose time has come go on. Milliseconds until the
 *  next one's. */
int job_resume_due(struct transfer *t);

/** job_end(job): cancel the request and free the job. */
void job_end(struct job *job);

/** job_end_all(t): all of them. */
void job_end_all(struct transfer *t);

/** job_keep(job, data, len): append to buf, at most body_max. */
int job_keep(struct job *job, const uint8_t *data, size_t len);

/* patience.c */

/** patience_connect_ms(t, ms): how long a connection may take to come about:
 *  ${ms}, unless the user wants less; patience_alone_ms(t, ms): likewise where
 *  there is but one node: as the user wants. */
unsigned patience_connect_ms(const struct transfer *t, unsigned ms);
unsigned patience_alone_ms(const struct transfer *t, unsigned ms);

/** patience_idle_ms(t, ms): the same for a request that brings nothing. */
uint64_t patience_idle_ms(const struct transfer *t, uint64_t ms);

/**
 * patience_try(t, most, wait_ms):
 * A try of the file failed, and nobody else has it. True: it may be tried
 * again, after ${wait_ms}. ${most}: how often, where the user does not say.
 */
bool patience_try(struct transfer *t, unsigned most, uint64_t *wait_ms);

/** patience_given(t): the user said how often. */
bool patience_given(const struct transfer *t);

/** patience_status(status): may an answer with it be another one soon? */
bool patience_status(unsigned status);

/** patience_retry_after(t, a): what the answer asks for, milliseconds, as far
 *  as it is heeded; 0: it does not ask. */
uint64_t patience_retry_after(const struct transfer *t,
                              const struct answer *a);

/** patience_round(t): all CDN nodes have failed, and nothing is known of the
 *  file yet. True: they are, or will be, asked once more. */
bool patience_round(struct transfer *t);

/* claim.c */

/** claim_begin(job): its request, whose range is set, goes out; claim_end(job):
 *  it is over; claim_trim(job): its range may have become shorter. */
void claim_begin(struct job *job);
void claim_trim(struct job *job);
void claim_end(struct job *job);

/* search.c */

/**
 * search_start(t, url, from, mirror):
 * Find the nodes behind the URL's host, to which ${from} redirected (NULL:
 * nobody did; it is the ${mirror}th mirror's, 0: the file's own); they join
 * the list of sources when their addresses are known. What goes wrong fails
 * ${from}, or the transfer, or where there are mirrors, is a failed source.
 */
void search_start(struct transfer *t, const char *url, struct source *from,
                  unsigned mirror);

/** search_step(t): take addresses that have come, follow redirects. */
void search_step(struct transfer *t);

/** search_pending(t, mirrors): names whose addresses are still to come, of
 *  mirrors, or of the URL itself. */
size_t search_pending(const struct transfer *t, bool mirrors);

/** search_looks(t, mirror): one of them is that mirror's. */
bool search_looks(const struct transfer *t, unsigned mirror);

/** search_end(t): look for no more. */
void search_end(struct transfer *t);

/* mirror.c */

/** mirror_add(t, url): one more URL of the file, unless it is known or there
 *  are too many. SHOAL_ENOMEM, SHOAL_EINVAL (URL). */
int mirror_add(struct transfer *t, const char *url);

/** mirror_login(t, mirror, options): a request for options->url is that
 *  mirror's: with the name and password of its URL, if there were some and it
 *  goes to the same scheme, host and port. */
void mirror_login(const struct transfer *t, unsigned mirror,
                  struct http_options *options);

/** mirror_step(t): look up and ask as many as are to be read from. */
void mirror_step(struct transfer *t);

/** mirror_awaited(t): one may still turn out to have the file. */
bool mirror_awaited(const struct transfer *t);

/** mirror_agrees(t, s): its answer shows the standard's size and a validator
 *  of it. */
bool mirror_agrees(const struct transfer *t, const struct source *s);

void mirror_free(struct transfer *t);

/* node.c */

/** node_probe(t, s): ask with HEAD; a GET follows where that does not help. */
void node_probe(struct transfer *t, struct source *s);

/** node_open(t, s): the first GET, from t->open_from to t->open_end. */
void node_open(struct transfer *t, struct source *s);

/** node_ask(t, s): is it of the version that is wanted? HEAD, and the first
 *  GET beside it, where there is one. */
void node_ask(struct transfer *t, struct source *s);

/** node_ask_byte(t, s): GET bytes=0-0. */
void node_ask_byte(struct transfer *t, struct source *s);

/** node_step(t): put a GET beside a HEAD that hangs. */
void node_step(struct transfer *t);

/** node_failed(s, err, ...): no use any more. */
void node_failed(struct source *s, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** node_write_plain(t, data, len): bytes of the one plain stream. */
int node_write_plain(struct transfer *t, const uint8_t *data, size_t len);

/** node_end_plain(t, s, err, why): that stream is over: the file is whole, it
 *  failed, or it is to begin anew. */
void node_end_plain(struct transfer *t, struct source *s, int err,
                    const char *why);

/** node_head_awaited(t): the file is there before the standard's HEAD, which
 *  may tell its digest; that is given a moment. */
bool node_head_awaited(const struct transfer *t);

int node_headers(struct job *job);
int node_data(struct job *job, const uint8_t *data, size_t len);
void node_done(struct job *job, int err, const char *why);

/* begin.c */

/** begin_blocks(t, url, size, version): open the store, go on in blocks. */
void begin_blocks(struct transfer *t, const char *url, uint64_t size,
                  const char *version);

/** begin_choose_open(t): what the first GET is to ask for. */
void begin_choose_open(struct transfer *t);

/** begin_again(t): the plain stream broke: begin it anew when it is time. */
void begin_again(struct transfer *t);

/** begin_plain(t, s): no size or no ranges: one stream from this node. */
void begin_plain(struct transfer *t, struct source *s);

/**
 * begin_judge(t, s, r): take or reject a node that has answered. A HEAD that
 * contradicts is asked again by a GET: some heads lie.
 */
void begin_judge(struct transfer *t, struct source *s,
                 const struct resource *r);

/** begin_has_version(r): nodes that agree have a validator in common. */
bool begin_has_version(const struct resource *r);

/** begin_enlist(t, s): a node that was taken may be given work. */
void begin_enlist(struct transfer *t, struct source *s);

/** begin_forget(t): back to before the decision. */
void begin_forget(struct transfer *t);

/* standard.c */

/** standard_open_job(t, s): the first GET under way at this node (NULL: at
 *  any), or NULL. */
struct job *standard_open_job(const struct transfer *t,
                              const struct source *s);

/** standard_step(t): decide, as soon as what is known allows it. */
void standard_step(struct transfer *t);

/** standard_others(t): the file does not have its checksum: begin anew with
 *  the nodes of another version. False: there are none. */
bool standard_others(struct transfer *t);

/** standard_usable(t): CDN nodes that may be given work, and what they give
 *  can be used. */
unsigned standard_usable(const struct transfer *t);

/** standard_more(t): in mid-download: judge late answers, ask further nodes
 *  when too few are left, fail when there is nobody left. */
void standard_more(struct transfer *t);

/* fetch_tick.c */
void fetch_tick(struct transfer *t);

/* fetch.c */
void fetch_dispatch(struct transfer *t);

/** fetch_freed(t): there is work again, for whoever had none. */
void fetch_freed(struct transfer *t);

/** fetch_due_ms(t, most): how long until one is to be looked at again. */
unsigned fetch_due_ms(const struct transfer *t, unsigned most);

/** fetch_failed(t, s, err, why): a request at it did: later again, or given
 *  up. */
void fetch_failed(struct transfer *t, struct source *s, int err,
                  const char *why);

/** fetch_adopt(t, s, job): blocks from what the first GET brought so far;
 *  ${job} (NULL when it is over) goes on as a DATA job. */
void fetch_adopt(struct transfer *t, struct source *s, struct job *job);

int fetch_headers(struct job *job);
int fetch_data(struct job *job, const uint8_t *data, size_t len);
void fetch_done(struct job *job, int err, const char *why);

/** fetch_forget(t, block): it is wrong; count it as wasted, fetch again. */
void fetch_forget(struct transfer *t, uint32_t block);

/** fetch_disown(t, s): its blocks are forgotten, unless a trusted layer says
 *  that they are right. */
void fetch_disown(struct transfer *t, const struct source *s);

/* intake.c */

/** intake_open(t): the map tells what is held. SHOAL_ENOMEM. intake_close(t):
 *  what is under way is settled first; a no-op where none is open. */
int intake_open(struct transfer *t);
void intake_close(struct transfer *t);

/** intake_buffer(t): for a block that comes in; free() or intake_block()
 *  takes it. NULL: no memory. */
uint8_t *intake_buffer(struct transfer *t);

/**
 * intake_block(job, block): it is whole in ${job->buf}, which is taken unless
 * the block is there already. It counts as held when it has been hashed,
 * judged and written, maybe later. Not 0: the transfer has failed.
 */
int intake_block(struct job *job, uint32_t block);

/** intake_settle(t): those that are hashed are judged and written. Milliseconds
 *  until it is to be called again. intake_drain(t): all that came in; waits
 *  for them. */
int intake_settle(struct transfer *t);
void intake_drain(struct transfer *t);

/** intake_need_hashes(t): somebody needs the blocks' hashes from now on; those
 *  of what is held already are made by reading it. Not 0: the transfer has
 *  failed. */
int intake_need_hashes(struct transfer *t);

/** intake_forgotten(t, block): it is not held any more. */
void intake_forgotten(struct transfer *t, uint32_t block);

/** intake_check_sum(t): all is held: does it have the checksum? SHOAL_EVERIFY;
 *  SHOAL_ESTOPPED, SHOAL_ENOMEM, or what the store says. */
int intake_check_sum(struct transfer *t);

/* trust.c */

/** trust_origin(s): a CDN node of the standard's own version: believed where
 *  nothing contradicts it. */
static inline bool
trust_origin(const struct source *s)
{
    return s->kind == SOURCE_CDN && !s->foreign;
}

/** trust_waived(t, s): the user takes what it gives as it is. */
static inline bool
trust_waived(const struct transfer *t, const struct source *s)
{
    return s->kind != SOURCE_CDN && t->o.settings != NULL
           && t->o.settings->unverified_peers && !t->cdn_only;
}

/** trust_has_sum(t): is there a checksum that lets others' bytes in? An
 *  origin's MD5 does not: who made the file could make two of it. */
bool trust_has_sum(const struct transfer *t);

/** trust_covers(t): something tells whether the bytes are of one file. */
static inline bool
trust_covers(const struct transfer *t)
{
    return t->trusted != NULL || t->sum.len > 0 || t->pieces.n > 0;
}

/** trust_allows(t, s): can what the source gives be checked? */
bool trust_allows(const struct transfer *t, const struct source *s);

/** trust_vouched(t, block): no layer is trusted yet, but a super peer that
 *  fills has told the block's hash. */
bool trust_vouched(const struct transfer *t, uint32_t block);

/** trust_check(t, s, block, hash): 0, or SHOAL_EVERIFY and it is noted. */
int trust_check(struct transfer *t, struct source *s, uint32_t block,
                const uint8_t hash[DIGEST_LEN]);

/** trust_alone(t): there is but one CDN node, or none: it may decide itself
 *  on what it gave. */
void trust_alone(struct transfer *t);

/** trust_sum(t, sum): what the whole file must hash to has become known. */
void trust_sum(struct transfer *t, const struct checksum *sum);

/** trust_refresh(t): what can be checked has changed: tell the schedule. */
void trust_refresh(struct transfer *t);

/** trust_strike(s): it gave wrong bytes; banned at the second time. */
void trust_strike(struct source *s);

/** trust_adopt(t, layer, root, given): believe this layer; taken. */
void trust_adopt(struct transfer *t, uint8_t *layer,
                 const uint8_t root[DIGEST_LEN], bool given);

/** trust_tracker_root(t, root, votes): the tracker reports it; so many super
 *  peers say so. */
void trust_tracker_root(struct transfer *t, const uint8_t root[DIGEST_LEN],
                        unsigned votes);

/** trust_hashes(t, s): a super peer's or peer's layer is in s->hashes. */
void trust_hashes(struct transfer *t, struct source *s);

/** trust_finish(t): everything is held. 0: and right; SHOAL_ENOTFOUND: blocks
 *  were thrown away, or another version is tried: go on; else it failed. */
int trust_finish(struct transfer *t);

/* whole.c */

/** whole_wanted(t, s): what this node gives has to come in one answer, for two
 *  cannot be told to be of one version. */
bool whole_wanted(const struct transfer *t, const struct source *s);

/** whole_take(t, s, out): as schedule_take(), all of the file; what is held is
 *  forgotten. */
int whole_take(struct transfer *t, const struct source *s,
               struct schedule_range *out);

/** whole_mixed(t): everything is held, but of several answers; true: it is
 *  forgotten. */
bool whole_mixed(struct transfer *t);

/* recheck.c */

/** recheck_passed(t): everything is here, and right as far as is known. False:
 *  nodes are asked whether they still show that version; call again when none
 *  is awaited any more. */
bool recheck_passed(struct transfer *t);
bool recheck_awaited(const struct transfer *t);

/** recheck_begin_anew(t): no node is left. True: some showed that the file
 *  changed, and the download begins anew. */
bool recheck_begin_anew(struct transfer *t);

/** The answers to JOB_RECHECK. */
int recheck_headers(const struct job *job);
void recheck_done(struct job *job);

/* solo.c */

/** solo_next(t): forget all, and ask the next CDN node alone for it. False:
 *  there is none that had not its turn. */
bool solo_next(struct transfer *t);

/** solo_allows(t, s): is it this node's turn, or anybody's? */
bool solo_allows(const struct transfer *t, const struct source *s);

/* ask.c */

/** ask_take(t, kind, url, complete): a super peer or peer that somebody
 *  named. */
void ask_take(struct transfer *t, enum source_kind kind, const char *url,
              bool complete);

/** ask_start(t): the trackers to ask: the user's, and the origin's. */
void ask_start(struct transfer *t);
void ask_tick(struct transfer *t);

/** ask_bare_len(url): how long it is without its ticket, which changes. */
size_t ask_bare_len(const char *url);

/** ask_soon(t): the trackers that answer are asked again before it is time. */
void ask_soon(struct transfer *t);
void ask_done(struct job *job, int err, const char *why);

/** ask_seed(t): it is over, and this host stays on their lists: they hear that
 *  it holds all. */
void ask_seed(struct transfer *t);

/** ask_leave(t, timeout_ms): as transfer_leave(). */
int ask_leave(struct transfer *t, unsigned timeout_ms);

/* document.c */

/** document_set(t, kind, url, named): to be asked for; ${url} is taken, NULL:
 *  there is none. */
void document_set(struct transfer *t, enum document_kind kind, char *url,
                  bool named);
void document_tick(struct transfer *t);
void document_done(struct job *job, int err, const char *why);

/** document_awaited(t): one that the user named is to come yet. */
bool document_awaited(const struct transfer *t);
void document_forget(struct transfer *t);

/* pieces.c */

/** pieces_set(t, p): hashes to check by, unless they are weak; taken then. */
void pieces_set(struct transfer *t, struct pieces *p);

/** pieces_check(t): everything is held. 0: and right; SHOAL_ENOTFOUND: what is
 *  wrong was thrown away; SHOAL_EVERIFY: again and again; what the store says. */
int pieces_check(struct transfer *t);

/* published.c */

/** published_size(t): the file that a layer of the user's is for has that
 *  size, and no other: what is wrong with it is said when it is read. */
void published_size(struct transfer *t);

/** published_layer_named(t): the user gave a layer, so without it nothing is
 *  right. */
bool published_layer_named(const struct transfer *t);

/** published_most(kind): bytes of such a document. */
size_t published_most(enum document_kind kind);

/** published_take(t, kind, data, len): it has come; published_missing(): it
 *  cannot be had. */
void published_take(struct transfer *t, enum document_kind kind,
                    const uint8_t *data, size_t len);
void published_missing(struct transfer *t, enum document_kind kind, int err,
                       const char *why);
void published_start(struct transfer *t);

/* swarm.c */
void swarm_start(struct transfer *t);
void swarm_tick(struct transfer *t);

/** swarm_url(t, s, what): BASE/blocks/ID${what}, in front of BASE's query if
 *  it has one (tickets); free it. NULL: no memory. */
char *swarm_url(const struct transfer *t, const struct source *s,
                const char *what);

/** swarm_lost(t, s): it does not have what it said: ask it again. */
void swarm_lost(struct transfer *t, struct source *s);

/** swarm_refused(job): a super peer says 403: its ticket has expired, or is
 *  none. It gets no work until a tracker lists it again, unless it has another
 *  URL already than the request had. */
void swarm_refused(const struct job *job);

/** swarm_renew(s, url): it is listed, with ${url}, which differs from its
 *  own in the ticket alone. Returns whether it was refused before. */
bool swarm_renew(struct source *s, const char *url);

/** swarm_checks_all(t): whoever gives a block, it can be checked. */
bool swarm_checks_all(const struct transfer *t);

/** swarm_refresh(t, s): tell the schedule what it can give. */
void swarm_refresh(struct transfer *t, struct source *s);

/** swarm_is_refusal(job, err): its answer to a small request; true: it wants
 *  another ticket. */
bool swarm_is_refusal(const struct job *job, int err);

/* peers.c */

/** peers_start(t): from now on peers may be named. */
void peers_start(struct transfer *t);

/** peers_offer(t, addr, complete): a tracker, or it itself, named this peer,
 *  `ADDR:PORT`. */
void peers_offer(struct transfer *t, const char *addr, bool complete);

/** peers_lied(s, block_size): it does not have a block that it said it had;
 *  too many of them, and it is dropped. */
void peers_lied(struct source *s, uint64_t block_size);

/** peers_tick(t): who is asked, and who no more. */
void peers_tick(struct transfer *t);

/* follow.c */

/** follow_tick(t, s, now): ask it for news, unless that is under way. */
void follow_tick(struct transfer *t, struct source *s, uint64_t now);

/** follow_lost(t, s): what it told is not so, or not known to be. */
void follow_lost(struct transfer *t, struct source *s);

/** follow_done(job, err): the answer to JOB_HAVE. */
void follow_done(struct job *job, int err);

/** The answers to JOB_TRACKER, JOB_HAVE, JOB_HASHES, JOB_DOCUMENT. */
int swarm_headers(struct job *job);
int swarm_data(struct job *job, const uint8_t *data, size_t len);
void swarm_done(struct job *job, int err, const char *why);

#endif
