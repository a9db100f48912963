/* begin.c - the standard is decided: the store is opened, the nodes that
 * agree are taken, and the stream that is running already goes on. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "begin.h"
#include "document.h"
#include "explain_transfer.h"
#include "fetch.h"
#include "intake.h"
#include "job.h"
#include "mirror.h"
#include "node.h"
#include "patience.h"
#include "shoal.h"
#include "standard.h"
#include "stream.h"
#include "swarm.h"
#include "transfer_internal.h"
#include "trust.h"
#include "whole.h"

enum {
    OPEN_BYTES = 1 << 20 /* of the first GET, at least: what a node of another
                            version sends in vain */
};

static int
open_store(struct transfer *t)
{
    int err = blockmap_init(&t->map, t->resource.size);

    if (err != 0) {
        return err;
    }
    t->layer = calloc((size_t) t->map.count + 1, DIGEST_LEN);
    t->from = malloc(((size_t) t->map.count + 1) * sizeof(*t->from));
    if (t->layer == NULL || t->from == NULL) {
        return SHOAL_ENOMEM;
    }
    for (uint32_t i = 0; i < t->map.count; i++) {
        t->from[i] = NO_SOURCE;
    }
    err =
        t->o.ops->begin(t->o.ctx, &t->resource, &t->map, t->layer, &t->store);
    if (err != 0) {
        return err;
    }
    stream_begin(t);
    err = intake_open(t);
    if (err != 0) {
        return err;
    }
    t->schedule = schedule_create(
        &t->taken,
        (uint32_t) ((uint64_t) t->map.count * t->o.start_permille / 1000),
        t->o.client);
    return t->schedule != NULL ? 0 : SHOAL_ENOMEM;
}

/* The origin says two things of one file. */
static bool
publishes_other(const struct transfer *t, const struct source *s)
{
    struct answer said;

    answer_reset(&said);
    said.digest = t->sum;
    return t->o.checksum == NULL && answer_contradicts(&s->answer, &said);
}

static unsigned
count_digests(const struct transfer *t, const struct answer *of)
{
    unsigned n = 0;

    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        n += s->kind == SOURCE_CDN && s->node == NODE_KNOWN
             && s->answer.digest.len == of->digest.len
             && s->mirror == t->standard->mirror
             && answer_same_version(&s->answer, of);
    }
    return n;
}

/* What the origin publishes, at whichever node of the standard's version; what
 * most of them say. */
static void
take_digest(struct transfer *t)
{
    unsigned best = 0;

    if (t->standard == NULL || t->sum.len > 0) {
        return;
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];
        bool tells = s->kind == SOURCE_CDN && s->node == NODE_KNOWN
                     && s->answer.digest.len > 0
                     && s->mirror == t->standard->mirror
                     && answer_same_version(&s->answer, &t->standard->answer);
        unsigned n = tells ? count_digests(t, &s->answer) : 0;

        if (n > best) {
            best = n;
            t->sum = s->answer.digest;
        }
    }
}

static void
reject(struct source *s, const struct resource *r)
{
    uint64_t size = answer_size(&s->answer);

    if (size == ORIGIN_UNKNOWN) {
        node_failed(s, SHOAL_ENOAGREE, "does not tell the size");
    } else if (size != r->size) {
        node_failed(s, SHOAL_ENOAGREE, "other size: %" PRIu64, size);
    } else if (s->no_ranges) {
        node_failed(s, SHOAL_ENOAGREE, "no ranges");
    } else if (publishes_other(s->t, s)) {
        node_failed(s, SHOAL_ENOAGREE, "publishes another digest");
    } else {
        node_failed(s, SHOAL_ENOAGREE, "other version: %s mtime %" PRId64,
                    s->answer.etag, s->answer.mtime);
    }
    s->wasted += s->early_len;
}

/* Else blocks of two nodes are surely of one file only where they have a
 * validator in common, or a layer tells. */
bool
begin_has_version(const struct resource *r)
{
    return strncmp(r->version, "etag:", 5) == 0
           || strncmp(r->version, "mtime:", 6) == 0;
}

enum likeness {
    LIKE,      /* those that give blocks, or gave some */
    UNLIKE,    /* it shows another version */
    UNKNOWABLE /* nothing to compare it by */
};

static enum likeness
compare_with(const struct source *s, const struct source *other)
{
    if (!answer_same_version(&s->answer, &other->answer)) {
        return UNLIKE;
    }
    return answer_comparable(&s->answer, &other->answer) ? LIKE : UNKNOWABLE;
}

