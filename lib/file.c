#include "file.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blockmap.h"
#include "control.h"
#include "digest.h"
#include "held.h"
#include "io.h"
#include "part.h"
#include "shoal.h"

enum {
    COPY_BYTES = 65536,
    SYNC_MAX = 64 << 20 /* bytes; measured: 20 ms on a fast disk, half a
                           second on a slow one */
};

struct file {
    struct part part;
    const struct checksum *checksum;
    bool plain;
    bool begun;   /* there is something to write a control file about */
    bool seeding; /* the control file does not know of PATH's bytes yet */
    bool done;
    struct resource resource;
    uint64_t resumed;
    struct blockmap kept; /* which blocks these bytes are */
    uint64_t streamed;    /* the plain stream's place */
    bool dirty;           /* blocks came since the control file was written */

    /* The server's threads read these: under the lock. */
    pthread_mutex_t lock;
    bool identified;
    uint8_t id[RESOURCE_ID_LEN];
    struct held *held;
};

struct file *
file_create(const struct file_options *o)
{
    struct file *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        return NULL;
    }
    f->checksum = o->checksum;
    pthread_mutex_init(&f->lock, NULL);
    if (part_init(&f->part, o->path, o->derived, o->resume, o->stop) != 0) {
        file_free(f);
        return NULL;
    }
    return f;
}

int
file_rename(struct file *f, const char *path)
{
    bool derived = f->part.derived, resume = f->part.resume;
    const atomic_bool *stop = f->part.stop;

    part_fini(&f->part);
    return part_init(&f->part, path, derived, resume, stop);
}

/* Only another thread's answer under way still knows these blocks. */
static void
forget(struct file *f)
{
    pthread_mutex_lock(&f->lock);
    struct held *old = f->held;
    f->held = NULL;
    f->identified = false;
    pthread_mutex_unlock(&f->lock);
    held_retire(old);
    resource_fini(&f->resource);
    blockmap_fini(&f->kept);
    f->begun = f->plain = f->dirty = f->seeding = false;
    f->resumed = f->streamed = 0;
}

