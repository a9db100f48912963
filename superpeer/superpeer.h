/* superpeer.h - all parts together: started in order, told of a new
 * configuration, stopped in reverse. */
#ifndef SUPERPEER_H
#define SUPERPEER_H

#include <stdbool.h>

struct config;
struct superpeer;

#define SUPERPEER_VERSION "0.1.0"

enum {
    EXIT_CONFIG = 2, /* the command line or the file, as wget's */
    EXIT_CACHE = 3,  /* the cache's folder or file */
    EXIT_NET = 4     /* an address cannot be listened on */
};

/** superpeer_start(config, out): 0, or the exit status, for a reason that is
 *  in the log. Holds ${config} as long as it needs it. */
int superpeer_start(struct config *config, struct superpeer **out);

/**
 * superpeer_reload(s, path):
 * Read the file anew. One with a fault changes nothing; else what can change
 * does, and the log says of every other setting that it needs a restart.
 * False: nothing was changed.
 */
bool superpeer_reload(struct superpeer *s, const char *path);

/** superpeer_status(s): the exit status, as far as it is known. */
int superpeer_status(struct superpeer *s);

/** superpeer_stop(s): within five seconds; what hangs longer is left to the
 *  system, and the process ends here. The exit status. */
int superpeer_stop(struct superpeer *s);

#endif
