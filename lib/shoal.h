/*
 * shoal.h - libshoal: download a file as with wget, from all nodes of its
 * CDN, from super peers and from other downloaders at once, every byte
 * checked.
 *
 *     struct shoal *d = shoal_create("http://example.com/file");
 *
 *     if (d == NULL || shoal_set(d, "output-document", "file") != 0
 *         || shoal_run(d) != 0) {
 *         fprintf(stderr, "%s\n", d != NULL ? shoal_error(d) : "no memory");
 *     }
 *     shoal_free(d);
 *
 * A struct shoal is one download of one file, run once. docs/library.md is
 * the tour, and has every setting.
 *
 * The library prints nothing, never ends the program and installs no signal
 * handler: errors are codes and words, messages go to shoal_on_message(). It
 * writes to standard output where "output-document" is "-", and nowhere but
 * to the output file and its two companions otherwise.
 *
 * Threads: different downloads may be used in different threads at the same
 * time. All calls for one download belong to one thread at a time, but for
 * shoal_cancel(). Callbacks come in the thread that runs the download, from
 * within shoal_run(), shoal_step() or shoal_set(). The library has threads of
 * its own (resolver, block server); they take no signals.
 *
 * Ownership: strings that are passed in are copied. Strings and structs that
 * are handed out belong to the download and are valid until shoal_free(), or
 * as long as is said there.
 *
 * Caveats, ways to go wrong:
 * - A child of fork(2) must not touch its parent's downloads.
 * - From a callback only shoal_cancel(), shoal_error() and shoal_report() may
 *   be called for the download it is about.
 * - Sharing is on where a tracker is known: see "no-upload".
 * - libcurl is initialized when it is needed first, and stays so. A program
 *   that uses libcurl older than 7.84 itself calls curl_global_init() before
 *   it starts threads.
 * - What is partial stays as FILE.part beside FILE, for "continue".
 */
#ifndef SHOAL_H
#define SHOAL_H

#include <stddef.h>
#include <stdint.h>

#define SHOAL_VERSION "0.1"

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/** Results: 0, or one of these. Each says what it means to the caller. */
enum shoal_error {
    SHOAL_OK = 0,
    SHOAL_ENOMEM = -1,    /* out of memory */
    SHOAL_EINVAL = -2,    /* an argument or an input does not parse */
    SHOAL_EIO = -3,       /* reading or writing a local file failed */
    SHOAL_EFULL = -4,     /* no room: disk or cache is full */
    SHOAL_ENOTFOUND = -5, /* not there: block, set, key, HTTP 404 or 410 */
    SHOAL_ENET = -6,      /* no host, no connection, or it broke */
    SHOAL_ETLS = -7,      /* the certificate did not verify */
    SHOAL_EAUTH = -8,     /* HTTP 401, 407 */
    SHOAL_EPROTO = -9,    /* an answer that makes no sense */
    SHOAL_EHTTP = -10,    /* any other HTTP error status */
    SHOAL_EVERIFY = -11,  /* the bytes are not what they must be */
    SHOAL_ENOAGREE = -12, /* no CDN node has that size and version */
    SHOAL_EDENIED = -13,  /* not allowed by configuration */
    SHOAL_ESTOPPED = -14, /* the caller asked to stop */
    SHOAL_EPRIVATE = -15, /* the origin forbids sharing it */
    SHOAL_ECONNECT = -16, /* cannot connect: refused, or no answer in time */
    SHOAL_EBUSY = -17,    /* not now: as many connections as are allowed */
    SHOAL_EAGAIN = -18    /* not done yet: call shoal_step() again */
};

/** A size that is not known. */
#define SHOAL_UNKNOWN UINT64_MAX

struct shoal;

/* ---- Settings ---- */

enum {
    SHOAL_SETTING_LIST = 1,  /* each value is added */
    SHOAL_SETTING_SECRET = 2 /* not to be shown to others */
};

struct shoal_reader; /* the library's own */

/** One setting of a download, as shoal_set() takes it. */
struct shoal_setting {
    const char *name;     /* the long option, without dashes */
    const char *letters;  /* the short one, `O` or `nc`; NULL: none */
    const char *argument; /* what stands for its value; NULL: a flag */
    const char *group;    /* under which help lists it */
    const char *help;     /* one line, no capital, no full stop */
    const char *fallback; /* what is used when it is not given, as text;
                             NULL: nothing, or no */
    unsigned flags;       /* SHOAL_SETTING_LIST, _SECRET */
    const struct shoal_reader *reader;
};

/** shoal_settings(n): all settings, *n of them, in the order of help, those
 *  of one group together. The table is static. */
const struct shoal_setting *shoal_settings(size_t *n);

/* ---- A download ---- */