void
file_free(struct file *f)
{
    if (f == NULL) {
        return;
    }
    forget(f);
    part_fini(&f->part);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

bool
file_promising(const struct file *f)
{
    return part_promising(&f->part);
}

static bool
is_stopped(const struct file *f)
{
    return f->part.stop != NULL && *f->part.stop;
}

static int
store_write(void *ctx, uint32_t block, const void *data, size_t len,
            const uint8_t hash[32])
{
    struct file *f = ctx;

    if (io_write_at(f->part.fd, blockmap_offset(&f->held->map, block), data,
                    len)
        != 0)
    {
        return part_fail_errno(&f->part, part_label(&f->part));
    }
    held_add(f->held, block, hash);
    f->dirty = true;
    return 0;
}

static int
store_read(void *ctx, uint64_t off, void *buf, size_t len)
{
    struct file *f = ctx;

    return io_read_at(f->part.fd, off, buf, len);
}

static void
store_drop(void *ctx, uint32_t block)
{
    struct file *f = ctx;

    held_drop(f->held, block);
    if (blockmap_has(&f->kept, block)) {
        blockmap_clear(&f->kept, block);
        f->resumed -= blockmap_length(&f->kept, block);
    }
    f->dirty = true;
}

static const struct store_ops store_ops = { store_write, store_read,
                                            store_drop };

/* Blocks that an earlier run got: from ${fd}, which is the .part itself, or a
 * shorter file of which whole blocks are copied. */
struct earlier {
    int fd;
    uint64_t size;    /* bytes of it that may count */
    bool copy;        /* to the .part; there are no hashes to compare with */
    struct held *map; /* what the control file told */
    uint8_t *buf;
};

static int
keep_block(struct file *f, const struct earlier *e, uint32_t i)
{
    struct blockmap *map = &f->held->map;
    uint64_t off = blockmap_offset(map, i);
    size_t len = blockmap_length(map, i);
    uint8_t hash[DIGEST_LEN];

    if (off + len > e->size || io_read_at(e->fd, off, e->buf, len) != 0
        || digest_block(e->buf, len, map->size, map->block_size, hash) != 0)
    {
        return 0;
    }
    if (!e->copy
        && memcmp(hash, e->map->layer + (size_t) i * DIGEST_LEN, DIGEST_LEN)
               != 0)
    {
        return 0;
    }
    if (e->copy && io_write_at(f->part.fd, off, e->buf, len) != 0) {
        return part_fail_errno(&f->part, part_label(&f->part));
    }
    held_add(f->held, i, hash);
    blockmap_set(&f->kept, i);
    f->resumed += len;
    return 0;
}

static int
keep_blocks(struct file *f, struct earlier *e)
{
    int err = 0;

    e->buf = malloc(f->held->map.block_size);
    if (e->buf == NULL) {
        return part_fail(&f->part, SHOAL_ENOMEM, "out of memory");
    }
    for (uint32_t i = 0; err == 0 && i < f->held->map.count; i++) {
        if (is_stopped(f)) {
            err = SHOAL_ESTOPPED;
        } else if (e->copy || blockmap_has(&e->map->map, i)) {
            err = keep_block(f, e, i);
        }
    }
    free(e->buf);
    return err;
}

/* What the control file says is believed only where the bytes bear it out. */
static int
keep_part(struct file *f)
{
    struct earlier e = { .fd = f->part.fd, .size = f->resource.size };
    int err = SHOAL_ENOMEM;

    e.map = held_create(-1, f->resource.size);
    if (e.map != NULL
        && control_load(f->part.ctl, &f->resource, &e.map->map, e.map->layer)
               == 0)
    {
        err = keep_blocks(f, &e);
    } else if (e.map != NULL) {
        err = 0; /* nothing is kept */
    }
    held_retire(e.map);
    return err;
}

/* As wget -c: a shorter file of that name is its beginning. It stays as it
 * is until the whole file replaces it. */
static int
keep_seed(struct file *f)
{
    struct earlier e = { .copy = true };
    FILE *from = fopen(f->part.path, "re");
    struct stat st;

    if (from == NULL || fstat(fileno(from), &st) != 0) {
        if (from != NULL) {
            fclose(from);
        }
        return part_fail_errno(&f->part, f->part.path);
    }
    e.fd = fileno(from);
    e.size = (uint64_t) st.st_size;
    f->seeding = true;
    int err = keep_blocks(f, &e);
    f->seeding = err != 0;
    fclose(from);
    return err;
}

static int
save(struct file *f)
{
    f->dirty = false;
    return control_save(f->part.ctl, &f->resource, &f->held->map,
                        f->held->layer);
}

static int
keep(struct file *f)
{
    struct part *p = &f->part;
    int err = 0;

    if (p->loadable) {
        err = keep_part(f);
    }
    if (p->ctl != NULL && err == 0 && save(f) != 0) {
        err = part_fail_errno(p, p->ctl);
    }
    f->begun = err == 0;
    if (err == 0 && p->seed) {
        err = keep_seed(f);
        f->dirty = true;
    }
    return err;
}

/* -c, and a file of that size is there. */
static int
check_there(struct file *f)
{
    uint8_t buf[COPY_BYTES];
    size_t n;

    if (f->checksum == NULL) {
        f->done = true;
        return SHOAL_ESTOPPED;
    }
    FILE *in = fopen(f->part.path, "re");
    if (in == NULL) {
        return part_fail_errno(&f->part, f->part.path);
    }
    struct checksum_state *st = checksum_start(f->checksum);
    while (st != NULL && !is_stopped(f)
           && (n = fread(buf, 1, sizeof(buf), in)) > 0)
    {
        checksum_update(st, buf, n);
    }
    bool broken = ferror(in);
    fclose(in);
    bool right = st != NULL && checksum_finish(st, f->checksum);
    if (broken || is_stopped(f)) {
        return broken ? part_fail(&f->part, SHOAL_EIO, "%s: cannot read it",
                                  f->part.path)
                      : SHOAL_ESTOPPED;
    }
    f->done = right;
    return right ? SHOAL_ESTOPPED
                 : part_fail(&f->part, SHOAL_EVERIFY,
                             "%s: is there already, with another checksum",
                             f->part.path);
}

/* The .part stays open from version to version, and nothing of the last one
 * is used by the next. */
static int
open_part(struct file *f, const struct resource *r, uint64_t size,
          int64_t mtime)
{
    struct part *p = &f->part;
    int err = 0;

    if (p->fd < 0) {
        err = part_open(p, r, size, mtime);
    } else {
        p->loadable = p->seed = false;
    }
    if (err == PART_THERE) {
        return check_there(f);
    }
    if (err == 0 && !p->loadable && ftruncate(p->fd, 0) != 0) {
        err = part_fail_errno(p, part_label(p));
    }
    return err;
}

int
file_begin(struct file *f, const struct resource *r, int64_t mtime,
           const struct file_blocks *out)
{
    forget(f);
    if (resource_init(&f->resource, r->url, r->size, r->provider, r->version)
            != 0
        || blockmap_init(&f->kept, r->size) != 0)
    {
        return part_fail(&f->part, SHOAL_ENOMEM, "out of memory");
    }
    int err = open_part(f, r, r->size, mtime);
    if (err == 0) {
        err = part_reserve(&f->part, r->size);
    }
    if (err != 0) {
        return err;
    }
    struct held *held = held_create(f->part.fd, r->size);
    if (held == NULL) {
        return part_fail(&f->part, SHOAL_ENOMEM, "out of memory");
    }
    pthread_mutex_lock(&f->lock);
    f->held = held;
    pthread_mutex_unlock(&f->lock);
    err = keep(f);
    if (err != 0) {
        return err;
    }
    memcpy(out->layer, held->layer, (size_t) held->map.count * DIGEST_LEN);
    out->store->ops = &store_ops;
    out->store->ctx = f;
    return blockmap_load(out->held, held->map.bits,
                         blockmap_bytes(&held->map));
}

int
file_begin_plain(struct file *f, uint64_t size)
{
    forget(f);
    f->plain = true;
    int err = open_part(f, NULL, size, -1);
    if (err == 0 && f->part.ctl != NULL) {
        control_remove(f->part.ctl);
    }
    return err;
}

int
file_write_plain(struct file *f, const void *data, size_t len)
{
    if (io_write_at(f->part.fd, f->streamed, data, len) != 0) {
        return part_fail_errno(&f->part, part_label(&f->part));
    }
    f->streamed += len;
    return 0;
}

bool
file_done(const struct file *f)
{
    return f->done;
}

int
file_save(struct file *f)
{
    return f->begun && f->dirty && f->part.ctl != NULL ? save(f) : 0;
}

static int
write_out(int fd, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0) {
            return SHOAL_EIO;
        }
        p += n;
        len -= (size_t) n;
    }
    return 0;
}

