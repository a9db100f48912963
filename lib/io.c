#include "io.h"

#include <errno.h>
#include <unistd.h>

#include "shoal.h"

int
io_read_at(int fd, uint64_t off, void *buf, size_t len)
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

int
io_write_at(int fd, uint64_t off, const void *buf, size_t len)
{
    const uint8_t *p = buf;

    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t) off);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return SHOAL_EIO;
        }
        p += n;
        off += (uint64_t) n;
        len -= (size_t) n;
    }
    return 0;
}
