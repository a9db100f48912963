/* agent_status.c - what there is to be seen of trackers and threads. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent_internal.h"
#include "clock.h"
#include "config.h"
#include "news.h"
#include "shoal.h"

enum {
    LOCK_MS = 2000, /* nobody has the lock that long */
    LOCK_STEP_MS = 5
};

static bool
fill_locked(struct agent_status *out, const struct tracker *t,
            const struct tracker_link *l)
{
    memset(out, 0, sizeof(*out));
    out->url = strdup(t->conf->url);
    if (out->url == NULL) {
        return false;
    }
    if (l == NULL) {
        memcpy(out->error, t->error, sizeof(out->error));
        return true;
    }
    memcpy(out->address, l->address, sizeof(out->address));
    out->connected = l->connected;
    out->same = l->connected && !l->active;
    memcpy(out->epoch, l->epoch, sizeof(out->epoch));
    memcpy(out->error,
           l->news_error[0] != '\0' ? l->news_error : l->poll_error,
           sizeof(out->error));
    out->calls = l->calls;
    out->failures = l->failures;
    out->prepares = l->prepares;
    out->announcements = l->announcements;
    out->pending = news_count(l->news);
    return true;
}

static size_t
count_locked(const struct agent *a)
{
    size_t n = 0;

    for (struct tracker *t = a->trackers; t != NULL; t = t->next) {
        n += t->links == NULL;
        for (struct tracker_link *l = t->links; l != NULL; l = l->next) {
            n++;
        }
    }
    return n;
}

int
agent_list(struct agent *a, struct agent_status **out, size_t *n)
{
    bool ok = true;
    size_t i = 0;

    pthread_mutex_lock(&a->lock);
    struct agent_status *list = calloc(count_locked(a) + 1, sizeof(*list));
    for (struct tracker *t = a->trackers; list != NULL && t != NULL;
         t = t->next) {
        if (t->links == NULL && !t->gone) {
            ok = fill_locked(&list[i++], t, NULL) && ok;
        }
        for (struct tracker_link *l = t->links; l != NULL; l = l->next) {
            ok = fill_locked(&list[i++], t, l) && ok;
        }
    }
    pthread_mutex_unlock(&a->lock);
    if (list == NULL || !ok) {
        agent_list_free(list, i);
        return SHOAL_ENOMEM;
    }
    *out = list;
    *n = i;
    return 0;
}

void
agent_list_free(struct agent_status *list, size_t n)
{
    for (size_t i = 0; list != NULL && i < n; i++) {
        free(list[i].url);
    }
    free(list);
}

/* A thread that hangs may have the lock. */
static bool
lock_in_time(struct agent *a)
{
    const struct timespec step = { .tv_nsec = LOCK_STEP_MS * 1000000L };
    uint64_t until = clock_ms() + LOCK_MS;

    while (pthread_mutex_trylock(&a->lock) != 0) {
        if (clock_ms() >= until) {
            return false;
        }
        nanosleep(&step, NULL);
    }
    return true;
}

uint64_t
agent_idle_ms(struct agent *a)
{
    uint64_t now = clock_ms(), oldest = atomic_load(&a->keeper_moved_ms);
    struct walk w = { NULL, NULL };
    struct tracker_link *l;

    if (!lock_in_time(a)) {
        return UINT64_MAX;
    }
    while ((l = agent_next_locked(a, &w)) != NULL) {
        uint64_t poll = atomic_load(&l->poll_moved_ms);
        uint64_t news = atomic_load(&l->news_moved_ms);

        oldest = poll < oldest ? poll : oldest;
        oldest = news < oldest ? news : oldest;
    }
    pthread_mutex_unlock(&a->lock);
    return now > oldest ? now - oldest : 0;
}
