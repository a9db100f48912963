/* followed.h - what another holds and is fetching, as it tells those who
 * follow it (docs/protocol.md "Following what is held"). Pure. */
#ifndef FOLLOWED_H
#define FOLLOWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blockmap.h"
#include "havelog.h"

struct followed {
    struct blockmap have;
    struct blockmap fetching; /* asked of CDN nodes, and not held */
};

/** Who hears of each change that events bring. */
struct followed_ops {
    void (*changed)(void *ctx, enum havelog_kind kind, uint32_t block);
    void *ctx;
};

/** followed_init(f, size): of a file of ${size} bytes; nothing is known.
 *  SHOAL_ENOMEM; free with _fini. */
int followed_init(struct followed *f, uint64_t size);

/** followed_fini(f): right on a zeroed one. */
void followed_fini(struct followed *f);

/** followed_clear(f): nothing is known any more. */
void followed_clear(struct followed *f);

/** followed_max(f): bytes that an answer may have. */
size_t followed_max(const struct followed *f);

/**
 * followed_bitmap(f, body, len):
 * Take an answer that replaces all: the bitmap, and behind it events of what
 * is being fetched.
 * Errors:  SHOAL_EPROTO; ${f} is then as before.
 */
int followed_bitmap(struct followed *f, const uint8_t *body, size_t len);

/**
 * followed_events(f, body, len, ops):
 * Take what is new. ${ops} hears of each block that changed.
 * Errors:  SHOAL_EPROTO; ${f} is then as before.
 */
int followed_events(struct followed *f, const uint8_t *body, size_t len,
                    const struct followed_ops *ops);

#endif
