/* session.h - all URLs of one call, one after the other. */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stdint.h>

struct jsonfile;
struct options;

enum {
    STATUS_OTHER = 1, /* wget's codes (wget(1) "EXIT STATUS") */
    STATUS_USAGE = 2,
    STATUS_FILE = 3,
    STATUS_NETWORK = 4,
    STATUS_TLS = 5,
    STATUS_LOGIN = 6,
    STATUS_PROTOCOL = 7,
    STATUS_SERVER = 8,
    STATUS_VERIFY = 32 /* aria2's; wget has none */
};

struct session {
    const struct options *o;
    struct jsonfile *json; /* NULL: no report is wanted */
    int status;            /* as wget would end with what is done */
    unsigned urls, files, failed;
    uint64_t bytes, others; /* that came; of these from super peers and
                               peers */
    double seconds;         /* in which they came */
    bool cut;               /* a signal came before all was done */
};

/** session_run(s, o): download what the options name; messages go to standard
 *  error. Then ${s} tells what became of it. */
void session_run(struct session *s, const struct options *o);

/** session_fail(s, status, place, what): one failure more, in words:
 *  `shoal: PLACEWHAT`. */
void session_fail(struct session *s, int status, const char *place,
                  const char *what);

#endif
