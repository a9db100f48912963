/* swarm.c - the tracker, and what super peers and peers have. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer.h"
#include "shoal.h"
#include "tracker.h"
#include "transfer_internal.h"

enum {
    TRACKER_MS = 20000, /* an answer may be held that long */
    LEAVE_MS = 300,     /* for taking us off the list at the end */
    RETRY_MS = 2000,    /* a tracker that failed; doubled each time */
    RETRY_MAX_MS = 60000,
    REFUSED_MS = 300000, /* one that does not want us */
    HAVE_MS = 250,       /* how often a source that fills is asked */
    HAVE_FAILED_MS = 1000,
    HASHES_MS = 500,
    SMALL_MS = 5000 /* bitmap and hashes must come within */
};

static bool
add_tracker(struct transfer *t, const char *url)
{
    for (size_t i = 0; i < t->n_trackers; i++) {
        if (strcmp(t->trackers[i].url, url) == 0) {
            return true;
        }
    }
    if (t->n_trackers == TRACKERS_MAX) {
        return false;
    }
    char *copy = strdup(url);
    if (copy == NULL) {
        return false;
    }
    t->trackers[t->n_trackers++].url = copy;
    return true;
}

static void
read_layer_file(struct transfer *t, const char *path)
{
    uint8_t *data = malloc(LAYER_FILE_MAX), *hashes = NULL;
    uint8_t root[DIGEST_LEN];
    FILE *f = fopen(path, "re");
    int err = SHOAL_EIO;

    if (f != NULL && data != NULL) {
        size_t len = fread(data, 1, LAYER_FILE_MAX, f);

        err = layer_parse(data, len, t->map.size, &hashes, root);
    }
    if (err != 0) {
        transfer_fail(t, err, "%s: %s", path,
                      f == NULL              ? "cannot open"
                      : err == SHOAL_EVERIFY ? "is for a file of another size"
                                             : "not a piece layer file");
    } else if (hashes != NULL) {
        trust_adopt(t, hashes, root, true);
    }
    if (f != NULL) {
        fclose(f);
    }
    free(data);
}

/* URL.shoal, in front of the query. */
static char *
beside(const char *url)
{
    char *text;
    int path = (int) strcspn(url, "?#");

    return asprintf(&text, "%.*s.shoal%s", path, url, url + path) < 0 ? NULL
                                                                      : text;
}

static void
start_layer(struct transfer *t)
{
    const char *o = t->o.layer;
    const struct answer *a = t->standard != NULL ? &t->standard->answer : NULL;

    if (t->map.count == 0 || a == NULL) {
        return;
    }
    if (o != NULL && strcmp(o, "auto") != 0) {
        if (strncmp(o, "http://", 7) != 0 && strncmp(o, "https://", 8) != 0) {
            read_layer_file(t, o);
            return;
        }
        t->layer_url = strdup(o);
    } else if (a->layer[0] != '\0') {
        t->layer_url = http_join(t->standard->url, a->layer);
    } else if (o != NULL) {
        t->layer_url = beside(t->standard->url);
    }
}

void
swarm_start(struct transfer *t)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        if (s->kind == SOURCE_CDN && s->usable && s->answer.no_share) {
            t->no_share = true;
        }
    }
    if (t->standard != NULL && t->sum.len == 0) {
        t->sum = t->standard->answer.digest;
    }
    start_layer(t);
    if (t->o.unshared || t->no_share || t->o.want != NULL || t->map.count == 0)
    {
        return;
    }
    const char *const *list = t->o.trackers;
    while (list != NULL && *list != NULL) {
        add_tracker(t, *list++);
    }
    if (t->standard != NULL && t->standard->answer.tracker[0] != '\0') {
        add_tracker(t, t->standard->answer.tracker);
    }
}

/* Pins a request by name where the user overrode that name. */
static void
override(const struct transfer *t, struct http_options *o,
         struct node_addr *addrs)
{
    char host[256];
    uint16_t port;
    size_t n;

    if (http_split(o->url, host, sizeof(host), &port) == 0
        && resolve_override(t->o.resolve, host, port, addrs, &n) == 0)
    {
        o->addr = &addrs[0];
    }
}

