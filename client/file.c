#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blockmap.h"
#include "control.h"
#include "digest.h"
#include "shoal.h"

struct file {
    char *path; /* NULL: standard output */
    char *part; /* path.part */
    char *ctl;  /* path.part.ctl */
    bool resume;
    int fd;
    bool plain;
    bool begun;
    struct resource resource;
    uint64_t resumed;
    bool dirty; /* blocks came since the control file was written */
    char why[512];

    /* The server's threads read these: under the lock. */
    pthread_mutex_t lock;
    bool identified;
    uint8_t id[RESOURCE_ID_LEN];
    struct blockmap held;
    uint8_t *layer;
    uint64_t added;
};

static int fail(struct file *f, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int
fail(struct file *f, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(f->why, sizeof(f->why), format, args);
    va_end(args);
    return err;
}

/* From errno, with its words. */
static int
fail_errno(struct file *f, const char *path)
{
    int err = errno == ENOSPC || errno == EDQUOT ? SHOAL_EFULL : SHOAL_EIO;

    return fail(f, err, "%s: %s", path, strerror(errno));
}

struct file *
file_create(const char *path, bool resume)
{
    struct file *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        return NULL;
    }
    f->fd = -1;
    f->resume = resume && path != NULL;
    pthread_mutex_init(&f->lock, NULL);
    if (path == NULL) {
        return f;
    }
    f->path = strdup(path);
    if (asprintf(&f->part, "%s.part", path) < 0) {
        f->part = NULL;
    }
    if (asprintf(&f->ctl, "%s.part.ctl", path) < 0) {
        f->ctl = NULL;
    }
    if (f->path == NULL || f->part == NULL || f->ctl == NULL) {
        file_free(f);
        return NULL;
    }
    return f;
}

/* Under the lock: a server's thread may be reading. */
static void
close_part(struct file *f)
{
    pthread_mutex_lock(&f->lock);
    if (f->fd >= 0) {
        close(f->fd);
    }
    resource_fini(&f->resource);
    blockmap_fini(&f->held);
    free(f->layer);
    f->fd = -1;
    f->layer = NULL;
    f->identified = false;
    f->resumed = 0;
    pthread_mutex_unlock(&f->lock);
}

void
file_free(struct file *f)
{
    if (f == NULL) {
        return;
    }
    close_part(f);
    free(f->path);
    free(f->part);
    free(f->ctl);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

static int
read_at(int fd, uint64_t off, void *buf, size_t len)
{
    uint8_t *p = buf;

    while (len > 0) {
        ssize_t n = pread(fd, p, len, (off_t) off);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return SHOAL_EIO;
        }
        p += n;
        off += (uint64_t) n;
        len -= (size_t) n;
    }
    return 0;
}

static int
write_at(struct file *f, uint64_t off, const void *buf, size_t len)
{
    const uint8_t *p = buf;

    while (len > 0) {
        ssize_t n = pwrite(f->fd, p, len, (off_t) off);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail_errno(f, f->part != NULL ? f->part : "output");
        }
        p += n;
        off += (uint64_t) n;
        len -= (size_t) n;
    }
    return 0;
}

static int
store_write(void *ctx, uint32_t block, const void *data, size_t len,
            const uint8_t hash[32])
{
    struct file *f = ctx;
    int err = write_at(f, blockmap_offset(&f->held, block), data, len);

    if (err != 0) {
        return err;
    }
    pthread_mutex_lock(&f->lock);
    blockmap_set(&f->held, block);
    memcpy(f->layer + (size_t) block * DIGEST_LEN, hash, DIGEST_LEN);
    f->added++;
    pthread_mutex_unlock(&f->lock);
    f->dirty = true;
    return 0;
}

static int
store_read(void *ctx, uint64_t off, void *buf, size_t len)
{
    struct file *f = ctx;

    return read_at(f->fd, off, buf, len);
}

static void
store_drop(void *ctx, uint32_t block)
{
    struct file *f = ctx;

    pthread_mutex_lock(&f->lock);
    blockmap_clear(&f->held, block);
    memset(f->layer + (size_t) block * DIGEST_LEN, 0, DIGEST_LEN);
    pthread_mutex_unlock(&f->lock);
    f->dirty = true;
}

