#include "part.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "control.h"
#include "name.h"
#include "resource.h"
#include "shoal.h"

enum {
    NAMES_MAX = 10000, /* NAME.1 ... before giving up */
    TRIES_MAX = 100,   /* at one name that others rename under us */
    TAKEN = 2,         /* of this name; the next one may do */
    BUSY = 3,          /* another process is writing it */
    AGAIN = 4          /* others were at it in this very moment */
};

int
part_fail(struct part *p, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(p->why, sizeof(p->why), format, args);
    va_end(args);
    return err;
}

int
part_fail_errno(struct part *p, const char *what)
{
    int err = errno == ENOSPC || errno == EDQUOT ? SHOAL_EFULL : SHOAL_EIO;

    return part_fail(p, err, "%s: %s", what, strerror(errno));
}

const char *
part_label(const struct part *p)
{
    return p->name != NULL ? p->name : "temporary file";
}

int
part_init(struct part *p, const char *path, bool derived, bool resume,
          const atomic_bool *stop)
{
    memset(p, 0, sizeof(*p));
    p->fd = -1;
    p->derived = derived;
    p->resume = resume && path != NULL;
    p->stop = stop;
    if (path != NULL) {
        p->base = strdup(path);
        return p->base != NULL ? 0 : SHOAL_ENOMEM;
    }
    return 0;
}

static void
forget_names(struct part *p)
{
    free(p->path);
    free(p->name);
    free(p->ctl);
    p->path = p->name = p->ctl = NULL;
    p->loadable = p->seed = p->replace = false;
}

void
part_fini(struct part *p)
{
    if (p->fd >= 0) {
        close(p->fd);
    }
    p->fd = -1;
    forget_names(p);
    free(p->base);
    p->base = NULL;
}

/* ${path} is taken. */
static int
set_names(struct part *p, char *path)
{
    forget_names(p);
    p->path = path;
    if (asprintf(&p->name, "%s.part", path) < 0) {
        p->name = NULL;
        return part_fail(p, SHOAL_ENOMEM, "out of memory");
    }
    if (asprintf(&p->ctl, "%s.ctl", p->name) < 0) {
        p->ctl = NULL;
        return part_fail(p, SHOAL_ENOMEM, "out of memory");
    }
    return 0;
}

static bool
is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

bool
part_promising(const struct part *p)
{
    char *name;
    struct stat st;

    if (!p->resume) {
        return false;
    }
    if (stat(p->base, &st) == 0) {
        return S_ISREG(st.st_mode);
    }
    if (asprintf(&name, "%s.part.ctl", p->base) < 0) {
        return false;
    }
    bool there = stat(name, &st) == 0;
    free(name);
    return there;
}

static int
open_nameless(struct part *p)
{
    const char *dir = getenv("TMPDIR");
    char *name = NULL;

    dir = dir != NULL && *dir != '\0' ? dir : "/tmp";
    p->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (p->fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) {
        return p->fd >= 0 ? 0 : part_fail_errno(p, dir);
    }
    /* A file system without it. */
    if (asprintf(&name, "%s/shoalXXXXXX", dir) < 0) {
        return part_fail(p, SHOAL_ENOMEM, "out of memory");
    }
    p->fd = mkostemp(name, O_CLOEXEC);
    if (p->fd >= 0) {
        unlink(name);
    }
    free(name);
    return p->fd >= 0 ? 0 : part_fail_errno(p, dir);
}

