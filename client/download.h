/* download.h - one URL from start to end. */
#ifndef DOWNLOAD_H
#define DOWNLOAD_H

#include <signal.h>

struct options;
struct shoal;

enum {
    EXIT_OTHER = 1, /* wget's codes (wget(1) "EXIT STATUS") */
    EXIT_USAGE = 2,
    EXIT_FILE = 3,
    EXIT_NETWORK = 4,
    EXIT_TLS = 5,
    EXIT_LOGIN = 6,
    EXIT_PROTOCOL = 7,
    EXIT_SERVER = 8,
    EXIT_VERIFY = 32 /* aria2's; wget has none */
};

/** What a signal handler and a download know of each other. */
struct download_stop {
    struct shoal *_Atomic running; /* to be cancelled; NULL */
    volatile sig_atomic_t signal;  /* that came; 0: none */
};

/**
 * download_url(o, url, stop):
 * Download ${url} as the options say; messages and the report go to standard
 * error. The exit status, 0 when the file stands under its name.
 */
int download_url(const struct options *o, const char *url,
                 struct download_stop *stop);

/** download_make_layer(o): --make-layer. The exit status. */
int download_make_layer(const struct options *o);

#endif
