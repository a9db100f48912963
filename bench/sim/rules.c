/* rules.c - two rules that failed in practice (SWARM.md), so that a test can
 * see that the simulator would notice them. They look into the schedule. */
#include "sim.h"

#include <string.h>

#include "schedule_internal.h"

enum {
    UNDER_WAY = 2
};

/* `offset`: the CDN in the order of the file, from a place of each one's own.
 * `unique`: slow peers only for what nobody else has. */
bool
rules_apply(const struct sim *s, int client, int source)
{
    struct schedule *schedule = s->clients[client].schedule;
    enum source_kind kind = schedule->sources[source].kind;

    if (s->o.rule == NULL) {
        return false;
    }
    if (strcmp(s->o.rule, "offset") == 0) {
        return kind == SOURCE_CDN && schedule_is_crowd(schedule);
    }
    return kind == SOURCE_PEER && schedule_peers_is_slow(schedule, source);
}

static bool
pick_offset(const struct schedule *t, uint32_t place, uint32_t *out)
{
    for (uint32_t i = 0; i < t->map->count; i++) {
        *out = (place + i) % t->map->count;
        if (t->blocks[*out].level == 0 && t->blocks[*out].fetchers == 0) {
            return true;
        }
    }
    return false;
}

static bool
pick_unique(const struct schedule *t, int source, uint32_t *out)
{
    for (uint32_t i = 0; i < t->map->count; i++) {
        if (t->blocks[i].level == 1 && schedule_has(t, source, i)) {
            *out = i;
            return true;
        }
    }
    return false;
}

bool
rules_pick(struct sim *s, int client, int source, uint32_t *out)
{
    struct schedule *t = s->clients[client].schedule;
    const struct source *src = &t->sources[source];

    if (src->kind != SOURCE_CDN) {
        return src->active < UNDER_WAY && pick_unique(t, source, out);
    }
    return t->cdn_active < UNDER_WAY
           && pick_offset(
               t, (uint32_t) (schedule_mix(t->client) % t->map->count), out);
}
