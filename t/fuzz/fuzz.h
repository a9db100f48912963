
/*
 * Fuzzing the tracker's parsers inside of a real nginx: its own functions,
 * its own configuration, and libFuzzer instead of a network.
 *
 * An input is a letter that says which parser, and what that one gets.
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include "ngx_http_tracker.h"
#include "ngx_http_tracker_args.h"


/*
 * r->pool gives each allocation memory of its own, so that the sanitizer sees
 * a byte too many; all of it is freed behind the input.
 */
typedef void (*fuzz_target_pt)(ngx_http_request_t *r, u_char *p, size_t len);

typedef struct {
    u_char                        letter;
    fuzz_target_pt                target;
} fuzz_target_t;


/* ends with a NULL target */
extern fuzz_target_t  fuzz_targets[];

/* the zone of the configuration */
extern ngx_http_tracker_zone_t  *fuzz_zone;


void fuzz_handlers(ngx_http_request_t *r, u_char *p, size_t len);
void fuzz_catch_answers(void);
char *fuzz_as(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* what has to be true */
#define fuzz_check(what)                                                      \
    if (!(what)) { fuzz_failed(#what, __FILE__, __LINE__); }

void fuzz_failed(const char *what, const char *file, int line);

/**
 * fuzz_copy(r, p, len):
 * A copy with nothing readable behind it.
 */
u_char *fuzz_copy(ngx_http_request_t *r, u_char *p, size_t len);

/**
 * fuzz_refusal(refusal):
 * A refusal is a status, and one printable line.
 */
void fuzz_refusal(ngx_http_tracker_refusal_t *refusal);


#endif /* _FUZZ_H_INCLUDED_ */
