/* agent_poll.c - the thread that keeps a poll open at a tracker. */
#include <string.h>

#include "agent_internal.h"
#include "clock.h"

enum {
    HASTY_MS = 20, /* a poll that is answered sooner, with nothing, */
    HASTY_MAX = 3  /* may do so this often in a row */
};

static void
polled(struct tracker_link *l, const struct reply *reply)
{
    struct agent *a = l->agent;

    pthread_mutex_lock(&a->lock);
    if (strcmp(l->epoch, reply->epoch) == 0) {
        l->cursor = reply->cursor;
    } else {
        link_take_epoch_locked(l, reply, false);
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
    struct question q = { .seq = seq };
    struct agent *a = l->agent;
    struct reply reply;

    int err = link_call(l, true, &q, "", &reply);
    if (err == 0) {
        pthread_mutex_lock(&a->lock);
        link_take_epoch_locked(l, &reply, false);
        pthread_cond_broadcast(&a->changed);
        pthread_mutex_unlock(&a->lock);
    }
    return err;
}

/* True when the poll ended before its time and with nothing, as it does when
 * the tracker goes. One that keeps doing so is not asked in a loop, and one
 * that reloads, which sends all super peers away at the same moment, is not
 * run over by them. */
static bool
pause_after(struct tracker_link *l, const struct reply *reply,
            uint64_t took_ms, unsigned *hasty)
{
    bool sent_away = reply->prepares == 0 && took_ms < POLL_MS - 1000;

    *hasty = sent_away && took_ms < HASTY_MS ? *hasty + 1 : 0;
    if (*hasty > HASTY_MAX) {
        link_pause(l, BACKOFF_MIN_MS);
    } else if (sent_away) {
        link_pause(l, agent_jitter_ms(SENT_AWAY_MS));
    }
    return sent_away;
}

static int
poll_once(struct tracker_link *l, uint64_t seq, unsigned *hasty,
          bool *sent_away)
{
    struct question q = { .wait_ms = POLL_MS, .seq = seq };
    uint64_t begun = clock_ms();
    struct reply reply;

    int err = link_call(l, true, &q, "", &reply);
    if (err == 0) {
        polled(l, &reply);
        *sent_away = pause_after(l, &reply, clock_ms() - begun, hasty);
    }
    return err;
}

/* A poll has no lines, so it shows the number of a call with news that was
 * answered: a higher one would make the tracker pass over those to come. 0:
 * the link is to end. */
static uint64_t
may_poll(struct tracker_link *l)
{
    struct agent *a = l->agent;

    pthread_mutex_lock(&a->lock);
    while (!atomic_load(&l->stop) && !(l->active && l->announced)) {
        atomic_store(&l->poll_moved_ms, clock_ms());
        agent_wait_locked(a, clock_ms() + IDLE_MS);
    }
    uint64_t seq = l->answered;
    pthread_mutex_unlock(&a->lock);
    return atomic_load(&l->stop) ? 0 : seq;
}

void *
link_poll_loop(void *arg)
{
    struct tracker_link *l = arg;
    unsigned failures = 0, hasty = 0;
    bool sent_away = false;
    uint64_t seq;

    pthread_setname_np(pthread_self(), "poll");
    while ((seq = may_poll(l)) != 0) {
        atomic_store(&l->poll_moved_ms, clock_ms());
        int err = failures > 0 || sent_away ? knock(l, seq) : 0;
        if (err == 0) {
            failures = 0;
            atomic_store(&l->poll_moved_ms, clock_ms());
            err = poll_once(l, seq, &hasty, &sent_away);
        }
        if (err != 0) {
            atomic_store(&l->poll_moved_ms, clock_ms());
            link_pause(l, agent_backoff_ms(failures++));
        }
    }
    pthread_mutex_lock(&l->agent->lock);
    l->threads--;
    l->agent->threads--;
    pthread_cond_broadcast(&l->agent->changed);
    pthread_mutex_unlock(&l->agent->lock);
    return NULL;
}
