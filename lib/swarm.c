/* swarm.c - what super peers and peers have. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "document.h"
#include "explain_transfer.h"
#include "fetch.h"
#include "follow.h"
#include "intake.h"
#include "job.h"
#include "node.h"
#include "peers.h"
#include "published.h"
#include "shoal.h"
#include "swarm.h"
#include "ticket.h"
#include "transfer_internal.h"
#include "trust.h"

enum {
    HASHES_MS = 50,     /* between two questions for hashes that are new */
    HASHES_A_MS = 32,   /* to look at, of large files */
    FAILED_MS = 500,    /* when it told nothing new */
    SMALL_MS = 5000,    /* hashes must come within */
    RENEW_MS = 5000,    /* a URL with a new ticket may take that long */
    OWN_TICKET_S = 300, /* for what is under way */
    CLOCKS_S = 60,      /* that the other's clock may be ahead */
    LATE_MIB = 32       /* come without hashes before a tracker answers: soon
                           read back then */
};

/* They can be checked only where a root is known. */
static void
take_supers(struct transfer *t)
{
    const char *const *list = t->o.supers;

    if (t->o.want == NULL || t->o.root == NULL || list == NULL || t->no_share
        || t->map.count == 0)
    {
        return;
    }
    memcpy(t->id, t->o.want->id, sizeof(t->id));
    t->has_id = true;
    trust_tracker_root(t, t->o.root, 0);
    while (*list != NULL) {
        ask_take(t, SOURCE_SUPER, *list++, false);
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
    if (t->no_share) {
        explain(t, NULL,
                "not shared: the origin forbids it, or knows its user");
    }
    published_start(t);
    peers_start(t);
    if (!t->o.unshared && !t->no_share && t->o.want == NULL
        && t->map.count > 0) {
        ask_start(t);
    }
    take_supers(t);
}

bool
swarm_checks_all(const struct transfer *t)
{
    return t->trusted != NULL || trust_has_sum(t);
}

static bool
knows_hash(const struct source *s, uint32_t block)
{
    return s->hashes != NULL && !digest_is_zero(digest_at(s->hashes, block));
}

/* What the source can give us and we can check, for the schedule. */
void
swarm_refresh(struct transfer *t, struct source *s)
{
    struct blockmap can = { 0 };

    if (s->drop || s->scheduled < 0) {
        return;
    }
    if ((swarm_checks_all(t) || trust_waived(t, s)) && !s->refused) {
        if (schedule_have(t->schedule, s->scheduled,
                          s->complete ? NULL : s->its.have.bits)
            != 0)
        {
            node_failed(s, SHOAL_ENOMEM, "out of memory");
        }
        return;
    }
    if (blockmap_init(&can, t->map.size) != 0) {
        return;
    }
    bool some = !s->refused && trust_allows(t, s);
    for (uint32_t i = 0; some && i < can.count; i++) {
        if ((s->complete || blockmap_has(&s->its.have, i))
            && (s->kind == SOURCE_PEER ? trust_vouched(t, i)
                                       : knows_hash(s, i)))
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

void
swarm_lost(struct transfer *t, struct source *s)
{
    follow_lost(t, s);
    peers_lied(s, t->map.block_size);
}

/* A tracker gave leave, with a ticket of our keys, whose time is over? */
static bool
has_expired(const struct transfer *t, const char *ticket, uint64_t now)
{
    return *ticket != '\0'
           && ticket_check(t->o.tickets, t->id, ticket, 0) == NULL
           && ticket_check(t->o.tickets, t->id, ticket, now + CLOCKS_S)
                  != NULL;
}

/* A super peer that has keys needs no tracker for that; but nobody gets a
 * ticket of it who just says 403. */
static bool
renew_alone(struct transfer *t, struct source *s)
{
    int bare = (int) ask_bare_len(s->url);
    const char *old = s->url + bare;
    uint64_t now = (uint64_t) time(NULL);
    char ticket[TICKET_TEXT_MAX], *url;

    old += *old != '\0' ? strlen("?t=") : 0;
    if (t->o.tickets == NULL || !has_expired(t, old, now)
        || ticket_make(t->o.tickets, t->id, now + OWN_TICKET_S, ticket) != 0
        || asprintf(&url, "%.*s%ct=%s", bare, s->url,
                    memchr(s->url, '?', (size_t) bare) != NULL ? '&' : '?',
                    ticket)
               < 0)
    {
        return false;
    }
    swarm_renew(s, url);
    free(url);
    return !s->refused;
}

void
swarm_refused(const struct job *job)
{
    struct source *s = job->source;
    struct transfer *t = job->t;

    if (s->refused || s->drop || job->renewed != s->renewed) {
        return;
    }
    s->refused = true;
    s->usable = false;
    s->renew_ms = clock_ms() + RENEW_MS;
    source_state(s, "HTTP 403");
    explain(t, s, "refuses: HTTP 403");
    bool first = s->refusals++ == 0; /* else a new ticket does not help */
    if (first && !renew_alone(t, s)) {
        ask_soon(t);
    }
    swarm_refresh(t, s);
}

bool
swarm_renew(struct source *s, const char *url)
{
    bool was = s->refused;

    if (strcmp(s->url, url) != 0) {
        char *copy = strdup(url);

        if (copy == NULL) {
            return false;
        }
        free(s->url);
        s->url = copy;
        s->renewed++;
    }
    if (was) {
        s->refused = false;
        s->usable = true;
        s->state[0] = '\0';
    }
    return was;
}

bool
swarm_is_refusal(const struct job *job, int err)
{
    return err == 0 && job->source->kind == SOURCE_SUPER
           && job->answer.status == 403;
}

/* From the first to the last that it should know by now, and did not tell. */
static struct schedule_range
new_hashes(const struct transfer *t, const struct source *s)
{
    struct schedule_range r = { 0, 0 };

    for (uint32_t i = 0; i < t->map.count; i++) {
        if (!knows_hash(s, i)
            && (s->complete || blockmap_has(&s->its.have, i))) {
            r.next = r.end == 0 ? i : r.next;
            r.end = i + 1;
        }
    }
    return r;
}

static bool
ask_hashes(struct transfer *t, struct source *s)
{
    struct schedule_range r = new_hashes(t, s);
    char *url = swarm_url(t, s, "/hashes"), range[32];
    struct http_options o = { .url = url,
                              .total_ms = SMALL_MS,
                              .range = range };

    snprintf(range, sizeof(range), "%u-%u", r.next * DIGEST_LEN,
             r.end * DIGEST_LEN - 1);
    struct job *job =
        url != NULL && r.end > 0 ? job_start(t, JOB_HASHES, s, &o) : NULL;

    free(url);
    if (job == NULL) {
        return false;
    }
    job->pos = (uint64_t) r.next * DIGEST_LEN;
    job->body_max = (size_t) t->map.count * DIGEST_LEN;
    return true;
}

/* Hashes are worth asking for where no layer is trusted yet, and the source
 * knows more than when it was asked last. */
static bool
wants_hashes(const struct transfer *t, const struct source *s)
{
    uint32_t held = s->complete ? t->map.count : s->its.have.held;

    if (t->trusted != NULL || s->asked_hashes || held <= s->hashes_held
        || clock_ms() < s->hashes_ms)
    {
        return false;
    }
    return s->kind == SOURCE_SUPER || (t->has_tracker_root && s->complete);
}

/* Its host's address, as soon as it is known. */
static void
locate(struct transfer *t, struct source *s)
{
    const struct transfer_guard *guard = t->o.guard;
    struct node_addr addrs[RESOLVE_ADDRS_MAX];
    size_t n = 0;
    int err = lookup_result(s->lookup, addrs, &n, NULL);

    if (err == LOOKUP_PENDING) {
        return;
    }
    lookup_free(s->lookup);
    s->lookup = NULL;
    if (err != 0) {
        node_failed(s, err, "cannot resolve");
        return;
    }
    size_t i = 0;
    while (guard != NULL && i < n
           && guard->addr(guard->ctx, (const struct sockaddr *) &addrs[i].sa)
                  != 0)
    {
        i++;
    }
    if (i == n) {
        node_failed(s, SHOAL_EDENIED, "address not allowed");
        return;
    }
    s->addr = addrs[i];
    s->pinned = true;
    s->usable = true;
}

static void
tick_source(struct transfer *t, struct source *s)
{
    uint64_t now = clock_ms();

    if (s->lookup != NULL) {
        locate(t, s);
    }
    if (s->kind == SOURCE_CDN || !s->usable) {
        return;
    }
    follow_tick(t, s, now);
    if (wants_hashes(t, s)) {
        s->asked_hashes = ask_hashes(t, s);
        s->hashes_ms = now + HASHES_MS + t->map.count / HASHES_A_MS;
    }
}

/* A tracker that is silent has not named anybody yet. */
static void
expect_answer(struct transfer *t)
{
    if (!t->hashing && t->n_trackers > 0 && transfer_held(t) >> 20 >= LATE_MIB)
    {
        intake_need_hashes(t);
    }
}

void
swarm_tick(struct transfer *t)
{
    expect_answer(t);
    peers_tick(t);
    document_tick(t);
    ask_tick(t);
    for (size_t i = 0; i < t->n_sources; i++) {
        tick_source(t, t->sources[i]);
    }
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

/* Where in the layer the answer belongs; SHOAL_EPROTO. */
static int
hashes_at(const struct job *job, size_t *at)
{
    const struct answer *a = &job->answer;

    *at = 0;
    if (a->status == 200) {
        return job->len == job->body_max ? 0 : SHOAL_EPROTO;
    }
    if (a->status != 206 || !a->has_range || a->first != job->pos
        || a->range_total != job->body_max || job->len % DIGEST_LEN != 0
        || job->len != a->last - a->first + 1)
    {
        return SHOAL_EPROTO;
    }
    *at = (size_t) job->pos;
    return 0;
}

/* The one at that place of its layer was not known yet. */
static void
keep_hash(struct source *s, size_t at, const uint8_t *hash, uint64_t now)
{
    memcpy(s->hashes + at, hash, DIGEST_LEN);
    s->hashes_held++;
    if (s->scheduled >= 0) {
        schedule_claim(s->t->schedule, s->scheduled,
                       (uint32_t) (at / DIGEST_LEN), 1, false, now);
    }
}

/* What it told once counts: whoever says something else later has lied, or
 * has wrong blocks. */
static bool
take_hashes(struct source *s, const uint8_t *body, size_t at, size_t len)
{
    uint64_t now = clock_ms();
    bool same = true;

    for (size_t i = 0; i < len; i += DIGEST_LEN) {
        uint8_t *mine = s->hashes + at + i;

        if (digest_is_zero(body + i)) {
            continue;
        }
        if (digest_is_zero(mine)) {
            keep_hash(s, at + i, body + i, now);
        }
        same = same && memcmp(mine, body + i, DIGEST_LEN) == 0;
    }
    return same;
}

static void
hashes_done(struct job *job, int err)
{
    struct source *s = job->source;
    struct transfer *t = job->t;
    size_t at;

    s->asked_hashes = false;
    if (swarm_is_refusal(job, err)) {
        swarm_refused(job);
    }
    if (err != 0 || hashes_at(job, &at) != 0 || s->banned) {
        s->hashes_ms = clock_ms() + FAILED_MS;
        return;
    }
    if (s->hashes == NULL) {
        s->hashes = calloc(t->map.count, DIGEST_LEN);
        s->hashes_held = 0;
    }
    uint32_t before = s->hashes_held;
    if (s->hashes == NULL) {
        return;
    }
    if (!take_hashes(s, job->buf, at, job->len)) {
        s->banned = true;
        s->blame = BLAME_WRONG;
        node_failed(s, SHOAL_EVERIFY, "its piece layer changed");
        fetch_disown(t, s);
        trust_refresh(t);
        return;
    }
    if (s->hashes_held == before) {
        s->hashes_ms = clock_ms() + FAILED_MS; /* it does not tell them */
        return;
    }
    trust_hashes(t, s);
}

void
swarm_done(struct job *job, int err, const char *why)
{
    switch (job->kind) {
    case JOB_TRACKER:
        ask_done(job, err, why);
        break;
    case JOB_HAVE:
        follow_done(job, err);
        break;
    case JOB_HASHES:
        hashes_done(job, err);
        break;
    default:
        document_done(job, err, why);
        break;
    }
}
