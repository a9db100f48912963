/* begin.h - from the first answers to a download in blocks. */
#ifndef BEGIN_H
#define BEGIN_H

#include "transfer_internal.h"

/** begin_blocks(t, url, size, version): open the store, go on in blocks. */
void begin_blocks(struct transfer *t, const char *url, uint64_t size,
                  const char *version);

/** begin_choose_open(t): what the first GET is to ask for. */
void begin_choose_open(struct transfer *t);

/** begin_again(t): the plain stream broke: begin it anew when it is time. */
void begin_again(struct transfer *t);

/** begin_plain(t, s): no size or no ranges: one stream from this node. */
void begin_plain(struct transfer *t, struct source *s);

/**
 * begin_judge(t, s, r): take or reject a node that has answered. A HEAD that
 * contradicts is asked again by a GET: some heads lie.
 */
void begin_judge(struct transfer *t, struct source *s,
                 const struct resource *r);

/** begin_has_version(r): nodes that agree have a validator in common. */
bool begin_has_version(const struct resource *r);

/** begin_enlist(t, s): a node that was taken may be given work. */
void begin_enlist(struct transfer *t, struct source *s);

/** begin_forget(t): back to before the decision. */
void begin_forget(struct transfer *t);

#endif
