/* worker.h - one thread that does what its owner gives it, in that order,
 * and gives it back: a transfer hashes with it what came in, while it
 * receives what comes next. */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>

struct worker;

/** One piece of work; its owner's again once worker_take() returned it. */
struct worker_task {
    struct worker_task *next;
    void (*run)(struct worker_task *task); /* in the worker's thread */
};

/** worker_create(): NULL: out of memory or threads. */
struct worker *worker_create(void);

/** worker_free(w): what was added is done first, and lost unless it was
 *  taken. NULL is a no-op. */
void worker_free(struct worker *w);

/** worker_add(w, task): done after all that was added before, but not before
 *  worker_start(): threads that wake each other for every block spend more
 *  time on that than on some blocks. */
void worker_add(struct worker *w, struct worker_task *task);
void worker_start(struct worker *w);

/** worker_wait(w, left): start, and wait until at most ${left} are to be
 *  done. */
void worker_wait(struct worker *w, unsigned left);

/** worker_take(w): the oldest one that is done; NULL: none is. */
struct worker_task *worker_take(struct worker *w);

#endif
