/* news.h - what one tracker has still to be told, a line a resource
 * (docs/protocol.md "Super peers' calls"). Not locked. */
#ifndef NEWS_H
#define NEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NEWS_LINES_MAX = 8192, /* of one call */
    NEWS_ITEMS_MAX = 65536 /* more refusals are not kept */
};

enum news_kind {
    NEWS_FILLING, /* ~ID HELD [http] */
    NEWS_HELD,    /* +ID ROOT cdn|copy [http] */
    NEWS_GONE,    /* -ID */
    NEWS_REFUSED  /* ?ID REASON */
};

struct news_item {
    enum news_kind kind;
    uint8_t id[20];
    uint32_t held;      /* filling: blocks that can be served */
    bool empty;         /* held: there is no root */
    bool copy;          /* held: not every byte came from CDN nodes */
    bool plain;         /* both: CDN nodes gave some of it by http */
    uint8_t root[32];   /* held */
    const char *reason; /* refused: one of the protocol's, static */
};

struct news;

/** news_create(): NULL when out of memory. */
struct news *news_create(void);
void news_free(struct news *n);

/** news_put(n, item): a newer item about the same id replaces the older one,
 *  and stands last. A refusal is passed over where there are NEWS_ITEMS_MAX
 *  items: what one tracker asks for must not pile up for another that cannot
 *  be reached. SHOAL_ENOMEM. */
int news_put(struct news *n, const struct news_item *item);

/** news_count(n): items. */
size_t news_count(const struct news *n);

/**
 * news_take(n, out, len):
 * Take the oldest NEWS_LINES_MAX items out, as the body of a call, to be
 * freed. SHOAL_ENOMEM: nothing was taken.
 */
int news_take(struct news *n, char **out, size_t *len);

/** news_keep_refusals(n): forget the others: a full announcement says them. */
void news_keep_refusals(struct news *n);

#endif
