/* agent_link.c - one address of a tracker: made, ended, and which one speaks
 * where several are the same tracker's. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_internal.h"
#include "call.h"
#include "clock.h"
#include "config.h"
#include "log.h"
#include "news.h"
#include "resolve.h"
#include "shoal.h"

static uint16_t
port_of(const struct node_addr *addr)
{
    char port[8] = "";

    getnameinfo((const struct sockaddr *) &addr->sa, addr->len, NULL, 0, port,
                sizeof(port), NI_NUMERICSERV);
    return (uint16_t) strtoul(port, NULL, 10);
}

static bool
name_link(struct tracker_link *l, const struct node_addr *addr)
{
    bool v6 = strchr(addr->text, ':') != NULL;

    snprintf(l->address, sizeof(l->address), "%s%s%s:%u", v6 ? "[" : "",
             addr->text, v6 ? "]" : "", (unsigned) port_of(addr));
    if (strstr(l->conf->url, addr->text) != NULL) {
        l->name = strdup(l->conf->url);
    } else if (asprintf(&l->name, "%s at %s", l->conf->url, addr->text) < 0) {
        l->name = NULL;
    }
    return l->name != NULL;
}

struct tracker_link *
link_create(struct agent *a, const struct tracker *t,
            const struct node_addr *addr)
{
    struct tracker_link *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        return NULL;
    }
    l->agent = a;
    l->config = config_ref(t->config);
    l->conf = t->conf;
    l->answered = 1;
    l->news = news_create();
    if (!name_link(l, addr) || l->news == NULL) {
        link_free(l);
        return NULL;
    }
    struct call_options o = {
        .tracker = l->conf,
        .bind_address = l->config->bind_address,
        .address = l->address,
        .stop = &l->stop,
    };
    l->poll_call = call_create(&o);
    l->news_call = call_create(&o);
    if (l->poll_call == NULL || l->news_call == NULL) {
        link_free(l);
        return NULL;
    }
    return l;
}

static bool
start_thread_locked(struct tracker_link *l, pthread_t *thread,
                    void *(*run)(void *) )
{
    bool started = pthread_create(thread, NULL, run, l) == 0;

    l->threads += started;
    l->agent->threads += started;
    return started;
}

bool
link_start_locked(struct tracker_link *l)
{
    atomic_store(&l->poll_moved_ms, clock_ms());
    atomic_store(&l->news_moved_ms, clock_ms());
    l->down_ms = clock_ms();
    if (!start_thread_locked(l, &l->news_thread, link_news_loop)) {
        return false;
    }
    l->news_started = true;
    if (!start_thread_locked(l, &l->poll_thread, link_poll_loop)) {
        link_end_locked(l);
        return false;
    }
    l->poll_started = true;
    return true;
}

void
link_end_locked(struct tracker_link *l)
{
    if (!atomic_load(&l->stop)) {
        l->last_seq = ++l->agent->seq;
    }
    atomic_store(&l->stop, true);
    call_interrupt(l->poll_call);
    call_interrupt(l->news_call);
    pthread_cond_broadcast(&l->agent->changed);
}

void
link_join(struct tracker_link *l)
{
    if (l->poll_started) {
        pthread_join(l->poll_thread, NULL);
    }
    if (l->news_started) {
        pthread_join(l->news_thread, NULL);
    }
    l->poll_started = l->news_started = false;
}

void
link_free(struct tracker_link *l)
{
    call_free(l->poll_call);
    call_free(l->news_call);
    news_free(l->news);
    free(l->name);
    config_free(l->config);
    free(l);
}

void
link_pause(struct tracker_link *l, unsigned ms)
{
    uint64_t deadline = clock_ms() + ms;

    pthread_mutex_lock(&l->agent->lock);
    while (!atomic_load(&l->stop) && agent_wait_locked(l->agent, deadline)) {
    }
    pthread_mutex_unlock(&l->agent->lock);
}

bool
link_goes_on(struct tracker_link *l)
{
    pthread_mutex_lock(&l->agent->lock);
    bool active = l->active;
    pthread_mutex_unlock(&l->agent->lock);
    return active && !atomic_load(&l->stop);
}

static bool
speaks_for_locked(const struct tracker_link *o, const char *epoch)
{
    return o->active && !atomic_load(&o->stop) && strcmp(o->epoch, epoch) == 0;
}

/* An epoch is random: two trackers do not have the same. */
bool
link_claim_locked(struct tracker_link *l, const char *epoch)
{
    struct walk w = { NULL, NULL };
    struct tracker_link *o;

    while ((o = agent_next_locked(l->agent, &w)) != NULL) {
        if (o == l || !speaks_for_locked(o, epoch)) {
            continue;
        }
        if (o->connected || clock_ms() - o->down_ms < TAKE_OVER_MS) {
            return false;
        }
        o->active = false;
        pthread_cond_broadcast(&l->agent->changed);
    }
    return true;
}

bool
link_has_company(struct tracker_link *l)
{
    struct walk w = { NULL, NULL };
    const struct tracker_link *o;
    bool found = false;

    pthread_mutex_lock(&l->agent->lock);
    while ((o = agent_next_locked(l->agent, &w)) != NULL) {
        found = found || (o != l && o->active);
    }
    pthread_mutex_unlock(&l->agent->lock);
    return found;
}

void
link_overtake_locked(struct tracker_link *l, const char *epoch)
{
    struct walk w = { NULL, NULL };
    struct tracker_link *o;

    while ((o = agent_next_locked(l->agent, &w)) != NULL) {
        if (o != l && speaks_for_locked(o, epoch)) {
            o->overtaken = true;
        }
    }
}
