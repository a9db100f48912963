/* standard.c - which version of the file counts, and which CDN nodes are
 * taken for it (DESIGN: "One download, step by step"). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shoal.h"
#include "transfer_internal.h"

enum {
    DECIDE_MS = 1500, /* then those that answered decide */
    OPEN_MS = 1000,   /* a first GET without an answer gets company */
    NODES_MAX = 4     /* read from at once, unless told otherwise */
};

struct tally {
    const struct answer *answers[SOURCES_MAX];
    struct source *sources[SOURCES_MAX];
    size_t n;
    size_t pending; /* nodes that may still answer */
    size_t probed;
    size_t busy;           /* nodes with a probe under way */
    struct source *fresh;  /* a node that was not asked yet */
    struct source *failed; /* one that failed, the most telling */
    struct source *sizeless;
};

/* An HTTP status tells a user more than a broken connection does. */
static bool
more_telling(const struct source *a, const struct source *b)
{
    return b == NULL || (b->error == SHOAL_ENET && a->error != SHOAL_ENET);
}

static void
count(const struct transfer *t, struct tally *c)
{
    memset(c, 0, sizeof(*c));
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind != SOURCE_CDN) {
            continue;
        }
        c->probed += s->node != NODE_NEW && s->node != NODE_REDIRECT;
        c->busy += s->probes > 0;
        if (s->node == NODE_NEW && c->fresh == NULL) {
            c->fresh = s;
        } else if (s->node == NODE_PROBING
                   || (s->node == NODE_REDIRECT && !s->followed))
        {
            c->pending++;
        } else if (s->node == NODE_FAILED && more_telling(s, c->failed)) {
            c->failed = s;
        } else if (s->node == NODE_KNOWN
                   && answer_size(&s->answer) == ORIGIN_UNKNOWN) {
            c->sizeless = s;
        } else if (s->node == NODE_KNOWN) {
            c->sources[c->n] = s;
            c->answers[c->n++] = &s->answer;
        }
    }
}

static void
fail_all(struct transfer *t, const struct source *failed)
{
    if (failed == NULL) {
        transfer_fail(t, SHOAL_ENET, "%s: no CDN node", t->o.url);
        return;
    }
    transfer_fail(t, failed->error, "%s: %s", failed->name, failed->state);
}

static struct job *
find_open(const struct transfer *t, const struct source *s)
{
    for (struct job *job = t->jobs; job != NULL; job = job->next) {
        if (job->kind == JOB_OPEN && (s == NULL || job->source == s)) {
            return job;
        }
    }
    return NULL;
}

/*
 * One first GET is under way from the first moment; a second one when the
 * first fails or tells nothing for a while.
 */
static void
keep_open(struct transfer *t)
{
    uint64_t now = now_ms();
    bool live = false;

    for (struct job *job = t->jobs; job != NULL; job = job->next) {
        if (job->kind == JOB_OPEN && !job->source->drop
            && (job->answered || now - job->start_ms < OPEN_MS))
        {
            live = true;
        }
    }
    for (size_t i = 0; !live && i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind != SOURCE_CDN || s->drop) {
            continue;
        }
        if (s->opened && s->node == NODE_KNOWN) {
            return; /* it is over already: a small file */
        }
        if (!s->opened && !s->by_get
            && (s->node == NODE_NEW || s->node == NODE_PROBING
                || s->node == NODE_KNOWN))
        {
            node_open(t, s);
            if (s->probes == 1) {
                node_probe(t, s);
            }
            return;
        }
    }
}

static void
probe_others(struct transfer *t)
{
    struct tally c;

    count(t, &c);
    while (c.fresh != NULL && c.probed < PROBE_NODES) {
        node_probe(t, c.fresh);
        count(t, &c);
    }
}

/* What was held before this run is hashed unless its hashes came along. */
static int
hash_held(struct transfer *t)
{
    uint8_t *buf = NULL;
    int err = 0;

    for (uint32_t i = 0; err == 0 && i < t->map.count; i++) {
        uint8_t *hash = t->layer + (size_t) i * DIGEST_LEN;
        size_t len = blockmap_length(&t->map, i);

        if (!blockmap_has(&t->map, i) || !digest_is_zero(hash)) {
            continue;
        }
        if (buf == NULL) {
            buf = malloc(t->map.block_size);
            if (buf == NULL) {
                return SHOAL_ENOMEM;
            }
        }
        err = t->store.ops->read(t->store.ctx, blockmap_offset(&t->map, i),
                                 buf, len);
        if (err == 0) {
            err = digest_block(buf, len, t->map.size, t->map.block_size, hash);
        }
    }
    free(buf);
    return err;
}

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
    err = hash_held(t);
    if (err != 0) {
        return err;
    }
    t->schedule =
        schedule_create(&t->map, (uint32_t) ((uint64_t) t->map.count
                                             * t->o.start_permille / 1000));
    return t->schedule != NULL ? 0 : SHOAL_ENOMEM;
}

