/* config_replace.c - one configuration in the place of another, while the
 * program runs. */
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"
#include "shoal.h"

static bool
same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Numbers by value, as they can be written in several ways. */
static bool
is_same(const struct setting *s, const struct config *a,
        const struct config *b)
{
    size_t i = (size_t) (s - config_settings);

    if (config_storage(s) == STORED_NUMBER) {
        return *(const uint64_t *) ((const char *) a + s->offset)
               == *(const uint64_t *) ((const char *) b + s->offset);
    }
    return same_text(a->given[i], b->given[i]);
}

/* The token too, which may have come from a file. */
bool
config_same_tracker(const struct config_tracker *a,
                    const struct config_tracker *b)
{
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct setting *s = &config_settings[i];

        if ((s->flags & OF_TRACKER) == 0) {
            continue;
        }
        const char *x = (const char *) a + s->offset;
        const char *y = (const char *) b + s->offset;
        if (config_storage(s) == STORED_NUMBER
                ? *(const uint64_t *) x != *(const uint64_t *) y
                : !same_text(*(char *const *) x, *(char *const *) y))
        {
            return false;
        }
    }
    return true;
}

static bool
same_trackers(const struct config *a, const struct config *b)
{
    if (a->tracker_count != b->tracker_count) {
        return false;
    }
    for (size_t i = 0; i < a->tracker_count; i++) {
        if (!config_same_tracker(&a->trackers[i], &b->trackers[i])) {
            return false;
        }
    }
    return true;
}

static int
copy_text(char **to, const char *from)
{
    char *copy = from != NULL ? strdup(from) : NULL;

    if (from != NULL && copy == NULL) {
        return SHOAL_ENOMEM;
    }
    free(*to);
    *to = copy;
    return 0;
}

/* Objects cannot be put back: settings that are kept in one change at a
 * reload. */
static int
put_back(const struct setting *s, struct config *next,
         const struct config *now)
{
    size_t i = (size_t) (s - config_settings);
    char *to = (char *) next + s->offset;
    const char *from = (const char *) now + s->offset;
    int err = copy_text(&next->given[i], now->given[i]);

    switch (config_storage(s)) {
    case STORED_NUMBER:
        *(uint64_t *) to = *(const uint64_t *) from;
        return err;
    case STORED_TEXT:
        return err != 0 ? err : copy_text((char **) to, *(char *const *) from);
    case STORED_ADDRESS: {
        const struct config_address *old = (const void *) from;
        struct config_address *address = (void *) to;

        address->port = old->port;
        return err != 0 ? err : copy_text(&address->host, old->host);
    }
    case STORED_OBJECT:
        break;
    }
    return err;
}

int
config_replace(struct config *next, const struct config *now,
               void (*changed)(void *ctx, const char *key, bool reload),
               void *ctx)
{
    int err = 0;

    for (size_t i = 0; i < config_settings_count && err == 0; i++) {
        const struct setting *s = &config_settings[i];

        if ((s->flags & OF_TRACKER) != 0 || is_same(s, next, now)) {
            continue;
        }
        changed(ctx, s->key, s->reload);
        if (!s->reload) {
            err = put_back(s, next, now);
        }
    }
    if (err == 0 && !same_trackers(next, now)) {
        changed(ctx, "trackers", true);
    }
    return err;
}
