#include "db_check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shoal.h"

/* LMDB's file format, in the machine's byte order. */
enum {
    MAGIC = (int) 0xBEEFC0DE,
    VERSION = 1,
    HEADER = 16, /* bytes of a page */
    NODE = 8,    /* bytes of a node before its key */
    KEY_MAX = 511,
    DEPTH_MAX = 32,
    PSIZE_MIN = 256,
    PSIZE_MAX = 65536,
    SPARE_PAGES = 65536,
    IS_BRANCH = 1,
    IS_LEAF = 2,
    IS_META = 8,
    TREE_INTEGER = 8,  /* keys are numbers */
    TREE_ANY = 0x4000, /* of the environment; means nothing */
    VALUE_BIG = 1,     /* in pages of its own */
    VALUE_TREE = 2
};

#define NO_PAGE UINT64_MAX

struct page_header {
    uint64_t pgno;
    uint16_t pad, flags;
    uint16_t lower, upper; /* of an overflow page: how many pages */
};

struct tree {
    uint32_t pad; /* page size, in the first one of a meta page */
    uint16_t flags, depth;
    uint64_t branches, leaves, overflows, entries;
    uint64_t root;
};

struct meta {
    uint32_t magic, version;
    uint64_t address, map_size;
    struct tree trees[2]; /* of free pages, of the others' names */
    uint64_t last_page, txn;
};

struct node {
    uint16_t low, high, flags, key_len;
};

struct check {
    int fd;
    char *why;
    size_t cap;
    size_t psize;
    uint64_t txn;
    uint64_t pages; /* that are in use, or free */
    uint64_t file_pages;
    uint8_t *used; /* a bit a page */
};

/* One walk over one tree. */
struct walk {
    struct check *c;
    const struct tree *tree;
    struct tree counted;
    uint8_t last[KEY_MAX]; /* the key before */
    size_t last_len;
    bool any;
    bool at_least; /* the next key may be the one before */
    int (*value)(struct walk *w, const uint8_t *key, const uint8_t *data,
                 size_t len);
};

static int damaged(struct check *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int
damaged(struct check *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(c->why, c->cap, format, args);
    va_end(args);
    return SHOAL_EVERIFY;
}

static int
read_at(struct check *c, uint64_t off, void *buf, size_t len)
{
    size_t got = 0;

    while (got < len) {
        ssize_t n = pread(c->fd, (uint8_t *) buf + got, len - got,
                          (off_t) (off + got));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) { /* a bad sector is damage, too */
            return damaged(c, "cannot be read at byte %" PRIu64 ": %s", off,
                           strerror(errno));
        }
        if (n == 0) {
            return damaged(c, "ends at byte %" PRIu64, off + got);
        }
        got += (size_t) n;
    }
    return 0;
}

/* The pages are somebody's from now on; of two they cannot be. */
static int
claim(struct check *c, uint64_t pgno, uint64_t n, bool written)
{
    if (pgno < 2 || n > c->pages || pgno > c->pages - n) {
        return damaged(c, "page %" PRIu64 " lies behind the end", pgno);
    }
    if (written && pgno + n > c->file_pages) {
        return damaged(c, "is cut short: page %" PRIu64 " is missing", pgno);
    }
    for (uint64_t i = pgno; i < pgno + n; i++) {
        if ((c->used[i / 8] & (1 << (i % 8))) != 0) {
            return damaged(c, "page %" PRIu64 " is used twice", i);
        }
        c->used[i / 8] |= (uint8_t) (1 << (i % 8));
    }
    return 0;
}

/* ---- one tree ---- */

static int
compare(const struct walk *w, const uint8_t *key, size_t len)
{
    if ((w->tree->flags & TREE_INTEGER) != 0 && len == sizeof(uint64_t)
        && w->last_len == len)
    {
        uint64_t a, b;

        memcpy(&a, key, len);
        memcpy(&b, w->last, len);
        return (a > b) - (a < b);
    }
    size_t most = len < w->last_len ? len : w->last_len;
    int order = memcmp(key, w->last, most);
    return order != 0 ? order : (len > w->last_len) - (len < w->last_len);
}

