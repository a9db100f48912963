#include "news.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "resource.h"
#include "shoal.h"

enum {
    BUCKETS = 4096, /* by id; a queue is rarely longer than some hundred */
    LINE_MAX_LEN = 1 + 40 + 1 + 64 + 1 + 16 + 1
};

struct entry {
    struct entry *next, *prev; /* oldest first */
    struct entry *same;        /* bucket */
    struct news_item item;
};

struct news {
    struct entry *first, *last;
    struct entry *buckets[BUCKETS];
    size_t count;
};

struct news *
news_create(void)
{
    return calloc(1, sizeof(struct news));
}

static struct entry **
place(struct news *n, const uint8_t id[20])
{
    struct entry **e = &n->buckets[(id[0] << 8 | id[1]) % BUCKETS];

    while (*e != NULL && memcmp((*e)->item.id, id, RESOURCE_ID_LEN) != 0) {
        e = &(*e)->same;
    }
    return e;
}

static void
unlink_entry(struct news *n, struct entry *e)
{
    *place(n, e->item.id) = e->same;
    *(e->prev != NULL ? &e->prev->next : &n->first) = e->next;
    *(e->next != NULL ? &e->next->prev : &n->last) = e->prev;
    n->count--;
}

static void
append(struct news *n, struct entry *e)
{
    *place(n, e->item.id) = e;
    e->same = NULL;
    e->next = NULL;
    e->prev = n->last;
    *(n->last != NULL ? &n->last->next : &n->first) = e;
    n->last = e;
    n->count++;
}

void
news_free(struct news *n)
{
    if (n == NULL) {
        return;
    }
    while (n->first != NULL) {
        struct entry *e = n->first;

        n->first = e->next;
        free(e);
    }
    free(n);
}

int
news_put(struct news *n, const struct news_item *item)
{
    struct entry *e = *place(n, item->id);

    if (e != NULL) {
        unlink_entry(n, e);
    } else if (item->kind == NEWS_REFUSED && n->count >= NEWS_ITEMS_MAX) {
        return 0;
    } else {
        e = malloc(sizeof(*e));
    }
    if (e == NULL) {
        return SHOAL_ENOMEM;
    }
    e->item = *item;
    append(n, e);
    return 0;
}

size_t
news_count(const struct news *n)
{
    return n->count;
}

static size_t
print(const struct news_item *i, char *out, size_t cap)
{
    char id[RESOURCE_ID_HEX], root[DIGEST_HEX] = "-";
    const char *plain = i->plain ? " http" : "";
    int n = 0;

    resource_id_hex(i->id, id);
    switch (i->kind) {
    case NEWS_FILLING:
        n = snprintf(out, cap, "~%s %" PRIu32 "%s\n", id, i->held, plain);
        break;
    case NEWS_HELD:
        if (!i->empty) {
            hex_encode(i->root, DIGEST_LEN, root);
        }
        n = snprintf(out, cap, "+%s %s %s%s\n", id, root,
                     i->copy ? "copy" : "cdn", plain);
        break;
    case NEWS_GONE:
        n = snprintf(out, cap, "-%s\n", id);
        break;
    case NEWS_REFUSED:
        n = snprintf(out, cap, "?%s %s\n", id, i->reason);
        break;
    }
    return n > 0 && (size_t) n < cap ? (size_t) n : 0;
}

int
news_take(struct news *n, char **out, size_t *len)
{
    size_t lines = n->count < NEWS_LINES_MAX ? n->count : NEWS_LINES_MAX;
    size_t cap = lines * LINE_MAX_LEN + 1, used = 0;

    char *body = malloc(cap);
    if (body == NULL) {
        return SHOAL_ENOMEM;
    }
    for (; lines > 0; lines--) {
        struct entry *e = n->first;

        used += print(&e->item, body + used, cap - used);
        unlink_entry(n, e);
        free(e);
    }
    body[used] = '\0';
    *out = body;
    *len = used;
    return 0;
}

void
news_keep_refusals(struct news *n)
{
    struct entry *next;

    for (struct entry *e = n->first; e != NULL; e = next) {
        next = e->next;
        if (e->item.kind != NEWS_REFUSED) {
            unlink_entry(n, e);
            free(e);
        }
    }
}