/**
 * shoal_create(url):
 * A download of ${url}, http or https, with no setting given. Nothing is
 * opened, asked or checked before shoal_run() or shoal_step(). ${url} may be
 * NULL where a setting names the file, or where this is only what others are
 * made from by shoal_copy().
 * Errors:  NULL: out of memory.
 */
struct shoal *shoal_create(const char *url);

/**
 * shoal_copy(d, url):
 * Another download, of ${url}, with the settings and callbacks that ${d} has
 * now. ${d} may be done or free afterwards.
 * Errors:  NULL: out of memory.
 */
struct shoal *shoal_copy(const struct shoal *d, const char *url);

/** shoal_free(d): the download, and all that it handed out. One that is under
 *  way ends as by shoal_cancel(). Blocks for no longer than the block server
 *  takes to end. NULL is a no-op. */
void shoal_free(struct shoal *d);

/**
 * shoal_set(d, name, value):
 * One setting, by the name in the table. A flag takes NULL for yes, or one of
 * yes, no, true, false, on, off, 1, 0. A list takes one value at each call,
 * and NULL or "" to empty it. NULL for anything else takes back what was
 * given.
 * Errors:  SHOAL_ENOTFOUND (no such setting), SHOAL_EINVAL (the value; or the
 *          download has begun), SHOAL_ENOMEM. Nothing has changed then, and
 *          shoal_error() says which setting, what was expected and what was
 *          given. An error here does not spoil the download: it can be set
 *          again, and run.
 */
int shoal_set(struct shoal *d, const char *name, const char *value);

/** shoal_check(d): do the settings go together? shoal_run() asks, too.
 *  SHOAL_EINVAL, and shoal_error() names those that do not. */
int shoal_check(struct shoal *d);

/* ---- What it says meanwhile ---- */

enum shoal_kind {
    SHOAL_CDN,   /* a node of the CDN, or a mirror */
    SHOAL_SUPER, /* a super peer */
    SHOAL_PEER,  /* another downloader */
    SHOAL_KINDS
};

enum shoal_stage {
    SHOAL_STARTING,  /* until the size is known */
    SHOAL_FETCHING,  /* blocks come in */
    SHOAL_FINISHING, /* the file gets its name */
    SHOAL_SEEDING,   /* it is whole, and served to others */
    SHOAL_ENDED
};

struct shoal_progress {
    enum shoal_stage stage;
    const char *file; /* where it is saved, as far as that is known */
    uint64_t size;    /* bytes, or SHOAL_UNKNOWN */
    uint64_t held;    /* bytes of the file that are there and checked */
    uint64_t resumed; /* of these, from an earlier run */
    uint64_t used[SHOAL_KINDS]; /* of these, taken in this run, by kind */
    uint64_t uploaded;          /* bytes given to others */
    double seconds;             /* since the start */
};

/** About ten times a second, and once at the end. The struct is valid during
 *  the call. */
typedef void shoal_progress_fn(void *ctx, const struct shoal_progress *p);

/** shoal_on_progress(d, fn, ctx): NULL: nobody is called. */
void shoal_on_progress(struct shoal *d, shoal_progress_fn *fn, void *ctx);

enum shoal_level {
    SHOAL_WARNING, /* something was not as asked, and the download goes on */
    SHOAL_NOTICE,  /* worth a line to a person */
    SHOAL_HEADERS  /* a header line of the origin ("server-response") */
};

/** One line without its end; the text is valid during the call. */
typedef void shoal_message_fn(void *ctx, enum shoal_level level,
                              const char *text);

/** shoal_on_message(d, fn, ctx): NULL: nobody is called. */
void shoal_on_message(struct shoal *d, shoal_message_fn *fn, void *ctx);

/* ---- Running it ---- */

/**
 * shoal_run(d):
 * Download, and serve others meanwhile and afterwards as the settings say.
 * Returns when the file stands under its name and seeding is over, or when
 * that cannot be.
 *
 * Blocking: yes, until shoal_cancel().
 * Signals:  SIGPIPE is blocked in this thread meanwhile.
 * Errors:   SHOAL_EINVAL (settings, URL), SHOAL_ENOTFOUND,
 *           _EHTTP, _EAUTH, _ENET, _ECONNECT, _ETLS, _EPROTO, _ENOAGREE (the
 *           origin), SHOAL_EIO, _EFULL (the output file), SHOAL_EVERIFY (the
 *           bytes are wrong: there is no file under that name), SHOAL_EDENIED,
 *           SHOAL_ESTOPPED, SHOAL_ENOMEM; shoal_error() has the words.
 *           Called again it says the same again.
 */
int shoal_run(struct shoal *d);

/**
 * shoal_step(d, timeout_ms):
 * The same in pieces, for a program with a loop of its own: do what is due,
 * waiting for news from the network for ${timeout_ms} at most (0: not at all).
 * The transfer stands still between two calls; ten a second at least keep its
 * rates and timeouts right.
 *
 * Blocking: the disk is not counted: reading a partial download again at the
 *           start ("continue"), or the file for its checksum at the end, takes
 *           as long as it takes. So does a slow reader of standard output.
 * Errors:   SHOAL_EAGAIN: not done yet; else as shoal_run().
 */
