#include "agent.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <jansson.h>

#include "call.h"
#include "clock.h"
#include "config.h"
#include "digest.h"
#include "log.h"
#include "news.h"
#include "resource.h"
#include "shoal.h"

enum {
    POLL_MS = 25000,  /* the protocol's default */
    SLACK_MS = 10000, /* after that an answer will not come */
    NEWS_TIMEOUT_MS = 15000,
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 10000,
    HASTY_MS = 20, /* a poll that is answered sooner, with nothing, */
    HASTY_MAX = 3, /* may do so this often in a row */
    JITTER_MS = 50,
    QUERY_MAX = 1024,
    ERROR_MAX = AGENT_ERROR_MAX
};

/* One tracker: a thread that polls and one that tells news. */
struct tracker_link {
    struct agent *agent;
    const struct config_tracker *tracker;
    struct call *poll_call, *news_call;
    pthread_t poll_thread, news_thread;
    bool poll_started, news_started;
    /* under the agent's lock */
    struct news *news;
    bool want_full; /* a full announcement is due */
    bool announced; /* the first one has begun: polls may start */
    bool telling;   /* a call with news is under way */
    bool connected;
    char session[17];
    char epoch[17];
    uint64_t cursor;
    uint64_t seq;      /* of the last call with news */
    uint64_t answered; /* the highest answered one */
    uint64_t prepares;
    uint64_t rate_bytes, rate_ms; /* at the last poll, for its rate */
    char poll_error[ERROR_MAX], news_error[ERROR_MAX];
};

struct agent {
    const struct config *config;
    const struct agent_ops *ops;
    uint16_t port;
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* news, answers, stop */
    struct tracker_link *links;
    size_t count;
    unsigned threads; /* that have not ended */
};

/* What an answer said, less the commands, which are handled at once. */
struct reply {
    char epoch[17];
    uint64_t cursor;
    size_t prepares;
};

/* The lock is held; false when the time is over. */
static bool
wait_until_locked(struct agent *a, uint64_t deadline_ms)
{
    struct timespec ts = { .tv_sec = (time_t) (deadline_ms / 1000),
                           .tv_nsec = (long) (deadline_ms % 1000) * 1000000 };

    return pthread_cond_timedwait(&a->changed, &a->lock, &ts) == 0;
}

static void
pause_ms(struct agent *a, unsigned ms)
{
    uint64_t deadline = clock_ms() + ms;

    pthread_mutex_lock(&a->lock);
    while (!atomic_load(&a->stop) && wait_until_locked(a, deadline)) {
    }
    pthread_mutex_unlock(&a->lock);
}

/* Doubles with each failure; from half to all of it, so that super peers do
 * not come back in step. */
static unsigned
backoff_ms(unsigned failures)
{
    unsigned ms = failures < 7 ? BACKOFF_MIN_MS << failures : BACKOFF_MAX_MS;
    uint16_t r = 0;

    if (ms > BACKOFF_MAX_MS) {
        ms = BACKOFF_MAX_MS;
    }
    if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r)) {
        r = 0;
    }
    return ms / 2 + r % (ms / 2 + 1);
}

/* A tracker that reloads sends all super peers away at the same moment. */
static unsigned
jitter_ms(void)
{
    uint16_t r = 0;

    return getrandom(&r, sizeof(r), GRND_NONBLOCK) == sizeof(r) ? r % JITTER_MS
                                                                : 0;
}

/* ---- calls ---- */

static void
make_query(struct tracker_link *l, int wait_ms, uint64_t seq, const char *full,
           char out[QUERY_MAX])
{
    const struct config *c = l->agent->config;
    struct agent_load load;
    uint64_t now = clock_ms(), rate = 0;
    int n;

    memset(&load, 0, sizeof(load));
    l->agent->ops->load(l->agent->ops->ctx, &load);
    pthread_mutex_lock(&l->agent->lock);
    if (wait_ms > 0) {
        if (l->rate_ms != 0 && now > l->rate_ms) {
            rate = (load.bytes - l->rate_bytes) * 1000 / (now - l->rate_ms);
        }
        l->rate_bytes = load.bytes;
        l->rate_ms = now;
    }
    n = snprintf(out, QUERY_MAX,
                 "name=%s&session=%s&seq=%" PRIu64 "&wait_ms=%d&port=%u",
                 c->name, l->session, seq, wait_ms, (unsigned) l->agent->port);
    if (l->epoch[0] != '\0') {
        n += snprintf(out + n, QUERY_MAX - (size_t) n,
                      "&epoch=%s&cursor=%" PRIu64, l->epoch, l->cursor);
    }
    pthread_mutex_unlock(&l->agent->lock);
    if (c->locality != NULL) {
        n += snprintf(out + n, QUERY_MAX - (size_t) n, "&locality=%s",
                      c->locality);
    }
    if (full != NULL) {
        n += snprintf(out + n, QUERY_MAX - (size_t) n, "&full=%s", full);
    }
    n += snprintf(out + n, QUERY_MAX - (size_t) n,
                  "&capacity=%" PRIu64 "&free=%" PRIu64 "&active=%u",
                  load.capacity, load.free, load.active);
    if (wait_ms > 0) {
        snprintf(out + n, QUERY_MAX - (size_t) n, "&rate=%" PRIu64, rate);
    }
}