static bool
gives_blocks(const struct source *other, const struct source *s)
{
    return other->kind == SOURCE_CDN && other != s
           && other->mirror == s->mirror && (other->usable || other->used > 0);
}

/*
 * May it be taken beside the others? One that cannot be compared waits while
 * another one is in use; when it takes over, what that one gave is forgotten.
 */
static enum likeness
is_like_others(struct transfer *t, const struct source *s,
               const struct resource *r)
{
    enum likeness found = LIKE;

    for (size_t i = 0; i < t->n_sources && !begin_has_version(r); i++) {
        const struct source *other = t->sources[i];
        enum likeness like =
            gives_blocks(other, s) ? compare_with(s, other) : LIKE;

        if (like == UNLIKE) {
            return UNLIKE;
        }
        if (like == UNKNOWABLE && other->usable && t->trusted == NULL) {
            found = UNKNOWABLE;
        }
    }
    return found;
}

static void
disown_unlike(struct transfer *t, const struct source *s,
              const struct resource *r)
{
    for (size_t i = 0; i < t->n_sources && !begin_has_version(r); i++) {
        const struct source *other = t->sources[i];

        if (gives_blocks(other, s) && compare_with(s, other) == UNKNOWABLE) {
            fetch_disown(t, other);
        }
    }
}

void
begin_choose_open(struct transfer *t)
{
    const struct resource *r = t->o.want;

    if (r == NULL) {
        bool crowd = t->o.trackers != NULL && !t->o.unshared;

        t->open_end = crowd ? BLOCKMAP_BLOCK_MIN : UINT64_MAX;
        return;
    }
    if (t->o.resuming || r->size == 0) {
        return; /* HEAD alone */
    }
    uint64_t block = blockmap_block_size(r->size);
    uint64_t count = (r->size + block - 1) / block;
    uint64_t some = block > OPEN_BYTES ? block : OPEN_BYTES;

    t->open_from = count * t->o.start_permille / 1000 * block;
    t->open_end =
        r->size - t->open_from < some ? r->size : t->open_from + some;
}

/* One of a URL that is not the standard's. Other validators alone do not tell
 * other bytes: each server makes its own. */
static void
judge_mirror(struct transfer *t, struct source *s, const struct resource *r)
{
    bool fits =
        answer_size(&s->answer) == r->size && (!s->no_ranges || r->size == 0);

    if (!fits && !s->by_get) {
        if (s->probes == 0 && !s->asked_byte) {
            node_ask_byte(t, s);
        }
        return;
    }
    s->judged = true;
    if (!fits) {
        reject(s, r);
        return;
    }
    s->foreign = !mirror_agrees(t, s);
    s->usable = true;
    explain(t, s,
            s->foreign ? "taken, where its blocks can be checked: its "
                         "validators are not the standard's"
                       : "taken");
}

void
begin_judge(struct transfer *t, struct source *s, const struct resource *r)
{
    if (t->standard != NULL && s->mirror != t->standard->mirror) {
        judge_mirror(t, s, r);
        return;
    }
    bool agrees = answer_agrees(&s->answer, r->size, r->version)
                  && (!s->no_ranges || r->size == 0) && !publishes_other(t, s);

    if (!agrees && !s->by_get) {
        if (s->probes == 0 && !s->asked_byte) {
            node_ask_byte(t, s);
        }
        return;
    }
    enum likeness like = agrees ? is_like_others(t, s, r) : LIKE;

    if (like == UNKNOWABLE) {
        return; /* its turn may come */
    }
    s->judged = true;
    if (!agrees) {
        reject(s, r);
        return;
    }
    if (t->o.want != NULL && s->answer.no_share) {
        transfer_fail(t, SHOAL_EPRIVATE, "%s: private", s->name);
        return;
    }
    if (like == UNLIKE) {
        node_failed(s, SHOAL_ENOAGREE, "other version than the first node's");
        return;
    }
    disown_unlike(t, s, r);
    s->usable = true;
    explain(t, s, "taken");
}

void
begin_enlist(struct transfer *t, struct source *s)
{
    s->scheduled = schedule_add(t->schedule, SOURCE_CDN);
    if (s->scheduled < 0) {
        node_failed(s, SHOAL_ENOMEM, "out of memory");
        return;
    }
    schedule_latency(t->schedule, s->scheduled, s->round_trip_ms);
}

