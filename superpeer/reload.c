/* reload.c - a new configuration while the super peer runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "log.h"
#include "shoal.h"
#include "superpeer.h"
#include "superpeer_internal.h"

/* Faults come as lines in one text. */
static void
log_faults(char *text)
{
    char *rest = text;

    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (*line != '\0') {
            log_line(LOG_LEVEL_ERROR, NULL, "reload: %s", line);
        }
    }
}

static struct config *
load(const char *path)
{
    struct config *c = NULL;
    char *faults = NULL;
    size_t len = 0;

    FILE *f = open_memstream(&faults, &len);
    if (f == NULL) {
        return NULL;
    }
    if (config_load(path, f, &c) != 0) {
        c = NULL;
    }
    fclose(f);
    if (faults != NULL) {
        log_faults(faults);
    }
    free(faults);
    return c;
}

static void
say_change(void *ctx, const char *key, bool reload)
{
    (void) ctx;
    if (reload) {
        log_line(LOG_LEVEL_INFO, NULL, "reload: %s: changed", key);
    } else {
        log_line(LOG_LEVEL_WARN, NULL, "reload: %s: needs a restart", key);
    }
}

/* The rest of the configuration counts all the same: its faults are none of
 * the file's. */
static void
apply_serve(struct superpeer *s, const struct config *next)
{
    struct serve_options o = superpeer_serve_options(s, next);
    char why[512];

    if (serve_reload(s->serve, &o, why, sizeof(why)) != 0) {
        log_line(LOG_LEVEL_ERROR, NULL, "reload: block server: %s", why);
    }
}

static void
apply_prefetch(struct superpeer *s, const struct config *next)
{
    struct prefetch_options o = superpeer_prefetch_options(s, next);

    if (prefetch_reload(s->prefetch, &o) != 0) {
        log_line(LOG_LEVEL_ERROR, NULL, "reload: prefetch: out of memory");
    }
}

static void
apply(struct superpeer *s, struct config *next)
{
    apply_serve(s, next);
    apply_prefetch(s, next);
    if (agent_reload(s->agent, next) != 0) {
        log_line(LOG_LEVEL_ERROR, NULL, "reload: trackers: out of memory");
    }
    log_set_to((enum log_to) next->log_to);
    log_set_level((enum log_level) next->log_level);
    pthread_mutex_lock(&s->lock);
    struct config *old = s->config;
    s->config = next;
    pthread_mutex_unlock(&s->lock);
    config_free(old);
}

bool
superpeer_reload(struct superpeer *s, const char *path)
{
    struct config *next = load(path);

    if (next == NULL || config_replace(next, s->config, say_change, NULL) != 0)
    {
        config_free(next);
        log_line(LOG_LEVEL_ERROR, NULL, "reload: nothing was changed");
        return false;
    }
    apply(s, next);
    log_line(LOG_LEVEL_INFO, NULL, "reload: done");
    return true;
}