static void
prepare_one(struct tracker_link *l, json_t *p)
{
    const struct agent_ops *ops = l->agent->ops;
    const char *id = NULL, *url = NULL, *version = "", *provider = "";
    struct resource r;
    json_int_t size = -1;
    uint8_t raw[RESOURCE_ID_LEN];

    if (json_unpack(p, "{s:s, s:s, s:I, s?s, s?s}", "id", &id, "url", &url,
                    "size", &size, "version", &version, "provider", &provider)
            != 0
        || resource_id_parse(id, raw) != 0)
    {
        log_line(LOG_LEVEL_ERROR, NULL,
                 "tracker %s: a prepare that makes no sense", l->tracker->url);
        return;
    }
    if (size < 0
        || resource_init(&r, url, (uint64_t) size, provider, version) != 0)
    {
        struct news_item no = { .kind = NEWS_REFUSED, .reason = "failed" };

        log_line(LOG_LEVEL_ERROR, raw,
                 "tracker %s: prepare: url, size or version do not parse",
                 l->tracker->url);
        memcpy(no.id, raw, sizeof(no.id));
        agent_tell(l->agent, &no);
        return;
    }
    memcpy(r.id, raw, sizeof(r.id)); /* the tracker's counts */
    ops->prepare(ops->ctx, &r);
    resource_fini(&r);
}

static bool
is_epoch(const char *s)
{
    return strlen(s) == 16 && strspn(s, "0123456789abcdefABCDEF") == 16;
}

static int
parse_reply(struct tracker_link *l, const struct call_answer *answer,
            struct reply *out)
{
    const char *epoch = NULL;
    json_int_t cursor = 0;
    json_t *prepare = NULL, *root;
    int lost = 0;

    root = json_loadb(answer->body, answer->len, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL
        || json_unpack(root, "{s:s, s:I, s?b, s?o}", "epoch", &epoch, "cursor",
                       &cursor, "lost", &lost, "prepare", &prepare)
               != 0
        || !is_epoch(epoch) || cursor < 0)
    {
        json_decref(root);
        return SHOAL_EPROTO;
    }
    memcpy(out->epoch, epoch, sizeof(out->epoch));
    out->cursor = (uint64_t) cursor;
    out->prepares = json_array_size(prepare);
    if (lost) {
        log_line(LOG_LEVEL_WARN, NULL, "tracker %s: commands were lost",
                 l->tracker->url);
    }
    for (size_t i = 0; i < out->prepares; i++) {
        prepare_one(l, json_array_get(prepare, i));
    }
    json_decref(root);
    return 0;
}

/* Logs when it changes: each of the two connections has an error of its own,
 * so that one that works does not hide the other's. */
static void
note_state(struct tracker_link *l, bool poll, const char *error)
{
    char *mine = poll ? l->poll_error : l->news_error;

    pthread_mutex_lock(&l->agent->lock);
    bool was_connected = l->connected;
    bool changed = error != NULL && strcmp(mine, error) != 0;
    snprintf(mine, ERROR_MAX, "%s", error != NULL ? error : "");
    l->connected = l->poll_error[0] == '\0' && l->news_error[0] == '\0';
    bool back = l->connected && !was_connected;
    pthread_cond_broadcast(&l->agent->changed);
    pthread_mutex_unlock(&l->agent->lock);
    if (atomic_load(&l->agent->stop)) {
        return;
    }
    if (back) {
        log_line(LOG_LEVEL_INFO, NULL, "tracker %s: connected",
                 l->tracker->url);
    } else if (changed) {
        log_line(LOG_LEVEL_WARN, NULL, "tracker %s: %s", l->tracker->url,
                 error);
    }
}

/* The first line of an answer, for the log. */
static void
note_status(struct tracker_link *l, bool poll,
            const struct call_answer *answer)
{
    char text[ERROR_MAX];

    snprintf(text, sizeof(text), "HTTP status %ld: %.*s", answer->status,
             answer->len < 100 ? (int) strcspn(answer->body, "\r\n<") : 0,
             answer->body);
    note_state(l, poll, text);
}

