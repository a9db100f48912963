/* db_value.c - values of LMDB where they lie: in its map, or read from the
 * file where a page that the disk cannot read would end the process. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db_internal.h"
#include "log.h"
#include "shoal.h"

/* Flags of pages: mdb.c. */
enum {
    IS_BRANCH = 1,
    IS_LEAF = 2,
    IS_OVERFLOW = 4,
    IS_META = 8
};

/* A large value has pages of its own behind a header, which LMDB believes
 * when it deletes it: struct MDB_page of mdb.c. */
struct overflow {
    uint64_t pgno;
    uint16_t pad, flags;
    uint32_t pages;
};

uint64_t
db_overflow(const MDB_val *data)
{
    struct overflow h;

    memcpy(&h, (const char *) data->mv_data - sizeof(h), sizeof(h));
    return h.pgno;
}

static uintptr_t
place_of(const struct db *d, const MDB_val *data)
{
    return (uintptr_t) data->mv_data - d->map;
}

static bool
is_within(const struct db *d, const MDB_val *data)
{
    uintptr_t at = place_of(d, data);

    return at < d->map_bytes && data->mv_size <= d->map_bytes - at;
}

bool
db_has_pages(const struct db *d, const MDB_val *data)
{
    return is_within(d, data)
           && place_of(d, data) % d->page_size == sizeof(struct overflow);
}

/* Among others, on a tree's page. */
static bool
is_in_page(const struct db *d, const MDB_val *data)
{
    return is_within(d, data)
           && place_of(d, data) % d->page_size + data->mv_size <= d->page_size;
}

/* The header is known: it says where it is, and how long its value. */
static struct overflow
header_of(const struct db *d, const MDB_val *data)
{
    struct overflow h = {
        .pgno = place_of(d, data) / d->page_size,
        .flags = IS_OVERFLOW,
        .pages =
            (uint32_t) ((sizeof(h) - 1 + data->mv_size) / d->page_size + 1),
    };

    return h;
}

static bool
is_same(const struct overflow *a, const struct overflow *b)
{
    return a->pgno == b->pgno && a->flags == b->flags && a->pages == b->pages;
}

bool
db_is_sound(const struct db *d, const MDB_val *data)
{
    struct overflow h;

    if (!db_has_pages(d, data)) {
        return is_in_page(d, data);
    }
    struct overflow want = header_of(d, data);
    memcpy(&h, (const char *) data->mv_data - sizeof(h), sizeof(h));
    return is_same(&h, &want);
}

static size_t
read_file(const struct db *d, off_t at, void *buf, size_t len)
{
    size_t got = 0;

    while (got < len) {
        ssize_t n =
            pread(d->fd, (char *) buf + got, len - got, at + (off_t) got);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        got += (size_t) n;
    }
    return got;
}

int
db_copy(struct db *d, const MDB_val *data, size_t off, void *buf, size_t len)
{
    if (db_has_pages(d, data)) {
        off_t at = (off_t) (place_of(d, data) + off);

        return read_file(d, at, buf, len) == len ? 0 : SHOAL_EVERIFY;
    }
    if (!is_in_page(d, data)) {
        return SHOAL_EIO;
    }
    memcpy(buf, (const char *) data->mv_data + off, len);
    return 0;
}

/* The page as far as it can be read, with the header that it has to have. A
 * whole page is written to a bad sector without a read. */
static int
write_header(struct db *d, const struct overflow *h)
{
    off_t at = (off_t) (h->pgno * d->page_size);
    void *page = calloc(1, d->page_size);

    if (page == NULL) {
        return ENOMEM;
    }
    read_file(d, at, page, d->page_size);
    memcpy(page, h, sizeof(*h));
    ssize_t n = pwrite(d->fd, page, d->page_size, at);
    int rc = n < 0 ? errno : 0;
    free(page);
    return rc == 0 && (size_t) n != d->page_size ? EIO : rc;
}

int
db_mend(struct db *d, const uint8_t *id, const MDB_val *data)
{
    struct overflow h;

    if (place_of(d, data) >= d->map_bytes) { /* this transaction's own */
        return 0;
    }
    if (!db_has_pages(d, data)) {
        return is_in_page(d, data) ? 0 : MDB_CORRUPTED;
    }
    struct overflow want = header_of(d, data);
    bool whole =
        read_file(d, (off_t) (want.pgno * d->page_size), &h, sizeof(h))
        == sizeof(h);
    if (whole && is_same(&h, &want)) {
        return 0;
    }
    if (whole && h.pgno == want.pgno
        && (h.flags == IS_BRANCH || h.flags == IS_LEAF || h.flags == IS_META))
    {
        return MDB_CORRUPTED; /* a tree's page: who leads here is wrong */
    }
    log_line(LOG_LEVEL_ERROR, id,
             "cache: the header of page %" PRIu64
             " of data.mdb is damaged, and set right",
             want.pgno);
    return write_header(d, &want);
}