/* The stream that has been running since the first moment goes on. */
static void
adopt_stream(struct transfer *t, struct source *s, bool longest)
{
    struct job *job = standard_open_job(t, s);

    bool part =
        (t->open_from > 0 || t->open_end < t->map.size) && whole_wanted(t, s);
    bool fits = (t->o.want != NULL || t->o.start_permille == 0) && !part;

    if (longest && t->map.held == 0 && fits) {
        fetch_adopt(t, s, job);
        if (s->early_broke && patience_given(t)) {
            fetch_failed(t, s, SHOAL_ENET, "closed early");
        }
    } else {
        s->wasted += s->early_len;
        if (job != NULL) {
            job_end(job);
        }
    }
    free(s->early);
    s->early = NULL;
    s->early_len = s->early_cap = 0;
}

static void
adopt_streams(struct transfer *t)
{
    struct source *longest = NULL;

    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->opened && s->usable
            && trust_allows(t, s)
            && (longest == NULL || s->early_len > longest->early_len))
        {
            longest = s;
        }
    }
    if (longest != NULL) {
        adopt_stream(t, longest, true);
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->opened && !s->drop && s != longest) {
            adopt_stream(t, s, false);
        }
    }
}

/* A URL with user information is downloaded, but never shared nor named. */
static char *
without_user(const char *url, bool *had_user)
{
    const char *host = strstr(url, "://");
    char *text;

    host = host != NULL ? host + 3 : url;
    const char *at = memrchr(host, '@', strcspn(host, "/?#"));
    *had_user = at != NULL;
    if (at == NULL) {
        return strdup(url);
    }
    if (asprintf(&text, "%.*s%s", (int) (host - url), url, at + 1) < 0) {
        return NULL;
    }
    return text;
}

static int
copy_resource(struct transfer *t, const char *url, uint64_t size,
              const char *version)
{
    const char *provider = t->o.want != NULL ? t->o.want->provider : NULL;
    bool had_user;
    char *clean = without_user(url, &had_user);
    int err = SHOAL_ENOMEM;

    if (clean != NULL) {
        err = resource_init(&t->resource, clean, size, provider, version);
    }
    t->no_share = t->no_share || had_user;
    if (err != 0) {
        transfer_fail(t, err, "%s: %s",
                      t->standard != NULL ? t->standard->name : "resource",
                      shoal_strerror(err));
    }
    free(clean);
    return err;
}

static void
take_nodes(struct transfer *t, bool opened)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind != SOURCE_CDN || s->opened != opened) {
            continue;
        }
        if (s->node == NODE_KNOWN && !s->judged
            && (s->by_get || s->probes == 0)) {
            begin_judge(t, s, &t->resource);
        }
        if (s->usable && s->scheduled < 0) {
            begin_enlist(t, s);
        }
    }
}

/* What blocks are compared with, and whom they are told or served to. A
 * client that reads from CDN nodes alone needs no hashes; a tracker that
 * answers makes them needed (ask.c), or what comes in until then (swarm.c).
 * What went out in order cannot be read back. */
static bool
needs_hashes(const struct transfer *t)
{
    return t->o.want != NULL || t->documents[DOCUMENT_LAYER].url != NULL
           || (t->ordered && (t->o.port != 0 || t->n_trackers > 0));
}

void
begin_blocks(struct transfer *t, const char *url, uint64_t size,
             const char *version)
{
    int err = copy_resource(t, url, size, version);

    if (err == 0) {
        err = open_store(t);
    }

    if (err != 0) {
        transfer_fail(t, err, "cannot begin: %s", shoal_strerror(err));
        return;
    }
    take_digest(t);
    take_nodes(t, true); /* where one node alone is taken, not in vain */
    take_nodes(t, false);
    t->phase = PHASE_RUN;
    t->progress_ms = clock_ms();
    explain(t, NULL,
            "the standard: %" PRIu64 " bytes, %s; %" PRIu32 " of %" PRIu32
            " blocks are held already",
            size, version[0] != '\0' ? version : "no version", t->map.held,
            t->map.count);
    swarm_start(t);
    if (needs_hashes(t)) {
        intake_need_hashes(t);
    }
    adopt_streams(t);
    if (t->o.want != NULL) {
        t->open_end = 0; /* blocks are asked for from now on */
    }
}

