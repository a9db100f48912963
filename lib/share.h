/* share.h - serving our blocks to others while we download. */
#ifndef SHARE_H
#define SHARE_H

#include <stdbool.h>
#include <stddef.h>

struct callers;
struct file;
struct serve;
struct settings;

struct share_options {
    const struct settings *settings;
    struct file *file;
    struct callers *callers; /* that it notes peers in */
    bool tracked;            /* a tracker was given */
};

/**
 * share_start(o, out, why, cap):
 * Be ready to serve the file if the user's settings allow it and others could hear of it
 * and reach us: a listen-port was given, or a tracker was and this host has a
 * public address. *out is NULL when nothing is served. Unless a listen-port was
 * given, only share_run() does serve.
 * Errors:  SHOAL_ENET: the port that was asked for cannot be had; ${why}.
 */
int share_start(const struct share_options *o, struct serve **out, char *why,
                size_t cap);

/** share_run(s, why, cap): others may come from now on. Its threads cost a
 *  short download more than its bytes, and nobody knows what to ask for before
 *  a tracker has answered. NULL is a no-op. If it fails, whoever comes is
 *  refused: SHOAL_ENET, SHOAL_ENOMEM; ${why}. */
int share_run(struct serve *s, char *why, size_t cap);

#endif
