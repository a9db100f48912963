/* held.h - which blocks of one version are held, with their hashes: written
 * by the transfer's thread, read by the server's threads. A version that is
 * given up is retired, and freed when the last answer about it ends. */
#ifndef HELD_H
#define HELD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blockmap.h"
#include "havelog.h"
#include "serve.h"

struct held {
    struct blockmap map; /* the transfer's thread may read it without lock */
    uint8_t *layer;      /* so this too; 32 bytes a block, zeros: not held */

    int fd; /* borrowed; stays open until the server has stopped */
    pthread_mutex_t lock;
    unsigned refs;
    bool retired;
    struct havelog log;
};

/** held_create(fd, size): nothing is held. NULL: out of memory. */
struct held *held_create(int fd, uint64_t size);

/** held_retire(h): from its return on, no read of ${h} succeeds, so that its
 *  file may change; ${h} is the caller's no more. NULL is a no-op. */
void held_retire(struct held *h);

/** held_add(h, block, hash): it is held; ${hash} NULL: not known so far, and
 *  told by another call. */
void held_add(struct held *h, uint32_t block, const uint8_t hash[32]);
void held_drop(struct held *h, uint32_t block);

/** held_fetching(h, first, n, on): these blocks were asked of a CDN node; or
 *  that is over, whether they came or not. */
void held_fetching(struct held *h, uint32_t first, uint32_t n, bool on);

/** held_open(h, set): for serve_ops, until held_close(). */
void held_open(struct held *h, struct serve_set *set);

/* struct serve_ops; the context is not used. */
void held_close(void *ctx, struct serve_set *set);
uint64_t held_from(void *ctx, const struct serve_set *set, uint64_t off,
                   uint64_t len);
long held_read(void *ctx, const struct serve_set *set, uint64_t off, void *buf,
               size_t len);
int held_have(void *ctx, const struct serve_set *set, uint8_t *bits,
              uint64_t *cursor);
int held_hashes(void *ctx, const struct serve_set *set, uint8_t *layer);
struct havelog *held_log(void *ctx, const struct serve_set *set);
void held_unlog(void *ctx, const struct serve_set *set);

#endif