static void
ask_tracker(struct transfer *t, unsigned index, const char *event,
            unsigned total_ms)
{
    struct tracker_state *tr = &t->trackers[index];
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    struct tracker_ask ask = { .resource = &t->resource,
                               .left = t->map.size - transfer_held(t),
                               .port = t->o.port,
                               .event = event };
    uint64_t sums[3] = { 0 };

    for (size_t i = 0; i < t->n_sources; i++) {
        const struct source *s = t->sources[i];

        sums[s->kind == SOURCE_SUPER  ? 0
             : s->kind == SOURCE_PEER ? 1
                                      : 2] += s->used;
    }
    for (size_t i = 0; i < 3; i++) {
        ask.got[i] = sums[i] > tr->told[i] ? sums[i] - tr->told[i] : 0;
        tr->told[i] = sums[i];
    }
    char *url = tracker_url(tr->url, &ask);
    struct http_options o = { .url = url, .total_ms = total_ms };
    struct job *job = NULL;
    if (url != NULL) {
        override(t, &o, addrs);
        job = job_start(t, JOB_TRACKER, NULL, &o);
    }
    free(url);
    if (job == NULL) {
        tr->ask_ms = now_ms() + REFUSED_MS;
        return;
    }
    job->body_max = TRACKER_ANSWER_MAX;
    job->tracker = index;
    tr->asked = true;
    tr->registered = t->o.port != 0;
}

static void
tracker_failed(struct tracker_state *tr, const struct job *job,
               const char *why)
{
    uint64_t wait = RETRY_MS;

    for (unsigned i = 0; i < tr->failures && wait < RETRY_MAX_MS; i++) {
        wait *= 2;
    }
    tr->failures++;
    if (job->answered && job->answer.status != 200) {
        snprintf(tr->state, sizeof(tr->state), "HTTP %u", job->answer.status);
        if (job->answer.status < 500) {
            wait = REFUSED_MS;
        }
    } else {
        snprintf(tr->state, sizeof(tr->state), "%s", why);
    }
    tr->ask_ms = now_ms() + wait;
}

static struct source *
find_source(struct transfer *t, enum source_kind kind, const char *url)
{
    for (size_t i = 0; i < t->n_sources; i++) {
        struct source *s = t->sources[i];

        if (s->kind == kind && strcmp(s->url, url) == 0) {
            return s;
        }
    }
    return NULL;
}

static void
take_source(struct transfer *t, enum source_kind kind, const char *url,
            bool complete)
{
    struct source *s = find_source(t, kind, url);

    if (s == NULL) {
        s = source_add(t, kind, url);
        if (s == NULL) {
            return;
        }
        s->scheduled = schedule_add(t->schedule, kind);
        s->usable =
            s->scheduled >= 0 && blockmap_init(&s->have, t->map.size) == 0;
        const char *name = strstr(url, "://");
        name = name != NULL ? name + 3 : url;
        snprintf(s->name, sizeof(s->name), "%.*s", (int) strcspn(name, "/?"),
                 name);
    } else if (complete == s->complete || s->drop) {
        return;
    }
    if (complete) {
        s->complete = true;
    }
    swarm_refresh(t, s);
}

static void
take_answer(struct transfer *t, struct tracker_state *tr,
            const struct tracker_answer *a)
{
    char url[128];

    if (!t->has_id) {
        memcpy(t->id, a->id, sizeof(t->id));
        t->has_id = true;
        if (t->o.ops->identified != NULL) {
            t->o.ops->identified(t->o.ctx, t->id);
        }
    } else if (memcmp(t->id, a->id, sizeof(t->id)) != 0) {
        snprintf(tr->state, sizeof(tr->state), "gives another id");
        return;
    }
    if (a->has_root) {
        trust_tracker_root(t, a->root);
    }
    for (size_t i = 0; i < a->n_super; i++) {
        take_source(t, SOURCE_SUPER, a->super[i].url, a->super[i].ready);
    }
    for (size_t i = 0; i < a->n_peers; i++) {
        snprintf(url, sizeof(url), "http://%s", a->peers[i].addr);
        take_source(t, SOURCE_PEER, url, a->peers[i].complete);
    }
}

