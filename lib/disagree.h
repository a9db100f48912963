/* disagree.h - what each CDN node shows, in words. */
#ifndef DISAGREE_H
#define DISAGREE_H

#include "transfer_internal.h"

/** disagree_list(t, text, room): append to ${text}, which has ${room} bytes in
 *  all, each node that was asked: size, validators, and what is wrong with it.
 *  Nothing where there are fewer than two. */
void disagree_list(const struct transfer *t, char *text, size_t room);

#endif
