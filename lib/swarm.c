/* swarm.c - what super peers and peers have. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shoal.h"
#include "ticket.h"
#include "transfer_internal.h"

enum {
    HASHES_MS = 500,
    SMALL_MS = 5000,    /* hashes must come within */
    RENEW_MS = 5000,    /* a URL with a new ticket may take that long */
    OWN_TICKET_S = 300, /* for what is under way */
    CLOCKS_S = 60       /* that the other's clock may be ahead */
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
    if (t->standard != NULL && t->sum.len == 0) {
        t->sum = t->standard->answer.digest;
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
    bool some = s->hashes != NULL && !s->refused;
    for (uint32_t i = 0; some && i < can.count; i++) {
        if ((s->complete || blockmap_has(&s->its.have, i))
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

static bool
ask_hashes(struct transfer *t, struct source *s)
{
    char *url = swarm_url(t, s, "/hashes");
    struct http_options o = { .url = url, .total_ms = SMALL_MS };
    struct job *job = url != NULL ? job_start(t, JOB_HASHES, s, &o) : NULL;

    free(url);
    if (job == NULL) {
        return false;
    }
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
        s->hashes_ms = now + HASHES_MS;
    }
}

void
swarm_tick(struct transfer *t)
{
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

static void
hashes_done(struct job *job, int err)
{
    struct source *s = job->source;
    struct transfer *t = job->t;
    uint32_t known = 0;

    s->asked_hashes = false;
    if (swarm_is_refusal(job, err)) {
        swarm_refused(job);
    }
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