/* Is ${name} the file that is open? */
static bool
is_ours(int fd, const char *name)
{
    struct stat mine, there;

    return fstat(fd, &mine) == 0 && lstat(name, &there) == 0
           && mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

/*
 * Locked, and sure to be the one at this name: he who had the lock before us
 * may have renamed or removed it. ENOENT and EEXIST in errno mean what
 * they mean to open(); ESTALE: try again.
 */
static int
open_locked(struct part *p, int flags)
{
    int fd = open(p->name,
                  O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0666);
    int saved = ESTALE;

    if (fd < 0) {
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        saved = EWOULDBLOCK; /* no locks at all: as good as it gets */
    } else if (is_ours(fd, p->name)) {
        return fd;
    }
    close(fd);
    errno = saved;
    return -1;
}

/* -c and no control file that fits: what about the file itself? */
static int
judge_there(struct part *p, uint64_t size, int64_t mtime)
{
    struct stat st;

    if (stat(p->path, &st) != 0) {
        return 0;
    }
    uint64_t there = (uint64_t) st.st_size;
    p->replace = true;
    if (size == UINT64_MAX) {
        return 0;
    }
    if (there == size) {
        return PART_THERE;
    }
    if (there > size) {
        return part_fail(p, SHOAL_EINVAL,
                         "%s: cannot go on: %" PRIu64
                         " bytes are there, the file has %" PRIu64,
                         p->path, there, size);
    }
    if (mtime > (int64_t) st.st_mtim.tv_sec) {
        return part_fail(
            p, SHOAL_EINVAL,
            "%s: cannot go on: the file is newer than the %" PRIu64
            " of its %" PRIu64 " bytes that are there",
            p->path, there, size);
    }
    p->seed = there > 0;
    return 0;
}

/* Whose is the .part that is there, and is it any good? */
static int
judge_part(struct part *p, const struct resource *r)
{
    struct stat st;

    if (fstat(p->fd, &st) != 0) {
        return part_fail_errno(p, p->name);
    }
    if (!S_ISREG(st.st_mode)) {
        return part_fail(p, SHOAL_EIO, "%s: not a regular file", p->name);
    }
    bool control = is_there(p->ctl);
    int err = SHOAL_ENOTFOUND;
    if (p->resume && r != NULL) {
        err = control_load(p->ctl, r, NULL);
    }
    p->loadable = err == 0;
    bool foreign = p->resume ? err == SHOAL_ENOAGREE || !control : true;

    return p->derived && foreign && (control || st.st_size > 0) ? TAKEN : 0;
}

static void
close_fd(struct part *p)
{
    close(p->fd);
    p->fd = -1;
}

/* Open, lock and judge what is at p->name. */
static int
open_there(struct part *p, const struct resource *r)
{
    p->fd = open_locked(p, 0);
    if (p->fd < 0) {
        return errno == ENOENT        ? SHOAL_ENOTFOUND
               : errno == EWOULDBLOCK ? BUSY
               : errno == ESTALE      ? AGAIN
                                      : part_fail_errno(p, p->name);
    }
    int err = judge_part(p, r);
    if (err != 0) {
        close_fd(p);
    }
    return err;
}

/* As the file that it will replace: what was private stays so. */
static void
copy_mode(const struct part *p)
{
    struct stat st;

    if (p->replace && stat(p->path, &st) == 0) {
        (void) fchmod(p->fd, st.st_mode & 0777);
    }
}

static int
create(struct part *p)
{
    p->fd = open_locked(p, O_CREAT | O_EXCL);
    if (p->fd < 0) {
        bool again =
            errno == EEXIST || errno == ESTALE || errno == EWOULDBLOCK;

        return again ? AGAIN : part_fail_errno(p, p->name);
    }
    /* He who had the name may be done, and his file stand there. */
    if (p->derived && !p->resume && is_there(p->path)) {
        unlink(p->name);
        close_fd(p);
        return TAKEN;
    }
    return 0;
}

/* 0, PART_THERE, TAKEN, BUSY, AGAIN, or an error with its words. */
static int
try_name(struct part *p, const struct resource *r, uint64_t size,
         int64_t mtime)
{
    struct stat st;

    if (stat(p->path, &st) == 0) {
        if (p->derived && (!p->resume || !S_ISREG(st.st_mode))) {
            return TAKEN;
        }
        p->replace = true;
    } else if (p->derived && is_there(p->path)) {
        return TAKEN;
    }
    int err = open_there(p, r);
    bool found = err == 0;
    if (!found && err != SHOAL_ENOTFOUND) {
        return err;
    }
    err = 0;
    if (p->resume && !p->loadable) {
        err = judge_there(p, size, mtime);
    }
    if (err == 0 && !found) {
        err = create(p);
    } else if (err != 0 && found) {
        close_fd(p);
    }
    if (err == 0) {
        copy_mode(p);
    }
    return err;
}

static int
open_name(struct part *p, const struct resource *r, uint64_t size,
          int64_t mtime)
{
    int err = AGAIN;

    for (unsigned i = 0; err == AGAIN && i < TRIES_MAX; i++) {
        p->loadable = p->seed = p->replace = false;
        err = try_name(p, r, size, mtime);
    }
    if (err == AGAIN || (err == BUSY && (!p->derived || p->resume))) {
        return part_fail(p, SHOAL_EIO, "%s: another download is writing it",
                         p->name);
    }
    return err == BUSY ? TAKEN : err;
}

/* /dev/stdout, wherever that leads. */
static bool
is_stdout(const char *path)
{
    struct stat st, out;

    return stat(path, &st) == 0 && fstat(STDOUT_FILENO, &out) == 0
           && st.st_dev == out.st_dev && st.st_ino == out.st_ino;
}

/* -O of what is no file: a device, a FIFO, our standard output. */
static bool
is_sink(const char *path)
{
    struct stat st;

    return is_stdout(path)
           || (stat(path, &st) == 0 && !S_ISREG(st.st_mode)
               && !S_ISDIR(st.st_mode));
}

bool
part_is_sink(const struct part *p)
{
    return p->base == NULL || (!p->derived && is_sink(p->base));
}

const char *
part_sink(const struct part *p)
{
    return p->base != NULL && !is_stdout(p->base) ? p->base : NULL;
}

int
part_open_sink(struct part *p, int *fd)
{
    if (p->path == NULL || is_stdout(p->path)) {
        *fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    } else {
        *fd = open(p->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    }
    return *fd >= 0 ? 0
                    : part_fail_errno(p, p->path != NULL ? p->path
                                                         : "standard output");
}

static int
open_given(struct part *p, const struct resource *r, uint64_t size,
           int64_t mtime)
{
    struct stat st;

    if (is_sink(p->base)) {
        p->path = strdup(p->base);
        return p->path != NULL ? open_nameless(p)
                               : part_fail(p, SHOAL_ENOMEM, "out of memory");
    }
    if (stat(p->base, &st) == 0 && S_ISDIR(st.st_mode)) {
        return part_fail(p, SHOAL_EIO, "%s: %s", p->base, strerror(EISDIR));
    }
    char *name = name_behind(p->base);
    if (name == NULL) {
        return part_fail(p, SHOAL_ENOMEM, "out of memory");
    }
    int err = set_names(p, name);
    return err == 0 ? open_name(p, r, size, mtime) : err;
}

static int
open_numbered(struct part *p, const struct resource *r, uint64_t size,
              int64_t mtime, unsigned i)
{
    char *name = name_numbered(p->base, i);

    if (name != NULL && p->resume) {
        char *behind = name_behind(name);

        free(name);
        name = behind;
    }
    if (name == NULL) {
        return part_fail(p, SHOAL_ENOMEM, "out of memory");
    }
    int err = set_names(p, name);
    return err == 0 ? open_name(p, r, size, mtime) : err;
}

int
part_open(struct part *p, const struct resource *r, uint64_t size,
          int64_t mtime)
{
    int err = TAKEN;

    if (p->base == NULL) {
        return open_nameless(p);
    }
    if (!p->derived) {
        return open_given(p, r, size, mtime);
    }
    for (unsigned i = 0; err == TAKEN && i < NAMES_MAX; i++) {
        err = open_numbered(p, r, size, mtime, i);
    }
    return err != TAKEN
               ? err
               : part_fail(p, SHOAL_EIO, "%s: too many of that name", p->base);
}

/* In memory, room costs as much as the bytes themselves: it is looked for, but
 * not taken. 0; SHOAL_EFULL, SHOAL_EIO; SHOAL_ENOTFOUND: it is on disk. */
static int
look_for_room(struct part *p, uint64_t size)
{
    struct statfs fs;
    struct stat st;

    if (fstatfs(p->fd, &fs) != 0 || fstat(p->fd, &st) != 0
        || fs.f_type != TMPFS_MAGIC)
    {
        return SHOAL_ENOTFOUND;
    }
    uint64_t room = (uint64_t) fs.f_bavail * (uint64_t) fs.f_bsize
                    + (uint64_t) st.st_blocks * 512;
    if (fs.f_blocks != 0 && room < size) {
        errno = ENOSPC;
        return part_fail_errno(p, part_label(p));
    }
    return ftruncate(p->fd, (off_t) size) == 0
               ? 0
               : part_fail_errno(p, part_label(p));
}

int
part_reserve(struct part *p, uint64_t size)
{
    int got = look_for_room(p, size);

    if (got != SHOAL_ENOTFOUND) {
        return got;
    }
    do {
        got = size > 0 ? fallocate(p->fd, 0, 0, (off_t) size) : 0;
    } while (got != 0 && errno == EINTR && (p->stop == NULL || !*p->stop));
    if (got != 0 && errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL)
    {
        return part_fail_errno(p, part_label(p));
    }
    if (ftruncate(p->fd, (off_t) size) != 0) {
        return part_fail_errno(p, part_label(p));
    }
    return 0;
}

/* As rename(), but never over what is there; errno. */
static int
rename_beside(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return errno;
    }
    /* A file system that cannot: nearly as good. */
    if (is_there(to)) {
        return EEXIST;
    }
    return rename(from, to) == 0 ? 0 : errno;
}

int
part_give_name(struct part *p)
{
    int saved = EEXIST;

    if (!is_ours(p->fd, p->name)) {
        return part_fail(p, SHOAL_EIO, "%s: is not ours any more", p->name);
    }
    if (!p->derived || p->replace) {
        saved = rename(p->name, p->path) == 0 ? 0 : errno;
    } else {
        saved = rename_beside(p->name, p->path);
    }
    for (unsigned i = 1; saved == EEXIST && i < NAMES_MAX; i++) {
        char *name = name_numbered(p->base, i);

        if (name == NULL) {
            return part_fail(p, SHOAL_ENOMEM, "out of memory");
        }
        saved = rename_beside(p->name, name);
        free(p->path);
        p->path = name;
    }
    if (saved != 0) {
        errno = saved;
        return part_fail_errno(p, p->path);
    }
    control_remove(p->ctl);
    return 0;
}

void
part_remove(struct part *p)
{
    if (p->name != NULL && p->fd >= 0 && is_ours(p->fd, p->name)) {
        control_remove(p->ctl);
        unlink(p->name);
    }
}
