/* ahead.c - of thousands of clients none is in the processor's caches when
 * news comes to it, and each step to what the news is about waits for the
 * memory. So all followers take each step together, and wait once. It changes
 * nothing but the time that it takes. It looks into the schedule. */
#include "sim.h"

#include "schedule_internal.h"

enum {
    LINE = 64 /* bytes that come at once */
};

static void
fetch_lines(const void *at, size_t len)
{
    const char *line = at;

    for (size_t i = 0; i < len; i += LINE) {
        __builtin_prefetch(line + i);
    }
}

static void
fetch_block(const struct schedule *t, const struct source *src, uint32_t block)
{
    __builtin_prefetch(&t->blocks[block]);
    __builtin_prefetch(&t->map->bits[block / 8]);
    if (src->have != NULL) {
        __builtin_prefetch(&src->have[block / 64]);
    }
    if (src->n_fetch > 0) {
        __builtin_prefetch(&src->fetch[block / 64]);
    }
}

void
ahead_of_news(const struct sim *s, const struct follower *list, size_t n,
              uint32_t block)
{
    for (size_t i = 0; i < n; i++) {
        fetch_lines(&s->clients[list[i].client], sizeof(struct client));
    }
    for (size_t i = 0; i < n; i++) {
        fetch_lines(s->clients[list[i].client].schedule,
                    sizeof(struct schedule));
    }
    for (size_t i = 0; i < n; i++) {
        const struct client *c = &s->clients[list[i].client];

        fetch_lines(&c->schedule->sources[list[i].source],
                    sizeof(struct source));
        __builtin_prefetch(&c->links[list[i].source]);
    }
    for (size_t i = 0; i < n; i++) {
        const struct schedule *t = s->clients[list[i].client].schedule;

        fetch_block(t, &t->sources[list[i].source], block);
    }
}
