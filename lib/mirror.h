/* mirror.h - further URLs of the file. */
#ifndef MIRROR_H
#define MIRROR_H

#include "transfer_internal.h"

/** mirror_add(t, url): one more URL of the file, unless it is known or there
 *  are too many. SHOAL_ENOMEM, SHOAL_EINVAL (URL). */
int mirror_add(struct transfer *t, const char *url);

/** mirror_login(t, mirror, options): a request for options->url is that
 *  mirror's: with the name and password of its URL, if there were some and it
 *  goes to the same scheme, host and port. */
void mirror_login(const struct transfer *t, unsigned mirror,
                  struct http_options *options);

/** mirror_step(t): look up and ask as many as are to be read from. */
void mirror_step(struct transfer *t);

/** mirror_awaited(t): one may still turn out to have the file. */
bool mirror_awaited(const struct transfer *t);

/** mirror_agrees(t, s): its answer shows the standard's size and a validator
 *  of it. */
bool mirror_agrees(const struct transfer *t, const struct source *s);

void mirror_free(struct transfer *t);

#endif