static const struct store_ops store_ops = { store_write, store_read,
                                            store_drop };

static int
open_part(struct file *f, bool keep)
{
    if (f->part == NULL) {
        const char *dir = getenv("TMPDIR");

        dir = dir != NULL && *dir != '\0' ? dir : "/tmp";
        f->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        return f->fd >= 0 ? 0 : fail_errno(f, dir);
    }
    f->fd = open(f->part, O_RDWR | O_CREAT | O_CLOEXEC | (keep ? 0 : O_TRUNC),
                 0666);
    return f->fd >= 0 ? 0 : fail_errno(f, f->part);
}

/* A full disk is found out before the first byte, not after the last. */
static int
reserve(struct file *f, uint64_t size)
{
    if (size == 0) {
        return 0;
    }
    if (fallocate(f->fd, 0, 0, (off_t) size) != 0) {
        if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) {
            return fail_errno(f, f->part != NULL ? f->part : "output");
        }
        errno = 0;
    }
    if (ftruncate(f->fd, (off_t) size) != 0) {
        return fail_errno(f, f->part != NULL ? f->part : "output");
    }
    return 0;
}

/* What the control file says is believed only where the bytes bear it out. */
static int
verify_held(struct file *f)
{
    uint8_t *buf = malloc(f->held.block_size);
    int err = buf != NULL ? 0 : SHOAL_ENOMEM;

    for (uint32_t i = 0; err == 0 && i < f->held.count; i++) {
        uint8_t *told = f->layer + (size_t) i * DIGEST_LEN;
        uint8_t hash[DIGEST_LEN];
        size_t len = blockmap_length(&f->held, i);

        if (!blockmap_has(&f->held, i)) {
            memset(told, 0, DIGEST_LEN);
            continue;
        }
        if (read_at(f->fd, blockmap_offset(&f->held, i), buf, len) != 0
            || digest_block(buf, len, f->held.size, f->held.block_size, hash)
                   != 0
            || memcmp(hash, told, DIGEST_LEN) != 0)
        {
            blockmap_clear(&f->held, i);
            memset(told, 0, DIGEST_LEN);
            continue;
        }
        f->resumed += len;
    }
    free(buf);
    return err;
}

int
file_begin(struct file *f, const struct resource *r, struct blockmap *held,
           uint8_t *layer, struct store *store)
{
    size_t bytes = ((size_t) held->count + 1) * DIGEST_LEN;
    bool resumed = false;

    close_part(f);
    f->layer = calloc(1, bytes);
    if (f->layer == NULL
        || resource_init(&f->resource, r->url, r->size, r->provider,
                         r->version)
               != 0
        || blockmap_init(&f->held, r->size) != 0)
    {
        return fail(f, SHOAL_ENOMEM, "out of memory");
    }
    if (f->resume && access(f->part, F_OK) == 0) {
        resumed = control_load(f->ctl, r, &f->held, f->layer) == 0;
    }
    int err = open_part(f, resumed);
    if (err == 0) {
        err = reserve(f, r->size);
    }
    if (err == 0 && resumed) {
        err = verify_held(f);
    }
    if (err != 0) {
        return err;
    }
    f->begun = true;
    f->dirty = true;
    err = file_save(f);
    if (err != 0) {
        return err;
    }
    memcpy(layer, f->layer, bytes);
    store->ops = &store_ops;
    store->ctx = f;
    return blockmap_load(held, f->held.bits, blockmap_bytes(&f->held));
}

int
file_begin_plain(struct file *f)
{
    f->plain = true;
    return open_part(f, false);
}

int
file_write_plain(struct file *f, const void *data, size_t len)
{
    int err = write_at(f, f->resumed, data, len);

    f->resumed += err == 0 ? len : 0; /* here: the stream's place */
    return err;
}

int
file_save(struct file *f)
{
    if (!f->begun || !f->dirty || f->ctl == NULL) {
        return 0;
    }
    f->dirty = false;
    int err = control_save(f->ctl, &f->resource, &f->held, f->layer);
    return err == 0 ? 0 : fail_errno(f, f->ctl);
}