/* 0, or: SHOAL_EINVAL when the tracker does not want this call, now or ever;
 * else it may be repeated. */
static int
do_call(struct tracker_link *l, bool poll, const char *query, const char *body,
        struct reply *out)
{
    struct call *call = poll ? l->poll_call : l->news_call;
    struct call_answer answer;

    int err = call_post(call, query, body,
                        poll ? POLL_MS + SLACK_MS : NEWS_TIMEOUT_MS, &answer);
    if (err != 0) {
        note_state(l, poll, call_error(call));
        return err;
    }
    if (answer.status != 200) {
        note_status(l, poll, &answer);
        return answer.status == 400 || answer.status == 413 ? SHOAL_EINVAL
                                                            : SHOAL_EHTTP;
    }
    err = parse_reply(l, &answer, out);
    note_state(l, poll, err == 0 ? NULL : "an answer that makes no sense");
    return err;
}

/* ---- news ---- */

/* The tracker lost its memory unless it is the first word we have of it or
 * the answer to the beginning of a full announcement. */
static void
take_epoch_locked(struct tracker_link *l, const struct reply *r, bool first)
{
    if (strcmp(l->epoch, r->epoch) == 0) {
        return;
    }
    if (!first) {
        log_line(LOG_LEVEL_INFO, NULL, "tracker %s: new epoch",
                 l->tracker->url);
        l->want_full = true;
    }
    memcpy(l->epoch, r->epoch, sizeof(l->epoch));
    l->cursor = r->cursor;
}

/* One call with news, repeated until it is answered; 0, SHOAL_EINVAL: not
 * wanted, SHOAL_ESTOPPED. */
static int
tell(struct tracker_link *l, const char *body, const char *full)
{
    struct agent *a = l->agent;
    bool first = full != NULL && strcmp(full, "first") == 0;
    char query[QUERY_MAX];
    struct reply reply;
    unsigned failures = 0;
    int err;

    pthread_mutex_lock(&a->lock);
    uint64_t seq = ++l->seq;
    pthread_mutex_unlock(&a->lock);
    for (;;) {
        make_query(l, 0, seq, full, query);
        err = do_call(l, false, query, body, &reply);
        if (err == 0 || err == SHOAL_EINVAL || atomic_load(&a->stop)) {
            break;
        }
        pause_ms(a, backoff_ms(failures++));
    }
    pthread_mutex_lock(&a->lock);
    l->answered = seq;
    if (err == 0) {
        take_epoch_locked(l, &reply, first);
    }
    pthread_mutex_unlock(&a->lock);
    return atomic_load(&a->stop) ? SHOAL_ESTOPPED : err;
}

/* All that is held, in as many calls as it takes. A new epoch in between
 * makes the next announcement due, which the caller's loop sees. */
static int
tell_chunks(struct tracker_link *l, struct news *all)
{
    const char *full = "first";
    char *body;
    size_t len;
    int err = 0;

    do {
        if (news_take(all, &body, &len) != 0) {
            return SHOAL_ENOMEM;
        }
        err = tell(l, body, full);
        free(body);
        full = "more";
        pthread_mutex_lock(&l->agent->lock);
        l->announced = true;
        pthread_cond_broadcast(&l->agent->changed);
        pthread_mutex_unlock(&l->agent->lock);
    } while (err == 0 && news_count(all) > 0);
    return err == 0 ? tell(l, "", "last") : err;
}

static void
tell_everything(struct tracker_link *l)
{
    const struct agent_ops *ops = l->agent->ops;
    struct news *all = news_create();

    int err = all != NULL ? ops->announce(ops->ctx, all) : SHOAL_ENOMEM;
    if (err == 0) {
        size_t sets = news_count(all);

        err = tell_chunks(l, all);
        log_line(LOG_LEVEL_INFO, NULL, "tracker %s: announced %zu sets: %s",
                 l->tracker->url, sets, shoal_strerror(err));
    }
    news_free(all);
    if (err != 0) {
        pthread_mutex_lock(&l->agent->lock);
        l->want_full = true;
        pthread_mutex_unlock(&l->agent->lock);
        pause_ms(l->agent, BACKOFF_MAX_MS / 2);
    }
}

static void
thread_ends_locked(struct agent *a)
{
    a->threads--;
    pthread_cond_broadcast(&a->changed);
}

