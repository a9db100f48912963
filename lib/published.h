/* published.h - layers and checksums that the origin publishes. */
#ifndef PUBLISHED_H
#define PUBLISHED_H

#include "transfer_internal.h"

/** published_size(t): the file that a layer of the user's is for has that
 *  size, and no other: what is wrong with it is said when it is read. */
void published_size(struct transfer *t);

/** published_layer_named(t): the user gave a layer, so without it nothing is
 *  right. */
bool published_layer_named(const struct transfer *t);

/** published_sum_wanted(t): the user wants it checked against URL.sha256. */
bool published_sum_wanted(const struct transfer *t);

/** published_most(kind): bytes of such a document. */
size_t published_most(enum document_kind kind);

/** published_take(t, kind, data, len): it has come; published_missing(): it
 *  cannot be had. */
void published_take(struct transfer *t, enum document_kind kind,
                    const uint8_t *data, size_t len);
void published_missing(struct transfer *t, enum document_kind kind, int err,
                       const char *why);
void published_start(struct transfer *t);

#endif
