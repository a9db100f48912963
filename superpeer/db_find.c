/* db_find.c - blocks where they lie in the map of the cache's file, and how
 * they come into memory. */
#include <sys/mman.h>

#include "db_internal.h"
#include "shoal.h"

enum {
    RUN_MAX = 4 << 20,   /* bytes that are waited for at once */
    ASK_MAX = 128 << 10, /* likewise, that are asked for */
    LOOK_PAGES = 1024    /* that are looked at in one go */
};

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* since Linux 5.14 */
#endif

static void
advise(const struct db *d, const struct iovec *piece, int advice)
{
    uintptr_t from = (uintptr_t) piece->iov_base / d->page_size * d->page_size;
    uintptr_t to = (uintptr_t) piece->iov_base + piece->iov_len;

    madvise((void *) from, to - from, advice);
}

/* How many pieces lie together, as those that were written together do. */
static uint32_t
run_of(const struct db *d, const struct iovec *pieces, uint32_t n,
       struct iovec *out)
{
    uint32_t i;

    *out = pieces[0];
    for (i = 1; i < n && out->iov_len < RUN_MAX; i++) {
        const char *end = (const char *) out->iov_base + out->iov_len;
        const char *next = pieces[i].iov_base;

        if (next < end || (size_t) (next - end) > d->page_size) {
            break;
        }
        out->iov_len += (size_t) (next - end) + pieces[i].iov_len;
    }
    return i;
}

static bool
are_all_in(const unsigned char *in, size_t n)
{
    size_t i = 0;

    while (i < n && (in[i] & 1) != 0) {
        i++;
    }
    return i == n;
}

/* All pages are looked at: any of them may have gone. */
static bool
is_run_cold(const struct db *d, const struct iovec *run)
{
    uintptr_t at = (uintptr_t) run->iov_base / d->page_size * d->page_size;
    uintptr_t end = (uintptr_t) run->iov_base + run->iov_len;
    unsigned char in[LOOK_PAGES];

    while (at < end) {
        size_t n = (end - at + d->page_size - 1) / d->page_size;

        n = n < LOOK_PAGES ? n : LOOK_PAGES;
        if (mincore((void *) at, n * d->page_size, in) != 0) {
            return false;
        }
        if (!are_all_in(in, n)) {
            return true;
        }
        at += n * d->page_size;
    }
    return false;
}

static bool
is_cold(const struct db *d, const struct iovec *pieces, uint32_t n)
{
    struct iovec run;

    for (uint32_t i = 0; i < n;) {
        i += run_of(d, pieces + i, n - i, &run);
        if (is_run_cold(d, &run)) {
            return true;
        }
    }
    return false;
}

/* The piece of a block that lies at `off` of the set: from there on. */
static int
find_piece(struct db *d, MDB_txn *txn, const struct db_range *r, uint64_t off,
           struct iovec *out)
{
    uint64_t in_block = off % r->block_size;
    size_t skip = (size_t) (in_block % DB_PIECE);
    struct piece_key k = db_piece_key(r->id, (uint32_t) (off / r->block_size),
                                      (uint32_t) (in_block / DB_PIECE));
    MDB_val key = db_val(&k, sizeof(k)), data;

    int rc = mdb_get(txn, d->table[BLOCKS], &key, &data);
    if (rc != 0 && rc != MDB_NOTFOUND) {
        return db_fail(d, r->id, "find a block", rc);
    }
    if (rc != 0 || !db_has_pages(d, &data) || data.mv_size <= skip) {
        return SHOAL_EIO;
    }
    out->iov_base = (char *) data.mv_data + skip;
    out->iov_len = data.mv_size - skip;
    return 0;
}

/* Only the last one may be short. The pages are not looked at, which would
 * wait for each. */
static int
find_pieces(struct db *d, MDB_txn *txn, const struct db_range *r,
            struct iovec *out, unsigned most)
{
    uint64_t off = r->off, end = r->off + r->len;
    unsigned n = 0;

    while (off < end) {
        uint64_t want = DB_PIECE - off % DB_PIECE;

        if (n == most) {
            return SHOAL_EFULL;
        }
        want = want < end - off ? want : end - off;
        if (find_piece(d, txn, r, off, &out[n]) != 0 || out[n].iov_len < want)
        {
            return SHOAL_EIO;
        }
        out[n++].iov_len = (size_t) want;
        off += want;
    }
    return (int) n;
}

/* LMDB gives pages of its own to values that are longer than half a page;
 * these are neither moved nor written while the value is there, other than
 * those of the tree. */
int
db_find(struct db *d, const struct db_range *range, struct iovec *out,
        unsigned most, bool *cold)
{
    MDB_txn *txn = db_reader_get(d);
    if (txn == NULL) {
        return SHOAL_EIO;
    }
    int n = find_pieces(d, txn, range, out, most);
    if (n > 0) {
        *cold = is_cold(d, out, (uint32_t) n);
    }
    db_reader_put(d, txn);
    return n;
}

/* The system takes no more at once than its read-ahead, 128 KiB mostly. */
static void
ask_for(const struct db *d, const struct iovec *run)
{
    for (size_t done = 0; done < run->iov_len; done += ASK_MAX) {
        size_t left = run->iov_len - done;
        struct iovec part = { (char *) run->iov_base + done,
                              left < ASK_MAX ? left : ASK_MAX };

        advise(d, &part, MADV_WILLNEED);
    }
}

/* A kernel that cannot populate leaves the waiting to whoever sends. */
void
db_read_in(const struct db *d, const struct iovec *pieces, uint32_t n)
{
    struct iovec run;

    for (uint32_t i = 0; i < n;) {
        i += run_of(d, pieces + i, n - i, &run);
        ask_for(d, &run);
        advise(d, &run, MADV_POPULATE_READ);
    }
}

struct db_hold *
db_hold(struct db *d)
{
    return (struct db_hold *) db_reader_get(d);
}

void
db_release(struct db *d, struct db_hold *h)
{
    if (h != NULL) {
        db_reader_put(d, (MDB_txn *) h);
    }
}
