#include "followed.h"

#include <arpa/inet.h>
#include <string.h>

#include "shoal.h"

enum {
    EVENT_LEN = 4 /* bytes on the wire */
};

struct event {
    enum havelog_kind kind;
    uint32_t first, end;
};

int
followed_init(struct followed *f, uint64_t size)
{
    memset(f, 0, sizeof(*f));
    int err = blockmap_init(&f->have, size);
    if (err == 0) {
        err = blockmap_init(&f->fetching, size);
    }
    if (err != 0) {
        followed_fini(f);
    }
    return err;
}

void
followed_fini(struct followed *f)
{
    blockmap_fini(&f->have);
    blockmap_fini(&f->fetching);
}

static void
clear(struct blockmap *m)
{
    memset(m->bits, 0, blockmap_bytes(m));
    m->held = 0;
}

void
followed_clear(struct followed *f)
{
    clear(&f->have);
    clear(&f->fetching);
}

size_t
followed_max(const struct followed *f)
{
    return blockmap_bytes(&f->have) + (size_t) HAVELOG_EVENTS * EVENT_LEN;
}

static struct event
event_at(const uint8_t *body, size_t i)
{
    uint32_t e;

    memcpy(&e, body + i * EVENT_LEN, EVENT_LEN);
    e = ntohl(e);
    uint32_t first = e & 0xffff;
    return (struct event){ (enum havelog_kind)(e >> 30), first,
                           first + (e >> 16 & 0x3fff) + 1 };
}

static bool
are_events(const struct followed *f, const uint8_t *body, size_t len)
{
    if (len % EVENT_LEN != 0 || len / EVENT_LEN > HAVELOG_EVENTS) {
        return false;
    }
    for (size_t i = 0; i < len / EVENT_LEN; i++) {
        struct event e = event_at(body, i);

        if (e.kind > HAVELOG_UNFETCH || e.end > f->have.count) {
            return false;
        }
    }
    return true;
}

/* False: that was known. */
static bool
change(struct followed *f, enum havelog_kind kind, uint32_t block)
{
    bool has = blockmap_has(&f->have, block);
    bool fetching = blockmap_has(&f->fetching, block);

    switch (kind) {
    case HAVELOG_HAVE:
        blockmap_set(&f->have, block);
        blockmap_clear(&f->fetching, block);
        return !has;
    case HAVELOG_FETCHING:
        if (!has) {
            blockmap_set(&f->fetching, block);
        }
        return !has && !fetching;
    default:
        blockmap_clear(&f->fetching, block);
        return fetching;
    }
}

static void
apply_one(struct followed *f, struct event e, const struct followed_ops *ops)
{
    for (uint32_t b = e.first; b < e.end; b++) {
        if (change(f, e.kind, b) && ops != NULL) {
            ops->changed(ops->ctx, e.kind, b);
        }
    }
}

static void
apply(struct followed *f, const uint8_t *body, size_t len,
      const struct followed_ops *ops)
{
    for (size_t i = 0; i < len / EVENT_LEN; i++) {
        apply_one(f, event_at(body, i), ops);
    }
}

int
followed_bitmap(struct followed *f, const uint8_t *body, size_t len)
{
    size_t bits = blockmap_bytes(&f->have);

    if (len < bits || !are_events(f, body + bits, len - bits)
        || blockmap_load(&f->have, body, bits) != 0)
    {
        return SHOAL_EPROTO;
    }
    clear(&f->fetching);
    apply(f, body + bits, len - bits, NULL);
    return 0;
}

int
followed_events(struct followed *f, const uint8_t *body, size_t len,
                const struct followed_ops *ops)
{
    if (!are_events(f, body, len)) {
        return SHOAL_EPROTO;
    }
    apply(f, body, len, ops);
    return 0;
}