static int
copy_to_stdout(struct file *f)
{
    static uint8_t buf[65536];
    struct stat st;

    if (fstat(f->fd, &st) != 0) {
        return fail_errno(f, "output");
    }
    for (off_t off = 0; off < st.st_size;) {
        size_t n = sizeof(buf);

        if (st.st_size - off < (off_t) n) {
            n = (size_t) (st.st_size - off);
        }
        if (read_at(f->fd, (uint64_t) off, buf, n) != 0
            || fwrite(buf, 1, n, stdout) != n)
        {
            return fail_errno(f, "standard output");
        }
        off += (off_t) n;
    }
    return fflush(stdout) == 0 ? 0 : fail_errno(f, "standard output");
}

int
file_finish(struct file *f, int64_t mtime)
{
    if (f->path == NULL) {
        return copy_to_stdout(f);
    }
    if (mtime >= 0) {
        struct timespec times[2] = { { .tv_nsec = UTIME_NOW },
                                     { .tv_sec = (time_t) mtime } };

        (void) futimens(f->fd, times); /* a nicety, as wget's */
    }
    if (rename(f->part, f->path) != 0) {
        return fail_errno(f, f->path);
    }
    unlink(f->ctl);
    return 0;
}

void
file_abandon(struct file *f)
{
    /* Without ranges, or without a byte, there is nothing to go on with. */
    bool useless = f->plain || (!f->begun && f->fd >= 0 && !f->resume);

    if (useless && f->part != NULL) {
        unlink(f->part);
    } else if (f->begun) {
        file_save(f);
    }
}

uint64_t
file_resumed(const struct file *f)
{
    return f->plain ? 0 : f->resumed;
}

const char *
file_error(const struct file *f)
{
    return f->why;
}

void
file_identify(struct file *f, const uint8_t id[RESOURCE_ID_LEN])
{
    pthread_mutex_lock(&f->lock);
    memcpy(f->id, id, RESOURCE_ID_LEN);
    f->identified = true;
    pthread_mutex_unlock(&f->lock);
}

static int
serve_open(void *ctx, const uint8_t id[20], struct serve_set *set)
{
    struct file *f = ctx;

    pthread_mutex_lock(&f->lock);
    bool known = f->identified && memcmp(f->id, id, RESOURCE_ID_LEN) == 0;
    pthread_mutex_unlock(&f->lock);
    if (!known) {
        return SHOAL_ENOTFOUND;
    }
    *set = (struct serve_set){ f, f->held.size, f->held.block_size,
                               f->held.count };
    return 0;
}

static void
serve_close(void *ctx, struct serve_set *set)
{
    (void) ctx;
    set->handle = NULL;
}

static uint64_t
serve_held(void *ctx, const struct serve_set *set, uint64_t off, uint64_t len)
{
    struct file *f = ctx;

    (void) set;
    pthread_mutex_lock(&f->lock);
    uint64_t n = blockmap_held_from(&f->held, off, len);
    pthread_mutex_unlock(&f->lock);
    return n;
}

static long
serve_read(void *ctx, const struct serve_set *set, uint64_t off, void *buf,
           size_t len)
{
    struct file *f = ctx;

    if (serve_held(ctx, set, off, len) < len) {
        return SHOAL_EIO; /* it was dropped meanwhile */
    }
    return read_at(f->fd, off, buf, len) == 0 ? (long) len : SHOAL_EIO;
}

static int
serve_have(void *ctx, const struct serve_set *set, uint8_t *bits,
           uint64_t *cursor)
{
    struct file *f = ctx;

    (void) set;
    pthread_mutex_lock(&f->lock);
    memcpy(bits, f->held.bits, blockmap_bytes(&f->held));
    *cursor = f->added;
    pthread_mutex_unlock(&f->lock);
    return 0;
}

static int
serve_hashes(void *ctx, const struct serve_set *set, uint8_t *layer)
{
    struct file *f = ctx;

    pthread_mutex_lock(&f->lock);
    memcpy(layer, f->layer, (size_t) set->count * DIGEST_LEN);
    pthread_mutex_unlock(&f->lock);
    return 0;
}

const struct serve_ops file_serve = { serve_open, serve_close, serve_held,
                                      serve_read, serve_have,  serve_hashes };