static void
tracker_done(struct job *job, int err, const char *why)
{
    struct transfer *t = job->t;
    struct tracker_state *tr = &t->trackers[job->tracker];
    char words[sizeof(tr->state)];

    tr->asked = false;
    if (t->phase != PHASE_RUN) {
        return;
    }
    struct tracker_answer *a = malloc(sizeof(*a));
    if (a == NULL) {
        err = SHOAL_ENOMEM;
    }
    if (err == 0 && job->answer.status == 200) {
        err = tracker_parse((const char *) job->buf, job->len, a, words,
                            sizeof(words));
        why = words;
    } else if (err == 0) {
        err = SHOAL_EHTTP;
    }
    if (err != 0) {
        tracker_failed(tr, job, why);
    } else {
        tr->failures = 0;
        tr->state[0] = '\0';
        tr->ask_ms = now_ms() + a->interval * 1000;
        take_answer(t, tr, a);
    }
    free(a);
}

/* What the source can give us and we can check, for the schedule. */
void
swarm_refresh(struct transfer *t, struct source *s)
{
    bool all = t->trusted != NULL || t->sum.len > 0;
    struct blockmap can = { 0 };

    if (s->drop || s->scheduled < 0) {
        return;
    }
    if (all) {
        if (schedule_have(t->schedule, s->scheduled,
                          s->complete ? NULL : s->have.bits)
            != 0)
        {
            node_failed(s, SHOAL_ENOMEM, "out of memory");
        }
        return;
    }
    if (blockmap_init(&can, t->map.size) != 0) {
        return;
    }
    for (uint32_t i = 0; s->hashes != NULL && i < can.count; i++) {
        if ((s->complete || blockmap_has(&s->have, i))
            && !digest_is_zero(s->hashes + (size_t) i * DIGEST_LEN))
        {
            blockmap_set(&can, i);
        }
    }
    if (schedule_have(t->schedule, s->scheduled, can.bits) != 0) {
        node_failed(s, SHOAL_ENOMEM, "out of memory");
    }
    blockmap_fini(&can);
}

char *
swarm_url(const struct transfer *t, const struct source *s, const char *what)
{
    char hex[RESOURCE_ID_HEX], *url;

    resource_id_hex(t->id, hex);
    int base = (int) strcspn(s->url, "?");
    while (base > 0 && s->url[base - 1] == '/') {
        base--;
    }
    if (asprintf(&url, "%.*s/blocks/%s%s%s", base, s->url, hex, what,
                 s->url + strcspn(s->url, "?"))
        < 0)
    {
        return NULL;
    }
    return url;
}

static bool
ask_small(struct transfer *t, struct source *s, enum job_kind kind)
{
    bool hashes = kind == JOB_HASHES;
    char *url = swarm_url(t, s, hashes ? "/hashes" : "/have");
    struct http_options o = { .url = url, .total_ms = SMALL_MS };
    struct job *job = url != NULL ? job_start(t, kind, s, &o) : NULL;

    free(url);
    if (job == NULL) {
        return false;
    }
    job->body_max =
        hashes ? (size_t) t->map.count * DIGEST_LEN : blockmap_bytes(&t->map);
    return true;
}

/* Hashes are worth asking for where no layer is trusted yet, and the source
 * knows more than when it was asked last. */
static bool
wants_hashes(const struct transfer *t, const struct source *s)
{
    uint32_t held = s->complete ? t->map.count : s->have.held;

    if (t->trusted != NULL || s->asked_hashes || held <= s->hashes_held
        || now_ms() < s->hashes_ms)
    {
        return false;
    }
    return s->kind == SOURCE_SUPER || (t->has_tracker_root && s->complete);
}

static void
tick_source(struct transfer *t, struct source *s)
{
    uint64_t now = now_ms();

    if (s->kind == SOURCE_CDN || !s->usable) {
        return;
    }
    if (!s->complete && !s->asked_have && now >= s->have_ms) {
        s->asked_have = ask_small(t, s, JOB_HAVE);
    }
    if (wants_hashes(t, s)) {
        s->asked_hashes = ask_small(t, s, JOB_HASHES);
        s->hashes_ms = now + HASHES_MS;
    }
}

static void
ask_layer(struct transfer *t)
{
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    struct http_options o = { .url = t->layer_url, .total_ms = SMALL_MS };
    char host[256], node_host[256];
    uint16_t port, node_port;

    t->layer_asked = true;
    override(t, &o, addrs);
    if (t->standard->pinned
        && http_split(t->layer_url, host, sizeof(host), &port) == 0
        && http_split(t->standard->url, node_host, sizeof(node_host),
                      &node_port)
               == 0
        && strcmp(host, node_host) == 0 && port == node_port)
    {
        o.addr = &t->standard->addr; /* a node that is not stale */
    }
    struct job *job = job_start(t, JOB_LAYER, NULL, &o);
    if (job != NULL) {
        job->body_max = LAYER_FILE_MAX;
    }
}

