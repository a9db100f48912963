/* signals.h - an application's signals stay its own. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/** signals_block(old): all of them, in this thread, and so in threads that it
 *  starts until signals_restore(old). */
void signals_block(sigset_t *old);
void signals_restore(const sigset_t *old);

/** SIGPIPE, while we write to sockets and pipes. */
struct signals_pipe {
    sigset_t old;
    bool was_pending;
};

/** signals_hold_pipe(p): blocked in this thread from now on. */
void signals_hold_pipe(struct signals_pipe *p);

/** signals_release_pipe(p): as it was before; one of ours is taken. */
void signals_release_pipe(const struct signals_pipe *p);

#endif