static unsigned
usable_nodes(const struct transfer *t)
{
    unsigned n = 0;

    for (size_t i = 0; i < t->n_sources; i++) {
        n += t->sources[i]->kind == SOURCE_CDN && t->sources[i]->usable;
    }
    return n;
}

static unsigned
wanted_nodes(const struct transfer *t)
{
    if (t->o.nodes != 0) {
        return t->o.nodes;
    }
    return t->o.want != NULL ? 1 : NODES_MAX;
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
    } else {
        node_failed(s, SHOAL_ENOAGREE, "other version: %s mtime %" PRId64,
                    s->answer.etag, s->answer.mtime);
    }
    s->wasted += s->early_len;
}

/*
 * Take or reject a node that has answered. A HEAD that contradicts is asked
 * again by a GET: some heads lie (FIELD.md, lesson 3).
 */
static void
judge(struct transfer *t, struct source *s, const struct resource *r)
{
    bool agrees = answer_agrees(&s->answer, r->size, r->version)
                  && (!s->no_ranges || r->size == 0);

    if (!agrees && !s->by_get) {
        if (s->probes == 0 && !s->asked_byte) {
            node_ask_byte(t, s);
        }
        return;
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
    s->usable = true;
}

static void
enlist(struct transfer *t, struct source *s)
{
    s->scheduled = schedule_add(t->schedule, SOURCE_CDN);
    if (s->scheduled < 0) {
        node_failed(s, SHOAL_ENOMEM, "out of memory");
    }
}

/* The stream that has been running since the first moment goes on. */
static void
adopt_open(struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];
        struct job *job = find_open(t, s);

        if (s->kind != SOURCE_CDN || !s->opened || s->drop) {
            continue;
        }
        if (t->map.held == 0 && t->o.start_permille == 0 && s->usable) {
            fetch_adopt(t, s, job);
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
}

static void
begin(struct transfer *t)
{
    int err = open_store(t);

    if (err != 0) {
        transfer_fail(t, err, "%s: %s", t->o.url, shoal_strerror(err));
        return;
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind != SOURCE_CDN) {
            continue;
        }
        if (s->node == NODE_KNOWN && !s->judged
            && (s->by_get || s->probes == 0)) {
            judge(t, s, &t->resource);
        }
        if (s->usable && s->scheduled < 0) {
            enlist(t, s);
        }
    }
    t->phase = PHASE_RUN;
    swarm_start(t);
    adopt_open(t);
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
begin_plain(struct transfer *t, struct source *s)
{
    struct job *job = find_open(t, s);
    int err;

    if (t->o.ops->begin_plain == NULL) {
        transfer_fail(t, SHOAL_ENOAGREE, "%s: no size or no ranges", s->name);
        return;
    }
    t->phase = PHASE_PLAIN;
    t->standard = s;
    t->plain_size = answer_size(&s->answer);
    for (size_t i = 0; i < t->n_sources; i++) {
        if (t->sources[i] != s) {
            source_drop(t->sources[i]);
        }
    }
    err = t->o.ops->begin_plain(t->o.ctx, s->url, t->plain_size);
    if (err == 0 && s->early_len > 0) {
        err = t->o.ops->write_plain(t->o.ctx, s->early, s->early_len);
    }
    if (err != 0) {
        transfer_fail(t, err, "%s: %s", t->o.url, shoal_strerror(err));
        return;
    }
    t->plain_got = s->used = s->early_len;
    if (job != NULL) {
        job->kind = JOB_PLAIN;
        s->probes--;
        if (job->paused) {
            http_resume(job->http);
        }
    } else if (s->early_broke
               || (t->plain_size != ORIGIN_UNKNOWN
                   && t->plain_got != t->plain_size))
    {
        transfer_fail(t, SHOAL_ENET, "%s: connection closed early", s->name);
    } else {
        t->phase = PHASE_DONE;
    }
}

/*
 * The standard's nodes: does one of them serve ranges? If it is not known,
 * one is asked. If none does, the file comes as one plain stream.
 */
static void
settle(struct transfer *t, const struct tally *c, size_t standard)
{
    struct source *s = c->sources[standard], *opened = NULL, *closed = NULL;
    char version[RESOURCE_VERSION_MAX + 1];
    bool ranges = answer_size(&s->answer) == 0, waiting = false;

    for (size_t i = 0; i < c->n; i++) {
        struct source *other = c->sources[i];

        if (!answer_same_version(&s->answer, &other->answer)) {
            continue;
        }
        ranges = ranges || other->ranges;
        if (other->opened) {
            opened = other;
            waiting =
                waiting || (!other->by_get && find_open(t, other) != NULL);
        } else if (!other->by_get) {
            closed = other;
        }
    }
    if (ranges) {
        origin_version(c->answers, c->n, standard, version);
        t->standard = s;
        if (copy_resource(t, t->o.url, answer_size(&s->answer), version) == 0)
        {
            begin(t);
        }
    } else if (waiting) {
        return; /* a first GET has yet to tell */
    } else if (closed != NULL) {
        node_open(t, closed);
    } else if (opened != NULL) {
        begin_plain(t, opened);
    } else {
        fail_all(t, s);
    }
}

static void
find_standard(struct transfer *t)
{
    struct tally c;

    probe_others(t);
    keep_open(t);
    count(t, &c);
    bool waited = now_ms() - t->start_ms > DECIDE_MS;

    if (c.n == 0) {
        if (c.sizeless != NULL && (c.pending == 0 || waited)) {
            begin_plain(t, c.sizeless);
        } else if (c.pending == 0 && c.fresh == NULL) {
            fail_all(t, c.failed);
        }
        return;
    }
    if (c.pending == 0 || waited || origin_majority(c.answers, c.n, c.pending))
    {
        settle(t, &c, origin_standard(c.answers, c.n));
    }
}

/* What no node agrees with is refused; the words name the last one. */
static void
fail_want(struct transfer *t, const struct tally *c)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->error == SHOAL_ENOAGREE) {
            transfer_fail(t, SHOAL_ENOAGREE, "no node agrees: %s: %s", s->name,
                          s->state);
            return;
        }
    }
    fail_all(t, c->failed);
}

