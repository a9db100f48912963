#include "worker.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>

struct list {
    struct worker_task *head, **tail;
};

struct worker {
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t started, finished;
    struct list queued, done;
    unsigned unfinished; /* in queued, or under way */
    bool waiting;        /* its owner, until ${left} are unfinished */
    unsigned left;
    bool run, ended;
};

static void
push(struct list *l, struct worker_task *task)
{
    task->next = NULL;
    *l->tail = task;
    l->tail = &task->next;
}

static struct worker_task *
pop(struct list *l)
{
    struct worker_task *task = l->head;

    if (task != NULL) {
        l->head = task->next;
        if (l->head == NULL) {
            l->tail = &l->head;
        }
    }
    return task;
}

/* Without the lock, which it has again afterwards. */
static void
run_locked(struct worker *w, struct worker_task *task)
{
    pthread_mutex_unlock(&w->lock);
    task->run(task);
    pthread_mutex_lock(&w->lock);
    push(&w->done, task);
    if (--w->unfinished <= w->left && w->waiting) {
        w->waiting = false;
        pthread_cond_signal(&w->finished);
    }
}

static void *
work(void *arg)
{
    struct worker *w = arg;

    pthread_mutex_lock(&w->lock);
    while (!w->ended || w->queued.head != NULL) {
        struct worker_task *task = w->run ? pop(&w->queued) : NULL;

        if (task != NULL) {
            run_locked(w, task);
            continue;
        }
        w->run = w->ended;
        if (!w->ended) {
            pthread_cond_wait(&w->started, &w->lock);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Signals are for the thread that waits in the loop: they end its wait. */
static int
start_thread(struct worker *w)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&w->thread, NULL, work, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return err;
}

struct worker *
worker_create(void)
{
    struct worker *w = calloc(1, sizeof(*w));

    if (w == NULL) {
        return NULL;
    }
    w->queued.tail = &w->queued.head;
    w->done.tail = &w->done.head;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->started, NULL);
    pthread_cond_init(&w->finished, NULL);
    if (start_thread(w) != 0) {
        pthread_cond_destroy(&w->finished);
        pthread_cond_destroy(&w->started);
        pthread_mutex_destroy(&w->lock);
        free(w);
        return NULL;
    }
    return w;
}

void
worker_free(struct worker *w)
{
    if (w == NULL) {
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->ended = w->run = true;
    pthread_cond_signal(&w->started);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->finished);
    pthread_cond_destroy(&w->started);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void
worker_add(struct worker *w, struct worker_task *task)
{
    pthread_mutex_lock(&w->lock);
    push(&w->queued, task);
    w->unfinished++;
    pthread_mutex_unlock(&w->lock);
}

static void
start_locked(struct worker *w)
{
    if (!w->run && w->queued.head != NULL) {
        w->run = true;
        pthread_cond_signal(&w->started);
    }
}

void
worker_start(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    start_locked(w);
    pthread_mutex_unlock(&w->lock);
}

void
worker_wait(struct worker *w, unsigned left)
{
    pthread_mutex_lock(&w->lock);
    start_locked(w);
    w->left = left;
    w->waiting = w->unfinished > left;
    while (w->waiting) {
        pthread_cond_wait(&w->finished, &w->lock);
    }
    pthread_mutex_unlock(&w->lock);
}

struct worker_task *
worker_take(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    struct worker_task *task = pop(&w->done);
    pthread_mutex_unlock(&w->lock);
    return task;
}
