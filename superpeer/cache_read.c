/* cache_read.c - blocks out of the cache: for the block server, and for the
 * transfer that fills a set. */
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "cache_internal.h"
#include "log.h"
#include "shoal.h"

/* What a look at the set says about one of its blocks. */
struct look {
    struct write *queued; /* a reference, or NULL */
    bool checked;
};

static struct look
look_at(struct cache *c, struct cache_set *set, uint32_t block)
{
    struct look l = { NULL, false };

    pthread_mutex_lock(&c->lock);
    if (set->queued > 0) {
        l.queued = queue_find_locked(c, set, block);
    }
    if (l.queued != NULL) {
        l.queued->refs++;
    }
    l.checked = blockmap_has(&set->checked, block);
    pthread_mutex_unlock(&c->lock);
    return l;
}

/* The reference is taken. */
static long
read_queued(struct cache *c, struct write *w, size_t off, void *buf,
            size_t len)
{
    long n = SHOAL_EIO; /* it is being dropped */

    if (!w->drop && off < w->len) {
        n = (long) (len < w->len - off ? len : w->len - off);
        memcpy(buf, w->data + off, (size_t) n);
    }
    pthread_mutex_lock(&c->lock);
    queue_unref_locked(w);
    pthread_mutex_unlock(&c->lock);
    return n;
}

static long
read_some(struct cache *c, struct cache_set *set, uint64_t off, void *buf,
          size_t len)
{
    uint32_t block = (uint32_t) (off / set->map.block_size);
    size_t skip = (size_t) (off % set->map.block_size);
    struct look l = look_at(c, set, block);

    if (l.queued != NULL) {
        return read_queued(c, l.queued, skip, buf, len);
    }
    return db_read(c->db, set->resource.id, block, skip, buf, len);
}

int
cache_read(struct cache *c, struct cache_set *set, uint64_t off, void *buf,
           size_t len)
{
    while (len > 0) {
        long n = read_some(c, set, off, buf, len);

        if (n <= 0) {
            return SHOAL_EIO;
        }
        off += (uint64_t) n;
        buf = (char *) buf + n;
        len -= (size_t) n;
    }
    return 0;
}

/* What is queued first: what is committed meanwhile, the file has. */
static int
read_layer(struct cache *c, const struct cache_set *set, uint8_t *layer)
{
    size_t len = (size_t) set->map.count * DIGEST_LEN;

    uint8_t *queued = calloc(1, len + 1);
    if (queued == NULL) {
        return SHOAL_ENOMEM;
    }
    pthread_mutex_lock(&c->lock);
    if (set->queued > 0) {
        queue_hashes_locked(c, set, queued);
    }
    pthread_mutex_unlock(&c->lock);
    int err = db_hashes(c->db, set->resource.id, layer, set->map.count);
    for (size_t i = 0; err == 0 && i < len; i += DIGEST_LEN) {
        if (!digest_is_zero(queued + i)) {
            memcpy(layer + i, queued + i, DIGEST_LEN);
        }
    }
    free(queued);
    return err;
}

int
cache_load(struct cache *c, struct cache_set *set, struct blockmap *map,
           uint8_t *layer)
{
    pthread_mutex_lock(&c->lock);
    int err = blockmap_load(map, set->map.bits, blockmap_bytes(&set->map));
    pthread_mutex_unlock(&c->lock);
    return err != 0 ? SHOAL_EIO : read_layer(c, set, layer);
}

void
cache_fetching(struct cache *c, struct cache_set *set, uint32_t first,
               uint32_t n, bool on)
{
    pthread_mutex_lock(&c->lock);
    if (on) {
        havelog_fetching(&set->log, set->map.size, first, n);
    } else {
        havelog_unfetch(&set->log, first, n);
    }
    pthread_mutex_unlock(&c->lock);
}

uint32_t
cache_held(struct cache *c, struct cache_set *set)
{
    pthread_mutex_lock(&c->lock);
    uint32_t held = set->map.held;
    pthread_mutex_unlock(&c->lock);
    return held;
}

/* A host, as a number that is not 0: an IPv4 address, or the /64 of an IPv6
 * one, as a host has many of these. */
static uint64_t
address_key(const struct sockaddr *from)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    uint8_t bytes[8];
    size_t n = 0;

    if (from != NULL && from->sa_family == AF_INET) {
        memcpy(&in, from, sizeof(in));
        n = sizeof(in.sin_addr);
        memcpy(bytes, &in.sin_addr, n);
    } else if (from != NULL && from->sa_family == AF_INET6) {
        memcpy(&in6, from, sizeof(in6));
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr);

        n = mapped ? sizeof(in.sin_addr) : sizeof(bytes);
        memcpy(bytes, in6.sin6_addr.s6_addr + (mapped ? 12 : 0), n);
    }
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    }
    return n > 0 ? hash | 1 : 0;
}

/* Once two have read it, more will. */
void
cache_note_reader_locked(struct cache *c, struct cache_set *set,
                         uint64_t reader)
{
    if (!set->probation || reader == 0 || reader == set->reader) {
        return;
    }
    if (set->reader == 0) {
        set->reader = reader;
    } else {
        sets_prove(&c->sets, set);
    }
}