static int
open_plain(struct transfer *t, struct source *s)
{
    if (t->sum.len > 0) {
        t->plain_sum = checksum_start(&t->sum);
        if (t->plain_sum == NULL) {
            transfer_fail(t, SHOAL_EVERIFY, "cannot compute %s here",
                          t->sum.algorithm);
            return t->error;
        }
    }
    int err = t->o.ops->begin_plain(t->o.ctx, s->url, t->plain_size);
    if (err != 0) {
        transfer_fail(t, err, "cannot begin: %s", shoal_strerror(err));
        return err;
    }
    stream_begin(t);
    stream_step(t);
    return t->error;
}

static void
adopt_plain(struct source *s, struct job *job)
{
    job->kind = JOB_PLAIN;
    s->probes--;
    if (job->paused) {
        job->paused = false;
        http_resume(job->http);
    }
}

/* What the first GET brought so far, then what it still brings. */
static void
go_on_plain(struct transfer *t, struct source *s)
{
    struct job *job = standard_open_job(t, s);
    int err = 0;

    if (job == NULL && !s->opened) {
        node_open(t, s);
        job = standard_open_job(t, s);
    }
    if (s->early_len > 0) {
        err = node_write_plain(t, s->early, s->early_len);
    }
    s->used = s->early_len;
    free(s->early);
    s->early = NULL;
    s->early_len = s->early_cap = 0;
    if (job != NULL) {
        adopt_plain(s, job);
    } else {
        node_end_plain(t, s, s->early_broke ? SHOAL_ENET : err,
                       "connection closed early");
    }
}

void
begin_plain(struct transfer *t, struct source *s)
{
    if (t->o.ops->begin_plain == NULL) {
        transfer_fail(t, SHOAL_ENOAGREE, "%s: no size or no ranges", s->name);
        return;
    }
    if (t->o.layer != NULL && strcmp(t->o.layer, "auto") != 0) {
        transfer_fail(
            t, SHOAL_EVERIFY,
            "%s: no size or no ranges: cannot check against the piece layer",
            s->name);
        return;
    }
    t->phase = PHASE_PLAIN;
    t->standard = s;
    explain(t, s,
            "no size or no ranges: the file comes from here, as one "
            "plain stream");
    t->plain_size = answer_size(&s->answer);
    if (t->plain_size == ORIGIN_UNKNOWN && t->o.size != 0) {
        t->plain_size = t->o.size;
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        if (t->sources[i] != s) {
            source_drop(t->sources[i]);
        }
    }
    if (t->sum.len == 0) {
        t->sum = s->answer.digest;
    }
    if (open_plain(t, s) == 0) {
        go_on_plain(t, s);
    }
}

void
begin_again(struct transfer *t)
{
    struct source *s = t->standard;

    if (s->opened || clock_ms() < s->retry_ms) {
        return;
    }
    if (open_plain(t, s) == 0) {
        node_open(t, s);
        struct job *job = standard_open_job(t, s);
        if (job != NULL) {
            adopt_plain(s, job);
        }
    }
}

void
begin_forget(struct transfer *t)
{
    job_end_all(t);
    stream_forget(t);
    intake_close(t);
    t->hashing = false;
    schedule_free(t->schedule);
    for (size_t i = 0; i < t->n_sources; i++) {
        t->sources[i]->scheduled = -1;
        t->sources[i]->foreign = false;
        memset(t->sources[i]->samples, 0, sizeof(t->sources[i]->samples));
    }
    blockmap_fini(&t->map);
    resource_fini(&t->resource);
    free(t->layer);
    free(t->from);
    free(t->trusted);
    free(t->suspects);
    t->schedule = NULL;
    t->layer = t->trusted = NULL;
    t->from = NULL;
    t->suspects = NULL;
    t->n_suspects = 0;
    t->standard = NULL;
    t->some_chosen = t->sampled = t->fits_root = false;
    t->solo = NULL;
    t->doubted = false;
    t->cdn_only = true;
    t->o.unshared = true;
    for (size_t i = 0; i < t->n_trackers; i++) {
        free(t->trackers[i].url);
        lookup_free(t->trackers[i].lookup);
    }
    memset(t->trackers, 0, sizeof(t->trackers));
    t->n_trackers = 0;
    t->has_id = t->has_tracker_root = t->has_dropped_root = false;
    t->has_doubted_root = false;
    document_forget(t);
    memset(&t->sum, 0, sizeof(t->sum)); /* the origin's was that version's */
    if (t->o.checksum != NULL) {
        t->sum = *t->o.checksum;
    }
    if (t->o.pieces == NULL) {
        free(t->pieces.hashes);
        memset(&t->pieces, 0, sizeof(t->pieces));
    }
    t->piece_tries = 0;
    t->phase = PHASE_PROBE;
}