/* To where there is no name to give: bytes for a reader, who may be slow. */
static int
copy_to_sink(struct file *f, int fd)
{
    uint8_t buf[COPY_BYTES];
    struct stat st;

    if (fstat(f->part.fd, &st) != 0) {
        return part_fail_errno(&f->part, "temporary file");
    }
    for (off_t off = 0; off < st.st_size;) {
        size_t n = sizeof(buf);

        if (st.st_size - off < (off_t) n) {
            n = (size_t) (st.st_size - off);
        }
        if (is_stopped(f)) {
            return SHOAL_ESTOPPED;
        }
        if (io_read_at(f->part.fd, (uint64_t) off, buf, n) != 0) {
            return part_fail(&f->part, SHOAL_EIO,
                             "temporary file: cannot "
                             "read it back");
        }
        if (write_out(fd, buf, n) != 0) {
            return is_stopped(f) ? SHOAL_ESTOPPED
                                 : part_fail_errno(&f->part, file_path(f));
        }
        off += (off_t) n;
    }
    return 0;
}

static int
finish_sink(struct file *f)
{
    int fd, err = part_open_sink(&f->part, &fd);

    if (err != 0) {
        return is_stopped(f) ? SHOAL_ESTOPPED : err;
    }
    err = copy_to_sink(f, fd);
    if (close(fd) != 0 && err == 0) {
        err = part_fail_errno(&f->part, file_path(f));
    }
    return err;
}

