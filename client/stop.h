/* stop.h - signals: SIGINT, SIGTERM and SIGHUP end what runs, and then the
 * program; the second one ends it at once. */
#ifndef STOP_H
#define STOP_H

#include <stdbool.h>

struct shoal;

/** stop_catch(): from now on. SIGPIPE is ignored. */
void stop_catch(void);

/** stop_watch(d): a signal cancels ${d} from now on, also one that came
 *  before. */
void stop_watch(struct shoal *d);

/** stop_forget(): no more; ${d} may be freed then. */
void stop_forget(void);

/** stop_asked(): whether a signal has come. */
bool stop_asked(void);

/** stop_die(): as wget: who waits for us sees that it was the signal. Returns
 *  where none has come. */
void stop_die(void);

#endif
