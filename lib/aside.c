#include "aside.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    THREADS = 8 /* reads that a disk is given at once */
};

struct aside {
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t queued;
    pthread_t threads[THREADS];
    unsigned n_threads;
    struct aside_job *head, **tail;
    bool stopped;
};

static struct aside_job *
pop_locked(struct aside *a)
{
    struct aside_job *j = a->head;

    a->head = j->next;
    if (a->head == NULL) {
        a->tail = &a->head;
    }
    return j;
}

static void *
work(void *arg)
{
    struct aside *a = arg;

    pthread_mutex_lock(&a->lock);
    while (!a->stopped || a->head != NULL) {
        if (a->head == NULL) {
            pthread_cond_wait(&a->queued, &a->lock);
            continue;
        }
        struct aside_job *j = pop_locked(a);
        bool stopped = a->stopped;
        pthread_mutex_unlock(&a->lock);
        if (!stopped) {
            j->run(j);
        }
        j->done(j);
        pthread_mutex_lock(&a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

struct aside *
aside_create(void)
{
    struct aside *a = calloc(1, sizeof(*a));

    if (a == NULL) {
        return NULL;
    }
    a->tail = &a->head;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->queued, NULL);
    while (a->n_threads < THREADS
           && pthread_create(&a->threads[a->n_threads], NULL, work, a) == 0)
    {
        a->n_threads++;
    }
    if (a->n_threads == 0) {
        aside_free(a);
        return NULL;
    }
    return a;
}

void
aside_add(struct aside *a, struct aside_job *j)
{
    pthread_mutex_lock(&a->lock);
    bool stopped = a->stopped;
    if (!stopped) {
        j->next = NULL;
        *a->tail = j;
        a->tail = &j->next;
        pthread_cond_signal(&a->queued);
    }
    pthread_mutex_unlock(&a->lock);
    if (stopped) {
        j->done(j);
    }
}

void
aside_stop(struct aside *a)
{
    if (a == NULL) {
        return;
    }
    pthread_mutex_lock(&a->lock);
    a->stopped = true;
    pthread_cond_broadcast(&a->queued);
    pthread_mutex_unlock(&a->lock);
    while (a->n_threads > 0) {
        pthread_join(a->threads[--a->n_threads], NULL);
    }
}

void
aside_free(struct aside *a)
{
    if (a == NULL) {
        return;
    }
    pthread_cond_destroy(&a->queued);
    pthread_mutex_destroy(&a->lock);
    free(a);
}