void
swarm_tick(struct transfer *t)
{
    uint64_t now = now_ms();

    if (t->layer_url != NULL && !t->layer_asked) {
        ask_layer(t);
    }
    for (unsigned i = 0; i < t->n_trackers; i++) {
        struct tracker_state *tr = &t->trackers[i];

        if (!tr->asked && now >= tr->ask_ms) {
            ask_tracker(t, i, tr->ask_ms == 0 ? "started" : NULL, TRACKER_MS);
        }
    }
    for (size_t i = 0; i < t->n_sources; i++) {
        tick_source(t, t->sources[i]);
    }
}

void
swarm_leave(struct transfer *t)
{
    uint64_t end = now_ms() + LEAVE_MS;

    for (unsigned i = 0; i < t->n_trackers; i++) {
        if (t->trackers[i].registered) {
            ask_tracker(t, i, "stopped", LEAVE_MS);
        }
    }
    while (t->jobs != NULL && now_ms() < end && http_poll(t->http, 50) == 0) {
    }
    job_end_all(t);
}

int
swarm_headers(struct job *job)
{
    (void) job;
    return 0;
}

int
swarm_data(struct job *job, const uint8_t *data, size_t len)
{
    return job_keep(job, data, len);
}

static void
have_done(struct job *job, int err)
{
    struct source *s = job->source;
    struct transfer *t = job->t;
    uint32_t before = s->have.held;

    s->asked_have = false;
    if (err == SHOAL_ENET && !job->answered && ++s->failures >= STRIKES_MAX) {
        node_failed(s, err, "no answer");
        return;
    }
    if (err != 0 || job->answer.status != 200
        || blockmap_load(&s->have, job->buf, job->len) != 0)
    {
        s->have_ms = now_ms() + HAVE_FAILED_MS;
        return;
    }
    s->have_ms = now_ms() + HAVE_MS;
    if (blockmap_complete(&s->have)) {
        s->complete = true;
    }
    if (s->have.held != before) {
        swarm_refresh(t, s);
    }
}

static void
hashes_done(struct job *job, int err)
{
    struct source *s = job->source;
    struct transfer *t = job->t;
    uint32_t known = 0;

    s->asked_hashes = false;
    if (err != 0 || job->answer.status != 200 || job->len != job->body_max) {
        return;
    }
    free(s->hashes);
    s->hashes = job->buf;
    job->buf = NULL;
    job->len = job->cap = 0;
    for (uint32_t i = 0; i < t->map.count; i++) {
        known += !digest_is_zero(s->hashes + (size_t) i * DIGEST_LEN);
    }
    s->hashes_held = known;
    trust_hashes(t, s);
}

static void
layer_done(struct job *job, int err, const char *why)
{
    struct transfer *t = job->t;
    bool asked = t->o.layer != NULL && strcmp(t->o.layer, "auto") != 0;
    uint8_t *hashes = NULL, root[DIGEST_LEN];

    if (err == 0 && job->answer.status != 200) {
        err = job->answer.status == 404 ? SHOAL_ENOTFOUND : SHOAL_EHTTP;
        why = "piece layer is not there";
    } else if (err == 0) {
        err = layer_parse(job->buf, job->len, t->map.size, &hashes, root);
        why = err == SHOAL_EVERIFY ? "piece layer of another size"
                                   : "not a piece layer file";
    }
    if (err == 0 && hashes != NULL) {
        trust_adopt(t, hashes, root, asked);
    } else if (err != 0 && asked) {
        transfer_fail(t, err, "%s: %s", t->layer_url, why);
    }
}

void
swarm_done(struct job *job, int err, const char *why)
{
    switch (job->kind) {
    case JOB_TRACKER:
        tracker_done(job, err, why);
        break;
    case JOB_HAVE:
        have_done(job, err);
        break;
    case JOB_HASHES:
        hashes_done(job, err);
        break;
    default:
        layer_done(job, err, why);
        break;
    }
}