static void *
news_loop(void *arg)
{
    struct tracker_link *l = arg;
    struct agent *a = l->agent;
    char *body;
    size_t len;

    pthread_mutex_lock(&a->lock);
    while (!atomic_load(&a->stop)) {
        bool full = l->want_full;

        if (!full && news_count(l->news) == 0) {
            pthread_cond_wait(&a->changed, &a->lock);
            continue;
        }
        int err = 0;
        if (full) {
            l->want_full = false;
            news_keep_refusals(l->news);
        } else {
            err = news_take(l->news, &body, &len);
        }
        l->telling = true;
        pthread_mutex_unlock(&a->lock);
        if (full) {
            tell_everything(l);
        } else if (err == 0) {
            tell(l, body, NULL);
            free(body);
        } else {
            pause_ms(a, BACKOFF_MIN_MS);
        }
        pthread_mutex_lock(&a->lock);
        l->telling = false;
        pthread_cond_broadcast(&a->changed);
    }
    thread_ends_locked(a);
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* ---- the poll ---- */

static void
polled(struct tracker_link *l, const struct reply *reply)
{
    struct agent *a = l->agent;

    pthread_mutex_lock(&a->lock);
    if (strcmp(l->epoch, reply->epoch) == 0) {
        l->cursor = reply->cursor;
    } else {
        take_epoch_locked(l, reply, false);
    }
    l->prepares += reply->prepares;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

/* Answered at once, so that a tracker which has restarted is known to have
 * done so, and not only when the next poll is over. */
static int
knock(struct tracker_link *l, uint64_t seq)
{
    struct agent *a = l->agent;
    char query[QUERY_MAX];
    struct reply reply;

    make_query(l, 0, seq, NULL, query);
    int err = do_call(l, true, query, "", &reply);
    if (err == 0) {
        pthread_mutex_lock(&a->lock);
        take_epoch_locked(l, &reply, false);
        pthread_cond_broadcast(&a->changed);
        pthread_mutex_unlock(&a->lock);
    }
    return err;
}

/* True when the poll ended before its time and with nothing, as it does when
 * the tracker goes. One that keeps doing so is not asked in a loop, and one
 * that reloads is not run over by all super peers at once. */
static bool
pause_after(struct agent *a, const struct reply *reply, uint64_t took_ms,
            unsigned *hasty)
{
    bool sent_away = reply->prepares == 0 && took_ms < POLL_MS - 1000;

    *hasty = sent_away && took_ms < HASTY_MS ? *hasty + 1 : 0;
    if (*hasty > HASTY_MAX) {
        pause_ms(a, BACKOFF_MIN_MS);
    } else if (sent_away) {
        pause_ms(a, jitter_ms());
    }
    return sent_away;
}

static int
poll_once(struct tracker_link *l, uint64_t seq, unsigned *hasty,
          bool *sent_away)
{
    uint64_t begun = clock_ms();
    char query[QUERY_MAX];
    struct reply reply;

    make_query(l, POLL_MS, seq, NULL, query);
    int err = do_call(l, true, query, "", &reply);
    if (err == 0) {
        polled(l, &reply);
        *sent_away = pause_after(l->agent, &reply, clock_ms() - begun, hasty);
    }
    return err;
}

/* A poll has no lines, so it shows the number of a call with news that was
 * answered: a higher one would make the tracker pass over those to come. */
static void *
poll_loop(void *arg)
{
    struct tracker_link *l = arg;
    struct agent *a = l->agent;
    unsigned failures = 0, hasty = 0;
    bool sent_away = false;

    pthread_mutex_lock(&a->lock);
    while (!l->announced && !atomic_load(&a->stop)) {
        pthread_cond_wait(&a->changed, &a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    while (!atomic_load(&a->stop)) {
        pthread_mutex_lock(&a->lock);
        uint64_t seq = l->answered;
        pthread_mutex_unlock(&a->lock);
        int err = failures > 0 || sent_away ? knock(l, seq) : 0;
        if (err == 0) {
            failures = 0;
            err = poll_once(l, seq, &hasty, &sent_away);
        }
        if (err != 0) {
            pause_ms(a, backoff_ms(failures++));
        }
    }
    pthread_mutex_lock(&a->lock);
    thread_ends_locked(a);
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* ---- the agent ---- */

static int
init_link(struct tracker_link *l, struct agent *a,
          const struct config_tracker *tracker)
{
    uint8_t random[8];

    l->agent = a;
    l->tracker = tracker;
    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        return SHOAL_EIO;
    }
    hex_encode(random, sizeof(random), l->session);
    l->want_full = true;
    l->news = news_create();
    l->poll_call = call_create(tracker, a->config->bind_address, &a->stop);
    l->news_call = call_create(tracker, a->config->bind_address, &a->stop);
    return l->news != NULL && l->poll_call != NULL && l->news_call != NULL
               ? 0
               : SHOAL_ENOMEM;
}

static void
init_sync(struct agent *a)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&a->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&a->changed, &attr);
    pthread_condattr_destroy(&attr);
}

int
agent_create(const struct config *config, uint16_t port,
             const struct agent_ops *ops, struct agent **out)
{
    struct agent *a = calloc(1, sizeof(*a));
    int err = 0;

    if (a == NULL) {
        return SHOAL_ENOMEM;
    }
    a->config = config;
    a->ops = ops;
    a->port = port;
    init_sync(a);
    a->links = calloc(config->tracker_count + 1, sizeof(*a->links));
    if (a->links == NULL) {
        err = SHOAL_ENOMEM;
    }
    while (err == 0 && a->count < config->tracker_count) {
        err = init_link(&a->links[a->count], a, &config->trackers[a->count]);
        a->count++;
    }
    if (err != 0) {
        agent_free(a);
        return err;
    }
    *out = a;
    return 0;
}

static bool
start_thread(struct agent *a, pthread_t *thread, void *(*run)(void *),
             struct tracker_link *l)
{
    pthread_mutex_lock(&a->lock);
    bool started = pthread_create(thread, NULL, run, l) == 0;
    a->threads += started;
    pthread_mutex_unlock(&a->lock);
    return started;
}

int
agent_start(struct agent *a)
{
    for (size_t i = 0; i < a->count; i++) {
        struct tracker_link *l = &a->links[i];

        l->news_started = start_thread(a, &l->news_thread, news_loop, l);
        l->poll_started = start_thread(a, &l->poll_thread, poll_loop, l);
        if (!l->news_started || !l->poll_started) {
            return SHOAL_ENOMEM;
        }
    }
    return 0;
}

void
agent_tell(struct agent *a, const struct news_item *item)
{
    pthread_mutex_lock(&a->lock);
    for (size_t i = 0; i < a->count; i++) {
        struct tracker_link *l = &a->links[i];

        if (news_put(l->news, item) != 0) {
            l->want_full = true; /* says it later, but for a refusal */
        }
    }
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

static bool
all_told_locked(const struct agent *a)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct tracker_link *l = &a->links[i];

        if (l->connected && (l->telling || news_count(l->news) > 0)) {
            return false;
        }
    }
    return true;
}

void
agent_flush(struct agent *a, unsigned timeout_ms)
{
    uint64_t deadline = clock_ms() + timeout_ms;
    bool in_time = true;

    pthread_mutex_lock(&a->lock);
    while (in_time && !atomic_load(&a->stop) && !all_told_locked(a)) {
        in_time = wait_until_locked(a, deadline);
    }
    pthread_mutex_unlock(&a->lock);
}

void
agent_quit(struct agent *a)
{
    if (a == NULL) {
        return;
    }
    pthread_mutex_lock(&a->lock);
    atomic_store(&a->stop, true);
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

bool
agent_join(struct agent *a, uint64_t deadline_ms)
{
    bool in_time = true;

    if (a == NULL) {
        return true;
    }
    pthread_mutex_lock(&a->lock);
    while (in_time && a->threads > 0) {
        in_time = wait_until_locked(a, deadline_ms);
    }
    bool ended = a->threads == 0;
    pthread_mutex_unlock(&a->lock);
    for (size_t i = 0; ended && i < a->count; i++) {
        struct tracker_link *l = &a->links[i];

        if (l->poll_started) {
            pthread_join(l->poll_thread, NULL);
        }
        if (l->news_started) {
            pthread_join(l->news_thread, NULL);
        }
        l->poll_started = l->news_started = false;
    }
    return ended;
}

void
agent_free(struct agent *a)
{
    if (a == NULL) {
        return;
    }
    for (size_t i = 0; a->links != NULL && i < a->count; i++) {
        call_free(a->links[i].poll_call);
        call_free(a->links[i].news_call);
        news_free(a->links[i].news);
    }
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    free(a->links);
    free(a);
}

size_t
agent_count(const struct agent *a)
{
    return a->count;
}

void
agent_get_status(struct agent *a, size_t i, struct agent_status *out)
{
    const struct tracker_link *l = &a->links[i];

    pthread_mutex_lock(&a->lock);
    out->url = l->tracker->url;
    out->connected = l->connected;
    memcpy(out->epoch, l->epoch, sizeof(out->epoch));
    memcpy(out->error,
           l->news_error[0] != '\0' ? l->news_error : l->poll_error,
           sizeof(out->error));
    out->prepares = l->prepares;
    out->pending = news_count(l->news);
    pthread_mutex_unlock(&a->lock);
}
