/* search.h - finding the CDN nodes behind a host name. */
#ifndef SEARCH_H
#define SEARCH_H

#include "transfer_internal.h"

/**
 * search_start(t, url, from, mirror):
 * Find the nodes behind the URL's host, to which ${from} redirected (NULL:
 * nobody did; it is the ${mirror}th mirror's, 0: the file's own); they join
 * the list of sources when their addresses are known. What goes wrong fails
 * ${from}, or the transfer, or where there are mirrors, is a failed source.
 */
void search_start(struct transfer *t, const char *url, struct source *from,
                  unsigned mirror);

/** search_step(t): take addresses that have come, follow redirects. */
void search_step(struct transfer *t);

/** search_pending(t, mirrors): names whose addresses are still to come, of
 *  mirrors, or of the URL itself. */
size_t search_pending(const struct transfer *t, bool mirrors);

/** search_looks(t, mirror): one of them is that mirror's. */
bool search_looks(const struct transfer *t, unsigned mirror);

/** search_end(t): look for no more. */
void search_end(struct transfer *t);

#endif
