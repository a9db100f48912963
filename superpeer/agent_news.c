/* agent_news.c - the thread that tells a tracker what is new, or all; and at
 * the end that there will be no more. */
#include <stdlib.h>
#include <string.h>

#include "agent_internal.h"
#include "call.h"
#include "clock.h"
#include "log.h"
#include "news.h"
#include "shoal.h"

enum {
    FAREWELL_MS = 1500, /* a tracker that hangs does not hold up the end */
    REFUSED_MS = 5000   /* until one that did not take news hears all */
};

static uint64_t
next_seq(struct agent *a)
{
    pthread_mutex_lock(&a->lock);
    uint64_t seq = ++a->seq;
    pthread_mutex_unlock(&a->lock);
    return seq;
}

/* One call with news, repeated until it is answered; 0, SHOAL_EINVAL: not
 * wanted, SHOAL_ESTOPPED. */
static int
tell(struct tracker_link *l, const char *body, const char *full)
{
    struct question q = { .seq = next_seq(l->agent), .full = full };
    bool first = full != NULL && strcmp(full, "first") == 0;
    struct reply reply;
    unsigned failures = 0;
    int err = SHOAL_ESTOPPED;

    while (link_goes_on(l)) {
        atomic_store(&l->news_moved_ms, clock_ms());
        err = link_call(l, false, &q, body, &reply);
        if (err == 0 || err == SHOAL_EINVAL) {
            break;
        }
        link_pause(l, agent_backoff_ms(failures++));
    }
    pthread_mutex_lock(&l->agent->lock);
    l->answered = q.seq;
    if (err == 0) {
        link_take_epoch_locked(l, &reply, first);
    }
    pthread_mutex_unlock(&l->agent->lock);
    return link_goes_on(l) ? err : SHOAL_ESTOPPED;
}

static void
set_announced(struct tracker_link *l)
{
    pthread_mutex_lock(&l->agent->lock);
    l->announced = true;
    pthread_cond_broadcast(&l->agent->changed);
    pthread_mutex_unlock(&l->agent->lock);
}

/* All that is held, in as many calls as it takes, each collected when the one
 * before it was answered: what changes meanwhile is in the news. A new epoch
 * in between makes the next announcement due, which the caller's loop sees. */
static int
tell_all(struct tracker_link *l, struct news *some, size_t *sets)
{
    const struct agent_ops *ops = l->agent->ops;
    const char *full = "first";
    size_t cursor = 0, len;
    char *body;

    do {
        int err = ops->announce(ops->ctx, &cursor, some);
        if (err != 0) {
            return err;
        }
        *sets += news_count(some);
        if (news_take(some, &body, &len) != 0) {
            return SHOAL_ENOMEM;
        }
        err = tell(l, body, full);
        free(body);
        if (err != 0) {
            return err;
        }
        full = "more";
        set_announced(l);
    } while (cursor != 0);
    return tell(l, "", "last");
}

static void
tell_everything(struct tracker_link *l)
{
    struct news *some = news_create();
    size_t sets = 0;

    int err = some != NULL ? tell_all(l, some, &sets) : SHOAL_ENOMEM;
    news_free(some);
    if (!link_goes_on(l)) {
        return;
    }
    log_line(LOG_LEVEL_INFO, NULL, "tracker %s: announced %zu sets: %s",
             l->name, sets, shoal_strerror(err));
    pthread_mutex_lock(&l->agent->lock);
    l->announcements += err == 0;
    l->want_full = l->want_full || err != 0;
    pthread_mutex_unlock(&l->agent->lock);
    if (err != 0) {
        link_pause(l, BACKOFF_MAX_MS / 2);
    }
}

/* ---- who speaks ---- */

static void
begin_locked(struct tracker_link *l, const struct reply *reply)
{
    memcpy(l->epoch, reply->epoch, sizeof(l->epoch));
    l->cursor = reply->cursor;
    l->active = true;
    l->want_full = true;
    l->announced = false;
}

/* Until the link that speaks to this tracker is away, or it is time to ask
 * whose address this is now. */
static void
stay_quiet(struct tracker_link *l)
{
    struct agent *a = l->agent;
    uint64_t until = clock_ms() + QUIET_MS;

    pthread_mutex_lock(&a->lock);
    while (!atomic_load(&l->stop) && clock_ms() < until
           && !link_claim_locked(l, l->epoch))
    {
        atomic_store(&l->news_moved_ms, clock_ms());
        agent_wait_locked(a, clock_ms() + TAKE_OVER_MS / 4);
    }
    pthread_mutex_unlock(&a->lock);
}