/* One node after the other, until one agrees with what is wanted. */
static void
find_agreeing(struct transfer *t)
{
    const struct resource *r = t->o.want;
    struct tally c;

    count(t, &c);
    for (size_t i = 0; i < c.n; i++) {
        if (!c.sources[i]->judged) {
            judge(t, c.sources[i], r);
        }
    }
    if (c.sizeless != NULL && c.sizeless->by_get) {
        judge(t, c.sizeless, r);
    }
    if (t->error != 0) {
        return;
    }
    if (usable_nodes(t) > 0) {
        if (copy_resource(t, r->url, r->size, r->version) == 0) {
            begin(t);
        }
        return;
    }
    count(t, &c);
    if (c.pending > 0 || c.n > 0) {
        return;
    }
    if (c.fresh != NULL) {
        node_probe(t, c.fresh);
    } else {
        fail_want(t, &c);
    }
}

void
standard_step(struct transfer *t)
{
    if (t->o.want != NULL) {
        find_agreeing(t);
    } else {
        find_standard(t);
    }
}

static bool
others_can_give(const struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->kind != SOURCE_CDN && s->usable && trust_allows(t, s)) {
            return true;
        }
    }
    return false;
}

void
standard_more(struct transfer *t)
{
    struct tally c;

    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->node == NODE_KNOWN && !s->judged
            && s->probes == 0 && usable_nodes(t) < wanted_nodes(t))
        {
            judge(t, s, &t->resource);
            if (s->usable) {
                enlist(t, s);
            }
        }
    }
    count(t, &c);
    unsigned usable = usable_nodes(t);
    unsigned enough = t->o.want != NULL ? wanted_nodes(t) : 1;

    if (usable < enough && c.pending == 0 && c.fresh != NULL) {
        node_probe(t, c.fresh);
    } else if (usable == 0 && c.pending == 0 && c.fresh == NULL
               && !others_can_give(t))
    {
        fail_all(t, c.failed);
    }
}
