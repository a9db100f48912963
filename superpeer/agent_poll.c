/* agent_poll.c - the thread that keeps a poll open at a tracker. */
#include <string.h>
#include <sys/random.h>

#include "agent_internal.h"
#include "clock.h"

enum {
    HASTY_MS = 20, /* a poll that is answered sooner, with nothing, */
    HASTY_MAX = 3, /* may do so this often in a row */
    JITTER_MS = 50
};

/* A tracker that reloads sends all super peers away at the same moment. */
static unsigned
jitter_ms(void)
{
    uint16_t r = 0;

    return getrandom(&r, sizeof(r), GRND_NONBLOCK) == sizeof(r) ? r % JITTER_MS
                                                                : 0;
}

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
    struct agent *a = l->agent;
    char query[QUERY_MAX];
    struct reply reply;

    link_query(l, 0, seq, NULL, query);
    int err = link_call(l, true, query, "", &reply);
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
 * that reloads is not run over by all super peers at once. */
static bool
pause_after(struct agent *a, const struct reply *reply, uint64_t took_ms,
            unsigned *hasty)
{
    bool sent_away = reply->prepares == 0 && took_ms < POLL_MS - 1000;

    *hasty = sent_away && took_ms < HASTY_MS ? *hasty + 1 : 0;
    if (*hasty > HASTY_MAX) {
        agent_pause(a, BACKOFF_MIN_MS);
    } else if (sent_away) {
        agent_pause(a, jitter_ms());
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

    link_query(l, POLL_MS, seq, NULL, query);
    int err = link_call(l, true, query, "", &reply);
    if (err == 0) {
        polled(l, &reply);
        *sent_away = pause_after(l->agent, &reply, clock_ms() - begun, hasty);
    }
    return err;
}

/* A poll has no lines, so it shows the number of a call with news that was
 * answered: a higher one would make the tracker pass over those to come. */
void *
link_poll_loop(void *arg)
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
            agent_pause(a, agent_backoff_ms(failures++));
        }
    }
    pthread_mutex_lock(&a->lock);
    agent_thread_ends_locked(a);
    pthread_mutex_unlock(&a->lock);
    return NULL;
}
