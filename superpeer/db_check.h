/* db_check.h - is a file of LMDB what LMDB has written? LMDB itself trusts its
 * pages: a wrong one makes it crash, or write over what is in use. */
#ifndef DB_CHECK_H
#define DB_CHECK_H

#include <stddef.h>

/**
 * db_check(fd, why, cap):
 * Walk over all trees of the file, without reading blocks, which lie in pages
 * of their own: every page has to be what it should be, lie within the file
 * and be used once, keys have to be in order, and counts right. What records,
 * hashes and blocks say is not looked at.
 *
 * Blocking:   for the reading of some hundred bytes a block.
 * Errors:     SHOAL_EVERIFY (damaged: ${why} says how), SHOAL_EIO (cannot be
 *             read), SHOAL_ENOMEM, SHOAL_EINVAL (another format: not checked).
 * Source:     LMDB 0.9, mdb.c: struct MDB_page, MDB_node, MDB_db, MDB_meta;
 *             data version 1.
 */
int db_check(int fd, char *why, size_t cap);

#endif
