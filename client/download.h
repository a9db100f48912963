/* download.h - one URL from start to end. */
#ifndef DOWNLOAD_H
#define DOWNLOAD_H

#include <stdatomic.h>

struct options;

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

/**
 * download_url(o, url, stop):
 * Download ${url} as the options say; messages and the report go to standard
 * error. The exit status, 0 when the file stands under its name. ${stop} is
 * looked at ten times a second.
 */
int download_url(const struct options *o, const char *url,
                 const atomic_bool *stop);

/** download_make_layer(o): --make-layer. The exit status. */
int download_make_layer(const struct options *o);

#endif