/* Keys of leaves ascend; a branch's key is not less than any before it, and
 * may be the next one. */
static int
next_key(struct walk *w, const uint8_t *key, size_t len, bool branch)
{
    if (len == 0 || len > KEY_MAX) {
        return damaged(w->c, "a key of %zu bytes", len);
    }
    if (w->any) {
        int order = compare(w, key, len);

        if (order < 0 || (order == 0 && !w->at_least)) {
            return damaged(w->c, "keys are not in order");
        }
    }
    memcpy(w->last, key, len);
    w->last_len = len;
    w->any = true;
    w->at_least = branch;
    return 0;
}

static int
big_value(struct walk *w, const struct node *n, const uint8_t *key,
          const uint8_t *data)
{
    struct check *c = w->c;
    size_t len = n->low | (size_t) n->high << 16;
    uint64_t pgno, pages = (HEADER - 1 + len) / c->psize + 1;

    memcpy(&pgno, data, sizeof(pgno));
    w->counted.overflows += pages;
    int err = claim(c, pgno, pages, true);
    if (err != 0 || w->value == NULL) {
        return err;
    }
    uint8_t *buf = malloc(len);
    if (buf == NULL) {
        return SHOAL_ENOMEM;
    }
    err = read_at(c, pgno * c->psize + HEADER, buf, len);
    if (err == 0) {
        err = w->value(w, key, buf, len);
    }
    free(buf);
    return err;
}

static int tree_record(struct walk *w, const uint8_t *key, const uint8_t *data,
                       size_t len);

static int
leaf_node(struct walk *w, const struct node *n, const uint8_t *key,
          size_t room)
{
    size_t len = n->low | (size_t) n->high << 16;
    bool big = (n->flags & VALUE_BIG) != 0;
    const uint8_t *data = key + n->key_len;

    uint16_t flags =
        w->value == tree_record ? VALUE_TREE : n->flags & VALUE_BIG;

    if ((big ? sizeof(uint64_t) : len) > room || n->flags != flags) {
        return damaged(w->c, "a value of %zu bytes", len);
    }
    int err = next_key(w, key, n->key_len, false);
    if (err != 0) {
        return err;
    }
    w->counted.entries++;
    if (big) {
        return big_value(w, n, key, data);
    }
    return w->value != NULL ? w->value(w, key, data, len) : 0;
}

static int check_page(struct walk *w, uint64_t pgno, unsigned level);
static int free_list(struct walk *w, const uint8_t *key, const uint8_t *data,
                     size_t len);

static uint64_t
child_of(const struct node *n)
{
    return n->low | (uint64_t) n->high << 16 | (uint64_t) n->flags << 32;
}

/* The children are needed one after the other, and lie anywhere: the disk can
 * fetch them at once. Nodes that are wrong are found later. */
static void
read_ahead(const struct check *c, const uint8_t *page, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct node n;
        uint16_t at;

        memcpy(&at, page + HEADER + (size_t) i * 2, sizeof(at));
        if (at + NODE <= (int) c->psize) {
            memcpy(&n, page + at, sizeof(n));
            posix_fadvise(c->fd, (off_t) (child_of(&n) * c->psize),
                          (off_t) c->psize, POSIX_FADV_WILLNEED);
        }
    }
}

/* The first key of a branch is not used, and empty. */
static int
branch_node(struct walk *w, const struct node *n, const uint8_t *key,
            unsigned i, unsigned level)
{
    uint64_t child = child_of(n);
    int err = i > 0 ? next_key(w, key, n->key_len, true) : 0;

    return err == 0 ? check_page(w, child, level + 1) : err;
}

/* Nodes fill the page from its end on: a length that is wrong makes LMDB move
 * others when it deletes one. */
