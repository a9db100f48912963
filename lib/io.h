/* io.h - reading and writing at a place of a file, all of it. */
#ifndef IO_H
#define IO_H

#include <stddef.h>
#include <stdint.h>

/** io_read_at(fd, off, buf, len): SHOAL_EIO, also when the file is shorter. */
int io_read_at(int fd, uint64_t off, void *buf, size_t len);

/** io_write_at(fd, off, buf, len): SHOAL_EIO with errno set. */
int io_write_at(int fd, uint64_t off, const void *buf, size_t len);

#endif
