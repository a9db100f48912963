/* shoal.c - the functions of shoal.h. */
#include "shoal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer.h"
#include "shoal_internal.h"
#include "signals.h"

enum {
    RUN_MS = 1000 /* of one step in shoal_run(); the loop wakes more often */
};

int
shoal_fail(struct shoal *d, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(d->why, sizeof(d->why), format, args);
    va_end(args);
    return err;
}

void
shoal_say(const struct shoal *d, enum shoal_level level, const char *format,
          ...)
{
    char text[1024];
    va_list args;

    if (d->on_message == NULL) {
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    d->on_message(d->message_ctx, level, text);
}

const struct checksum *
shoal_checksum(const struct shoal *d)
{
    return d->sum;
}

const struct shoal_setting *
shoal_settings(size_t *n)
{
    return settings_table(n);
}

/* With these settings, which are taken; NULL: no memory. */
static struct shoal *
create(const char *url, struct settings *settings)
{
    struct shoal *d = calloc(1, sizeof(*d));

    if (d == NULL || settings == NULL) {
        goto fail;
    }
    if (url != NULL) {
        d->url = strdup(url);
        if (d->url == NULL) {
            goto fail;
        }
    }
    d->settings = settings;
    d->result = SHOAL_EAGAIN;
    return d;

fail:
    free(d);
    settings_free(settings);
    return NULL;
}

struct shoal *
shoal_create(const char *url)
{
    return create(url, settings_create());
}

struct shoal *
shoal_copy(const struct shoal *d, const char *url)
{
    struct shoal *copy = create(url, settings_copy(d->settings));

    if (copy != NULL) {
        copy->on_progress = d->on_progress;
        copy->progress_ctx = d->progress_ctx;
        copy->on_message = d->on_message;
        copy->message_ctx = d->message_ctx;
    }
    return copy;
}

void
shoal_free(struct shoal *d)
{
    if (d == NULL) {
        return;
    }
    download_fini(d);
    report_fini(d);
    settings_free(d->settings);
    free(d->url);
    free(d);
}

int
shoal_set(struct shoal *d, const char *name, const char *value)
{
    if (d->stage != STAGE_NEW) {
        return shoal_fail(d, SHOAL_EINVAL, "%.64s: the download has begun",
                          name);
    }
    return settings_set(d->settings, name, value, d->why, sizeof(d->why));
}

int
shoal_check(struct shoal *d)
{
    return settings_check(d->settings, d->why, sizeof(d->why));
}

void
shoal_on_progress(struct shoal *d, shoal_progress_fn *fn, void *ctx)
{
    d->on_progress = fn;
    d->progress_ctx = ctx;
}

void
shoal_on_message(struct shoal *d, shoal_message_fn *fn, void *ctx)
{
    d->on_message = fn;
    d->message_ctx = ctx;
}

int
shoal_step(struct shoal *d, unsigned timeout_ms)
{
    struct signals_pipe pipe;

    signals_hold_pipe(&pipe);
    int err = download_step(d, timeout_ms);
    signals_release_pipe(&pipe);
    return err;
}

int
shoal_run(struct shoal *d)
{
    struct signals_pipe pipe;
    int err;

    signals_hold_pipe(&pipe);
    do {
        err = download_step(d, RUN_MS);
    } while (err == SHOAL_EAGAIN);
    signals_release_pipe(&pipe);
    return err;
}

void
shoal_cancel(struct shoal *d)
{
    d->cancelled = true; /* lock-free, so a signal handler may */
}

const char *
shoal_error(const struct shoal *d)
{
    return d->why;
}

const struct shoal_report *
shoal_report(struct shoal *d)
{
    return report_make(d) == 0 ? &d->report : NULL;
}

int
shoal_make_layer(const char *file, const char *out, char *why, size_t cap)
{
    char *path = NULL;

    if (out == NULL) {
        if (asprintf(&path, "%s.shoal", file) < 0) {
            snprintf(why, cap, "out of memory");
            return SHOAL_ENOMEM;
        }
        out = path;
    }
    int err = layer_make(file, out, why, cap);
    free(path);
    return err;
}

const char *
shoal_version(void)
{
    return SHOAL_VERSION;
}
