#include "signals.h"

#include <stddef.h>
#include <time.h>

void
signals_block(sigset_t *old)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, old);
}

void
signals_restore(const sigset_t *old)
{
    pthread_sigmask(SIG_SETMASK, old, NULL);
}

static void
make_pipe_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

void
signals_hold_pipe(struct signals_pipe *p)
{
    sigset_t pending, set;

    make_pipe_set(&set);
    p->was_pending =
        sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &set, &p->old);
}

void
signals_release_pipe(const struct signals_pipe *p)
{
    const struct timespec now = { 0, 0 };
    sigset_t pending, set;

    make_pipe_set(&set);
    if (!p->was_pending && sigpending(&pending) == 0
        && sigismember(&pending, SIGPIPE) == 1)
    {
        sigtimedwait(&set, NULL, &now);
    }
    pthread_sigmask(SIG_SETMASK, &p->old, NULL);
}
