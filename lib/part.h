/* part.h - where a download is gathered, PATH.part, and where it goes. */
#ifndef PART_H
#define PART_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resource;

enum {
    PART_THERE = 1 /* the file is at its place already */
};

struct part {
    char *base; /* as given; NULL: standard output */
    bool derived, resume;
    const atomic_bool *stop;

    /* Right after part_open(). */
    int fd;
    char *path;    /* the final one: BASE, or BASE.1 ... */
    char *name;    /* PATH.part, locked; NULL: a nameless temporary file */
    char *ctl;     /* PATH.part.ctl */
    bool loadable; /* there is a control file that fits */
    bool seed;     /* PATH holds the beginning of the file */
    bool replace;  /* what stands at PATH is to be replaced */
    char why[512];
};

/**
 * part_init(p, path, derived, resume, stop):
 * For a download to ${path}, NULL: to standard output. ${derived}: nobody
 * named it, so PATH.1 will do as well. ${resume}: -c. SHOAL_ENOMEM.
 */
int part_init(struct part *p, const char *path, bool derived, bool resume,
              const atomic_bool *stop);

/** part_fini(p): unlocks; what is partial stays where it is. */
void part_fini(struct part *p);

/** part_promising(p): there is something that -c may go on with. */
bool part_promising(const struct part *p);

/**
 * part_open(p, r, size, mtime):
 * Find the name, open and lock its .part; it holds what was there. ${r} NULL:
 * a plain stream, of ${size} bytes or UINT64_MAX. ${mtime}: the origin's, or
 * -1. PART_THERE: nothing is to be done, ${p->path} names the file.
 * Errors:  SHOAL_EIO, SHOAL_EFULL, SHOAL_EINVAL (what is there cannot be
 *          gone on with), SHOAL_ENOMEM; the words are in ${p->why}.
 */
int part_open(struct part *p, const struct resource *r, uint64_t size,
              int64_t mtime);

/** part_is_sink(p): it goes to no file; part_sink(p): but to what is there,
 *  NULL: to standard output. */
bool part_is_sink(const struct part *p);
const char *part_sink(const struct part *p);

/** part_open_sink(p, fd): what a nameless file is to be copied to: standard
 *  output, a device, a FIFO (where it waits for a reader). */
int part_open_sink(struct part *p, int *fd);

/** part_reserve(p, size): room on disk, found out before the first byte. */
int part_reserve(struct part *p, uint64_t size);

/** part_give_name(p): rename it to PATH, and forget the control file. Where
 *  PATH came to be meanwhile and may not be replaced, to the next free one. */
int part_give_name(struct part *p);

/** part_remove(p): the .part and its control file. */
void part_remove(struct part *p);

/** part_fail(p, err, ...), part_fail_errno(p, what): ${err}, or the one that
 *  errno means, with its words in ${p->why}. */
int part_fail(struct part *p, int err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int part_fail_errno(struct part *p, const char *what);

/** part_label(p): what errors about its bytes name. */
const char *part_label(const struct part *p);

#endif
