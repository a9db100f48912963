/* db_folder.c - the cache's folder: whose it is, and whether the file in it
 * can be trusted.
 *
 * LMDB trusts its pages, so a damaged file makes it crash. Its trees are
 * checked (db_check.h) unless the file is as the last super peer has left it
 * at a clean end: same size, inode and time of its last change. superpeer.lock
 * says which, and is on the disk before the file is changed:
 *   open                        in use, or its user has died
 *   clean SIZE INODE SECONDS.NANOSECONDS
 *   damaged WORDS               LMDB found it so
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <dirent.h>

#include "db_check.h"
#include "db_internal.h"
#include "log.h"
#include "shoal.h"

enum {
    MARK_MAX = 256,        /* characters */
    TOLD_BYTES = 256 << 20 /* so large a file takes a while to be checked */
};

static void
name_of(const struct db *d, const char *file, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/%s", d->path, file);
}

/* Two processes would not know of each other's sets. */
int
db_folder_lock(struct db *d, char *why, size_t cap)
{
    char name[PATH_MAX];

    int n = snprintf(name, sizeof(name), "%s/superpeer.lock", d->path);
    if (n < 0 || (size_t) n >= sizeof(name)) {
        snprintf(why, cap, "cache %s: path too long", d->path);
        return -1;
    }
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(why, cap, "cache %s: %s", d->path, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(why, cap, "cache %s: in use by another super peer", d->path);
        close(fd);
        return -1;
    }
    return fd;
}

/* ---- the mark ---- */

static void
read_mark(const struct db *d, char out[MARK_MAX])
{
    ssize_t n = pread(d->lock_fd, out, MARK_MAX - 1, 0);

    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

/* Where it cannot be written, as on a full disk, the file is checked at the
 * next start for nothing. */
static int
write_mark(const struct db *d, const char *mark)
{
    size_t len = strlen(mark);

    if (ftruncate(d->lock_fd, 0) != 0
        || pwrite(d->lock_fd, mark, len, 0) != (ssize_t) len
        || fsync(d->lock_fd) != 0)
    {
        return errno;
    }
    return 0;
}

static int
clean_mark(const struct db *d, char out[MARK_MAX])
{
    char name[PATH_MAX];
    struct stat st;

    name_of(d, "data.mdb", name);
    if (stat(name, &st) != 0) {
        return errno;
    }
    snprintf(out, MARK_MAX, "clean %jd %ju %jd.%09ld", (intmax_t) st.st_size,
             (uintmax_t) st.st_ino, (intmax_t) st.st_mtim.tv_sec,
             st.st_mtim.tv_nsec);
    return 0;
}

void
db_folder_mark_damaged(struct db *d, const char *why)
{
    char mark[MARK_MAX];

    snprintf(mark, sizeof(mark), "damaged %s\n", why);
    write_mark(d, mark);
}

void
db_folder_leave(struct db *d)
{
    char mark[MARK_MAX];

    if (!db_is_broken(d) && !atomic_load(&d->unsynced)
        && clean_mark(d, mark) == 0) {
        write_mark(d, mark);
    }
}

/* ---- damaged files ---- */

/* One of them is kept: they are as large as the cache. */
static void
remove_older(const struct db *d)
{
    char name[PATH_MAX];
    struct dirent *e;

    DIR *dir = opendir(d->path);
    if (dir == NULL) {
        return;
    }
    while ((e = readdir(dir)) != NULL) {
        if (strncmp(e->d_name, "data.mdb.damaged-", 17) == 0) {
            name_of(d, e->d_name, name);
            unlink(name);
        }
    }
    closedir(dir);
}

void
db_folder_forget_locks(struct db *d)
{
    char name[PATH_MAX];

    name_of(d, "lock.mdb", name);
    unlink(name);
}

int
db_folder_move_aside(struct db *d, const char *reason)
{
    char from[PATH_MAX], to[PATH_MAX], name[48], when[20];
    time_t now = time(NULL);
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
    name_of(d, "data.mdb", from);
    snprintf(name, sizeof(name), "data.mdb.damaged-%s", when);
    name_of(d, name, to);
    remove_older(d);
    db_folder_forget_locks(d);
    if (rename(from, to) != 0) {
        log_line(LOG_LEVEL_ERROR, NULL,
                 "cache %s: data.mdb %s; and it cannot be moved: %s", d->path,
                 reason, strerror(errno));
        return SHOAL_EIO;
    }
    log_line(LOG_LEVEL_ERROR, NULL,
             "cache %s: data.mdb %s; moved to %s, a new one is begun. Delete "
             "it to have its room",
             d->path, reason, name);
    return 0;
}

/* SHOAL_EVERIFY: damaged. */
static int
check_trees(struct db *d, char *why, size_t cap)
{
    char name[PATH_MAX];
    struct stat st;

    name_of(d, "data.mdb", name);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return 0;
    }
    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(why, cap, "%s", strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return SHOAL_EIO;
    }
    if (st.st_size >= TOLD_BYTES) {
        log_line(LOG_LEVEL_INFO, NULL,
                 "cache %s: was not closed well: data.mdb is checked, which "
                 "may take minutes",
                 d->path);
    }
    int err = st.st_size == 0 ? 0 : db_check(fd, why, cap);
    close(fd);
    return err == SHOAL_EINVAL ? 0 : err; /* LMDB says what it is */
}

int
db_folder_check(struct db *d, char *why, size_t cap)
{
    char mark[MARK_MAX], now[MARK_MAX], reason[256], words[300];
    int err = 0;

    read_mark(d, mark);
    if (strncmp(mark, "damaged ", 8) == 0) {
        snprintf(reason, sizeof(reason), "%s", mark + 8);
        err = SHOAL_EVERIFY;
    } else if (clean_mark(d, now) != 0 || strcmp(mark, now) != 0) {
        err = check_trees(d, reason, sizeof(reason));
    }
    if (err == SHOAL_EVERIFY) {
        snprintf(words, sizeof(words), "is damaged: %s", reason);
        err = db_folder_move_aside(d, words);
    }
    if (err != 0) {
        snprintf(why, cap, "cache %s: %s", d->path,
                 err == SHOAL_EIO ? reason : shoal_strerror(err));
        return err;
    }
    int rc = write_mark(d, "open\n");
    if (rc != 0) {
        log_line(LOG_LEVEL_WARN, NULL, "cache %s: superpeer.lock: %s", d->path,
                 strerror(rc));
    }
    return 0;
}
