/* agent_news.c - the thread that tells a tracker what is new, or all. */
#include <stdlib.h>
#include <string.h>

#include "agent_internal.h"
#include "config.h"
#include "log.h"
#include "news.h"
#include "shoal.h"

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
        link_query(l, 0, seq, full, query);
        err = link_call(l, false, query, body, &reply);
        if (err == 0 || err == SHOAL_EINVAL || atomic_load(&a->stop)) {
            break;
        }
        agent_pause(a, agent_backoff_ms(failures++));
    }
    pthread_mutex_lock(&a->lock);
    l->answered = seq;
    if (err == 0) {
        link_take_epoch_locked(l, &reply, first);
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
        agent_pause(l->agent, BACKOFF_MAX_MS / 2);
    }
}

void *
link_news_loop(void *arg)
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
            agent_pause(a, BACKOFF_MIN_MS);
        }
        pthread_mutex_lock(&a->lock);
        l->telling = false;
        pthread_cond_broadcast(&a->changed);
    }
    agent_thread_ends_locked(a);
    pthread_mutex_unlock(&a->lock);
    return NULL;
}
