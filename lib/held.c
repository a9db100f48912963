#include "held.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "digest.h"
#include "io.h"
#include "shoal.h"

struct held *
held_create(int fd, uint64_t size)
{
    struct held *h = calloc(1, sizeof(*h));

    if (h == NULL) {
        return NULL;
    }
    if (blockmap_init(&h->map, size) != 0) {
        free(h);
        return NULL;
    }
    h->layer = calloc((size_t) h->map.count + 1, DIGEST_LEN);
    if (h->layer == NULL) {
        blockmap_fini(&h->map);
        free(h);
        return NULL;
    }
    h->fd = fd;
    h->refs = 1;
    havelog_init(&h->log, clock_us());
    pthread_mutex_init(&h->lock, NULL);
    return h;
}

static void
release(struct held *h, bool retire)
{
    pthread_mutex_lock(&h->lock);
    if (retire) {
        h->retired = true;
        havelog_ring(&h->log);
    }
    bool last = --h->refs == 0;
    pthread_mutex_unlock(&h->lock);
    if (last) {
        pthread_mutex_destroy(&h->lock);
        havelog_fini(&h->log);
        blockmap_fini(&h->map);
        free(h->layer);
        free(h);
    }
}

void
held_retire(struct held *h)
{
    if (h != NULL) {
        release(h, true);
    }
}

void
held_add(struct held *h, uint32_t block, const uint8_t hash[32])
{
    pthread_mutex_lock(&h->lock);
    if (!blockmap_has(&h->map, block)) {
        blockmap_set(&h->map, block);
        havelog_have(&h->log, block);
    }
    if (hash != NULL) {
        memcpy(h->layer + (size_t) block * DIGEST_LEN, hash, DIGEST_LEN);
    }
    pthread_mutex_unlock(&h->lock);
}

void
held_drop(struct held *h, uint32_t block)
{
    pthread_mutex_lock(&h->lock);
    blockmap_clear(&h->map, block);
    havelog_forget(&h->log);
    memset(h->layer + (size_t) block * DIGEST_LEN, 0, DIGEST_LEN);
    pthread_mutex_unlock(&h->lock);
}

void
held_fetching(struct held *h, uint32_t first, uint32_t n, bool on)
{
    pthread_mutex_lock(&h->lock);
    if (on) {
        havelog_fetching(&h->log, h->map.size, first, n);
    } else {
        havelog_unfetch(&h->log, first, n);
    }
    pthread_mutex_unlock(&h->lock);
}

void
held_open(struct held *h, struct serve_set *set)
{
    pthread_mutex_lock(&h->lock);
    h->refs++;
    pthread_mutex_unlock(&h->lock);
    *set = (struct serve_set){ .handle = h,
                               .size = h->map.size,
                               .block_size = h->map.block_size,
                               .count = h->map.count };
}

void
held_close(void *ctx, struct serve_set *set)
{
    (void) ctx;
    release(set->handle, false);
    set->handle = NULL;
}

uint64_t
held_from(void *ctx, const struct serve_set *set, uint64_t off, uint64_t len)
{
    struct held *h = set->handle;

    (void) ctx;
    pthread_mutex_lock(&h->lock);
    uint64_t n = h->retired ? 0 : blockmap_held_from(&h->map, off, len);
    pthread_mutex_unlock(&h->lock);
    return n;
}

/* Looked at again afterwards: what was read while it was dropped, or while
 * another version took over the file, may be anything. */
long
held_read(void *ctx, const struct serve_set *set, uint64_t off, void *buf,
          size_t len)
{
    struct held *h = set->handle;

    if (held_from(ctx, set, off, len) < len
        || io_read_at(h->fd, off, buf, len) != 0
        || held_from(ctx, set, off, len) < len)
    {
        return SHOAL_EIO;
    }
    return (long) len;
}

int
held_have(void *ctx, const struct serve_set *set, uint8_t *bits,
          uint64_t *cursor)
{
    struct held *h = set->handle;

    (void) ctx;
    pthread_mutex_lock(&h->lock);
    int err = h->retired ? SHOAL_EIO : 0;
    memcpy(bits, h->map.bits, blockmap_bytes(&h->map));
    *cursor = h->log.end;
    pthread_mutex_unlock(&h->lock);
    return err;
}

int
held_hashes(void *ctx, const struct serve_set *set, uint8_t *layer)
{
    struct held *h = set->handle;

    (void) ctx;
    pthread_mutex_lock(&h->lock);
    int err = h->retired ? SHOAL_EIO : 0;
    memcpy(layer, h->layer, (size_t) h->map.count * DIGEST_LEN);
    pthread_mutex_unlock(&h->lock);
    return err;
}

struct havelog *
held_log(void *ctx, const struct serve_set *set)
{
    struct held *h = set->handle;

    (void) ctx;
    pthread_mutex_lock(&h->lock);
    if (h->retired) {
        pthread_mutex_unlock(&h->lock);
        return NULL;
    }
    return &h->log;
}

void
held_unlog(void *ctx, const struct serve_set *set)
{
    (void) ctx;
    pthread_mutex_unlock(&((struct held *) set->handle)->lock);
}
