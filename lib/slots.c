#include "slots.h"

#include <pthread.h>
#include <stdlib.h>

#include "blockmap.h"

enum {
    STILL_MS = 1000, /* without a byte: its reader does not keep up */
    SENT_WEIGHT = 16 /* that a reader has more weighs as much as one time
                        that a block was sent: else who is ahead, and asks for
                        what few have, is served first to the end */
};

struct slots {
    unsigned n;
    void (*ring)(struct slots_waiter *w);
    pthread_mutex_t lock; /* of all below, and of the waiters */
    struct slots_waiter *sending;
    struct slots_waiter *waiting; /* oldest first */
    uint16_t sent[BLOCKMAP_BLOCKS_MAX];
};

struct slots *
slots_create(unsigned n, void (*ring)(struct slots_waiter *w))
{
    struct slots *s = calloc(1, sizeof(*s));

    if (s != NULL) {
        s->n = n;
        s->ring = ring;
        pthread_mutex_init(&s->lock, NULL);
    }
    return s;
}

void
slots_free(struct slots *s)
{
    if (s != NULL) {
        pthread_mutex_destroy(&s->lock);
        free(s);
    }
}

static uint16_t *
times_sent(struct slots *s, uint32_t block)
{
    return &s->sent[block % BLOCKMAP_BLOCKS_MAX];
}

static void
take_out(struct slots_waiter **list, struct slots_waiter *w)
{
    while (*list != NULL && *list != w) {
        list = &(*list)->next;
    }
    if (*list == w) {
        *list = w->next;
    }
    w->next = NULL;
}

static void
append(struct slots_waiter **list, struct slots_waiter *w)
{
    while (*list != NULL) {
        list = &(*list)->next;
    }
    w->next = NULL;
    *list = w;
}

static bool
has_room(const struct slots *s, uint64_t now_ms)
{
    unsigned moving = 0;

    for (const struct slots_waiter *w = s->sending; w != NULL; w = w->next) {
        moving += now_ms < w->moved_ms + STILL_MS;
    }
    return moving < s->n;
}

static void
begin(struct slots *s, struct slots_waiter *w, uint64_t now_ms)
{
    uint16_t *times = times_sent(s, w->block);

    w->state = SLOTS_SENDS;
    w->moved_ms = now_ms;
    w->next = s->sending;
    s->sending = w;
    *times = (uint16_t) (*times + (*times < UINT16_MAX));
}

static uint64_t
rank(struct slots *s, const struct slots_waiter *w)
{
    return (uint64_t) *times_sent(s, w->block) * SENT_WEIGHT + w->held;
}

static struct slots_waiter *
next_one(struct slots *s)
{
    struct slots_waiter *best = s->waiting;

    for (struct slots_waiter *w = best; w != NULL; w = w->next) {
        if (rank(s, w) < rank(s, best)) {
            best = w;
        }
    }
    return best;
}

static void
fill(struct slots *s, uint64_t now_ms, const struct slots_waiter *asker)
{
    struct slots_waiter *w;

    while ((w = next_one(s)) != NULL && has_room(s, now_ms)) {
        take_out(&s->waiting, w);
        begin(s, w, now_ms);
        if (w != asker) {
            s->ring(w);
        }
    }
}

bool
slots_take(struct slots *s, struct slots_waiter *w, uint32_t block,
           uint64_t now_ms)
{
    pthread_mutex_lock(&s->lock);
    if (w->state == SLOTS_SENDS) {
        w->moved_ms = now_ms;
    } else {
        if (w->state == SLOTS_NONE) {
            w->state = SLOTS_WAITS;
            w->block = block;
            append(&s->waiting, w);
        }
        fill(s, now_ms, w);
    }
    bool sends = w->state == SLOTS_SENDS;
    pthread_mutex_unlock(&s->lock);
    return sends;
}

void
slots_leave(struct slots *s, struct slots_waiter *w, uint64_t now_ms)
{
    pthread_mutex_lock(&s->lock);
    if (w->state == SLOTS_SENDS) {
        take_out(&s->sending, w);
    } else if (w->state == SLOTS_WAITS) {
        take_out(&s->waiting, w);
    }
    w->state = SLOTS_NONE;
    fill(s, now_ms, NULL);
    pthread_mutex_unlock(&s->lock);
}

bool
slots_waits(struct slots *s, const struct slots_waiter *w)
{
    pthread_mutex_lock(&s->lock);
    bool waits = w->state == SLOTS_WAITS;
    pthread_mutex_unlock(&s->lock);
    return waits;
}
