/* share.h - serving our blocks to others while we download. */
#ifndef SHARE_H
#define SHARE_H

#include <stdint.h>

struct callers;
struct file;
struct options;
struct serve;

enum {
    SHARE_RATE = 10 * 1000 * 1000 / 8, /* bytes a second: 10 Mbit/s */
    SHARE_UPLOADS = 4, /* blocks at a time */
    SHARE_MIN_RATE = 512 /* bytes a second; slower readers only hold a place */
};

/**
 * share_start(o, f, callers, out):
 * Serve ${f} if the user's options allow it and others could hear of it and
 * reach us: a --listen-port was given, or a tracker was and this host has a
 * public address. Said in one line on standard error. *out is NULL when
 * nothing is served.
 * Errors:  SHOAL_ENET: the port that was asked for cannot be had.
 */
int share_start(const struct options *o, struct file *f,
                struct callers *callers, struct serve **out);

#endif
