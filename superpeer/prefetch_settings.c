/* prefetch_settings.c - what a reload may change, and jobs keep until they
 * end. */
#include <stdlib.h>
#include <string.h>

#include "guard.h"
#include "prefetch_internal.h"
#include "resolve.h"
#include "ticket.h"
#include "url.h"

static bool
copy_text(const char *text, char **out)
{
    *out = text != NULL ? strdup(text) : NULL;
    return text == NULL || *out != NULL;
}

struct prefetch_settings *
prefetch_settings_create(const struct prefetch_options *o)
{
    struct prefetch_settings *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    atomic_init(&s->refs, 1);
    s->guard = guard_ref(o->guard);
    s->resolve = resolve_ref(o->resolve);
    s->tickets = ticket_keys_ref(o->tickets);
    s->nodes = o->nodes;
    if (!copy_text(o->bind_address, &s->bind_address)
        || !copy_text(o->origin_ca, &s->origin_ca))
    {
        prefetch_settings_free(s);
        return NULL;
    }
    return s;
}

struct prefetch_settings *
prefetch_settings_get(struct prefetch *p)
{
    pthread_mutex_lock(&p->lock);
    struct prefetch_settings *s = p->settings;
    atomic_fetch_add(&s->refs, 1);
    pthread_mutex_unlock(&p->lock);
    return s;
}

void
prefetch_settings_free(struct prefetch_settings *s)
{
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1) {
        return;
    }
    guard_free(s->guard);
    resolve_free(s->resolve);
    ticket_keys_free(s->tickets);
    free(s->origin_ca);
    free(s->bind_address);
    free(s);
}

bool
prefetch_settings_allow(const struct prefetch_settings *s, const char *url)
{
    char *best = guard_best(s->guard, url);
    bool allowed = best != NULL && guard_url(s->guard, best) == 0;

    free(best);
    return allowed;
}

bool
prefetch_settings_raise(const struct prefetch_settings *s, const char *url)
{
    char *best = guard_best(s->guard, url);
    bool raised = best != NULL && !url_is_secure(url) && url_is_secure(best);

    free(best);
    return raised;
}

void
prefetch_settings_origin(const struct prefetch_settings *s, const char *url,
                         char key[ORIGINS_KEY_MAX])
{
    char *best = guard_best(s->guard, url);

    if (best == NULL || origins_key(best, key) != 0) {
        key[0] = '\0';
    }
    free(best);
}
