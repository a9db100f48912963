/* revive.h - CDN nodes that are asked or judged anew. */
#ifndef REVIVE_H
#define REVIVE_H

#include "transfer_internal.h"

/** revive_ask(s): its failure is forgotten, and it can be asked again from the
 *  beginning; an answer stays until there is another one. */
void revive_ask(struct source *s);

/** revive_unknown(s): likewise, and nothing is known of what it has: what it
 *  gave is wasted. One that is banned, or redirects, stays as it is; one that
 *  is no CDN node has failed. */
void revive_unknown(struct source *s);

/** revive_due(t): those that were given up are asked anew after a while, as
 *  long as others carry the download: a mirror that was restarted is a mirror
 *  again. */
void revive_due(struct transfer *t);

/** revive_mirrors(t): mirrors of another version, whose bytes nothing bears
 *  out, are left: begin anew with one of them, which gives all of the file.
 *  What others gave is no part of it. False: there are none. */
bool revive_mirrors(struct transfer *t);

/** revive_others(t): the file does not have its checksum: begin anew with the
 *  nodes of another version. False: there are none. */
bool revive_others(struct transfer *t);

#endif
