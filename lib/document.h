/* document.h - what is asked for beside the file. */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include "transfer_internal.h"

/** document_set(t, kind, url, named): to be asked for; ${url} is taken, NULL:
 *  there is none. */
void document_set(struct transfer *t, enum document_kind kind, char *url,
                  bool named);
void document_tick(struct transfer *t);
void document_done(struct job *job, int err, const char *why);

/** document_awaited(t): one is to come yet that the user named; or, for a
 *  second after the last block, the origin. */
bool document_awaited(const struct transfer *t);
/** document_again(t, kind): ask for it again, at another node than the
 *  standard's. False: there is none, or it was done. */
bool document_again(struct transfer *t, enum document_kind kind);

void document_forget(struct transfer *t);

#endif
