/* aside.h - threads for work that waits for the disk, so that those who serve
 * many do not. */
#ifndef ASIDE_H
#define ASIDE_H

struct aside;

/** One piece of work; whoever adds it keeps it until done(). */
struct aside_job {
    struct aside_job *next;
    void (*run)(struct aside_job *j);  /* may wait */
    void (*done)(struct aside_job *j); /* afterwards, in the same thread */
};

/** aside_create(): NULL: out of memory or threads. */
struct aside *aside_create(void);

/** aside_add(a, j): as soon as a thread is free. After aside_stop() only
 *  done() is called, at once. */
void aside_add(struct aside *a, struct aside_job *j);

/** aside_stop(a): what is under way ends, what is queued is only done(). NULL
 *  is a no-op. */
void aside_stop(struct aside *a);

/** aside_free(a): after aside_stop(); NULL is a no-op. */
void aside_free(struct aside *a);

#endif