/* Finds out whose address this is; one of a tracker that another link speaks
 * to stays quiet, and takes over when that one fails. */
static void
claim(struct tracker_link *l, unsigned *failures)
{
    struct question q = { .seq = 1, .unnamed = link_has_company(l) };
    struct agent *a = l->agent;
    struct reply reply;

    int err = link_call(l, false, &q, "", &reply);
    if (err == SHOAL_EINVAL && q.unnamed) {
        q.unnamed = false;
        err = link_call(l, false, &q, "", &reply);
    }
    if (err != 0) {
        link_pause(l, agent_backoff_ms((*failures)++));
        return;
    }
    *failures = 0;
    pthread_mutex_lock(&a->lock);
    bool mine = link_claim_locked(l, reply.epoch);
    if (mine) {
        begin_locked(l, &reply);
    } else {
        memcpy(l->epoch, reply.epoch, sizeof(l->epoch));
    }
    if (!mine && !q.unnamed) {
        link_overtake_locked(l, reply.epoch);
    }
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    if (!mine) {
        stay_quiet(l);
    }
}

/* The lock is held, and let go meanwhile. */
static void
say_where_locked(struct tracker_link *l)
{
    struct question q = { .seq = 1 };
    struct reply reply;

    l->overtaken = false;
    pthread_mutex_unlock(&l->agent->lock);
    int err = link_call(l, false, &q, "", &reply);
    pthread_mutex_lock(&l->agent->lock);
    if (err == 0) {
        link_take_epoch_locked(l, &reply, false);
    }
}

/* The last word, if there is anybody to hear it. */
static void
say_farewell(struct tracker_link *l, bool heard)
{
    struct question q = { .event = "stopped" };
    struct reply reply;

    if (!heard) {
        return;
    }
    q.seq = l->last_seq;
    call_last(l->news_call, FAREWELL_MS);
    int err = link_call(l, false, &q, "", &reply);
    log_line(err == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, NULL,
             "tracker %s: told that it stops: %s", l->name,
             shoal_strerror(err));
}

/* ---- the thread ---- */

/* The lock is held, and let go meanwhile. */
static void
tell_some_locked(struct tracker_link *l)
{
    bool full = l->want_full, refused = false;
    char *body = NULL;
    size_t len;
    int err = 0;

    if (full) {
        l->want_full = false;
        news_keep_refusals(l->news);
    } else {
        err = news_take(l->news, &body, &len);
    }
    l->telling = true;
    pthread_mutex_unlock(&l->agent->lock);
    if (full) {
        tell_everything(l);
    } else if (err == 0) {
        refused = tell(l, body, NULL) == SHOAL_EINVAL;
        free(body);
    } else {
        link_pause(l, BACKOFF_MIN_MS);
    }
    pthread_mutex_lock(&l->agent->lock);
    l->telling = false;
    if (refused) { /* what it said is lost: all is said again */
        l->want_full = true;
        l->full_at_ms = clock_ms() + REFUSED_MS;
    }
    pthread_cond_broadcast(&l->agent->changed);
}

void *
link_news_loop(void *arg)
{
    struct tracker_link *l = arg;
    struct agent *a = l->agent;
    unsigned failures = 0;

    pthread_setname_np(pthread_self(), "news");
    pthread_mutex_lock(&a->lock);
    while (!atomic_load(&l->stop)) {
        atomic_store(&l->news_moved_ms, clock_ms());
        if (!l->active) {
            pthread_mutex_unlock(&a->lock);
            claim(l, &failures);
            pthread_mutex_lock(&a->lock);
        } else if (l->overtaken) {
            say_where_locked(l);
        } else if (l->want_full && clock_ms() < l->full_at_ms) {
            agent_wait_locked(a, l->full_at_ms);
        } else if (!l->want_full && news_count(l->news) == 0) {
            agent_wait_locked(a, clock_ms() + IDLE_MS);
        } else {
            tell_some_locked(l);
        }
    }
    bool heard = l->active && l->connected;
    pthread_mutex_unlock(&a->lock);
    say_farewell(l, heard);
    pthread_mutex_lock(&a->lock);
    l->threads--;
    a->threads--;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    return NULL;
}