/* What others gave and no CDN node has borne out: whoever fills it knows what
 * it is checked against. It is begun anew (prefetch_job.c), and until then
 * nobody gets it. */
static bool
is_doubtful(const struct cache_set *set)
{
    return set->copy && !set->complete && !set->filling
           && digest_is_zero(set->root);
}

static int
serve_open(void *ctx, const uint8_t id[20], const struct sockaddr *from,
           struct serve_set *out)
{
    struct cache *c = ctx;

    pthread_mutex_lock(&c->lock);
    struct cache_set *set = sets_find(&c->sets, id);
    if (set != NULL && is_doubtful(set)) {
        set = NULL;
    }
    if (set != NULL) {
        cache_use_locked(c, set);
        out->view = NULL;
        out->reader = address_key(from);
        out->idle = false;
        out->handle = set;
        out->size = set->map.size;
        out->block_size = set->map.block_size;
        out->count = set->map.count;
    }
    pthread_mutex_unlock(&c->lock);
    return set != NULL ? 0 : SHOAL_ENOTFOUND;
}

static void
serve_close(void *ctx, struct serve_set *set)
{
    struct cache *c = ctx;
    struct db_hold *hold = NULL;

    pthread_mutex_lock(&c->lock);
    if (set->view != NULL) {
        hold = view_end_locked(set->handle, set->view);
    }
    if (set->idle) {
        cache_unref_locked(set->handle);
    } else {
        cache_unuse_locked(c, set->handle);
    }
    pthread_mutex_unlock(&c->lock);
    db_release(c->db, hold);
    set->handle = NULL;
    set->view = NULL;
}

/* A reference stays. */
static void
serve_idle(void *ctx, struct serve_set *set)
{
    struct cache *c = ctx;

    pthread_mutex_lock(&c->lock);
    sets_unuse(&c->sets, set->handle, cache_now_us());
    cache_touch_locked(c, set->handle);
    pthread_mutex_unlock(&c->lock);
    set->idle = true;
}

static uint64_t
serve_held(void *ctx, const struct serve_set *set, uint64_t off, uint64_t len)
{
    struct cache *c = ctx;
    const struct cache_set *cs = set->handle;

    pthread_mutex_lock(&c->lock);
    uint64_t n = cs->gone ? 0 : blockmap_held_from(&cs->map, off, len);
    pthread_mutex_unlock(&c->lock);
    return n;
}

static long
read_stored(struct cache *c, struct cache_set *set, uint64_t off, void *buf,
            size_t len)
{
    uint32_t block = (uint32_t) (off / set->map.block_size);
    long n = db_read(c->db, set->resource.id, block,
                     (size_t) (off % set->map.block_size), buf, len);

    if (n == SHOAL_ENOTFOUND || n == SHOAL_EVERIFY) {
        check_lose(c, set, block);
    }
    return n > 0 ? n : SHOAL_EIO;
}

/* Whether the set is there is looked at afterwards: where it is gone, another
 * one of the same id may have been begun, whose bytes need not be the same. */
static long
serve_read(void *ctx, const struct serve_set *set, uint64_t off, void *buf,
           size_t len)
{
    struct cache *c = ctx;
    struct cache_set *cs = set->handle;
    uint32_t block = (uint32_t) (off / cs->map.block_size);
    struct look l = look_at(c, cs, block);
    long n;

    if (l.queued != NULL) {
        n = read_queued(c, l.queued, (size_t) (off % cs->map.block_size), buf,
                        len);
    } else if (!l.checked && check_block(c, cs, block) != 0) {
        return SHOAL_EIO;
    } else {
        n = read_stored(c, cs, off, buf, len);
    }
    pthread_mutex_lock(&c->lock);
    bool gone = cs->gone;
    if (!gone && n > 0) {
        cache_note_reader_locked(c, cs, set->reader);
    }
    pthread_mutex_unlock(&c->lock);
    return gone ? SHOAL_EIO : n;
}

static int
serve_have(void *ctx, const struct serve_set *set, uint8_t *bits,
           uint64_t *cursor)
{
    struct cache *c = ctx;
    const struct cache_set *cs = set->handle;

    pthread_mutex_lock(&c->lock);
    memcpy(bits, cs->map.bits, blockmap_bytes(&cs->map));
    *cursor = cs->log.end;
    pthread_mutex_unlock(&c->lock);
    return 0;
}

static int
serve_hashes(void *ctx, const struct serve_set *set, uint8_t *layer)
{
    return read_layer(ctx, set->handle, layer);
}

static struct havelog *
serve_log(void *ctx, const struct serve_set *set)
{
    struct cache *c = ctx;
    struct cache_set *cs = set->handle;

    pthread_mutex_lock(&c->lock);
    if (cs->gone) {
        pthread_mutex_unlock(&c->lock);
        return NULL;
    }
    return &cs->log;
}

static void
serve_unlog(void *ctx, const struct serve_set *set)
{
    struct cache *c = ctx;

    (void) set;
    pthread_mutex_unlock(&c->lock);
}

const struct serve_ops cache_serve_ops = {
    serve_open, serve_close, serve_held, serve_read, serve_have, serve_hashes,
    serve_log,  serve_unlog, view_map,   view_cold,  view_warm,  serve_idle
};