static size_t
node_size(const struct page_header *h, const struct node *n)
{
    size_t len = 0;

    if (h->flags == IS_LEAF) {
        len = (n->flags & VALUE_BIG) != 0 ? sizeof(uint64_t)
                                          : n->low | (size_t) n->high << 16;
    }
    return (NODE + n->key_len + len + 1) / 2 * 2;
}

static int
check_nodes(struct walk *w, const uint8_t *page, const struct page_header *h,
            unsigned level)
{
    struct check *c = w->c;
    unsigned count = (h->lower - HEADER) / 2u;
    size_t bytes = 0;
    int err = 0;

    if (h->flags == IS_BRANCH) {
        read_ahead(c, page, count);
    }
    for (unsigned i = 0; err == 0 && i < count; i++) {
        struct node n;
        uint16_t at;

        memcpy(&at, page + HEADER + i * 2, sizeof(at));
        if (at < h->upper || at + NODE > (int) c->psize) {
            return damaged(c, "page %" PRIu64 ": a node at %u", h->pgno, at);
        }
        memcpy(&n, page + at, sizeof(n));
        if ((size_t) at + NODE + n.key_len > c->psize) {
            return damaged(c, "page %" PRIu64 ": a key of %u bytes", h->pgno,
                           n.key_len);
        }
        const uint8_t *key = page + at + NODE;
        bytes += node_size(h, &n);
        err = h->flags == IS_BRANCH
                  ? branch_node(w, &n, key, i, level)
                  : leaf_node(w, &n, key, c->psize - at - NODE - n.key_len);
    }
    if (err == 0 && bytes != c->psize - h->upper) {
        return damaged(c, "page %" PRIu64 ": nodes of %zu bytes", h->pgno,
                       bytes);
    }
    return err;
}

static int
check_page(struct walk *w, uint64_t pgno, unsigned level)
{
    struct check *c = w->c;
    struct page_header h;

    if (level > w->tree->depth || level > DEPTH_MAX) {
        return damaged(c, "a tree is too deep at page %" PRIu64, pgno);
    }
    int err = claim(c, pgno, 1, true);
    if (err != 0) {
        return err;
    }
    uint8_t *page = malloc(c->psize);
    if (page == NULL) {
        return SHOAL_ENOMEM;
    }
    err = read_at(c, pgno * c->psize, page, c->psize);
    memcpy(&h, page, sizeof(h));
    if (err == 0
        && (h.pgno != pgno
            || h.flags != (level < w->tree->depth ? IS_BRANCH : IS_LEAF)
            || h.lower <= HEADER || h.lower % 2 != 0 || h.lower > h.upper
            || h.upper > c->psize))
    {
        err = damaged(c, "page %" PRIu64 " is not what it should be", pgno);
    }
    if (err == 0) {
        *(h.flags == IS_BRANCH ? &w->counted.branches : &w->counted.leaves) +=
            1;
        err = check_nodes(w, page, &h, level);
    }
    free(page);
    return err;
}

static int
check_tree(struct check *c, const struct tree *t,
           int (*value)(struct walk *, const uint8_t *, const uint8_t *,
                        size_t))
{
    struct walk w = { .c = c, .tree = t, .value = value };
    int err = 0;

    if (t->flags != (value == free_list ? TREE_INTEGER : 0)) {
        return damaged(c, "a tree's flags are %x", t->flags);
    }
    if (t->root != NO_PAGE) {
        err = check_page(&w, t->root, 1);
    }
    if (err == 0
        && (w.counted.branches != t->branches || w.counted.leaves != t->leaves
            || w.counted.overflows != t->overflows
            || w.counted.entries != t->entries))
    {
        err = damaged(c, "a tree's counts are wrong");
    }
    return err;
}

/* Of the tree of names: each value is a tree. */
static int
tree_record(struct walk *w, const uint8_t *key, const uint8_t *data,
            size_t len)
{
    struct tree t;

    (void) key;
    if (len != sizeof(t)) {
        return damaged(w->c, "a tree's record of %zu bytes", len);
    }
    memcpy(&t, data, sizeof(t));
    return check_tree(w->c, &t, NULL);
}