int shoal_step(struct shoal *d, unsigned timeout_ms);

/**
 * shoal_cancel(d):
 * Let it end soon: within a tenth of a second where nothing waits for the
 * disk. What has come is saved for "continue". One that is seeding ends well.
 * Threads:  any; also from a signal handler, and from callbacks.
 */
void shoal_cancel(struct shoal *d);

/** shoal_error(d): what went wrong last, `what: why`; "" when nothing did. */
const char *shoal_error(const struct shoal *d);

/** shoal_strerror(err): what ${err} means, a static string. */
const char *shoal_strerror(int err);

/* ---- What became of it ---- */

/** What one source gave. */
struct shoal_source {
    enum shoal_kind kind;
    const char *name;  /* address, or host and port */
    const char *state; /* "ok", or why it is not used: "HTTP 404" */
    uint64_t used;     /* bytes of it that are in the file */
    uint64_t wasted;   /* bytes of it that were thrown away */
    uint64_t wrong;    /* blocks of it that failed their check */
    int banned;        /* because of them, or of what it claimed */
    double rate;       /* bytes a second, when it gave some last */
    double first;      /* seconds from the start to its first block; below 0:
                          there was none */
    double last;       /* and to its last one */
};

struct shoal_tracker {
    const char *url;   /* less its query */
    const char *state; /* "ok", or what is wrong with it */
};

/** Something that happened. */
struct shoal_event {
    double seconds;   /* since the start */
    const char *what; /* a source's name, or a tracker's URL; "": the
                         download itself */
    const char *text;
};

/** What bore out the bytes, the best of all that did. */
enum shoal_trust {
    SHOAL_TRUST_NONE,     /* nothing: some came from peers, taken as it was
                             ("unverified-peers") */
    SHOAL_TRUST_CDN,      /* all came from CDN nodes that agree */
    SHOAL_TRUST_COPY,     /* super peers' own piece layers */
    SHOAL_TRUST_TRACKER,  /* the root that a tracker told, with votes */
    SHOAL_TRUST_LAYER,    /* the piece layer that the origin published */
    SHOAL_TRUST_CHECKSUM, /* the checksum that the origin published */
    SHOAL_TRUST_USER      /* a checksum or layer that the user gave */
};

struct shoal_report {
    int result;        /* of shoal_run(); SHOAL_EAGAIN: not done yet */
    const char *error; /* shoal_error() */
    const char *url;   /* as it was given */
    const char *file;  /* where it is saved; "-": standard output */
    int saved;         /* it stands there now */
    int there;         /* and stood there before: nothing was done */
    uint64_t size;     /* bytes, or SHOAL_UNKNOWN */
    uint64_t held;     /* of these, there and checked */
    uint64_t resumed;  /* of these, from an earlier run */
    double seconds;    /* to the file's end; seeding does not count */
    uint64_t used[SHOAL_KINDS]; /* bytes in the file, by kind of source */
    uint64_t wasted[SHOAL_KINDS];
    uint64_t uploaded; /* bytes given to others */
    uint64_t retries;  /* requests that failed and were tried again */
    enum shoal_trust trust;
    unsigned votes;      /* SHOAL_TRUST_TRACKER: how many super peers say so */
    const char *version; /* of the file: `etag:"..."`; "": none */
    const char *root;    /* of its hash tree (BEP 52), in hex; "": none, or
                            nobody needed it, so it was not computed */

    const struct shoal_source *sources;
    size_t n_sources;
    const struct shoal_tracker *trackers;
    size_t n_trackers;
    const struct shoal_event *events; /* in the order of time */
    size_t n_events;
    size_t lost_events; /* left out of the middle: only so many are kept */
    size_t files; /* of the Metalink that told of this one, the first, where
                     "select-file" chose none; it is how to have the others */
};

/**
 * shoal_report(d):
 * How it is now, or was at the end. Valid until the next call of this, of
 * shoal_run() or of shoal_step(), or until shoal_free(). NULL: out of memory.
 */
const struct shoal_report *shoal_report(struct shoal *d);

/* ---- Beside downloads ---- */

/**
 * shoal_make_layer(file, out, why, cap):
 * Write the piece layer of ${file} to ${out} (NULL: FILE.shoal), for "layer",
 * or for an origin to publish.
 * Errors:  SHOAL_EIO, SHOAL_ENOMEM; the words are in ${why}.
 */
int shoal_make_layer(const char *file, const char *out, char *why, size_t cap);

/** shoal_version(): SHOAL_VERSION of the library that runs. */
const char *shoal_version(void);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
