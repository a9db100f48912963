#include "stop.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "shoal.h"

/* All is lock-free, so that a signal handler may use it. */
static volatile sig_atomic_t stopped_by;
static _Atomic(struct shoal *) watched;
static atomic_uint handlers; /* under way, perhaps in another thread */

static void
on_signal(int number)
{
    if (stopped_by != 0) { /* there was no patience */
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    stopped_by = number;
    handlers++;
    struct shoal *d = watched;
    if (d != NULL) {
        shoal_cancel(d);
    }
    handlers--;
}

/* What nohup(1) or a shell took from us is not ours. */
static void
catch_one(int number, const struct sigaction *sa)
{
    struct sigaction old;

    if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
        sigaction(number, sa, NULL);
    }
}

void
stop_catch(void)
{
    struct sigaction sa;

    memset(&sa, 0, sizeof(sa));
    sigemptyset(&sa.sa_mask);
    sa.sa_handler = on_signal;
    catch_one(SIGINT, &sa);
    catch_one(SIGTERM, &sa);
    catch_one(SIGHUP, &sa);
    sa.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &sa, NULL);
}

void
stop_watch(struct shoal *d)
{
    watched = d;
    if (stopped_by != 0) {
        shoal_cancel(d);
    }
}

void
stop_forget(void)
{
    watched = NULL;
    while (handlers != 0) {
        sched_yield(); /* another thread is in one, for an instant */
    }
}

bool
stop_asked(void)
{
    return stopped_by != 0;
}

void
stop_die(void)
{
    if (stopped_by != 0) {
        fflush(NULL);
        signal(stopped_by, SIG_DFL);
        raise(stopped_by);
    }
}