/* ---- the file ---- */

/* A list of free pages: how many, and their numbers. They need not have been
 * written ever. */
static int
free_list(struct walk *w, const uint8_t *key, const uint8_t *data, size_t len)
{
    uint64_t n, pgno, txn, last = UINT64_MAX;
    int err = 0;

    memcpy(&txn, key, sizeof(txn));
    if (txn > w->c->txn) {
        return damaged(w->c, "free pages of a later transaction");
    }
    if (len < sizeof(n)) {
        return damaged(w->c, "a list of free pages of %zu bytes", len);
    }
    memcpy(&n, data, sizeof(n));
    if (n > len / sizeof(n) - 1) {
        return damaged(w->c, "a list of %" PRIu64 " free pages", n);
    }
    for (uint64_t i = 1; err == 0 && i <= n; i++) {
        memcpy(&pgno, data + i * sizeof(pgno), sizeof(pgno));
        err = pgno < last ? claim(w->c, pgno, 1, false)
                          : damaged(w->c, "free pages are not in order");
        last = pgno;
    }
    return err;
}

static int
read_meta(struct check *c, uint64_t off, struct meta *out)
{
    struct page_header h;
    int err = read_at(c, off, &h, sizeof(h));

    if (err == 0) {
        err = read_at(c, off + HEADER, out, sizeof(*out));
    }
    if (err == 0
        && ((h.flags & IS_META) == 0 || out->magic != (uint32_t) MAGIC)) {
        err = damaged(c, "the page at byte %" PRIu64 " is no meta page", off);
    }
    return err;
}

/* The newer of two. */
static int
read_metas(struct check *c, struct meta *out)
{
    struct meta other;
    int err = read_meta(c, 0, out);

    if (err != 0) {
        return err;
    }
    c->psize = out->trees[0].pad;
    if (c->psize < PSIZE_MIN || c->psize > PSIZE_MAX
        || (c->psize & (c->psize - 1)) != 0)
    {
        return damaged(c, "pages of %zu bytes", c->psize);
    }
    err = read_meta(c, c->psize, &other);
    if (err == 0
        && (out->version != other.version
            || out->trees[0].pad != other.trees[0].pad
            || out->trees[0].flags != other.trees[0].flags))
    {
        return damaged(c, "meta pages that differ");
    }
    if (err == 0 && other.txn > out->txn) {
        *out = other;
    }
    return err == 0 && out->version != VERSION ? SHOAL_EINVAL : err;
}

int
db_check(int fd, char *why, size_t cap)
{
    struct check c = { .fd = fd, .why = why, .cap = cap };
    struct meta meta;
    struct stat st;

    if (fstat(fd, &st) != 0) {
        snprintf(why, cap, "%s", strerror(errno));
        return SHOAL_EIO;
    }
    int err = read_metas(&c, &meta);
    if (err != 0) {
        return err;
    }
    c.file_pages = (uint64_t) st.st_size / c.psize;
    c.pages = meta.last_page + 1;
    c.txn = meta.txn;
    /* Pages at the end that were never needed need not be there. */
    if (c.pages < 2 || c.pages / 2 > c.file_pages + SPARE_PAGES) {
        return damaged(
            &c, "is cut short: of %" PRIu64 " pages %" PRIu64 " are there",
            c.pages, c.file_pages);
    }
    c.used = calloc(1, c.pages / 8 + 1);
    if (c.used == NULL) {
        return SHOAL_ENOMEM;
    }
    meta.trees[0].flags &= (uint16_t) ~TREE_ANY;
    err = check_tree(&c, &meta.trees[1], tree_record);
    if (err == 0) {
        err = check_tree(&c, &meta.trees[0], free_list);
    }
    free(c.used);
    return err;
}
