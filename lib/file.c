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
#include "earlier.h"
#include "held.h"
#include "io.h"
#include "ledger.h"
#include "part.h"
#include "quick.h"
#include "shoal.h"
#include "sink.h"

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
    struct blockmap kept;  /* which blocks these bytes are */
    uint64_t streamed;     /* the plain stream's place */
    uint8_t *quick;        /* hashes of blocks that have no other */
    struct ledger *ledger; /* NULL: a nameless file cannot be gone on with */
    struct sink *sink;     /* the bytes go out as they come; NULL: they are
                              gathered */
    uint64_t pieces;       /* that the plain stream gave it */

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
    ledger_free(f->ledger);
    f->ledger = NULL;
    sink_free(f->sink);
    f->sink = NULL;
    f->pieces = 0;
    pthread_mutex_lock(&f->lock);
    struct held *old = f->held;
    f->held = NULL;
    f->identified = false;
    pthread_mutex_unlock(&f->lock);
    held_retire(old);
    resource_fini(&f->resource);
    blockmap_fini(&f->kept);
    free(f->quick);
    f->quick = NULL;
    f->begun = f->plain = f->seeding = false;
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
file_sink(const struct file *f)
{
    return part_is_sink(&f->part);
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

/* ${err} of the sink, with its words. */
static int
sink_failed(struct file *f, int err)
{
    if (err != SHOAL_EIO && err != SHOAL_EFULL) {
        return err;
    }
    return part_fail_errno(&f->part, file_path(f));
}

static int
store_write(void *ctx, uint32_t block, const void *data, size_t len,
            const uint8_t hash[32])
{
    struct file *f = ctx;

    if (f->sink != NULL) {
        return sink_failed(f, sink_put(f->sink, block, data, len));
    }
    if (io_write_at(f->part.fd, blockmap_offset(&f->held->map, block), data,
                    len)
        != 0)
    {
        return part_fail_errno(&f->part, part_label(&f->part));
    }
    if (f->ledger != NULL && hash == NULL) {
        quick_hash(data, len, f->quick + (size_t) block * QUICK_LEN);
    }
    held_add(f->held, block, hash);
    if (f->ledger != NULL) {
        ledger_held(f->ledger, block);
    }
    return 0;
}

static int
store_read(void *ctx, uint64_t off, void *buf, size_t len)
{
    struct file *f = ctx;

    return f->sink != NULL ? SHOAL_EIO : io_read_at(f->part.fd, off, buf, len);
}

static int
store_drop(void *ctx, uint32_t block)
{
    struct file *f = ctx;

    if (f->sink != NULL) {
        return sink_drop(f->sink, block);
    }
    held_drop(f->held, block);
    if (blockmap_has(&f->kept, block)) {
        blockmap_clear(&f->kept, block);
        f->resumed -= blockmap_length(&f->kept, block);
    }
    if (f->ledger != NULL) {
        ledger_dropped(f->ledger, block);
    }
    return 0;
}

static void
store_hashed(void *ctx, uint32_t block, const uint8_t hash[32])
{
    struct file *f = ctx;

    if (f->held != NULL) {
        held_add(f->held, block, hash); /* the control file has a quick one */
    }
}

static const struct store_ops store_ops = { store_write, store_read,
                                            store_drop, store_hashed };

static void
keep_block(void *ctx, uint32_t block, const uint8_t *hash,
           const uint8_t *quick)
{
    struct file *f = ctx;

    memcpy(f->quick + (size_t) block * QUICK_LEN, quick, QUICK_LEN);
    held_add(f->held, block, hash);
    blockmap_set(&f->kept, block);
    f->resumed += blockmap_length(&f->kept, block);
    if (f->ledger != NULL) {
        ledger_held(f->ledger, block);
    }
}

/* Else nobody can tell whether what is there and what is to come are of the
 * same file. */
static bool
has_version(const struct file *f)
{
    return f->resource.version[0] != '\0' || f->checksum != NULL;
}

/* A control file is there before the first byte, so that whatever ends this
 * process does not leave a file that is nobody's. */
static int
keep(struct file *f)
{
    struct part *p = &f->part;
    struct earlier e = { p, &f->resource, keep_block, f };
    struct control_blocks blocks = { &f->held->map, f->held->layer, f->quick };
    int err = p->loadable && has_version(f) ? earlier_part(&e) : 0;

    if (err == 0 && p->ctl != NULL) {
        f->ledger = ledger_create(p->ctl, p->fd, &f->resource, &blocks);
        if (f->ledger == NULL) {
            err = part_fail_errno(p, p->ctl);
        }
    }
    if (err == 0) {
        err = part_reserve(p, f->resource.size);
    }
    f->begun = err == 0;
    if (err == 0 && p->seed) {
        f->seeding = true;
        err = earlier_seed(&e);
        f->seeding = err != 0;
    }
    return err == SHOAL_ENOMEM ? part_fail(p, err, "out of memory") : err;
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

/* What a reader has seen cannot be taken back. */
static int
begin_anew(struct file *f)
{
    if (f->sink != NULL && sink_started(f->sink)) {
        return part_fail(&f->part, SHOAL_EVERIFY,
                         "%s: the file would have to begin anew, and part of "
                         "it is out already",
                         file_path(f));
    }
    forget(f);
    return 0;
}

static int
open_sink(struct file *f)
{
    f->sink = sink_create(part_sink(&f->part), f->part.stop);
    return f->sink != NULL
               ? 0
               : part_fail(&f->part, SHOAL_ENOMEM, "out of memory");
}

static int
open_blocks(struct file *f, const struct resource *r, int64_t mtime)
{
    int err = open_part(f, r, r->size, mtime);

    if (err != 0) {
        return err;
    }
    struct held *held = held_create(f->part.fd, r->size);
    f->quick = calloc((size_t) f->kept.count + 1, QUICK_LEN);
    if (held == NULL || f->quick == NULL) {
        held_retire(held);
        return part_fail(&f->part, SHOAL_ENOMEM, "out of memory");
    }
    pthread_mutex_lock(&f->lock);
    f->held = held;
    pthread_mutex_unlock(&f->lock);
    return keep(f);
}

int
file_begin(struct file *f, const struct resource *r, int64_t mtime,
           const struct file_blocks *out)
{
    int err = begin_anew(f);

    if (err != 0) {
        return err;
    }
    if (resource_init(&f->resource, r->url, r->size, r->provider, r->version)
            != 0
        || blockmap_init(&f->kept, r->size) != 0)
    {
        return part_fail(&f->part, SHOAL_ENOMEM, "out of memory");
    }
    out->store->ops = &store_ops;
    out->store->ctx = f;
    if (part_is_sink(&f->part)) {
        return open_sink(f);
    }
    err = open_blocks(f, r, mtime);
    if (err != 0) {
        return err;
    }
    const struct held *held = f->held;
    memcpy(out->layer, held->layer, (size_t) held->map.count * DIGEST_LEN);
    return blockmap_load(out->held, held->map.bits,
                         blockmap_bytes(&held->map));
}

int
file_begin_plain(struct file *f, uint64_t size)
{
    int err = begin_anew(f);

    f->plain = true;
    if (err != 0 || part_is_sink(&f->part)) {
        return err != 0 ? err : open_sink(f);
    }
    err = open_part(f, NULL, size, -1);
    if (err == 0 && f->part.ctl != NULL) {
        control_remove(f->part.ctl);
    }
    return err;
}

/* Only the whole can be checked: until then the bytes are gathered. */
static int
gather(struct file *f)
{
    struct sink *sink = f->sink;
    uint64_t index;
    void *data;
    size_t len;

    f->sink = NULL;
    int err = f->plain ? open_part(f, NULL, UINT64_MAX, -1)
                       : open_blocks(f, &f->resource, -1);
    while (sink_take(sink, &index, &data, &len)) {
        if (err == 0 && f->plain) {
            err = file_write_plain(f, data, len);
        } else if (err == 0) {
            err = store_write(f, (uint32_t) index, data, len, NULL);
        }
        free(data);
    }
    sink_free(sink);
    return err;
}

int
file_release(struct file *f, bool checked)
{
    if (f->sink == NULL) {
        return 0;
    }
    return checked ? sink_failed(f, sink_go(f->sink)) : gather(f);
}

int
file_window(struct file *f, uint64_t *out)
{
    *out = UINT64_MAX;
    return f->sink != NULL ? sink_failed(f, sink_look(f->sink, out)) : 0;
}

int
file_write_plain(struct file *f, const void *data, size_t len)
{
    if (f->sink != NULL) {
        return sink_failed(f, sink_put(f->sink, f->pieces++, data, len));
    }
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

void
file_save(struct file *f)
{
    if (f->ledger != NULL) {
        ledger_save(f->ledger);
    }
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

    if (f->sink != NULL) {
        return sink_failed(f, sink_end(f->sink));
    }
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
    ledger_free(f->ledger);
    f->ledger = NULL;
    int err = sync_small(f);
    return err == 0 ? part_give_name(&f->part) : err;
}

void
file_abandon(struct file *f)
{
    sink_free(f->sink);
    f->sink = NULL;
    /* Without ranges, or a byte, there is nothing to go on with; while the beginning is
     * being copied, the file it comes from is better. */
    bool empty = !f->begun && !f->part.loadable;

    if (f->plain || f->seeding || empty) {
        part_remove(&f->part);
    } else if (f->ledger != NULL) {
        ledger_settle(f->ledger); /* if it fails, less is known, no more */
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
