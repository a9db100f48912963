/* prefetch_jobs.c - which file is fetched next. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "origins.h"
#include "prefetch_internal.h"
#include "shoal.h"

enum {
    /* Sets that had no room are tried again: not at once, as they may be
     * those that fail. */
    RESUME_MS = 30000
};

static void
others_fini(struct prefetch_others *o)
{
    for (size_t i = 0; i < o->n; i++) {
        free((char *) (uintptr_t) o->urls[i]);
    }
    memset(o, 0, sizeof(*o));
}

/* What a later command says, counts. */
static int
others_copy(struct prefetch_others *to, const struct prefetch_others *from)
{
    struct prefetch_others copy = { .n = 0 };

    if (from == NULL) {
        return 0;
    }
    copy.has_root = from->has_root;
    memcpy(copy.root, from->root, sizeof(copy.root));
    for (size_t i = 0; i < from->n && i < PREFETCH_OTHERS_MAX; i++) {
        copy.urls[i] = strdup(from->urls[i]);
        if (copy.urls[i] == NULL) {
            others_fini(&copy);
            return SHOAL_ENOMEM;
        }
        copy.n++;
    }
    others_fini(to);
    *to = copy;
    return 0;
}

static void
job_free(struct job *j)
{
    origins_leave(j->user);
    others_fini(&j->others);
    resource_fini(&j->resource);
    free(j);
}

static struct job *
job_create(const struct prefetch_settings *s, const struct resource *r,
           const struct prefetch_others *others)
{
    struct resource plain;
    struct job *j = calloc(1, sizeof(*j));

    if (j == NULL
        || resource_init(&j->resource, r->url, r->size, r->provider,
                         r->version)
               != 0)
    {
        free(j);
        return NULL;
    }
    memcpy(j->resource.id, r->id, RESOURCE_ID_LEN);
    if (others_copy(&j->others, others) != 0
        || resource_init(&plain, r->url, 0, r->provider, NULL) != 0)
    {
        job_free(j);
        return NULL;
    }
    memcpy(j->url_key, plain.id, RESOURCE_ID_LEN);
    resource_fini(&plain);
    prefetch_settings_origin(s, r->url, j->origin);
    return j;
}

static struct job **
find(struct job **list, const uint8_t id[20])
{
    while (*list != NULL
           && memcmp((*list)->resource.id, id, RESOURCE_ID_LEN) != 0) {
        list = &(*list)->next;
    }
    return list;
}

static bool
has_url(const struct job *list, const uint8_t key[20])
{
    for (; list != NULL; list = list->next) {
        if (memcmp(list->url_key, key, RESOURCE_ID_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static void
append(struct prefetch *p, struct job *job, enum prefetch_priority priority)
{
    struct job **end = &p->queue[priority];

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = job;
    job->next = NULL;
    job->priority = priority;
    p->stats.queued++;
    p->stats.queued_by[priority]++;
    pthread_cond_signal(&p->queued);
}

static struct job *
take_out(struct prefetch *p, struct job **at)
{
    struct job *job = *at;

    *at = job->next;
    p->stats.queued--;
    p->stats.queued_by[job->priority]--;
    return job;
}

/* What it says of the same file counts: the query, which may be signed for
 * some time, and who else has it. Without memory the older ones do. */
static void
renew(struct prefetch *p, struct job *job, const struct resource *r,
      const struct prefetch_others *others)
{
    struct resource fresh;

    others_copy(&job->others, others);
    if (strcmp(job->resource.url, r->url) == 0
        || resource_init(&fresh, r->url, r->size, r->provider, r->version)
               != 0)
    {
        return;
    }
    memcpy(fresh.id, r->id, RESOURCE_ID_LEN);
    resource_fini(&job->resource);
    job->resource = fresh;
    prefetch_settings_origin(p->settings, r->url, job->origin);
}

/* It is among those that were queued: true. */
static bool
raise_queued(struct prefetch *p, const struct resource *r,
             enum prefetch_priority priority,
             const struct prefetch_others *others)
{
    for (int i = 0; i < PREFETCH_PRIORITIES; i++) {
        struct job **at = find(&p->queue[i], r->id);

        if (*at == NULL) {
            continue;
        }
        renew(p, *at, r, others);
        if ((int) priority < i) {
            append(p, take_out(p, at), priority);
        }
        return true;
    }
    return false;
}

void
jobs_left_out_locked(struct prefetch *p)
{
    if (p->resume_ms == 0) {
        p->resume_ms = clock_ms() + RESUME_MS;
    }
}

/* The background job that came last goes; its set is gone on with later. */
static bool
make_room(struct prefetch *p)
{
    struct job **last = &p->queue[PREFETCH_BACKGROUND];

    if (*last == NULL) {
        return false;
    }
    while ((*last)->next != NULL) {
        last = &(*last)->next;
    }
    job_free(take_out(p, last));
    p->stats.displaced++;
    jobs_left_out_locked(p);
    return true;
}

int
jobs_add_locked(struct prefetch *p, const struct resource *r,
                enum prefetch_priority priority,
                const struct prefetch_others *others)
{
    if (*find(&p->running, r->id) != NULL
        || raise_queued(p, r, priority, others)) {
        return 0;
    }
    if (p->stats.queued >= p->max_queued
        && (priority != PREFETCH_WAITED || !make_room(p)))
    {
        return SHOAL_EFULL;
    }
    struct job *job = job_create(p->settings, r, others);
    if (job == NULL) {
        return SHOAL_ENOMEM;
    }
    append(p, job, priority);
    return 0;
}

/* Two versions of one URL would take each other's room; and a place is not
 * for waiting for a connection. */
static bool
may_run(struct prefetch *p, struct job *job)
{
    if (has_url(p->running, job->url_key)) {
        return false;
    }
    job->user = origins_join(p->origins, job->origin);
    return job->user != NULL;
}

struct job *
jobs_next_locked(struct prefetch *p)
{
    if (p->stats.running >= p->max_running) {
        return NULL;
    }
    for (int i = 0; i < PREFETCH_PRIORITIES; i++) {
        struct job **at = &p->queue[i];

        while (*at != NULL && !may_run(p, *at)) {
            at = &(*at)->next;
        }
        if (*at != NULL) {
            struct job *job = take_out(p, at);

            job->next = p->running;
            p->running = job;
            p->stats.running++;
            return job;
        }
    }
    return NULL;
}

void
jobs_done_locked(struct prefetch *p, struct job *job)
{
    struct job **at = &p->running;

    while (*at != job) {
        at = &(*at)->next;
    }
    *at = job->next;
    p->stats.running--;
    job_free(job);
    pthread_cond_broadcast(&p->queued); /* its URL is free */
}

void
jobs_fini(struct prefetch *p)
{
    for (int i = 0; i < PREFETCH_PRIORITIES; i++) {
        while (p->queue[i] != NULL) {
            struct job *job = p->queue[i];

            p->queue[i] = job->next;
            job_free(job);
        }
    }
}