/* A small file is on disk before it has its name; a large one would cost its
 * user seconds (docs/shoal.1 says so). */
static int
sync_small(struct file *f)
{
    struct stat st;

    if (fstat(f->part.fd, &st) == 0 && st.st_size <= SYNC_MAX
        && fdatasync(f->part.fd) != 0 && errno != EINVAL)
    {
        return part_fail_errno(&f->part, f->part.name);
    }
    return 0;
}

int
file_finish(struct file *f, int64_t mtime)
{
    struct stat st;

    if (f->part.name == NULL) {
        return finish_sink(f);
    }
    if (f->plain && f->part.resume && stat(f->part.path, &st) == 0
        && (uint64_t) st.st_size > f->streamed)
    {
        return part_fail(&f->part, SHOAL_EINVAL,
                         "%s: more bytes are there than the file has",
                         f->part.path);
    }
    if (mtime >= 0) {
        struct timespec times[2] = { { .tv_nsec = UTIME_NOW },
                                     { .tv_sec = (time_t) mtime } };

        (void) futimens(f->part.fd, times); /* a nicety, as wget's */
    }
    int err = sync_small(f);
    return err == 0 ? part_give_name(&f->part) : err;
}

void
file_abandon(struct file *f)
{
    /* Without ranges, or a byte, there is nothing to go on with; while the beginning is
     * being copied, the file it comes from is better. */
    bool empty = !f->begun && !f->part.loadable;

    if (f->plain || f->seeding || empty) {
        part_remove(&f->part);
    } else {
        file_save(f);
    }
}

uint64_t
file_resumed(const struct file *f)
{
    return f->resumed;
}

const char *
file_path(const struct file *f)
{
    const struct part *p = &f->part;

    return p->path != NULL ? p->path : p->base != NULL ? p->base : "-";
}

const char *
file_error(const struct file *f)
{
    return f->part.why;
}

void
file_identify(struct file *f, const uint8_t id[RESOURCE_ID_LEN])
{
    pthread_mutex_lock(&f->lock);
    memcpy(f->id, id, RESOURCE_ID_LEN);
    f->identified = true;
    pthread_mutex_unlock(&f->lock);
}

void
file_fetching(struct file *f, uint32_t first, uint32_t n, bool on)
{
    if (f->held != NULL) {
        held_fetching(f->held, first, n, on);
    }
}

static int
serve_open(void *ctx, const uint8_t id[20], const struct sockaddr *from,
           struct serve_set *set)
{
    struct file *f = ctx;
    int err = SHOAL_ENOTFOUND;

    (void) from;
    pthread_mutex_lock(&f->lock);
    if (f->identified && f->held != NULL
        && memcmp(f->id, id, RESOURCE_ID_LEN) == 0)
    {
        held_open(f->held, set);
        err = 0;
    }
    pthread_mutex_unlock(&f->lock);
    return err;
}

const struct serve_ops file_serve = { serve_open, held_close, held_from,
                                      held_read,  held_have,  held_hashes,
                                      held_log,   held_unlog, NULL,
                                      NULL,       NULL,       NULL };
