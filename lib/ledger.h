/* ledger.h - keeps a control file up to date while blocks come in: a record
 * for each at once, and every few seconds the whole of it anew, by a thread of
 * its own, after the blocks are on disk. */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdbool.h>
#include <stdint.h>

struct control_blocks;
struct ledger;
struct resource;

/**
 * ledger_create(path, fd, r, blocks):
 * Write the first control file, for the bytes in ${fd}. ${r} and what
 * ${blocks} points to are borrowed until ledger_free(). NULL: it cannot be
 * written, errno.
 */
struct ledger *ledger_create(const char *path, int fd,
                             const struct resource *r,
                             const struct control_blocks *blocks);

/** ledger_free(l): waits for the disk, if it is being written. NULL is a
 *  no-op. */
void ledger_free(struct ledger *l);

/** ledger_held(l, block): the blocks told say now that it is, and its hash;
 *  ledger_dropped(l, block): that it is not. */
void ledger_held(struct ledger *l, uint32_t block);
void ledger_dropped(struct ledger *l, uint32_t block);

/** ledger_save(l): write it anew in the background, if there is news and it
 *  is time: the disk has other things to do, too. */
void ledger_save(struct ledger *l);

/** ledger_settle(l): every record is in the file; if some could not be
 *  written, it is written anew now. SHOAL_EIO with errno set. */
int ledger_settle(struct ledger *l);

#endif
